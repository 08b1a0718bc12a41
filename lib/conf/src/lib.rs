//! Reads the configurations of haproxy, keepalived and the machine itself without losing a byte.
//!
//! One module a format. Each parses a text into a tree that knows line
//! numbers and unquoted words, and keeps the gaps, comments and line ends
//! between them: printing the tree gives the text back, byte for byte. So a
//! linter can point at a line, and an editor changes only what it means to.
//!
//! ```
//! let text = "defaults\n  timeout client 20s # too short\n";
//! let config = conf::haproxy::Config::parse(text)?;
//! let line = &config.sections[0].lines[0];
//! assert_eq!((line.number, line.keyword()), (2, "timeout"));
//! assert_eq!(line.words().collect::<Vec<_>>(), ["timeout", "client", "20s"]);
//! assert_eq!(config.to_string(), text);
//! # Ok::<(), conf::Error>(())
//! ```
//!
//! The parsers know the syntax, not the keywords: whether a keyword exists
//! is for the daemon to say.

pub mod apt;
pub mod dnf;
pub mod dpkg;
mod error;
pub mod fstab;
pub mod haproxy;
pub mod hosts;
pub mod keepalived;
pub mod nftables;
pub mod os_release;
pub mod sysctl;

pub use error::{Error, Problem};
