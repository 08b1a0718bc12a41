//! What went wrong, and whether another try could help.

use std::error::Error as StdError;
use std::io;

use model::{Fault, Kind};
use tonic::Status;

/// What this crate's functions return.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a member did not answer, or not as hoped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not the URL of a member, or the certificates cannot be used.
    #[error("{0}")]
    Invalid(String),
    /// The deadline came first.
    #[error("no answer in time")]
    Timeout,
    /// Nobody there, or the conversation broke off.
    #[error("{0}")]
    Broken(String),
    /// Nobody listens there.
    #[error("connection refused")]
    Refused,
    /// The other side is not who it should be, or does not want to know us.
    #[error("{0}")]
    Tls(String),
    /// The member understood, and said no.
    #[error("{text}")]
    Denied {
        /// What kind of no.
        code: Code,
        /// Its words.
        text: String,
    },
}

/// The kind of a member's no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// There is no leader, too few members, too much to do: later perhaps.
    Unavailable,
    /// The cluster is not in the state for it: an unstarted member, a learner that is behind.
    Precondition,
    /// There is no such member, or there is one already.
    Membership,
    /// We may not.
    Permission,
    /// Anything else.
    Other,
}

impl Error {
    /// The lower-case word records carry.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid",
            Self::Timeout => "timeout",
            Self::Broken(_) => "unreachable",
            Self::Refused => "refused",
            Self::Tls(_) => "tls",
            Self::Denied { .. } => "denied",
        }
    }

    /// A refusal of etcd's server, which needs quorum and has none.
    pub(crate) fn of_status(status: &Status) -> Self {
        use tonic::Code as C;
        // An error of the connection comes with its cause, one of etcd's without.
        if let Some(cause) = status.source() {
            return Self::of_transport(cause);
        }
        let text = status.message().trim_start_matches("etcdserver: ").to_owned();
        let code = match status.code() {
            C::DeadlineExceeded | C::Cancelled => return Self::Timeout,
            C::Unavailable | C::ResourceExhausted | C::Aborted => Code::Unavailable,
            C::FailedPrecondition => Code::Precondition,
            C::NotFound | C::AlreadyExists => Code::Membership,
            C::PermissionDenied | C::Unauthenticated => Code::Permission,
            _ => Code::Other,
        };
        Self::Denied { code, text }
    }

    pub(crate) fn of_transport(error: &(dyn StdError + 'static)) -> Self {
        let text = causes(error).last().map(ToString::to_string).unwrap_or_default();
        if causes(error).any(<dyn StdError>::is::<tonic::codegen::http::uri::InvalidUri>) {
            return Self::Invalid(text);
        }
        if is_tls(&text) {
            return Self::Tls(text);
        }
        let system = causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).last();
        match system.map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => Self::Refused,
            Some(io::ErrorKind::TimedOut) => Self::Timeout,
            _ => Self::Broken(text),
        }
    }
}

/// By its words: on its way through HTTP/2 an error of rustls becomes a text.
fn is_tls(text: &str) -> bool {
    ["received fatal alert", "invalid peer certificate", "peer is incompatible", "received corrupt message"]
        .iter()
        .any(|words| text.starts_with(words))
}

/// An error and its causes. The system's errors hide what they carry from
/// `source`, and the TLS library's travel inside them.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| {
        let carried = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        carried.map(|carried| carried as &(dyn StdError + 'static)).or_else(|| error.source())
    })
}

impl Fault for Error {
    /// Who is gone or has no quorum may be well next time; a certificate or
    /// a missing permission stays what it is.
    fn kind(&self) -> Kind {
        match self {
            Self::Invalid(_)
            | Self::Tls(_)
            | Self::Denied { code: Code::Membership | Code::Permission | Code::Other, .. } => Kind::Invalid,
            Self::Timeout
            | Self::Broken(_)
            | Self::Refused
            | Self::Denied { code: Code::Unavailable | Code::Precondition, .. } => Kind::Unavailable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_leader_is_worth_another_try_and_a_missing_member_is_not() {
        let no_leader = Error::of_status(&Status::unavailable("etcdserver: no leader"));
        assert_eq!((no_leader.kind(), no_leader.to_string().as_str()), (Kind::Unavailable, "no leader"));
        let missing = Error::of_status(&Status::not_found("etcdserver: member not found"));
        assert!(matches!(missing, Error::Denied { code: Code::Membership, .. }));
        assert_eq!(missing.kind(), Kind::Invalid);
    }

    #[test]
    fn the_system_says_what_happened_however_deep_it_is_wrapped() {
        let refused = io::Error::other(io::Error::from(io::ErrorKind::ConnectionRefused));
        assert!(matches!(Error::of_transport(&refused), Error::Refused));
        let alert = io::Error::new(io::ErrorKind::InvalidData, "received fatal alert: BadCertificate");
        assert_eq!(Error::of_transport(&io::Error::other(alert)).kind(), Kind::Invalid);
    }
}
