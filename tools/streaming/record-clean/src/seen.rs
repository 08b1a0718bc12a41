//! The last keys that were seen, and no more of them than asked for.

use std::collections::{HashSet, VecDeque};
use std::rc::Rc;

/// A window over keys.
#[derive(Debug)]
pub(crate) struct Seen {
    bound: usize,
    keys: HashSet<Rc<str>>,
    order: VecDeque<Rc<str>>,
    /// The key of the row in hand, until it is known what becomes of it.
    waiting: Option<String>,
}

impl Seen {
    /// Remembers the last so many keys.
    pub(crate) fn last(bound: usize) -> Self {
        Self { bound, keys: HashSet::new(), order: VecDeque::new(), waiting: None }
    }

    /// Whether a key is new; then it waits to be kept or forgotten.
    pub(crate) fn is_new(&mut self, key: String) -> bool {
        let new = !self.keys.contains(key.as_str());
        self.waiting = new.then_some(key);
        new
    }

    /// The row got through.
    pub(crate) fn keep(&mut self) {
        let Some(key) = self.waiting.take() else { return };
        let key: Rc<str> = key.into();
        if self.order.len() == self.bound
            && let Some(oldest) = self.order.pop_front()
        {
            self.keys.remove(&oldest);
        }
        self.keys.insert(Rc::clone(&key));
        self.order.push_back(key);
    }

    /// It did not.
    pub(crate) fn forget(&mut self) {
        self.waiting = None;
    }
}
