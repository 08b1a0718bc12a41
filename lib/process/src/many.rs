//! Many programs at once, in one thread.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use rustix::process::{PidfdFlags, pidfd_open};

use crate::Stop;
use crate::run::{End, Error, ended};

/// Where a stream of a program goes.
#[derive(Debug)]
pub enum Sink {
    /// It is kept: of more than so many bytes, the beginning and the end.
    Keep(usize),
    /// It is written to a file, whole.
    File(File),
}

/// One program to run, and what it may use.
#[derive(Debug)]
pub struct Job {
    /// The program.
    pub command: Command,
    /// What it reads on its standard input.
    pub input: Arc<Vec<u8>>,
    /// How long it may run.
    pub timeout: Duration,
    /// Where its standard output goes.
    pub stdout: Sink,
    /// Where its complaints go.
    pub stderr: Sink,
}

/// How a program ended, and what is left of its streams.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended; `None` if it was ended with [`Many::end`].
    pub end: Option<End>,
    /// What it printed.
    pub stdout: Kept,
    /// What it complained of.
    pub stderr: Kept,
    /// How long it ran.
    pub elapsed: Duration,
    /// Why one of its streams could not be written to its file.
    pub failure: Option<io::Error>,
}

/// The beginning and the end of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The beginning; all of it if nothing was left out.
    pub head: Vec<u8>,
    /// The end of what did not fit.
    pub tail: VecDeque<u8>,
    /// How many bytes between the two were left out.
    pub left_out_bytes: u64,
}

/// Programs that run at the same time, each known by a key.
#[derive(Debug)]
pub struct Many<K> {
    running: Vec<Running<K>>,
}

#[derive(Debug)]
struct Running<K> {
    key: K,
    child: Child,
    exit: OwnedFd,
    started: Instant,
    deadline: Instant,
    input: Arc<Vec<u8>>,
    written: usize,
    stdin: Option<ChildStdin>,
    stdout: Stream<ChildStdout>,
    stderr: Stream<ChildStderr>,
    failure: Option<io::Error>,
}

#[derive(Debug)]
struct Stream<R> {
    source: Option<R>,
    sink: Sink,
    kept: Kept,
}

impl<K> Default for Many<K> {
    fn default() -> Self {
        Self { running: Vec::new() }
    }
}

impl<K> Many<K> {
    /// How many run.
    pub fn len(&self) -> usize {
        self.running.len()
    }

    /// Whether none runs.
    pub fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Starts one more, in a process group of its own.
    ///
    /// # Errors
    /// Fails if it cannot be started.
    pub fn start(&mut self, key: K, mut job: Job) -> Result<(), Error> {
        let program = job.command.get_program().to_string_lossy().into_owned();
        let started = Instant::now();
        let begin = || -> io::Result<Running<K>> {
            let mut child = job
                .command
                .process_group(0)
                .stdin(if job.input.is_empty() { Stdio::null() } else { Stdio::piped() })
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()?;
            let pid = rustix::process::Pid::from_child(&child);
            let exit = pidfd_open(pid, PidfdFlags::empty())?;
            let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
            stdin.as_ref().map_or(Ok(()), |pipe| patient(pipe.as_fd()))?;
            stdout.as_ref().map_or(Ok(()), |pipe| patient(pipe.as_fd()))?;
            stderr.as_ref().map_or(Ok(()), |pipe| patient(pipe.as_fd()))?;
            Ok(Running {
                key,
                child,
                exit,
                started,
                deadline: started + job.timeout,
                input: job.input,
                written: 0,
                stdin,
                stdout: Stream { source: stdout, sink: job.stdout, kept: Kept::default() },
                stderr: Stream { source: stderr, sink: job.stderr, kept: Kept::default() },
                failure: None,
            })
        };
        self.running.push(begin().map_err(|source| Error { program, source })?);
        Ok(())
    }

    /// Waits until at least one has ended, `stop` is asked for, or `until`
    /// has come; what has ended comes back. A program whose time is up is
    /// killed with its process group.
    pub fn wait(&mut self, stop: &Stop, until: Option<Instant>) -> Vec<(K, Outcome)> {
        loop {
            let now = Instant::now();
            let mut ended = Vec::new();
            let mut at = 0;
            while at < self.running.len() {
                match self.running[at].look(now) {
                    Some(end) => {
                        let running = self.running.swap_remove(at);
                        ended.push(running.finish(Some(end)));
                    }
                    None => at += 1,
                }
            }
            let late = until.is_some_and(|until| now >= until);
            if !ended.is_empty() || self.running.is_empty() || late || stop.requested() {
                return ended;
            }
            let deadlines = self.running.iter().map(|running| running.deadline).chain(until);
            self.sleep(stop, deadlines.min().map_or(Duration::MAX, |at| at.saturating_duration_since(now)));
            for running in &mut self.running {
                running.pump();
            }
        }
    }

