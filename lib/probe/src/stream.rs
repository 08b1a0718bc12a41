//! A connection on which every wait obeys one deadline.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustls::{ClientConnection, StreamOwned};

/// A connection, encrypted or not, on which every read and write obeys one
/// deadline for all of them together.
#[derive(Debug)]
pub struct Stream(Kind);

#[derive(Debug)]
enum Kind {
    Plain(Timed),
    Tls(Box<StreamOwned<ClientConnection, Timed>>),
}

impl Stream {
    pub(crate) fn plain(socket: Timed) -> Self {
        Self(Kind::Plain(socket))
    }

    pub(crate) fn tls(session: ClientConnection, socket: Timed) -> Self {
        Self(Kind::Tls(Box::new(StreamOwned::new(session, socket))))
    }

    /// Sets the deadline of all that follows; `None` waits without end.
    pub fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.timed().deadline = deadline;
    }

    /// The TCP socket below, for its addresses and options.
    pub fn socket(&self) -> &TcpStream {
        match &self.0 {
            Kind::Plain(timed) => &timed.socket,
            Kind::Tls(tls) => &tls.sock.socket,
        }
    }

    fn timed(&mut self) -> &mut Timed {
        match &mut self.0 {
            Kind::Plain(timed) => timed,
            Kind::Tls(tls) => &mut tls.sock,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Kind::Plain(timed) => timed.read(buffer),
            Kind::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Kind::Plain(timed) => timed.write(bytes),
            Kind::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Kind::Plain(timed) => timed.flush(),
            Kind::Tls(tls) => tls.flush(),
        }
    }
}

/// A TCP socket with a deadline.
#[derive(Debug)]
pub(crate) struct Timed {
    socket: TcpStream,
    deadline: Option<Instant>,
}

impl Timed {
    pub(crate) fn connect(address: &SocketAddr, deadline: Instant) -> io::Result<Self> {
        let left = left(Some(deadline))?.unwrap_or(Duration::MAX);
        let socket = TcpStream::connect_timeout(address, left)?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, deadline: Some(deadline) })
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(left(self.deadline)?)?;
        self.socket.read(buffer).map_err(timed_out)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(left(self.deadline)?)?;
        self.socket.write(bytes).map_err(timed_out)
    }

    // All records of a flight in one packet: fewer wake-ups on both sides.
    fn write_vectored(&mut self, parts: &[IoSlice]) -> io::Result<usize> {
        self.socket.set_write_timeout(left(self.deadline)?)?;
        self.socket.write_vectored(parts).map_err(timed_out)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The time left, `None` for ever; an error once it is up, since a socket
/// takes a timeout of zero for none.
fn left(deadline: Option<Instant>) -> io::Result<Option<Duration>> {
    match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
        Some(Duration::ZERO) => Err(ErrorKind::TimedOut.into()),
        left => Ok(left),
    }
}

/// A socket timeout shows as "would block".
fn timed_out(error: io::Error) -> io::Error {
    if error.kind() == ErrorKind::WouldBlock { ErrorKind::TimedOut.into() } else { error }
}
