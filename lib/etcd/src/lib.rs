//! etcd: its members, their health, their backups.
//!
//! A [`Client`] speaks gRPC to one member, blocking, each call under a
//! deadline. What a member says of itself is its [`Status`], what it knows
//! of the others are its [`Members`]; [`Quorum`] is the arithmetic of who
//! may be lost. [`Client::snapshot`] streams the database; [`Trailer`] and
//! [`bolt`] tell whether what arrived is whole.
//!
//! gRPC rather than etcd's JSON gateway: the gateway hands out a snapshot at
//! 40 % of the speed, and may be switched off.
//!
//! ```
//! // Three voters, one of them dead: nobody else may be lost.
//! let quorum = etcd::Quorum { voters: 3, alive: 2 };
//! assert!(quorum.holds() && quorum.spare() == 0);
//! // Taking the dead one out of the membership costs nothing.
//! assert!(quorum.after_removal_of(false).holds());
//! assert!(!quorum.after_loss_of(1).holds());
//! ```

pub mod bolt;
mod client;
mod error;
mod member;
mod metrics;
mod quorum;
mod snapshot;
mod wire;

pub use client::{Client, Tls};
pub use error::{Code, Error, Result};
pub use member::{Alarm, AlarmKind, Member, Members, Status, url_host};
pub use metrics::Metrics;
pub use quorum::Quorum;
pub use snapshot::{Piece, Sealed, Snapshot, Trailer};
