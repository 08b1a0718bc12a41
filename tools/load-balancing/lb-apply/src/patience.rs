//! How long to wait for a daemon, and what a signal does to the waiting.

use std::thread;
use std::time::{Duration, Instant};

use process::Stop;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);
/// What is left for putting things back once somebody asked us to end.
const LAST: Duration = Duration::from_secs(7);

/// Time for one step.
pub(crate) struct Patience<'a> {
    end: Instant,
    stop: &'a Stop,
    last: bool,
    asked: bool,
}

impl<'a> Patience<'a> {
    /// For a step that is given up when a signal comes.
    pub(crate) fn new(time: Duration, stop: &'a Stop) -> Self {
        Self { end: Instant::now() + time, stop, last: false, asked: false }
    }

    /// For putting things back: a signal shortens it, but does not end it.
    pub(crate) fn to_the_last(time: Duration, stop: &'a Stop) -> Self {
        Self { last: true, ..Self::new(time, stop) }
    }

    /// Sleeps a little; false if the time is up.
    pub(crate) fn pause(&mut self) -> bool {
        if self.stop.requested() && !self.asked {
            self.asked = true;
            let left = if self.last { LAST } else { Duration::ZERO };
            self.end = self.end.min(Instant::now() + left);
        }
        let left = self.left();
        thread::sleep(PAUSE.min(left));
        !left.is_zero()
    }

    /// The time left.
    pub(crate) fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }
}
