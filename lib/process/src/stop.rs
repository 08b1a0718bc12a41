//! SIGTERM, SIGINT and SIGHUP, or a time that is over, as a value a loop can look at and sleep on.

use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// Tells a loop that somebody asked it to end.
///
/// From the moment it is made the signals no longer end the process.
#[derive(Debug)]
pub struct Stop {
    signal: Arc<AtomicUsize>,
    wake: UnixStream,
    ring: UnixStream,
}

/// What is no signal: the time is over.
const OVER: usize = usize::MAX;

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
        Ok(Self { signal, wake, ring })
    }

    /// Asks for the end itself at this time, if nobody has before.
    ///
    /// # Errors
    /// Fails if the system has no descriptor or thread left.
    pub fn at(self, deadline: Option<Instant>) -> io::Result<Self> {
        if let Some(deadline) = deadline {
            let (signal, mut ring) = (Arc::clone(&self.signal), self.ring.try_clone()?);
            std::thread::Builder::new().name("deadline".to_owned()).spawn(move || {
                std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
                let _ = signal.compare_exchange(0, OVER, Ordering::SeqCst, Ordering::SeqCst);
                let _ = ring.write_all(b"!");
            })?;
        }
        Ok(self)
    }

    /// Whether the time is over, and nobody had asked for the end before.
    pub fn is_over(&self) -> bool {
        self.signal.load(Ordering::SeqCst) == OVER
    }

    /// Why the end was asked for, in the words of messages.
    pub fn why(&self) -> &'static str {
        if self.is_over() { "deadline: --timeout is over" } else { "interrupted" }
    }

    /// Whether a signal has come, or the time is over.
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

    /// Sleeps, unless the end is asked for or was; true if so.
    pub fn sleep(&self, time: Duration) -> bool {
        let end = Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if self.requested() || left.is_zero() {
                return self.requested();
            }
            // Rounded up, or the last millisecond would be spun through.
            let left = PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX);
            let _ = poll(&mut [PollFd::new(self.wake.as_fd(), PollFlags::POLLIN)], left);
        }
    }
}

/// Readable once the end was asked for, for loops that poll several things.
impl AsFd for Stop {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_is_over_ends_a_sleep_and_is_no_signal() {
        let soon = Instant::now() + Duration::from_millis(20);
        let stop = Stop::on_signals().unwrap().at(Some(soon)).unwrap();
        assert!(!stop.requested());
        assert!(stop.sleep(Duration::from_mins(5)));
        assert!(stop.is_over() && stop.signal().is_none());
        assert_eq!(stop.why(), "deadline: --timeout is over");
    }
}
