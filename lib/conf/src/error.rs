//! What is wrong with a text.

use model::{Fault, Kind};

/// Why a text is no configuration, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct Error {
    /// The line, from 1.
    pub line: u32,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A quote is opened and not closed on its line.
    #[error("a quote is not closed")]
    OpenQuote,
    /// A line ends within an escape, or an escape names no byte.
    #[error("a backslash is not followed by what it could escape")]
    BadEscape,
    /// A block is opened and never closed.
    #[error("a block opened here is not closed")]
    OpenBlock,
    /// A brace closes what was not opened.
    #[error("a `}}` closes no block")]
    StrayClose,
    /// A block is opened by no keyword.
    #[error("a `{{` follows no keyword")]
    StrayOpen,
    /// A managed block begins and never ends.
    #[error("the managed block that begins here has no end")]
    OpenMark,
    /// A managed block ends that never began.
    #[error("a managed block ends here that does not begin")]
    StrayMark,
    /// A managed block begins within another.
    #[error("a managed block begins here before another has ended")]
    NestedMark,
    /// A managed block is there already.
    #[error("a second managed block of this name begins here")]
    SecondMark,
    /// Blocks lie deeper in one another than any configuration needs.
    #[error("more than {} blocks within one another", crate::keepalived::DEPTH)]
    TooDeep,
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }
}
