//! The keys that were seen: the last so many, or those not long before.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::rc::Rc;

use jiff::SignedDuration;
use jiff::civil::DateTime;
use pipeline::clean::Dedupe;

/// The keys that are remembered.
#[derive(Debug)]
pub(crate) struct Seen {
    /// How many keys at most.
    bound: usize,
    keys: Keys,
    /// The key of the row in hand, until it is known what becomes of it.
    waiting: Option<(String, Option<DateTime>)>,
    /// Whether a key had to be forgotten before its time.
    pub(crate) overflowed: bool,
}

#[derive(Debug)]
enum Keys {
    /// In the order they came.
    Last(HashSet<Rc<str>>, VecDeque<Rc<str>>),
    /// With the time of their row.
    Within(SignedDuration, HashMap<Rc<str>, DateTime>, BTreeSet<(DateTime, Rc<str>)>),
}

impl Seen {
    /// Remembers as a rule says.
    pub(crate) fn new(rule: &Dedupe) -> Self {
        let keys = match rule.within {
            None => Keys::Last(HashSet::new(), VecDeque::new()),
            Some(span) => {
                let span = SignedDuration::from_millis(span.ms.cast_signed());
                Keys::Within(span, HashMap::new(), BTreeSet::new())
            }
        };
        Self { bound: rule.last as usize, keys, waiting: None, overflowed: false }
    }

    /// Whether a key is new; then it waits to be kept or forgotten.
    pub(crate) fn is_new(&mut self, key: String, time: Option<DateTime>) -> bool {
        let new = match (&self.keys, time) {
            (Keys::Last(keys, _), _) => !keys.contains(key.as_str()),
            (Keys::Within(span, keys, _), Some(time)) => {
                keys.get(key.as_str()).is_none_or(|seen| time.duration_since(*seen).abs() > *span)
            }
            (Keys::Within(..), None) => true,
        };
        self.waiting = new.then_some((key, time));
        new
    }

    /// The row got through.
    pub(crate) fn keep(&mut self) {
        let Some((key, time)) = self.waiting.take() else { return };
        let key: Rc<str> = key.into();
        match (&mut self.keys, time) {
            (Keys::Last(keys, order), _) => {
                if order.len() == self.bound
                    && let Some(oldest) = order.pop_front()
                {
                    keys.remove(&oldest);
                }
                keys.insert(Rc::clone(&key));
                order.push_back(key);
            }
            (Keys::Within(span, keys, order), Some(time)) => {
                // The later one is of use for longer.
                if let Some(seen) = keys.get(&key).copied() {
                    if seen > time {
                        return;
                    }
                    order.remove(&(seen, Rc::clone(&key)));
                }
                keys.insert(Rc::clone(&key), time);
                order.insert((time, key));
                let newest = order.last().map_or(time, |(newest, _)| *newest);
                while let Some((oldest, key)) = order.first() {
                    let full = order.len() > self.bound;
                    if !full && newest.duration_since(*oldest) <= *span {
                        break;
                    }
                    self.overflowed |= full && newest.duration_since(*oldest) <= *span;
                    keys.remove(key);
                    order.pop_first();
                }
            }
            (Keys::Within(..), None) => {}
        }
    }

    /// It did not.
    pub(crate) fn forget(&mut self) {
        self.waiting = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline::clean::{self, Rule};

    fn seen(rule: &str) -> Seen {
        match clean::parse(rule).unwrap().remove(0) {
            Rule::Dedupe(rule) => Seen::new(&rule),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_key_is_forgotten_when_its_time_is_over_and_late_rows_know_the_later_one() {
        let mut seen = seen("dedupe: {key: [id], within: 10m, time: ts}");
        let mut new = |key: &str, time: &str| {
            let new = seen.is_new(key.to_owned(), Some(format!("2026-01-01T{time}").parse().unwrap()));
            seen.keep();
            new
        };
        assert!(new("a", "10:00:00"));
        assert!(!new("a", "10:10:00"));
        assert!(!new("a", "09:50:00"));
        assert!(new("a", "10:10:01"));
        assert!(!new("a", "10:20:01"));
        // So early that the first is no neighbour any more: it was forgotten for the later one.
        assert!(new("a", "09:59:59"));
        assert!(!new("a", "10:15:00"));
        assert!(new("b", "10:20:01"));
        assert!(new("c", "10:21:00"));
    }

    #[test]
    fn no_more_keys_are_held_than_asked_for() {
        let mut seen = seen("dedupe: {key: [id], within: 1d, time: ts, last: 2}");
        for n in 0..9 {
            let time = format!("2026-01-01T00:00:0{n}").parse().unwrap();
            assert!(seen.is_new(n.to_string(), Some(time)));
            seen.keep();
            let Keys::Within(_, keys, order) = &seen.keys else { panic!() };
            assert_eq!((keys.len(), order.len()), (order.len(), keys.len()));
            assert!(keys.len() <= 2);
            assert_eq!(seen.overflowed, n > 1);
        }
        assert!(!seen.is_new("8".into(), Some("2026-01-01T00:00:00".parse().unwrap())));
        assert!(seen.is_new("6".into(), Some("2026-01-01T00:00:00".parse().unwrap())));
    }
}
