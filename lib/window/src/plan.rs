//! What is to be computed.

use crate::Aggregate;
use crate::bytes::Writer;

/// What windows, how long to wait, and what of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How time is cut.
    pub windows: Windows,
    /// How far the watermark stays behind the latest event.
    pub bound_us: i64,
    /// How long after its end a window still takes events.
    pub lateness_us: i64,
    /// When rows come out.
    pub emit: Emit,
    /// What is computed, in this order.
    pub aggregates: Vec<Aggregate>,
}

/// How time is cut, from 1970 on. A window holds its start, not its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Windows {
    /// One after the other.
    Tumbling {
        /// Their length.
        size_us: i64,
    },
    /// One begins every so often, so that they overlap.
    Hopping {
        /// Their length.
        size_us: i64,
        /// From one's start to the next one's.
        every_us: i64,
    },
    /// One a key, for as long as its events follow each other closely.
    Session {
        /// An event that comes so long after the last one begins a new session.
        gap_us: i64,
    },
}

/// When rows come out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Emit {
    /// Once, when nothing can change them any more.
    #[default]
    Final,
    /// At the window's end, and again with each event that comes after it.
    Updates,
    /// Both.
    Both,
}

/// Why a plan makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPlan {
    /// A length of nothing.
    #[error("a window must be longer than nothing")]
    Empty,
    /// Events would fall between windows.
    #[error("windows that begin farther apart than they are long miss events")]
    Gaps,
    /// Each event would be counted in too many windows.
    #[error("an event would fall into more than 1000 windows")]
    TooMany,
    /// A time below zero.
    #[error("watermark and lateness cannot be negative")]
    Negative,
    /// Too long for the calendar.
    #[error("longer than a hundred years")]
    TooLong,
    /// Sessions that grow together would have to be taken back.
    #[error("sessions come out once, when they are final")]
    SessionUpdates,
}

impl Plan {
    /// Whether it makes sense.
    ///
    /// # Errors
    /// Fails if it does not.
    pub fn check(&self) -> Result<(), NoPlan> {
        const CENTURY_US: i64 = 36_525 * 86_400_000_000;
        let (size, every) = match self.windows {
            Windows::Tumbling { size_us } => (size_us, size_us),
            Windows::Hopping { size_us, every_us } => (size_us, every_us),
            Windows::Session { gap_us } => (gap_us, gap_us),
        };
        let session = matches!(self.windows, Windows::Session { .. });
        match () {
            () if size <= 0 || every <= 0 => Err(NoPlan::Empty),
            () if self.bound_us < 0 || self.lateness_us < 0 => Err(NoPlan::Negative),
            () if [size, self.bound_us, self.lateness_us].iter().any(|length| *length > CENTURY_US) => {
                Err(NoPlan::TooLong)
            }
            () if every > size => Err(NoPlan::Gaps),
            () if size / every > 1000 => Err(NoPlan::TooMany),
            () if session && self.emit != Emit::Final => Err(NoPlan::SessionUpdates),
            () => Ok(()),
        }
    }

    pub(crate) fn save(&self, to: &mut Writer) {
        to.bytes(format!("{self:?}").as_bytes());
    }
}
