//! Input that is waited for no longer than until the end is asked for.

use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::sync::Arc;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::Stop;

/// Reads from its input until that ends; once [`Stop`] is requested reading fails.
#[derive(Debug)]
pub struct Awaited<R> {
    input: R,
    stop: Arc<Stop>,
}

impl<R: Read + AsFd> Awaited<R> {
    /// This input, until then.
    pub fn new(input: R, stop: &Arc<Stop>) -> Self {
        Self { input, stop: Arc::clone(stop) }
    }

    /// Whether reading would not wait.
    pub fn is_ready(&self) -> bool {
        let mut wanted = [PollFd::new(self.input.as_fd(), PollFlags::POLLIN)];
        poll(&mut wanted, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }
}

impl<R: Read + AsFd> Read for Awaited<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut wanted = [
                PollFd::new(self.input.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.stop.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut wanted, PollTimeout::NONE) {
                _ if self.stop.requested() => {
                    return Err(io::Error::new(ErrorKind::TimedOut, self.stop.why()));
                }
                Ok(_) => return self.input.read(room),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
