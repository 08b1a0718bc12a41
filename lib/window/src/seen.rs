//! Rows that were there before.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;

use crate::NoState;
use crate::bytes::{Reader, Writer};

/// The identities of events, each remembered for as long as another of the same
/// identity counts as a duplicate.
#[derive(Debug)]
pub struct Seen {
    within_us: i64,
    /// By time, in buckets as long as `within_us`: an identity is once in each.
    buckets: BTreeMap<i64, HashMap<Box<[u8]>, i64, RandomState>>,
}

impl Seen {
    /// Of two events of the same identity that are less than `within_us` apart the first counts.
    pub fn new(within_us: i64) -> Self {
        Self { within_us: within_us.max(1), buckets: BTreeMap::new() }
    }

    /// Whether it is the first; from now on it was there.
    pub fn is_new(&mut self, identity: &[u8], time_us: i64) -> bool {
        let bucket = time_us.div_euclid(self.within_us);
        let near = self.buckets.range(bucket.saturating_sub(1)..=bucket.saturating_add(1));
        let twin = near
            .filter_map(|(_, seen)| seen.get(identity))
            .any(|other| time_us.abs_diff(*other) < self.within_us.unsigned_abs());
        if !twin {
            self.buckets.entry(bucket).or_default().insert(identity.into(), time_us);
        }
        !twin
    }

    /// Forgets what no event from `time_us` on can be a duplicate of.
    pub fn forget_before(&mut self, time_us: i64) {
        let bucket = time_us.div_euclid(self.within_us).saturating_sub(1);
        if self.buckets.first_key_value().is_some_and(|(first, _)| *first < bucket) {
            self.buckets = self.buckets.split_off(&bucket);
        }
    }

    /// How many identities are remembered.
    pub fn count(&self) -> usize {
        self.buckets.values().map(HashMap::len).sum()
    }

    /// The whole memory, for [`Seen::restore`].
    pub fn save(&self) -> Vec<u8> {
        let mut to = Writer::default();
        to.i64(self.within_us);
        to.length(self.count());
        for (identity, time) in self.buckets.values().flatten() {
            to.bytes(identity);
            to.i64(*time);
        }
        to.0
    }

    /// The memory that was saved.
    ///
    /// # Errors
    /// Fails if the bytes are no memory, or one of another length.
    pub fn restore(within_us: i64, saved: &[u8]) -> Result<Self, NoState> {
        let mut from = Reader(saved);
        let mut seen = Self::new(within_us);
        if from.i64()? != seen.within_us {
            return Err(NoState::OtherPlan);
        }
        for _ in 0..from.u64()? {
            let (identity, time) = (from.bytes()?.into(), from.i64()?);
            seen.buckets.entry(time.div_euclid(seen.within_us)).or_default().insert(identity, time);
        }
        if from.0.is_empty() { Ok(seen) } else { Err(NoState::Corrupt) }
    }
}
