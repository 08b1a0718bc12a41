//! What a command found out.

use std::process::ExitCode;

/// What a command found out. Failing to find out is an [`Error`](crate::Error).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Done, healthy, found, nothing to change: status 0.
    Yes,
    /// Asked and answered: unhealthy, drift found, refused by a guard, some of many failed: status 1.
    No,
    /// The status of a command this one ran on the user's behalf, as the shell counts it.
    Passed(u8),
}

impl Answer {
    /// The process's exit status.
    pub fn status(self) -> u8 {
        match self {
            Self::Yes => 0,
            Self::No => 1,
            Self::Passed(status) => status,
        }
    }
}

impl From<bool> for Answer {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

impl From<Answer> for ExitCode {
    fn from(answer: Answer) -> Self {
        Self::from(answer.status())
    }
}
