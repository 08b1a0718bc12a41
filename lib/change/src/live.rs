//! Settings of the running machine, changed and taken back with its files.

use std::fmt::Debug;
use std::path::PathBuf;

use model::Kind;

/// Who reads and writes the settings of the running machine: kernel
/// parameters, swap areas, the hostname. Names and values are its own affair.
pub trait Live: Debug {
    /// The value now; `None` if there is none.
    ///
    /// # Errors
    /// Fails if it cannot be told.
    fn read(&self, name: &str) -> Result<Option<String>, Refused>;

    /// Gives it a value, or takes it away.
    ///
    /// # Errors
    /// Fails if the machine refuses.
    fn write(&self, name: &str, value: Option<&str>) -> Result<(), Refused>;

    /// Files have changed: whoever reads them is told, before any setting is written.
    ///
    /// # Errors
    /// Fails if somebody cannot be told.
    fn settle(&self, files: &[PathBuf]) -> Result<(), Refused>;
}

/// Why a setting could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub struct Refused {
    /// Whether another try could help.
    pub kind: Kind,
    /// What was refused, and why.
    pub why: String,
}

impl Refused {
    /// The machine's trouble: another try may work.
    pub fn unavailable(why: impl Into<String>) -> Self {
        Self { kind: Kind::Unavailable, why: why.into() }
    }
}
