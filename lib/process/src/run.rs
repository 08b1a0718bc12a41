//! Running one program to its end or its deadline.

use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use model::{Fault, Kind};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// What a program may use.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How long it may run.
    pub timeout: Duration,
    /// How many bytes of each of its two streams are kept; the rest is read and dropped.
    pub output_bytes: usize,
    /// What it reads on its standard input.
    pub input: Vec<u8>,
}

impl Limits {
    /// A deadline, 1 MiB of output, no input.
    pub fn within(timeout: Duration) -> Self {
        Self { timeout, output_bytes: 1 << 20, input: Vec::new() }
    }
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It exited with this status.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// Its time was up; its process group was killed.
    TimedOut,
}

impl End {
    /// Whether it exited with status 0.
    pub fn success(self) -> bool {
        self == Self::Code(0)
    }
}

/// What a program left behind.
#[derive(Clone, Debug)]
pub struct Finished {
    /// How it ended.
    pub end: End,
    /// What it printed, as far as kept.
    pub stdout: Vec<u8>,
    /// What it complained of, as far as kept.
    pub stderr: Vec<u8>,
    /// Whether some of its output was dropped.
    pub truncated: bool,
    /// How long it ran.
    pub elapsed: Duration,
}

/// Why a program could not be run at all.
#[derive(Debug, thiserror::Error)]
#[error("{program}: {source}")]
pub struct Error {
    /// The program.
    pub program: String,
    /// What the system said.
    pub source: io::Error,
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        Fault::kind(&self.source)
    }
}

/// Runs a program to its end or its deadline.
///
/// # Errors
/// Fails if it cannot be started. A program that fails is no error: see [`Finished::end`].
pub fn run(command: &mut Command, limits: &Limits) -> Result<Finished, Error> {
    let program = command.get_program().to_string_lossy().into_owned();
    let started = Instant::now();
    let mut child = command
        .process_group(0)
        .stdin(if limits.input.is_empty() { Stdio::null() } else { Stdio::piped() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|source| Error { program: program.clone(), source })?;
    if let Some(mut stdin) = child.stdin.take() {
        let input = limits.input.clone();
        // A program that does not read its input is its own affair.
        thread::spawn(move || stdin.write_all(&input));
    }
    let stdout = collect(child.stdout.take(), limits.output_bytes);
    let stderr = collect(child.stderr.take(), limits.output_bytes);
    let end = wait(&mut child, started, limits.timeout).map_err(|source| Error { program, source })?;
    // A grandchild that left the group may hold the pipes open: do not wait for it.
    let grace = Duration::from_millis(200);
    let (stdout, cut_out) = stdout.recv_timeout(grace).unwrap_or_default();
    let (stderr, cut_err) = stderr.recv_timeout(grace).unwrap_or_default();
    Ok(Finished { end, stdout, stderr, truncated: cut_out || cut_err, elapsed: started.elapsed() })
}

fn wait(child: &mut Child, started: Instant, timeout: Duration) -> io::Result<End> {
    let mut pause = Duration::from_micros(200);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(ended(status));
        }
        if started.elapsed() >= timeout {
            let group = Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX));
            let _ = killpg(group, Signal::SIGKILL);
            child.wait()?;
            return Ok(End::TimedOut);
        }
        thread::sleep(pause.min(timeout.saturating_sub(started.elapsed())));
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}

pub(crate) fn ended(status: ExitStatus) -> End {
    match status.code() {
        Some(code) => End::Code(code),
        None => End::Signal(status.signal().unwrap_or_default()),
    }
}

/// Reads a stream to its end in a thread of its own, keeping the first `keep` bytes.
fn collect(stream: Option<impl Read + Send + 'static>, keep: usize) -> Receiver<(Vec<u8>, bool)> {
    let (send, receive) = channel();
    thread::spawn(move || {
        let mut kept = Vec::new();
        let mut dropped = 0;
        if let Some(mut stream) = stream {
            let _ = stream.by_ref().take(keep as u64).read_to_end(&mut kept);
            dropped = io::copy(&mut stream, &mut io::sink()).unwrap_or_default();
        }
        let _ = send.send((kept, dropped > 0));
    });
    receive
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limits: &Limits) -> Finished {
        run(Command::new("sh").args(["-c", script]), limits).unwrap()
    }

    #[test]
    fn a_program_that_hangs_is_ended_with_its_children() {
        let done = shell("sleep 60 & sleep 60", &Limits::within(Duration::from_millis(100)));
        assert_eq!(done.end, End::TimedOut);
    }

    #[test]
    fn output_beyond_the_bound_is_dropped_and_said_so() {
        let done = shell(
            "yes | head -c 100000",
            &Limits { output_bytes: 10, ..Limits::within(Duration::from_secs(9)) },
        );
        assert_eq!(done.stdout.len(), 10);
        assert!(done.truncated);
    }

    #[test]
    fn input_reaches_it_and_its_status_comes_back() {
        let limits = Limits { input: b"7".to_vec(), ..Limits::within(Duration::from_secs(9)) };
        assert_eq!(shell("read x; exit $x", &limits).end, End::Code(7));
        assert_eq!(shell("kill -9 $$", &limits).end, End::Signal(9));
    }
}
