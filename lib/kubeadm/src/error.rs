//! What can be wrong.

use model::{Fault, Kind};

/// Why a document, secret or signature is no good.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value is not what kubeadm takes; the text says which and why.
    #[error("{0}")]
    Value(String),
    /// A file cannot be read or written.
    #[error(transparent)]
    Files(#[from] files::Error),
    /// A certificate cannot be read.
    #[error(transparent)]
    Certificate(#[from] x509::Error),
    /// The system has no random numbers to give.
    #[error("no random numbers from the system")]
    Random,
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Files(error) => error.kind(),
            Self::Random => Kind::Unavailable,
            _ => Kind::Invalid,
        }
    }
}

/// What this crate's functions return.
pub type Result<T> = std::result::Result<T, Error>;

pub(crate) fn value<T>(text: impl Into<String>) -> Result<T> {
    Err(Error::Value(text.into()))
}
