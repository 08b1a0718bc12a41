//! Where a field stands in a row.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::unit::shown;

/// A field: `country` at the top of a row, `meta.country` in an object there, or
/// either as RFC 6901 has it, `/meta/country`, for names that hold a dot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FieldPath(#[cfg_attr(feature = "schema", schemars(with = "String"))] Names);

/// Apart from the rest, so that a row finds its field at once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Names {
    first: String,
    below: Vec<String>,
}

impl FieldPath {
    /// The name at the top of the row.
    #[inline]
    pub fn first(&self) -> &str {
        &self.0.first
    }

    /// The names below it; none for a field at the top.
    #[inline]
    pub fn below(&self) -> &[String] {
        &self.0.below
    }

    /// Whether it is this one or lies in it.
    pub fn is_within(&self, other: &Self) -> bool {
        self.first() == other.first() && self.below().starts_with(other.below())
    }
}

impl FromStr for FieldPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut names = ndjson::names(text).map_err(|error| error.to_string())?;
        if !names.iter().all(|name| crate::rules::is_field(name)) {
            let shown = shown(text);
            return Err(format!("`{shown}`: a field's name is 1 to 256 bytes without control characters"));
        }
        let below = names.split_off(1);
        Ok(Self(Names { first: names.swap_remove(0), below }))
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = || std::iter::once(&self.0.first).chain(&self.0.below);
        if names().any(|name| name.contains('.')) || self.first().starts_with('/') {
            return names().try_for_each(|name| write!(f, "/{}", name.replace('~', "~0").replace('/', "~1")));
        }
        f.write_str(self.first())?;
        self.below().iter().try_for_each(|name| write!(f, ".{name}"))
    }
}

impl Serialize for FieldPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_say_the_same_and_the_shorter_is_written() {
        for (text, written) in [
            ("country", "country"),
            ("/country", "country"),
            ("/meta/country", "meta.country"),
            ("/a.b/c", "/a.b/c"),
            ("/a~1b/c~0d", "a/b.c~d"),
            ("/~1a", "/~1a"),
        ] {
            let path: FieldPath = text.parse().unwrap();
            assert_eq!(path.to_string(), written);
            assert_eq!(written.parse(), Ok(path));
        }
        for bad in ["", "/", "a..b", "/a~2", "a\n", "a."] {
            assert!(bad.parse::<FieldPath>().is_err(), "{bad}");
        }
    }
}
