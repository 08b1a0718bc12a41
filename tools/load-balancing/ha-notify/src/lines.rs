//! Lines of a FIFO or of standard input, with an eye on signals.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::time::Instant;

use cli::{Context, Error, Result};
use model::Kind;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use process::Stop;

/// keepalived writes no longer lines: what is longer is cut here.
const LINE_BYTES: usize = 64 << 10;

/// What came next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A line, without its end.
    Line(Vec<u8>),
    /// The writer has left.
    End,
    /// Nothing came until the deadline, or until a signal.
    Quiet,
}

/// A source of lines.
pub(crate) struct Lines {
    source: Source,
    read: Vec<u8>,
    ended: bool,
}

enum Source {
    Fifo(Flock<File>),
    Stdin(io::Stdin),
}

impl Lines {
    /// Standard input.
    pub(crate) fn stdin() -> Self {
        Self::of(Source::Stdin(io::stdin()))
    }

    /// A FIFO, held against other readers: two would share out the bytes of
    /// one line. Waits for it and for them.
    pub(crate) fn fifo(path: &Path, timeout: cli::Duration) -> Result<Self> {
        let doing = format!("reading {}", path.display());
        let file =
            crate::patiently(timeout, &doing, || open(path, &doing), "no such file").map_err(|error| {
                match error.kind() {
                    Kind::Unavailable => error.hint("keepalived makes it: vrrp_notify_fifo"),
                    Kind::Invalid => error,
                }
            })?;
        let mut file = Some(file);
        let lock = || match file.take().map(|file| Flock::lock(file, FlockArg::LockExclusiveNonblock)) {
            Some(Ok(lock)) => Ok(Some(lock)),
            Some(Err((free, Errno::EWOULDBLOCK))) => {
                file = Some(free);
                Ok(None)
            }
            Some(Err((_, errno))) => Err(Error::unavailable(&doing, errno)),
            None => Ok(None),
        };
        crate::patiently(timeout, &doing, lock, "locked: another reader holds it")
            .map(|lock| Self::of(Source::Fifo(lock)))
    }

    fn of(source: Source) -> Self {
        Self { source, read: Vec::new(), ended: false }
    }

    /// The next line. Without a deadline a signal ends the waiting as well.
    pub(crate) fn next(&mut self, stop: &Stop, deadline: Option<Instant>) -> io::Result<Next> {
        loop {
            if let Some(line) = cut(&mut self.read, self.ended) {
                return Ok(Next::Line(line));
            }
            if self.ended {
                return Ok(Next::End);
            }
            if !self.wait(stop, deadline)? {
                return Ok(Next::Quiet);
            }
            let mut bytes = [0; 4096];
            let got = match &mut self.source {
                Source::Fifo(file) => (&**file).read(&mut bytes),
                Source::Stdin(stdin) => stdin.lock().read(&mut bytes),
            };
            match got {
                Ok(0) => self.ended = true,
                Ok(count) => self.read.extend(&bytes[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until there is something to read; false if a signal or the deadline came first.
    ///
    /// A FIFO that had no writer yet has not ended: only poll(2) tells the two apart.
    fn wait(&self, stop: &Stop, deadline: Option<Instant>) -> io::Result<bool> {
        loop {
            let source = match &self.source {
                Source::Fifo(file) => file.as_fd(),
                Source::Stdin(stdin) => stdin.as_fd(),
            };
            let mut ready = vec![PollFd::new(source, PollFlags::POLLIN)];
            let mut time = PollTimeout::NONE;
            if let Some(deadline) = deadline {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Ok(false);
                }
                time = PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX);
            } else {
                ready.push(PollFd::new(stop.as_fd(), PollFlags::POLLIN));
            }
            match poll(&mut ready, time) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            // What is already written counts, signal or not.
            if ready[0].any() == Some(true) {
                return Ok(true);
            }
            if deadline.is_none() && stop.requested() {
                return Ok(false);
            }
        }
    }
}

/// Opens the FIFO without waiting for its writer; `None` if it is not there yet.
fn open(path: &Path, doing: &str) -> Result<Option<File>> {
    let file = match OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.doing(doing)?,
    };
    if file.metadata().doing(doing)?.file_type().is_fifo() {
        return Ok(Some(file));
    }
    Err(Error::invalid(doing, "not a FIFO").hint("lines of a file are read from standard input"))
}

/// Takes the first whole line, or what is left at the end, or what is too long for one.
fn cut(read: &mut Vec<u8>, ended: bool) -> Option<Vec<u8>> {
    let end = match read.iter().position(|byte| *byte == b'\n') {
        Some(end) => end + 1,
        None if read.len() >= LINE_BYTES || (ended && !read.is_empty()) => read.len(),
        None => return None,
    };
    let mut line: Vec<u8> = read.drain(..end).collect();
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_at_their_ends_and_the_last_one_needs_none() {
        let mut read = b"a\n\nb".to_vec();
        assert_eq!(cut(&mut read, false), Some(b"a".to_vec()));
        assert_eq!(cut(&mut read, false), Some(b"".to_vec()));
        assert_eq!(cut(&mut read, false), None);
        assert_eq!(cut(&mut read, true), Some(b"b".to_vec()));
        assert_eq!(cut(&mut read, true), None);
    }

    #[test]
    fn a_line_without_end_is_cut_before_it_fills_the_memory() {
        let mut read = vec![b'x'; LINE_BYTES];
        assert_eq!(cut(&mut read, false).map(|line| line.len()), Some(LINE_BYTES));
    }
}
