//! Where a database is.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where a database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Url {
    /// A file: `sqlite:PATH`.
    Sqlite(PathBuf),
}

impl FromStr for Url {
    type Err = String;

    /// What stands there may hold a password: it is not repeated.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(path.into())),
            _ => Err("a database is sqlite:PATH".into()),
        }
    }
}

/// As it was given, but never with a password.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
        }
    }
}
