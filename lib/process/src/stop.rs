//! SIGTERM, SIGINT and SIGHUP as a value a loop can look at and sleep on.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// Tells a loop that somebody asked it to end.
///
/// From the moment it is made the signals no longer end the process.
#[derive(Debug)]
pub struct Stop {
    signal: Arc<AtomicUsize>,
    wake: UnixStream,
}

impl Stop {
    /// Catches SIGTERM, SIGINT and SIGHUP.
    ///
    /// # Errors
    /// Fails if the system has no descriptor or handler left.
    pub fn on_signals() -> io::Result<Self> {
        let signal = Arc::new(AtomicUsize::new(0));
        let (wake, ring) = UnixStream::pair()?;
        for number in [SIGTERM, SIGINT, SIGHUP] {
            let value = usize::try_from(number).unwrap_or_default();
            signal_hook::flag::register_usize(number, Arc::clone(&signal), value)?;
            signal_hook::low_level::pipe::register(number, ring.try_clone()?)?;
        }
        Ok(Self { signal, wake })
    }

    /// Whether a signal has come.
    pub fn requested(&self) -> bool {
        self.signal.load(Ordering::SeqCst) != 0
    }

    /// The signal that came; `None` if none has.
    pub fn signal(&self) -> Option<i32> {
        match self.signal.load(Ordering::SeqCst) {
            0 => None,
            number => i32::try_from(number).ok(),
        }
    }

    /// Sleeps, unless a signal comes or has come; true if it has.
    pub fn sleep(&self, time: Duration) -> bool {
        let end = std::time::Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(std::time::Instant::now());
            if self.requested() || left.is_zero() {
                return self.requested();
            }
            // Rounded up, or the last millisecond would be spun through.
            let left = PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX);
            let _ = poll(&mut [PollFd::new(self.wake.as_fd(), PollFlags::POLLIN)], left);
        }
    }
}

/// Readable once a signal has come, for loops that poll several things.
impl AsFd for Stop {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}
