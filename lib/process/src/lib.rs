//! Programs run with a deadline, and signals seen as values.
//!
//! [`run`] starts a program in a process group of its own, feeds it, keeps at
//! most so many bytes of what it prints, and ends the whole group when its
//! time is up. [`Many`] does the same with many at once, in one thread. [`Stop`] tells a loop that somebody asked it to end,
//! and [`Awaited`] one that reads.
//!
//! ```
//! use std::process::Command;
//! use std::time::Duration;
//! let done = process::run(Command::new("echo").arg("hi"), &process::Limits::within(Duration::from_secs(5))).unwrap();
//! assert_eq!(done.stdout, b"hi\n");
//! assert_eq!(done.end, process::End::Code(0));
//! ```

mod awaited;
mod many;
mod run;
mod stop;

pub use awaited::Awaited;
pub use many::{Job, Kept, Many, Outcome, Sink};
pub use run::{End, Error, Finished, Limits, run};
pub use stop::Stop;
