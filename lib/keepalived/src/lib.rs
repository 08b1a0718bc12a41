//! keepalived in its own words.
//!
//! [`Daemon`] is a keepalived that lives: its pid file is believed only if
//! the process is there and is a keepalived. [`Daemon::instances`] asks it
//! for its VRRP instances through the data dump it writes on a signal.
//! [`Event`] reads what it reports to a notify FIFO or a notify script:
//!
//! ```
//! let event: keepalived::Event = r#"INSTANCE "VI_1" MASTER 101"#.parse().unwrap();
//! assert_eq!((event.name.as_str(), event.state), ("VI_1", model::VrrpState::Master));
//! ```

mod daemon;
mod dump;
mod event;
mod instance;

pub use daemon::Daemon;
pub use event::{Event, Unreadable, state, word};
pub use instance::Instance;

use std::io;
use std::path::PathBuf;

use model::{Fault, Kind};

/// Why keepalived could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read.
    #[error(transparent)]
    Files(#[from] files::Error),
    /// Its pid file holds no number.
    #[error("{}: no process number in it", .0.display())]
    NoPid(PathBuf),
    /// `keepalived --signum` could not be run.
    #[error(transparent)]
    Process(#[from] process::Error),
    /// It knows neither the JSON nor the DATA signal.
    #[error("it knows no signal to dump its data")]
    NoSignal,
    /// It did not write its data in time.
    #[error("no fresh {} within {timeout_ms} ms", path.display())]
    NoDump {
        /// Where the dump was expected.
        path: PathBuf,
        /// How long it was waited for.
        timeout_ms: u128,
    },
    /// The system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Files(error) => error.kind(),
            Self::NoPid(_) | Self::NoSignal => Kind::Invalid,
            // A daemon may end while it is looked at: its /proc entries are gone then.
            Self::Process(_) | Self::NoDump { .. } | Self::Io(_) => Kind::Unavailable,
        }
    }
}

/// What this crate's functions return.
pub type Result<T> = std::result::Result<T, Error>;