    /// Ends them all: first politely, then, after `grace`, by force.
    pub fn end(&mut self, grace: Duration) -> Vec<(K, Outcome)> {
        for running in &self.running {
            let _ = killpg(running.group(), Signal::SIGTERM);
        }
        let limit = Instant::now() + grace;
        let gone = |running: &mut Running<K>| matches!(running.child.try_wait(), Ok(Some(_)) | Err(_));
        while !self.running.iter_mut().all(gone) && Instant::now() < limit {
            std::thread::sleep(Duration::from_millis(10));
        }
        let running = std::mem::take(&mut self.running);
        running
            .into_iter()
            .map(|mut running| {
                let _ = killpg(running.group(), Signal::SIGKILL);
                let _ = running.child.wait();
                running.finish(None)
            })
            .collect()
    }

    fn sleep(&self, stop: &Stop, time: Duration) {
        let mut fds = vec![PollFd::new(stop.as_fd(), PollFlags::POLLIN)];
        for running in &self.running {
            fds.push(PollFd::new(running.exit.as_fd(), PollFlags::POLLIN));
            fds.extend(running.stdin.as_ref().map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLOUT)));
            let sources = [
                running.stdout.source.as_ref().map(AsFd::as_fd),
                running.stderr.source.as_ref().map(AsFd::as_fd),
            ];
            fds.extend(sources.into_iter().flatten().map(|pipe| PollFd::new(pipe, PollFlags::POLLIN)));
        }
        // Rounded up, or the last millisecond would be spun through.
        let time = PollTimeout::try_from(time.as_millis().saturating_add(1)).unwrap_or(PollTimeout::MAX);
        let _ = poll(&mut fds, time);
    }
}

impl<K> Running<K> {
    fn group(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(i32::MAX))
    }

    /// How it ended, if it has; kills it if its time is up.
    fn look(&mut self, now: Instant) -> Option<End> {
        match self.child.try_wait() {
            Ok(Some(status)) => return Some(ended(status)),
            Ok(None) if now < self.deadline && self.failure.is_none() => return None,
            _ => {}
        }
        let _ = killpg(self.group(), Signal::SIGKILL);
        let _ = self.child.wait();
        Some(End::TimedOut)
    }

    /// Moves what can be moved without waiting.
    fn pump(&mut self) {
        if let Some(stdin) = &mut self.stdin {
            match stdin.write(&self.input[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if is_patience(&error) => {}
                // A program that does not read its input is its own affair.
                Err(_) => self.written = self.input.len(),
            }
            if self.written == self.input.len() {
                self.stdin = None;
            }
        }
        let moved = self.stdout.pump().and_then(|()| self.stderr.pump());
        if let Err(error) = moved {
            self.failure.get_or_insert(error);
        }
    }

    /// Takes what is left in the pipes. Whoever outlives it there (a
    /// connection kept for the next one) is not waited for.
    fn finish(mut self, end: Option<End>) -> (K, Outcome) {
        self.stdin = None;
        self.pump();
        let outcome = Outcome {
            end,
            stdout: self.stdout.kept,
            stderr: self.stderr.kept,
            elapsed: self.started.elapsed(),
            failure: self.failure,
        };
        (self.key, outcome)
    }
}

impl<R: Read> Stream<R> {
    /// Reads until the pipe is empty.
    fn pump(&mut self) -> io::Result<()> {
        let Some(source) = &mut self.source else { return Ok(()) };
        let mut buffer = [0; 16 << 10];
        loop {
            match source.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => match &mut self.sink {
                    Sink::Keep(limit) => self.kept.push(&buffer[..count], *limit),
                    Sink::File(file) => file.write_all(&buffer[..count])?,
                },
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_patience(&error) => return Ok(()),
                Err(_) => break,
            }
        }
        self.source = None;
        Ok(())
    }
}

