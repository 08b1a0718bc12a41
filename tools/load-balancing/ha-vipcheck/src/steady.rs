//! From single rounds to a verdict that does not flap.

use std::time::{Duration, Instant};

/// How often in a row a bad round may be put down to this process having
/// been kept from the processor.
const EXCUSES: u32 = 5;

/// What a round came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    pub(crate) ok: bool,
    /// When it began.
    pub(crate) started: Instant,
    /// By how much its deadline was overrun; `None` if it did not time out.
    pub(crate) overrun: Option<Duration>,
    /// One is enough.
    pub(crate) certain: bool,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing new.
    Same,
    /// The verdict changes to this.
    Change(bool),
    /// It says nothing: ask again at once.
    AskAgain,
}

/// Counts rounds until they amount to a change.
#[derive(Debug)]
pub(crate) struct Steady {
    rise: u32,
    fall: u32,
    /// How late this process may be and still judge others.
    slack: Duration,
    verdict: Option<bool>,
    against: u32,
    /// When the youngest round that counted began.
    youngest: Option<Instant>,
    /// When this process was last found late.
    late_at: Option<Instant>,
    excused: u32,
}

impl Steady {
    pub(crate) fn new(rise: u32, fall: u32, slack: Duration, verdict: Option<bool>) -> Self {
        Self { rise, fall, slack, verdict, against: 0, youngest: None, late_at: None, excused: 0 }
    }

    pub(crate) fn verdict(&self) -> Option<bool> {
        self.verdict
    }

    /// Notes that this process woke up so much later than it wanted to.
    pub(crate) fn woke(&mut self, now: Instant, late_by: Duration) {
        if late_by > self.slack {
            self.late_at = Some(now);
        }
    }

    pub(crate) fn feed(&mut self, outcome: Outcome) -> Next {
        if outcome.certain {
            self.youngest = self.youngest.max(Some(outcome.started));
            return self.settle(outcome.ok);
        }
        // An older question whose answer comes after a younger one's is history.
        if self.youngest.is_some_and(|youngest| outcome.started < youngest) {
            return Next::Same;
        }
        let starved = outcome.overrun.is_some_and(|overrun| {
            overrun > self.slack || self.late_at.is_some_and(|late_at| late_at >= outcome.started)
        });
        if !outcome.ok && starved && self.excused < EXCUSES {
            self.excused += 1;
            return Next::AskAgain;
        }
        self.excused = if starved { self.excused } else { 0 };
        self.youngest = Some(outcome.started);
        if self.verdict == Some(outcome.ok) {
            self.against = 0;
            return Next::Same;
        }
        self.against += 1;
        let enough = match self.verdict {
            None => 1,
            Some(_) if outcome.ok => self.rise,
            Some(_) => self.fall,
        };
        if self.against >= enough { self.settle(outcome.ok) } else { Next::Same }
    }

    fn settle(&mut self, ok: bool) -> Next {
        self.against = 0;
        let before = self.verdict.replace(ok);
        if before == Some(ok) { Next::Same } else { Next::Change(ok) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn steady(verdict: Option<bool>) -> (Steady, Instant) {
        (Steady::new(2, 3, 25 * MS, verdict), Instant::now())
    }

    fn round(ok: bool, started: Instant) -> Outcome {
        Outcome { ok, started, overrun: None, certain: false }
    }

    fn timed_out(started: Instant, overrun: Duration) -> Outcome {
        Outcome { overrun: Some(overrun), ..round(false, started) }
    }

    #[test]
    fn the_first_round_decides_if_nothing_was_known() {
        for ok in [true, false] {
            let (mut steady, t) = steady(None);
            assert_eq!(steady.feed(round(ok, t)), Next::Change(ok));
        }
    }

    #[test]
    fn a_change_takes_as_many_rounds_in_a_row_as_asked_for() {
        let (mut steady, t) = steady(Some(true));
        let mut feed = |ok, n: u32| steady.feed(round(ok, t + n * MS));
        assert_eq!(feed(false, 1), Next::Same);
        assert_eq!(feed(false, 2), Next::Same);
        assert_eq!(feed(true, 3), Next::Same);
        assert_eq!(feed(false, 4), Next::Same);
        assert_eq!(feed(false, 5), Next::Same);
        assert_eq!(feed(false, 6), Next::Change(false));
        assert_eq!(feed(true, 7), Next::Same);
        assert_eq!(feed(true, 8), Next::Change(true));
    }

    #[test]
    fn what_is_certain_needs_no_second_round() {
        let (mut steady, t) = steady(Some(true));
        let dead = Outcome { certain: true, ..round(false, t) };
        assert_eq!(steady.feed(dead), Next::Change(false));
        assert_eq!(steady.feed(dead), Next::Same);
    }

    #[test]
    fn an_older_question_does_not_overrule_a_younger_one() {
        let (mut steady, t) = steady(Some(true));
        steady.feed(round(true, t + 100 * MS));
        for _ in 0..9 {
            assert_eq!(steady.feed(timed_out(t, Duration::ZERO)), Next::Same);
        }
    }

    #[test]
    fn a_timeout_of_a_process_that_was_kept_from_running_is_asked_again_but_not_for_ever() {
        let (mut steady, t) = steady(Some(true));
        assert_eq!(steady.feed(timed_out(t, 40 * MS)), Next::AskAgain);
        steady.woke(t + 150 * MS, 60 * MS);
        assert_eq!(steady.feed(timed_out(t + 100 * MS, MS)), Next::AskAgain);
        assert_eq!(steady.feed(timed_out(t + 200 * MS, MS)), Next::Same, "that one was on time");
        let late: Vec<_> = (0..12).map(|n| steady.feed(timed_out(t + (300 + n) * MS, 40 * MS))).collect();
        assert!(late.contains(&Next::Change(false)), "{late:?}");
    }

    #[test]
    fn a_late_process_still_believes_a_good_answer_and_a_refusal() {
        let (mut steady, t) = steady(Some(true));
        steady.woke(t + 50 * MS, 60 * MS);
        for n in 1..3 {
            assert_eq!(steady.feed(round(false, t + n * MS)), Next::Same);
        }
        assert_eq!(steady.feed(round(false, t + 3 * MS)), Next::Change(false));
    }
}
