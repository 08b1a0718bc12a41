//! One attempt: the command started once, to its end or its limit.

use std::fmt;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use cli::{Context, Result};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use process::Stop;

/// What one attempt is given.
pub(crate) struct Attempt<'a> {
    pub(crate) command: &'a [String],
    pub(crate) input: Option<&'a File>,
    pub(crate) stream: bool,
    pub(crate) limit: Instant,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Ended(ExitStatus),
    TimedOut,
    NotFound,
    NotExecutable,
}

/// How long a command may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(5);

impl Attempt<'_> {
    /// Runs it; gives its outcome and what it printed, unless that was passed on.
    pub(crate) fn run(&self, stop: &Stop) -> Result<(Outcome, Option<File>)> {
        let output = if self.stream {
            None
        } else {
            Some(tempfile::tempfile().unavailable("making a temporary file")?)
        };
        let mut command = Command::new(&self.command[0]);
        // A group of its own: time-outs and signals reach its children too.
        command.args(&self.command[1..]).process_group(0).stdin(match self.input {
            Some(file) => Stdio::from(file.try_clone().unavailable("rereading standard input")?),
            None => Stdio::null(),
        });
        if let Some(file) = &output {
            command.stdout(file.try_clone().unavailable("keeping output")?);
        }
        let outcome = match command.spawn() {
            Ok(child) => self.wait(child, stop)?,
            Err(error) if error.kind() == ErrorKind::NotFound => Outcome::NotFound,
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Outcome::NotExecutable,
            Err(error) => return Err(error).unavailable(format!("starting {}", self.command[0])),
        };
        match outcome {
            Outcome::NotFound => cli::warn(format!("starting {}: no such command", self.command[0])),
            Outcome::NotExecutable => cli::warn(format!("starting {}: permission denied", self.command[0])),
            _ => {}
        }
        Ok((outcome, output))
    }

    fn wait(&self, mut child: Child, stop: &Stop) -> Result<Outcome> {
        let group = Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX));
        let mut limit = self.limit;
        let mut timed_out = false;
        let mut told = false;
        loop {
            if let Some(status) = child.try_wait().unavailable("waiting for the command")? {
                return Ok(if timed_out { Outcome::TimedOut } else { Outcome::Ended(status) });
            }
            let now = Instant::now();
            if let (false, Some(signal)) = (told, stop.signal()) {
                told = true;
                limit = now + GRACE;
                let _ = killpg(group, Signal::try_from(signal).unwrap_or(Signal::SIGTERM));
            } else if now >= limit && (told || timed_out) {
                limit = now + GRACE;
                let _ = killpg(group, Signal::SIGKILL);
            } else if now >= limit {
                timed_out = true;
                limit = now + GRACE;
                let _ = killpg(group, Signal::SIGTERM);
            }
            if told {
                std::thread::sleep(TICK);
            } else {
                stop.sleep(TICK);
            }
        }
    }
}

/// How often a running command is looked at.
const TICK: Duration = Duration::from_millis(5);

impl Outcome {
    /// The status as the shell counts it.
    pub(crate) fn status(self) -> u8 {
        match self {
            Self::TimedOut => 3,
            Self::NotFound => 127,
            Self::NotExecutable => 126,
            Self::Ended(status) => {
                let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
                u8::try_from(code).unwrap_or(u8::MAX)
            }
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("timed out"),
            other => write!(f, "status {}", other.status()),
        }
    }
}