impl Kept {
    fn push(&mut self, bytes: &[u8], limit: usize) {
        let room = (limit - limit / 2).saturating_sub(self.head.len());
        let (first, rest) = bytes.split_at(bytes.len().min(room));
        self.head.extend_from_slice(first);
        let rest_start = rest.len().saturating_sub(limit / 2);
        self.left_out_bytes += rest_start as u64;
        self.tail.extend(&rest[rest_start..]);
        let over = self.tail.len().saturating_sub(limit / 2);
        self.tail.drain(..over);
        self.left_out_bytes += over as u64;
    }

    /// All of it, with a line in the place of what was left out.
    pub fn into_bytes(self) -> Vec<u8> {
        let mut bytes = self.head;
        if self.left_out_bytes > 0 {
            bytes.extend(format!("\n[{} bytes left out]\n", self.left_out_bytes).into_bytes());
        }
        bytes.extend(self.tail);
        bytes
    }
}

fn is_patience(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// Reading and writing shall not wait.
fn patient(pipe: BorrowedFd) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(pipe, FcntlArg::F_GETFL)?);
    fcntl(pipe, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, input: &str, timeout_ms: u64) -> Job {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Job {
            command,
            input: Arc::new(input.into()),
            timeout: Duration::from_millis(timeout_ms),
            stdout: Sink::Keep(100),
            stderr: Sink::Keep(100),
        }
    }

    fn all(jobs: Vec<Job>) -> Vec<Outcome> {
        let stop = Stop::on_signals().unwrap();
        let mut many = Many::default();
        for (key, job) in jobs.into_iter().enumerate() {
            many.start(key, job).unwrap();
        }
        let mut done = Vec::new();
        while !many.is_empty() {
            done.extend(many.wait(&stop, None));
        }
        done.sort_by_key(|(key, _)| *key);
        done.into_iter().map(|(_, outcome)| outcome).collect()
    }

    #[test]
    fn programs_run_side_by_side_and_each_gets_its_own_end() {
        let started = Instant::now();
        let mut jobs: Vec<_> = (0..20).map(|n| shell(&format!("sleep 0.3; exit {n}"), "", 9000)).collect();
        jobs.push(shell("kill -9 $$", "", 9000));
        let ends: Vec<_> = all(jobs).into_iter().map(|outcome| outcome.end).collect();
        assert!((0..20).all(|n| ends[n] == Some(End::Code(i32::try_from(n).unwrap()))));
        assert_eq!(ends[20], Some(End::Signal(9)));
        assert!(started.elapsed() < Duration::from_secs(5), "one after the other takes 6 s");
    }

    #[test]
    fn one_that_hangs_is_ended_with_its_children_and_keeps_nobody_waiting() {
        let done = all(vec![shell("sleep 60 & sleep 60", "", 200), shell("echo fine", "", 9000)]);
        assert_eq!(done[0].end, Some(End::TimedOut));
        assert_eq!(done[1].stdout.head, b"fine\n");
    }

    #[test]
    fn a_grandchild_that_keeps_the_pipes_is_not_waited_for() {
        let started = Instant::now();
        let done = all(vec![shell("setsid sleep 5 & echo early", "", 9000)]);
        assert_eq!((done[0].end, &done[0].stdout.head[..]), (Some(End::Code(0)), &b"early\n"[..]));
        assert!(started.elapsed() < Duration::from_secs(4));
    }

    #[test]
    fn input_larger_than_a_pipe_goes_through_while_output_comes_back() {
        let input = "x".repeat(1 << 20);
        let done = all(vec![shell("cat | wc -c", &input, 9000), shell("exec <&-; sleep 0.1", &input, 9000)]);
        assert_eq!(done[0].stdout.head, b"1048576\n");
        assert_eq!(done[1].end, Some(End::Code(0)));
    }

    #[test]
    fn of_a_long_output_the_beginning_and_the_end_are_kept() {
        let done =
            all(vec![shell("printf begin; yes | head -c 100000; printf end >&2; printf end", "", 9000)]);
        let text = String::from_utf8(done.into_iter().next().unwrap().stdout.into_bytes()).unwrap();
        assert!(text.starts_with("begin") && text.ends_with("end"), "{text}");
        assert!(text.contains("[99908 bytes left out]"), "{text}");
    }

    #[test]
    fn those_that_run_can_be_ended() {
        let mut many = Many::default();
        many.start((), shell("trap '' TERM; sleep 60", "", 90_000)).unwrap();
        let started = Instant::now();
        let done = many.end(Duration::from_millis(100));
        assert!(done[0].1.end.is_none() && started.elapsed() < Duration::from_secs(5));
    }
}
