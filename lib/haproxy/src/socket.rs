//! One command, one connection, one deadline.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use model::{LbServer, LbWorker};
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};

use crate::{Error, processes, servers};

/// Far above the typed form of a thousand servers (2.5 kB each).
pub(crate) const ANSWER_BYTES: usize = 16 << 20;

/// A stats socket or master socket.
#[derive(Clone, Debug)]
pub struct Socket {
    path: PathBuf,
    /// What a command is put behind, so that a master passes it on.
    prefix: &'static str,
}

/// What an operator can make of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// In service, as far as its checks allow.
    Ready,
    /// No new sessions.
    Drain,
    /// Out of service.
    Maint,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ready => "ready",
            Self::Drain => "drain",
            Self::Maint => "maint",
        })
    }
}

impl Socket {
    /// A socket by its path; nothing is opened yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), prefix: "" }
    }

    /// Asks the current worker through this master socket.
    #[must_use]
    pub fn worker(self) -> Self {
        Self { prefix: "@1 ", ..self }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Asks one command and gives the whole answer, lossily as UTF-8.
    ///
    /// # Errors
    /// Fails if nobody answers in time or the answer is longer than 16 MiB.
    pub fn ask(&self, command: &str, deadline: Instant) -> Result<String, Error> {
        let mut stream = self.open(deadline)?;
        let said = |error: io::Error| match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Error::Timeout,
            _ => Error::Io(error),
        };
        stream.set_write_timeout(Some(left(deadline)?)).map_err(Error::Io)?;
        stream.write_all(format!("{}{command}\n", self.prefix).as_bytes()).map_err(said)?;
        // The master socket of 2.6 closes only after its client has.
        let _ = stream.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        let mut piece = vec![0; 16 << 10];
        loop {
            stream.set_read_timeout(Some(left(deadline)?)).map_err(Error::Io)?;
            match stream.read(&mut piece) {
                Ok(0) => return Ok(String::from_utf8_lossy(&answer).into_owned()),
                Ok(read) => answer.extend_from_slice(&piece[..read]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(said(error)),
            }
            if answer.len() > ANSWER_BYTES {
                return Err(Error::TooLong);
            }
        }
    }

    /// The servers, of one backend or of all, in the order of the configuration.
    ///
    /// # Errors
    /// Fails if nobody answers in time, if the answer makes no sense, or if there is no such backend.
    pub fn servers(&self, backend: Option<&str>, deadline: Instant) -> Result<Vec<LbServer>, Error> {
        let backend = backend.unwrap_or("-1");
        plain(backend)?;
        servers::parse(&self.ask(&format!("show stat {backend} 4 -1 typed"), deadline)?)
    }

    /// The processes, asked of the master socket.
    ///
    /// # Errors
    /// Fails if nobody answers in time or the answer makes no sense.
    pub fn processes(&self, deadline: Instant) -> Result<Vec<LbWorker>, Error> {
        processes::parse(&self.ask("show proc", deadline)?)
    }

    /// What the process says of itself (`show info`): names and values in its order.
    ///
    /// # Errors
    /// Fails if nobody answers in time or the answer makes no sense.
    pub fn info(&self, deadline: Instant) -> Result<Vec<(String, String)>, Error> {
        let answer = self.ask("show info", deadline)?;
        let lines = answer.lines().filter(|line| !line.trim().is_empty());
        let pairs: Option<Vec<_>> = lines
            .map(|line| line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned())))
            .collect();
        match pairs {
            Some(pairs) if pairs.iter().any(|(name, _)| name == "Version") => Ok(pairs),
            _ => Err(Error::Garbled(first_line(&answer))),
        }
    }

    /// Takes a server out of service or puts it back.
    ///
    /// # Errors
    /// Fails if nobody answers in time, or if the balancer knows no such server.
    pub fn set_server_state(
        &self,
        backend: &str,
        server: &str,
        state: State,
        deadline: Instant,
    ) -> Result<(), Error> {
        plain(backend)?;
        plain(server)?;
        let answer = self.ask(&format!("set server {backend}/{server} state {state}"), deadline)?;
        // Done is said by an empty line.
        if answer.trim().is_empty() { Ok(()) } else { Err(Error::Refused(first_line(&answer))) }
    }

    /// Connects without ever waiting longer than the deadline: a balancer
    /// that hangs fills its queue, and then a blocking connect would never return.
    fn open(&self, deadline: Instant) -> Result<UnixStream, Error> {
        let refused = |errno: Errno| Error::Connect(errno.into());
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let address = UnixAddr::new(&self.path).map_err(refused)?;
        let fd = socket(AddressFamily::Unix, SockType::Stream, flags, None).map_err(refused)?;
        loop {
            match connect(fd.as_raw_fd(), &address) {
                Ok(()) => break,
                Err(Errno::EAGAIN) => thread::sleep(left(deadline)?.min(Duration::from_millis(5))),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(refused(errno)),
            }
        }
        let stream = UnixStream::from(fd);
        stream.set_nonblocking(false).map_err(Error::Io)?;
        Ok(stream)
    }
}

