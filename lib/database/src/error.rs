//! What went wrong, and whether another try could help.

use model::{Fault, Kind};

/// What this crate's functions return.
pub type Result<T> = std::result::Result<T, Error>;

/// Why rows could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{}{why}", word.map(|word| format!("{word}: ")).unwrap_or_default())]
pub struct Error {
    /// Whether another try could help.
    pub kind: Kind,
    /// A lower-case word scripts can compare.
    pub word: Option<&'static str>,
    /// In words.
    pub why: String,
    /// The way out, where it is known.
    pub hint: Option<String>,
    /// Where the server was, in its words: `COPY orders, line 3, column amount: "x"`.
    pub context: Option<String>,
}

impl Error {
    pub(crate) fn invalid(why: impl Into<String>) -> Self {
        Self { kind: Kind::Invalid, word: None, why: why.into(), hint: None, context: None }
    }

    pub(crate) fn unavailable(why: impl Into<String>) -> Self {
        Self { kind: Kind::Unavailable, ..Self::invalid(why) }
    }

    pub(crate) fn no_table(table: &str, there: &[String]) -> Self {
        let there = if there.is_empty() { "nothing".into() } else { there.join(", ") };
        Self::invalid(format!("there is no table `{table}`"))
            .word("no_such_table")
            .hint(format!("there are: {there}"))
    }

    pub(crate) fn no_column<'a>(table: &str, name: &str, there: impl Iterator<Item = &'a str>) -> Self {
        let there = there.collect::<Vec<_>>().join(", ");
        Self::invalid(format!("{table} has no column `{name}`"))
            .word("no_such_column")
            .hint(format!("there are: {there}"))
    }

    #[must_use]
    pub(crate) fn word(self, word: &'static str) -> Self {
        Self { word: Some(word), ..self }
    }

    #[must_use]
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        self.kind
    }
}
