//! The reader's word for how many rows it keeps.

use std::io;
use std::os::fd::AsFd;

use cli::{Context, Error};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use process::Stop;

/// Standard input: on each line, how many rows the reader keeps.
#[derive(Debug, Default)]
pub(crate) struct Acks {
    part: Vec<u8>,
    rows: u64,
    ended: bool,
}

/// A number has no more digits.
const LINE_BYTES: usize = 32;

impl Acks {
    /// So many rows were acknowledged before.
    pub(crate) fn from(rows: u64) -> Self {
        Self { rows, ..Self::default() }
    }

    /// What came so far; waits for more if asked to, until the reader or a
    /// signal says something. None once the reader has left.
    pub(crate) fn read(&mut self, stop: &Stop, wait: bool) -> cli::Result<Option<u64>> {
        let doing = "reading acknowledgements";
        let input = io::stdin();
        let mut wait = wait;
        while !self.ended {
            let mut wanted =
                [PollFd::new(input.as_fd(), PollFlags::POLLIN), PollFd::new(stop.as_fd(), PollFlags::POLLIN)];
            let time = if wait { PollTimeout::NONE } else { PollTimeout::ZERO };
            match poll(&mut wanted, time) {
                Err(nix::errno::Errno::EINTR) => continue,
                Err(error) => return Err(error).unavailable(doing),
                Ok(_) if wanted[0].any() != Some(true) => break,
                Ok(_) => {}
            }
            let mut bytes = [0; 4096];
            // Not through a buffer: what waits there is not seen by poll.
            let count = nix::unistd::read(input.as_fd(), &mut bytes).unavailable(doing)?;
            self.ended = count == 0;
            self.take(bytes.get(..count).unwrap_or_default())?;
            wait = false;
        }
        Ok((!self.ended || self.rows > 0).then_some(self.rows))
    }

    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    fn take(&mut self, mut bytes: &[u8]) -> cli::Result<()> {
        let doing = "reading acknowledgements";
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.part.extend_from_slice(&bytes[..end]);
            bytes = &bytes[end + 1..];
            let line = String::from_utf8_lossy(&self.part).trim().to_owned();
            self.part.clear();
            let rows: u64 = line.parse().map_err(|_| {
                Error::invalid(
                    doing,
                    format!("`{}` is no number of rows", line.chars().take(32).collect::<String>()),
                )
            })?;
            if rows < self.rows {
                return Err(Error::invalid(doing, format!("{rows} rows after {}", self.rows)));
            }
            self.rows = rows;
        }
        self.part.extend_from_slice(bytes);
        if self.part.len() > LINE_BYTES {
            return Err(Error::invalid(doing, "a line is longer than a number"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_may_come_in_pieces_and_never_goes_back() {
        let mut acks = Acks::default();
        acks.take(b"1\n1").unwrap();
        assert_eq!(acks.rows, 1);
        acks.take(b"2\n").unwrap();
        assert_eq!(acks.rows, 12);
        assert!(acks.take(b"11\n").is_err());
        assert!(Acks::default().take(b"many\n").is_err());
        assert!(Acks::default().take(&[b'1'; 40]).is_err());
    }
}
