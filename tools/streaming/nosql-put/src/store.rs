//! What every store does.

use std::sync::Arc;
use std::time::Duration;

use cli::Error;
use process::Stop;

use crate::item::{Bad, Item};

/// What became of items.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) put: u64,
    pub(crate) deleted: u64,
    /// The store has this version already.
    pub(crate) same: u64,
    /// The store has a newer one.
    pub(crate) older: u64,
    /// Those the store will never take.
    pub(crate) refused: Vec<(Item, Bad)>,
}

/// A store of keys.
pub(crate) trait Store {
    /// Whether an item could go in at all.
    fn check(&self, item: &Item) -> Result<(), Bad>;

    /// How many items go in at a time.
    fn batch(&self) -> usize;

    /// Puts items, in their order; their tally may come later.
    fn put(&mut self, items: Vec<Item>, tally: &mut Tally) -> cli::Result<()>;

    /// Waits until all is put.
    fn finish(&mut self, tally: &mut Tally) -> cli::Result<()>;
}

/// So often something is tried without getting on.
const TRIES: u32 = 12;

/// Waits longer and longer, as long as nothing gets on.
#[derive(Debug)]
pub(crate) struct Backoff {
    stop: Arc<Stop>,
    tried: u32,
    tries: u32,
}

impl Backoff {
    pub(crate) fn new(stop: &Arc<Stop>) -> Self {
        Self { stop: Arc::clone(stop), tried: 0, tries: TRIES }
    }

    /// Gives up after so many tries.
    pub(crate) fn tries(self, tries: u32) -> Self {
        Self { tries, ..self }
    }

    /// Something got on.
    pub(crate) fn reset(&mut self) {
        self.tried = 0;
    }

    /// Waits before another try: 50 ms, 100 ms, … up to 5 s, or as the server asks.
    pub(crate) fn wait(
        &mut self,
        doing: &str,
        word: &str,
        why: &str,
        asked: Option<Duration>,
    ) -> cli::Result<()> {
        self.tried += 1;
        let wait = Duration::from_millis(25 << self.tried.min(8)).min(Duration::from_secs(5));
        let wait = asked.unwrap_or(wait / 2 + wait / 2 * jitter() / 100);
        if self.tried > self.tries || wait > Duration::from_mins(1) {
            return Err(Error::unavailable(doing, format!("{word}: {why}")));
        }
        self.stopped(doing)?;
        if self.stop.sleep(wait) { self.stopped(doing) } else { Ok(()) }
    }

    /// An error once the end was asked for.
    pub(crate) fn stopped(&self, doing: &str) -> cli::Result<()> {
        if self.stop.requested() { Err(Error::unavailable(doing, self.stop.why())) } else { Ok(()) }
    }
}

/// A number up to 100, so that many who were sent away do not come back together.
fn jitter() -> u32 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    now.subsec_micros() % 101
}
