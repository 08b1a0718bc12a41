//! Why a command has no answer.

use std::fmt::{self, Display};

use model::{Fault, Kind};

/// What a command's `run` returns.
pub type Result<T = crate::Answer> = std::result::Result<T, Error>;

/// Why a command has no answer: what it was doing, why that failed, and
/// whether another try could help.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    doing: String,
    /// At least one; a document's errors are all told at once.
    reasons: Vec<String>,
    hint: Option<String>,
}

impl Error {
    /// The caller's to fix: status 2.
    pub fn invalid(doing: impl Display, why: impl Display) -> Self {
        Self::new(Kind::Invalid, doing, vec![why.to_string()])
    }

    /// Worth another try: status 3.
    pub fn unavailable(doing: impl Display, why: impl Display) -> Self {
        Self::new(Kind::Unavailable, doing, vec![why.to_string()])
    }

    /// Several faults of one input, told together: status 2.
    pub fn invalid_all(doing: impl Display, reasons: impl IntoIterator<Item = impl Display>) -> Self {
        let reasons: Vec<_> = reasons.into_iter().map(|reason| reason.to_string()).collect();
        debug_assert!(!reasons.is_empty(), "an error has a reason");
        Self::new(Kind::Invalid, doing, reasons)
    }

    /// Adds the way out, where it is known.
    #[must_use]
    pub fn hint(mut self, hint: impl Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// Whether another try could help.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The process's exit status.
    pub fn status(&self) -> u8 {
        match self.kind {
            Kind::Invalid => 2,
            Kind::Unavailable => 3,
        }
    }

    /// The messages, one a reason, without the tool's name.
    pub fn messages(&self) -> impl Iterator<Item = String> {
        self.reasons.iter().map(|reason| match self.doing.as_str() {
            "" => reason.clone(),
            doing => format!("{doing}: {reason}"),
        })
    }

    /// The way out, if known.
    pub fn known_hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    fn new(kind: Kind, doing: impl Display, reasons: Vec<String>) -> Self {
        Self { kind, doing: doing.to_string(), reasons, hint: None }
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.messages().collect::<Vec<_>>().join("; "))
    }
}

impl std::error::Error for Error {}

/// Says what was being done when a step failed, and what the shell should see.
pub trait Context<T> {
    /// Marks a failure as the caller's to fix (status 2).
    fn invalid(self, doing: impl Display) -> Result<T>;
    /// Marks a failure as worth another try (status 3).
    fn unavailable(self, doing: impl Display) -> Result<T>;
    /// Lets the failure itself say whether another try could help.
    fn doing(self, doing: impl Display) -> Result<T>
    where
        Self: HasFault;
}

/// A result whose error knows its [`Kind`].
pub trait HasFault {
    /// The kind of the error; `None` if there is none.
    fn fault(&self) -> Option<Kind>;
}

impl<T, E: Fault> HasFault for std::result::Result<T, E> {
    fn fault(&self) -> Option<Kind> {
        self.as_ref().err().map(Fault::kind)
    }
}

impl<T, E: std::error::Error> Context<T> for std::result::Result<T, E> {
    fn invalid(self, doing: impl Display) -> Result<T> {
        self.map_err(|error| Error::invalid(doing, chain(&error)))
    }

    fn unavailable(self, doing: impl Display) -> Result<T> {
        self.map_err(|error| Error::unavailable(doing, chain(&error)))
    }

    fn doing(self, doing: impl Display) -> Result<T>
    where
        Self: HasFault,
    {
        let kind = self.fault();
        self.map_err(|error| Error::new(kind.unwrap_or(Kind::Invalid), doing, vec![chain(&error)]))
    }
}

/// An error and its causes on one line; a cause its effect already quotes is not repeated.
fn chain(error: &dyn std::error::Error) -> String {
    let mut line = plain(&error.to_string());
    let mut source = error.source();
    while let Some(cause) = source {
        let text = plain(&cause.to_string());
        if !line.contains(&text) {
            line = format!("{line}: {text}");
        }
        source = cause.source();
    }
    line
}

/// One line, without the `(os error N)` nobody reads at night.
fn plain(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.find(" (os error ") {
        Some(start) => match line[start..].find(')') {
            Some(end) => format!("{}{}", &line[..start], &line[start + end + 1..]),
            None => line,
        },
        None => line,
    }
    .replacen("Connection refused", "connection refused", 1)
    .replacen("No such file or directory", "no such file or directory", 1)
    .replacen("Permission denied", "permission denied", 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn a_failure_says_what_was_being_done_and_why_on_one_line() {
        let refused = io::Error::from_raw_os_error(111);
        let error = Err::<(), _>(refused).unavailable("asking 10.0.0.11:6443").unwrap_err();
        assert_eq!(error.to_string(), "asking 10.0.0.11:6443: connection refused");
        assert_eq!(error.status(), 3);
    }

    #[test]
    fn a_fault_decides_the_status_itself() {
        let full = io::Error::from_raw_os_error(28);
        assert_eq!(Err::<(), _>(full).doing("writing f").unwrap_err().status(), 3);
        let missing = io::Error::from_raw_os_error(2);
        assert_eq!(Err::<(), _>(missing).doing("reading f").unwrap_err().status(), 2);
    }

    #[test]
    fn a_cause_already_quoted_is_not_told_twice() {
        #[derive(Debug)]
        struct Outer(io::Error);
        impl Display for Outer {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "outer: {}", self.0)
            }
        }
        impl std::error::Error for Outer {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                Some(&self.0)
            }
        }
        assert_eq!(chain(&Outer(io::Error::other("inner"))), "outer: inner");
    }
}
