//! Who holds an address: this machine's interfaces, and the neighbours.
//!
//! [`local`] looks an address up on this machine's interfaces. [`holders`]
//! asks everybody on a link: ARP (RFC 826, probes as in RFC 5227) for IPv4,
//! neighbour solicitations (RFC 4861) for IPv6, a few times over, and
//! collects the distinct hardware addresses that answer: none, one, or more
//! than one, which is a duplicate. The kernel does not answer its own
//! questions, so this machine's own holding is added from its interfaces.
//!
//! ```
//! let here = neighbour::local("127.0.0.1".parse().unwrap()).unwrap().unwrap();
//! assert_eq!((here.interface.as_str(), here.prefix), ("lo", 8));
//! ```

pub mod frame;
mod interface;
mod mac;
mod survey;

pub use interface::{Local, facing, hardware, local, locals, remove};
pub use mac::Mac;
pub use survey::{Survey, ask, holders};

use std::io;

use model::{Fault, Kind};

/// Why nobody could be asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such interface here.
    #[error("{0}: no such interface")]
    NoInterface(String),
    /// The interface has no Ethernet address, so nobody can be asked on it.
    #[error("{0}: not an Ethernet interface")]
    NotEthernet(String),
    /// The interface is down.
    #[error("{0}: the interface is down")]
    Down(String),
    /// Packet sockets need `CAP_NET_RAW`.
    #[error("no raw socket: permission denied")]
    NotPermitted,
    /// The system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// `ip` could not be run.
    #[error(transparent)]
    Process(#[from] process::Error),
    /// `ip` refused.
    #[error("ip address: {0}")]
    Refused(String),
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::NoInterface(_) | Self::NotEthernet(_) => Kind::Invalid,
            Self::Down(_) | Self::NotPermitted | Self::Io(_) | Self::Refused(_) => Kind::Unavailable,
            Self::Process(error) => error.kind(),
        }
    }
}

/// What this crate's functions return.
pub type Result<T> = std::result::Result<T, Error>;
