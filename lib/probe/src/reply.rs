//! What came back.

use std::time::{Duration, SystemTime};

use crate::Failure;

/// The stages of a conversation, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// The TCP connection.
    Connect,
    /// The TLS handshake.
    Tls,
    /// The request and the head of the response.
    Http,
    /// The body of the response.
    Body,
}

impl Phase {
    /// The lower-case word records carry.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Http => "http",
            Self::Body => "body",
        }
    }
}

/// When each stage was done, counted from the start; `None` if it was not
/// reached or does not exist (TLS on http).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// The TCP connection stood.
    pub connect: Option<Duration>,
    /// The TLS handshake was done.
    pub tls: Option<Duration>,
    /// The head of the response was read.
    pub http: Option<Duration>,
}

/// What came back, or how far it got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The stage in which it ended; [`Phase::Body`] if all went well.
    pub phase: Phase,
    /// The HTTP status; `None` if none was read.
    pub status: Option<u16>,
    /// From the start to the end, however it ended.
    pub elapsed: Duration,
    /// When the stages were done.
    pub times: Times,
    /// Why it ended early; `None` if a whole response was read.
    pub error: Option<Failure>,
    /// When the server's certificate expires; `None` without TLS or if the handshake failed.
    pub not_after: Option<SystemTime>,
}

impl Reply {
    /// Whether a whole response was read and its status is one of `expect`.
    pub fn ok(&self, expect: &[u16]) -> bool {
        self.error.is_none() && self.status.is_some_and(|status| expect.contains(&status))
    }
}
