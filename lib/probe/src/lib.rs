//! One GET on a new connection, with a hard deadline.
//!
//! A [`Target`] is where to ask and whom to trust; [`Target::get`] opens a
//! connection, shakes hands, asks, reads the answer, and says in its
//! [`Reply`] in which [`Phase`] it ended, when, and why. Every wait on the
//! way obeys the one deadline. Refused, reset and timed out are answers, not
//! errors of this crate. Redirects are not followed: a server that points
//! elsewhere is not the one that was asked.
//!
//! Blocking sockets and rustls with ring, nothing else: a health check runs
//! every second and must start in a millisecond.
//!
//! ```
//! use std::time::{Duration, Instant};
//! use probe::{Cause, Phase, Target, Trust};
//! // Port 1 of this machine: nobody listens.
//! let target = Target::new("http://127.0.0.1:1/readyz", &Trust::Insecure, None).unwrap();
//! let reply = target.get(Instant::now() + Duration::from_secs(1));
//! assert_eq!(reply.phase, Phase::Connect);
//! assert_eq!(reply.error.unwrap().cause, Cause::Refused);
//! ```

mod certificate;
mod failure;
mod head;
mod held;
mod load;
mod reply;
mod stream;
mod target;
mod trust;
mod url;

pub use failure::{Cause, Failure};
pub use held::{Held, Holding};
pub use load::{Load, Pace, Sample};
pub use reply::{Phase, Reply, Times};
pub use stream::Stream;
pub use target::{Connection, Target};
pub use trust::Trust;
pub use url::at_address;

use std::io;

use model::{Fault, Kind};

/// Why there is nobody to ask.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not the URL of a web server.
    #[error("`{url}` {why}")]
    Url {
        /// The text given.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The name of the server has no address.
    #[error("{host}: {source}")]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// The name to verify is neither a DNS name nor an address.
    #[error("`{0}` is no server name")]
    ServerName(String),
    /// The CA file cannot be read.
    #[error(transparent)]
    CaFile(#[from] files::Error),
    /// The CA's certificates cannot be used.
    #[error("{0}")]
    Ca(String),
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Resolve { .. } => Kind::Unavailable,
            Self::CaFile(error) => error.kind(),
            Self::Url { .. } | Self::ServerName(_) | Self::Ca(_) => Kind::Invalid,
        }
    }
}
