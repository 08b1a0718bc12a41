//! What went wrong, as a word for machines and a text for people.

use std::fmt;
use std::io;

/// Why a conversation ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The word.
    pub cause: Cause,
    /// What the system or the TLS library said.
    pub text: String,
}

/// Why a conversation ended early, as a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Nobody listens there.
    Refused,
    /// The other side reset the connection.
    Reset,
    /// The deadline came first.
    Timeout,
    /// The other side closed before it had answered.
    Eof,
    /// No way there: no route, host or network unreachable.
    Unreachable,
    /// The certificate was not accepted.
    Certificate,
    /// Anything else in the handshake or the encryption.
    Tls,
    /// What came back is not HTTP.
    Garbled,
    /// This machine ran out of descriptors, memory or ports: nothing is known of the server.
    Local,
    /// Anything else.
    Other,
}

impl Cause {
    /// The lower-case word records carry.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::Timeout => "timeout",
            Self::Eof => "eof",
            Self::Unreachable => "unreachable",
            Self::Certificate => "certificate",
            Self::Tls => "tls",
            Self::Garbled => "garbled",
            Self::Local => "local",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}

impl Failure {
    pub(crate) fn new(cause: Cause, text: impl Into<String>) -> Self {
        Self { cause, text: text.into() }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let cause = error.get_ref().and_then(|inner| inner.downcast_ref()).map(of_tls);
        Self { cause: cause.unwrap_or_else(|| of_system(&error)), text: error.to_string() }
    }
}

impl From<rustls::Error> for Failure {
    fn from(error: rustls::Error) -> Self {
        Self { cause: of_tls(&error), text: error.to_string() }
    }
}

fn of_tls(error: &rustls::Error) -> Cause {
    match error {
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => Cause::Certificate,
        _ => Cause::Tls,
    }
}

fn of_system(error: &io::Error) -> Cause {
    use io::ErrorKind as E;
    // EMFILE and ENFILE have no kind of their own.
    const NO_DESCRIPTOR: [i32; 2] = [23, 24];
    match error.kind() {
        E::ConnectionRefused => Cause::Refused,
        E::ConnectionReset | E::ConnectionAborted | E::BrokenPipe => Cause::Reset,
        E::TimedOut | E::WouldBlock => Cause::Timeout,
        E::UnexpectedEof => Cause::Eof,
        E::HostUnreachable | E::NetworkUnreachable | E::NetworkDown => Cause::Unreachable,
        E::AddrNotAvailable | E::OutOfMemory => Cause::Local,
        _ if error.raw_os_error().is_some_and(|code| NO_DESCRIPTOR.contains(&code)) => Cause::Local,
        _ => Cause::Other,
    }
}