/// A name goes into a command: it must not be able to become two.
fn plain(name: &str) -> Result<(), Error> {
    let fine = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:".contains(c));
    if fine { Ok(()) } else { Err(Error::Refused(format!("`{name}` is no name of a backend or server"))) }
}

pub(crate) fn first_line(answer: &str) -> String {
    let line = answer.lines().find(|line| !line.trim().is_empty()).unwrap_or("nothing");
    line.trim().chars().take(120).collect()
}

fn left(deadline: Instant) -> Result<Duration, Error> {
    match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(Error::Timeout),
        left => Ok(left),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(200)
    }

    /// A balancer that answers one command with fixed bytes.
    fn answering(answer: &'static [u8]) -> (tempfile::TempDir, Socket) {
        let dir = tempfile::tempdir().unwrap();
        let socket = Socket::new(dir.path().join("s"));
        let listener = UnixListener::bind(socket.path()).unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 64]);
            let _ = stream.write_all(answer);
        });
        (dir, socket)
    }

    #[test]
    fn a_missing_socket_and_a_deaf_one_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let socket = Socket::new(dir.path().join("s"));
        assert_eq!(socket.servers(None, soon()).unwrap_err().as_str(), "missing");
        drop(UnixListener::bind(socket.path()).unwrap());
        assert_eq!(socket.servers(None, soon()).unwrap_err().as_str(), "refused");
    }

    #[test]
    fn a_balancer_that_hangs_costs_the_deadline_and_no_more_even_with_its_queue_full() {
        let dir = tempfile::tempdir().unwrap();
        let socket = Socket::new(dir.path().join("s"));
        let listener = UnixListener::bind(socket.path()).unwrap();
        // Kept open and never accepted, until the queue takes no more.
        nix::sys::socket::listen(&listener, nix::sys::socket::Backlog::new(1).unwrap()).unwrap();
        let queued: Vec<_> = std::iter::from_fn(|| socket.open(Instant::now()).ok()).collect();
        assert!(!queued.is_empty());
        let start = Instant::now();
        assert!(matches!(socket.ask("show info", soon()), Err(Error::Timeout)));
        assert!(start.elapsed() < Duration::from_secs(1));
    }

    #[test]
    fn garbage_is_an_error_worth_another_try() {
        use model::{Fault, Kind};
        for answer in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"\xff\xfe\x00\n", b"S.3.1\n"] {
            let (_dir, socket) = answering(answer);
            let error = socket.servers(None, soon()).unwrap_err();
            assert!(matches!(error, Error::Garbled(_)), "{error}");
            assert_eq!(Fault::kind(&error), Kind::Unavailable);
        }
    }

    #[test]
    fn a_name_cannot_smuggle_a_second_command() {
        let (_dir, socket) = answering(b"\n");
        let error = socket.set_server_state("b", "s;shutdown", State::Drain, soon()).unwrap_err();
        assert!(matches!(error, Error::Refused(_)));
    }

    #[test]
    fn the_balancers_no_is_passed_on() {
        let (_dir, socket) = answering(b"No such server.\n\n");
        let error = socket.set_server_state("b", "s", State::Drain, soon()).unwrap_err();
        assert_eq!(error.to_string(), "No such server.");
    }
}
