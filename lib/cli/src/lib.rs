//! The contract every command keeps, in code, once.
//!
//! A command is a struct of arguments and a function that answers:
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! /// Tell whether a number is even
//! #[derive(clap::Parser)]
//! struct Args {
//!     /// The number
//!     number: u64,
//! }
//!
//! fn main() -> ExitCode {
//!     cli::main(&cli::Tool::bare("even"), run)
//! }
//!
//! fn run(args: &Args, _out: &mut cli::Out) -> cli::Result {
//!     Ok(cli::Answer::from(args.number % 2 == 0))
//! }
//! ```
//!
//! [`main`] adds the options all commands share, parses, calls the function
//! and turns what comes back into messages and a status: 0 yes, 1 no,
//! 2 invalid, 3 unavailable. [`Out`] writes records; a reader that leaves is
//! no failure. [`Context`] says what was being done when a step failed.

mod answer;
mod args;
#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "kafka")]
mod brokers;
#[cfg(feature = "change")]
mod change_files;
mod entry;
mod error;
mod header;
mod input;
mod kept;
mod man;
mod message;
mod metrics;
mod out;
#[cfg(feature = "pipeline")]
mod pipeline_document;
#[cfg(feature = "change")]
mod place;
#[cfg(feature = "platform")]
mod platform_document;
mod progress;
mod rejects;
#[cfg(feature = "pipeline")]
mod secret;
mod steps;
mod table;

pub use answer::Answer;
pub use args::{Format, HostPort};
#[cfg(feature = "aws")]
pub use aws::{Access, Aws};
#[cfg(feature = "kafka")]
pub use brokers::Brokers;
#[cfg(feature = "change")]
pub use change_files::{apply, check, plan, recover, undo, warn_of_the_rest};
pub use entry::{Tool, main};
pub use error::{Context, Error, Result};
pub use humantime::{Duration, Timestamp, format_rfc3339_millis as rfc3339};
pub use input::{Input, Records};
pub use kept::Kept;
pub use message::{note, tell, warn, warn_hint, warn_of};
pub use metrics::{Metrics, Series};
pub use out::Out;
#[cfg(feature = "change")]
pub use place::{Keep, Place, Undo};
pub use progress::Progress;
pub use rejects::Rejects;
#[cfg(feature = "pipeline")]
pub use secret::secret;
pub use steps::Steps;

/// The identity of the calling command: name, version, header and schemas,
/// taken from its crate when it is compiled.
#[macro_export]
macro_rules! tool {
    () => {
        $crate::Tool {
            name: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            source: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/main.rs")),
            reads: include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../../schemas/",
                env!("CARGO_PKG_NAME"),
                ".in.json"
            )),
            writes: include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../../schemas/",
                env!("CARGO_PKG_NAME"),
                ".out.json"
            )),
        }
    };
}
