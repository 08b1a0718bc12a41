//! The runtime API of haproxy: its stats socket and its master socket.
//!
//! A [`Socket`] asks one command on one connection, within a deadline and a
//! bounded answer. Servers are read from the typed form of `show stat`,
//! where every value has its field's name: the CSV's columns move with the
//! version. `show proc` and `reload` speak to the master socket (`-S`).
//!
//! ```no_run
//! use std::time::{Duration, Instant};
//! let socket = haproxy::Socket::new("/run/haproxy/admin.sock");
//! let soon = Instant::now() + Duration::from_secs(1);
//! let serving = socket.servers(None, soon)?.iter().filter(|server| server.status.serves()).count();
//! # Ok::<(), haproxy::Error>(())
//! ```

mod processes;
mod reload;
mod servers;
mod socket;

pub use model::{LbServer, LbWorker, ServerStatus, WorkerRole};
pub use processes::parse as parse_processes;
pub use servers::parse as parse_servers;
pub use socket::{Socket, State};

use std::io;

use model::{Fault, Kind};

/// Why there is no answer from a balancer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No socket there, or nobody listens on it.
    #[error("{0}")]
    Connect(io::Error),
    /// Whoever listens did not answer in time.
    #[error("no answer in time")]
    Timeout,
    /// The conversation broke off.
    #[error("{0}")]
    Io(io::Error),
    /// What came back is not what the command answers.
    #[error("the answer makes no sense: {0}")]
    Garbled(String),
    /// The answer goes on and on.
    #[error("the answer is longer than {} MiB", socket::ANSWER_BYTES >> 20)]
    TooLong,
    /// The balancer understood and said no.
    #[error("{0}")]
    Refused(String),
    /// A reload failed; the old worker goes on.
    #[error("the reload failed, the old worker goes on: {0}")]
    Reload(String),
}

impl Error {
    /// The lower-case word records carry.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Connect(error) => match error.kind() {
                io::ErrorKind::NotFound => "missing",
                io::ErrorKind::PermissionDenied => "denied",
                io::ErrorKind::ConnectionRefused => "refused",
                _ => "other",
            },
            Self::Timeout => "timeout",
            Self::Io(_) => "reset",
            Self::Garbled(_) | Self::TooLong => "garbled",
            Self::Refused(_) => "denied",
            Self::Reload(_) => "reload",
        }
    }
}

impl Fault for Error {
    /// A peer that is gone, silent or garbled may be well again next time
    /// (a reload takes the socket away for a moment); one that refuses, or a
    /// socket that may not be opened, will do so again.
    fn kind(&self) -> Kind {
        match self {
            Self::Connect(error) if error.kind() == io::ErrorKind::PermissionDenied => Kind::Invalid,
            Self::Refused(_) => Kind::Invalid,
            _ => Kind::Unavailable,
        }
    }
}
