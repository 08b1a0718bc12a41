//! What went wrong, and whether another try could help.

use std::error::Error as StdError;
use std::io::{self, ErrorKind};
use std::time::Duration;

use model::{Fault, Kind};

/// What this crate's functions return.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a call has no answer, or not the one that was hoped for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not a URL, a header or a method.
    #[error("{0}")]
    Request(String),
    /// A file of certificates, a key or a token cannot be read.
    #[error(transparent)]
    File(#[from] files::Error),
    /// Certificates or a key cannot be used.
    #[error("{0}")]
    Certificates(String),
    /// This machine has no descriptor or memory left.
    #[error("{0}")]
    Local(io::Error),
    /// The deadline came first.
    #[error("no answer in time")]
    Timeout,
    /// Nobody there, or the conversation broke off.
    #[error("{text}")]
    Broken {
        /// The lower-case word records carry.
        word: &'static str,
        /// What the system said.
        text: String,
    },
    /// The other side is not who it should be, or does not want to know us.
    #[error("{text}")]
    Tls {
        /// The lower-case word records carry.
        word: &'static str,
        /// What the TLS library said.
        text: String,
    },
    /// The answer is no.
    #[error("answered {status}{}", quoted(text))]
    Status {
        /// The HTTP status.
        status: u16,
        /// How long the server asks to wait; `None` if it does not say.
        retry_after: Option<Duration>,
        /// The beginning of the body on one line; may be empty.
        text: String,
    },
    /// The body is longer than the caller takes.
    #[error("the answer is longer than {limit_bytes} bytes")]
    TooLong {
        /// The bound, bytes.
        limit_bytes: u64,
    },
    /// The body is not what it should be.
    #[error("the answer makes no sense: {0}")]
    Garbled(String),
}

fn quoted(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

impl Error {
    /// The lower-case word records carry.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Request(_) | Self::File(_) | Self::Certificates(_) => "invalid",
            Self::Local(_) => "local",
            Self::Timeout => "timeout",
            Self::Broken { word, .. } | Self::Tls { word, .. } => word,
            Self::Status { .. } => "status",
            Self::TooLong { .. } | Self::Garbled(_) => "garbled",
        }
    }

    /// How long the server asks to wait before another try; `None` if it does not say.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl Fault for Error {
    /// Who is gone, slow or overloaded may be well next time; a certificate,
    /// a refusal or a wrong address stays what it is.
    fn kind(&self) -> Kind {
        match self {
            Self::File(error) => error.kind(),
            Self::Status { status, .. } => of_status(*status),
            Self::Local(_) | Self::Timeout | Self::Broken { .. } => Kind::Unavailable,
            Self::Request(_)
            | Self::Certificates(_)
            | Self::Tls { .. }
            | Self::TooLong { .. }
            | Self::Garbled(_) => Kind::Invalid,
        }
    }
}

fn of_status(status: u16) -> Kind {
    match status {
        // Not Implemented, Version Not Supported: that will not change.
        501 | 505 => Kind::Invalid,
        // Request Timeout, Too Early, Too Many Requests.
        408 | 425 | 429 | 500.. => Kind::Unavailable,
        _ => Kind::Invalid,
    }
}

impl From<reqwest::Error> for Error {
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        if error.is_timeout() {
            return Self::Timeout;
        }
        if error.is_builder() {
            return Self::Request(last(&error));
        }
        if error.is_dns() {
            return Self::Broken { word: "resolve", text: last(&error) };
        }
        if let Some(tls) = causes(&error).find_map(|cause| cause.downcast_ref::<rustls::Error>()) {
            return of_tls(tls);
        }
        match causes(&error).filter_map(|cause| cause.downcast_ref::<io::Error>()).last() {
            Some(system) => of_system(system, last(&error)),
            None => Self::Broken {
                word: if error.is_connect() { "connect" } else { "reset" },
                text: last(&error),
            },
        }
    }
}

/// An error and its causes. The system's errors hide what they carry from
/// `source`, and the TLS library's travel inside them.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| {
        let carried = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        carried.map(|carried| carried as &(dyn StdError + 'static)).or_else(|| error.source())
    })
}

/// The innermost cause says what happened, those around it where.
fn last(error: &(dyn StdError + 'static)) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

fn of_tls(error: &rustls::Error) -> Error {
    let word = match error {
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => "certificate",
        _ => "tls",
    };
    Error::Tls { word, text: error.to_string() }
}

fn of_system(error: &io::Error, text: String) -> Error {
    // EMFILE and ENFILE have no kind of their own.
    const NO_DESCRIPTOR: [i32; 2] = [23, 24];
    let word = match error.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => return Error::Timeout,
        ErrorKind::ConnectionRefused => "refused",
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => "reset",
        ErrorKind::UnexpectedEof => "eof",
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => "unreachable",
        ErrorKind::AddrNotAvailable | ErrorKind::OutOfMemory => "local",
        _ if error.raw_os_error().is_some_and(|code| NO_DESCRIPTOR.contains(&code)) => "local",
        _ => "other",
    };
    Error::Broken { word, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(status: u16) -> Kind {
        Error::Status { status, retry_after: None, text: String::new() }.kind()
    }

    #[test]
    fn an_overloaded_server_is_worth_another_try_and_a_refusal_is_not() {
        for status in [408, 425, 429, 500, 502, 503, 504] {
            assert_eq!(kind(status), Kind::Unavailable, "{status}");
        }
        for status in [301, 400, 401, 403, 404, 409, 501, 505] {
            assert_eq!(kind(status), Kind::Invalid, "{status}");
        }
    }

    #[test]
    fn what_the_server_said_is_quoted() {
        let error = Error::Status { status: 503, retry_after: None, text: "etcd is gone".into() };
        assert_eq!(error.to_string(), "answered 503: etcd is gone");
    }
}
