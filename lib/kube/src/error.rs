//! What went wrong, and whether another try could help.

use std::time::Duration;

use document::Problem;
use model::{Fault, Kind};

/// What this crate's functions return.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a call has no answer, or not the one that was hoped for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kubeconfig makes no sense; all that is wrong with it.
    #[error("{}", told(.0))]
    Config(Vec<Problem>),
    /// No answer, or from the wrong server.
    #[error(transparent)]
    Http(#[from] http::Error),
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] files::Error),
    /// The API server said no.
    #[error("answered {status}{}", quoted(message))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Kubernetes' word for it, such as `NotFound`; empty if it gave none.
        reason: String,
        /// Its words, on one line; may be empty.
        message: String,
        /// Whether a `PodDisruptionBudget` stands in the way.
        budget: bool,
        /// How long it asks to wait; `None` if it does not say.
        retry_after: Option<Duration>,
    },
}

fn told(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn quoted(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

impl Error {
    /// The lower-case word records carry.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Config(_) | Self::File(_) => "invalid",
            Self::Http(error) => error.word(),
            Self::Refused { budget: true, .. } => "budget",
            Self::Refused { status, .. } => match status {
                401 => "unauthorized",
                403 => "forbidden",
                404 => "not-found",
                409 => "conflict",
                429 => "throttled",
                500.. => "server-error",
                _ => "status",
            },
        }
    }

    /// All that is wrong, one reason each; a kubeconfig may have several.
    pub fn reasons(&self) -> Vec<String> {
        match self {
            Self::Config(problems) => problems.iter().map(ToString::to_string).collect(),
            other => vec![other.to_string()],
        }
    }

    /// Whether the object is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    /// Whether the API server does not know us, or does not let us.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Refused { status: 401 | 403, .. })
    }
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Http(error) => error.kind(),
            Self::File(error) => error.kind(),
            // Conflict: somebody was quicker. 410: a list took longer than its snapshot is kept.
            Self::Refused { status: 408 | 409 | 410 | 429 | 500.., .. } => Kind::Unavailable,
            Self::Config(_) | Self::Refused { .. } => Kind::Invalid,
        }
    }
}
