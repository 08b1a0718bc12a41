//! Two streams side by side.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;

use crate::NoState;
use crate::bytes::{Reader, Writer};

/// Which of the two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that is joined to.
    Left,
    /// The one that is joined.
    Right,
}

/// Rows of two streams that wait for each other: those with the same key and at
/// most so far apart in time are pairs (an inner join). Each pair comes out
/// once, when the second of the two has come, whichever that is.
#[derive(Debug)]
pub struct Join {
    within_us: i64,
    left: Waiting,
    right: Waiting,
}

/// Rows of one key, by time and by which came first.
type Rows = BTreeMap<(i64, u64), Box<[u8]>>;

/// Rows by key, and by time.
#[derive(Debug, Default)]
struct Waiting {
    rows: HashMap<Box<[u8]>, Rows, RandomState>,
    /// When each came, and under which key it stands.
    times: BTreeMap<(i64, u64), Box<[u8]>>,
    /// Of rows of the same time the one that came first has the least.
    next: u64,
}

impl Join {
    /// Rows `within_us` or less apart are pairs.
    pub fn new(within_us: i64) -> Self {
        Self { within_us: within_us.max(0), left: Waiting::default(), right: Waiting::default() }
    }

    /// Takes a row, and hands out its pairs: the time of the later one, the left and the right
    /// row, ordered by the time of the one that had waited.
    pub fn push(
        &mut self,
        side: Side,
        time_us: i64,
        key: &[u8],
        row: &[u8],
        sink: &mut impl FnMut(i64, &[u8], &[u8]),
    ) {
        let (own, other) = match side {
            Side::Left => (&mut self.left, &self.right),
            Side::Right => (&mut self.right, &self.left),
        };
        let (from, to) = (time_us.saturating_sub(self.within_us), time_us.saturating_add(self.within_us));
        for (&(time, _), twin) in
            other.rows.get(key).into_iter().flat_map(|rows| rows.range((from, 0)..=(to, u64::MAX)))
        {
            let later = time.max(time_us);
            match side {
                Side::Left => sink(later, row, twin),
                Side::Right => sink(later, twin, row),
            }
        }
        own.insert(time_us, key, row);
    }

    /// Forgets the rows of a side to which no row of the other side from `time_us` on belongs.
    pub fn forget_before(&mut self, side: Side, time_us: i64) {
        let waiting = match side {
            Side::Left => &mut self.left,
            Side::Right => &mut self.right,
        };
        waiting.forget_before(time_us.saturating_sub(self.within_us));
    }

    /// How many rows wait.
    pub fn count(&self) -> usize {
        self.left.times.len() + self.right.times.len()
    }

    /// All that waits, for [`Join::restore`].
    pub fn save(&self) -> Vec<u8> {
        let mut to = Writer::default();
        to.i64(self.within_us);
        for waiting in [&self.left, &self.right] {
            to.length(waiting.times.len());
            for (at, key) in &waiting.times {
                to.i64(at.0);
                to.bytes(key);
                to.bytes(waiting.rows.get(key).and_then(|rows| rows.get(at)).map_or(&[], |row| row));
            }
        }
        to.0
    }

    /// What was saved.
    ///
    /// # Errors
    /// Fails if the bytes are none, or those of another bound.
    pub fn restore(within_us: i64, saved: &[u8]) -> Result<Self, NoState> {
        let mut from = Reader(saved);
        let mut join = Self::new(within_us);
        if from.i64()? != join.within_us {
            return Err(NoState::OtherPlan);
        }
        for waiting in [&mut join.left, &mut join.right] {
            for _ in 0..from.u64()? {
                let (time, key, row) = (from.i64()?, from.bytes()?, from.bytes()?);
                waiting.insert(time, key, row);
            }
        }
        if from.0.is_empty() { Ok(join) } else { Err(NoState::Corrupt) }
    }
}

impl Waiting {
    fn insert(&mut self, time_us: i64, key: &[u8], row: &[u8]) {
        let at = (time_us, self.next);
        self.next += 1;
        self.rows.entry(key.into()).or_default().insert(at, row.into());
        self.times.insert(at, key.into());
    }

    fn forget_before(&mut self, time_us: i64) {
        while let Some(first) = self.times.first_entry().filter(|first| first.key().0 < time_us) {
            let (at, key) = first.remove_entry();
            if let Some(rows) = self.rows.get_mut(&key) {
                rows.remove(&at);
                if rows.is_empty() {
                    self.rows.remove(&key);
                }
            }
        }
    }
}
