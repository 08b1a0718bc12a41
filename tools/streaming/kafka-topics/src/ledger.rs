//! What was done, kept by the brokers themselves: whoever runs the command next,
//! wherever, knows it.
//!
//! One compacted topic a cluster. Of every pipeline the key `PIPELINE` holds the last
//! apply, and `PIPELINE/TOPIC` what is the pipeline's own of a topic.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cli::{Context, Error};
use kafka::{
    Admin, Cluster, Connection, Consumer, Event, Isolation, NewTopic, Outgoing, Partitioner, Place, Producer,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::plan::{Move, Owned};

/// Where it is kept.
pub(crate) const TOPIC: &str = "__bareplane-topics";

/// The last apply of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Apply {
    /// When it began, milliseconds since 1970.
    pub(crate) began_ms: u128,
    /// Whether all of it was done.
    pub(crate) done: bool,
    /// What it did, or was about to do.
    pub(crate) moves: Vec<Move>,
}

/// What is known of a pipeline.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) owned: BTreeMap<String, Owned>,
    pub(crate) last: Option<Apply>,
}

impl Ledger {
    /// Reads what there is of a pipeline; nothing where nothing was ever done.
    pub(crate) fn read(connection: &Connection, cluster: &Cluster, pipeline: &str) -> cli::Result<Self> {
        let doing = format!("reading {TOPIC}");
        match cluster.topic(TOPIC) {
            Err(kafka::Error::NoSuchTopic(_)) => return Ok(Self::default()),
            other => drop(other.doing(&doing)?),
        }
        let place = Place::new(TOPIC, 0);
        let begin = cluster.begins(std::slice::from_ref(&place)).doing(&doing)?[&place];
        let end = cluster.ends(std::slice::from_ref(&place)).doing(&doing)?[&place];
        let mut ledger = Self::default();
        if begin == end {
            return Ok(ledger);
        }
        let from = BTreeMap::from([(place, begin)]);
        let reader = Consumer::assigned(connection, None, Isolation::Committed, &from).doing(&doing)?;
        let patience = Instant::now() + Duration::from_secs(30);
        loop {
            match reader.poll(Duration::from_millis(500)).doing(&doing)? {
                Event::Message(message) => {
                    ledger.take(pipeline, message.key(), message.value()).invalid(&doing)?;
                    if message.offset() + 1 >= end {
                        return Ok(ledger);
                    }
                }
                Event::End(..) => return Ok(ledger),
                _ if Instant::now() > patience => {
                    let why = reader.explain(kafka::Error::Timeout);
                    return Err(why).doing(doing);
                }
                _ => {}
            }
        }
    }

    fn take(&mut self, pipeline: &str, key: Option<&[u8]>, value: Option<&[u8]>) -> serde_json::Result<()> {
        let key = key.and_then(|key| std::str::from_utf8(key).ok()).unwrap_or_default();
        match key.strip_prefix(pipeline).map(|rest| (rest, rest.strip_prefix('/'))) {
            Some(("", _)) => self.last = read(value)?,
            Some((_, Some(topic))) => {
                match read(value)? {
                    Some(owned) => self.owned.insert(topic.to_owned(), owned),
                    None => self.owned.remove(topic),
                };
            }
            _ => {}
        }
        Ok(())
    }
}

fn read<T: DeserializeOwned>(value: Option<&[u8]>) -> serde_json::Result<Option<T>> {
    value.map(serde_json::from_slice).transpose()
}

/// Who writes it.
pub(crate) struct Writer<'a> {
    pipeline: &'a str,
    producer: Producer,
}

impl<'a> Writer<'a> {
    /// Makes the topic if need be.
    pub(crate) fn open(
        connection: &Connection,
        cluster: &Cluster,
        admin: &Admin,
        pipeline: &'a str,
    ) -> cli::Result<Self> {
        let doing = format!("writing {TOPIC}");
        if let Err(kafka::Error::NoSuchTopic(_)) = cluster.topic(TOPIC) {
            let brokers = cluster.brokers().doing(&doing)?;
            let config = [("cleanup.policy", "compact"), ("min.insync.replicas", "1")];
            let made = admin.create(&NewTopic {
                name: TOPIC.to_owned(),
                partitions: 1,
                replicas: u16::try_from(brokers.clamp(1, 3)).unwrap_or(1),
                config: config.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            });
            match made {
                // Somebody else was as quick.
                Err(kafka::Error::TopicExists(_)) => {}
                other => other.doing(&doing)?,
            }
        }
        let producer = Producer::open(connection, Partitioner::default(), None, 1 << 20).doing(doing)?;
        Ok(Self { pipeline, producer })
    }

    /// Writes an apply and what it makes the pipeline's own; returns when the brokers have it.
    pub(crate) fn apply(&self, apply: &Apply) -> cli::Result<()> {
        for made in &apply.moves {
            let key = format!("{}/{}", self.pipeline, made.topic);
            self.put(&key, made.owned_after.as_ref())?;
        }
        self.put(self.pipeline, Some(apply))?;
        self.flush()
    }

    /// Forgets the last apply, and writes what is the pipeline's own after it was taken back.
    pub(crate) fn undone(&self, moves: &[Move]) -> cli::Result<()> {
        for taken in moves {
            self.put(&format!("{}/{}", self.pipeline, taken.topic), taken.owned_after.as_ref())?;
        }
        self.put(self.pipeline, None::<&Apply>)?;
        self.flush()
    }

    fn put<T: Serialize>(&self, key: &str, value: Option<&T>) -> cli::Result<()> {
        let doing = format!("writing {TOPIC}");
        let value = value.map(serde_json::to_vec).transpose().invalid(&doing)?;
        let message = Outgoing {
            topic: TOPIC,
            partition: Some(0),
            key: Some(key.as_bytes()),
            value: value.as_deref(),
            ..Outgoing::default()
        };
        self.producer.send(&message).doing(doing)
    }

    fn flush(&self) -> cli::Result<()> {
        self.producer.flush().doing(format!("writing {TOPIC}"))
    }
}

/// Puts what an apply that was broken off was about before what is to be done now: the way
/// back is from the beginning of the first to the end of the last.
pub(crate) fn merge(last: Option<Apply>, moves: Vec<Move>, began_ms: u128) -> Apply {
    let mut all = last.filter(|last| !last.done).map(|last| last.moves).unwrap_or_default();
    for new in moves {
        match all.iter_mut().find(|old| old.topic == new.topic) {
            Some(old) => {
                old.after = new.after;
                old.owned_after = new.owned_after;
            }
            None => all.push(new),
        }
    }
    Apply { began_ms, done: false, moves: all }
}

/// Why there is nothing to take back.
pub(crate) fn nothing() -> Error {
    Error::invalid("undoing", "nothing to undo").hint("only the last apply can be taken back, and once")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Shape;

    fn update(topic: &str, before: Option<u32>, after: u32) -> Move {
        let shape = |partitions| Shape { partitions, replicas: 1, config: BTreeMap::new() };
        let (before, after) = (before.map(shape), Some(shape(after)));
        Move {
            topic: topic.to_owned(),
            before,
            after,
            owned_before: None,
            owned_after: Some(Owned::default()),
        }
    }

    #[test]
    fn an_apply_that_was_broken_off_and_the_next_are_taken_back_together() {
        let broken =
            Apply { began_ms: 1, done: false, moves: vec![update("V", None, 1), update("W", Some(1), 2)] };
        let merged = merge(Some(broken.clone()), vec![update("W", Some(2), 3), update("X", None, 1)], 2);
        assert_eq!(merged.moves, [update("V", None, 1), update("W", Some(1), 3), update("X", None, 1)]);
        let done = Apply { done: true, ..broken };
        assert_eq!(merge(Some(done), vec![update("X", None, 1)], 2).moves, [update("X", None, 1)]);
    }

    #[test]
    fn a_pipeline_sees_nothing_of_one_whose_name_begins_like_its_own() {
        let mut ledger = Ledger::default();
        let owned = serde_json::to_vec(&Owned::default()).unwrap();
        for key in ["shop-eu/V", "shop-eu", "sho", "shop/V"] {
            ledger
                .take(
                    "shop",
                    Some(key.as_bytes()),
                    Some(&owned).filter(|_| key.contains('/')).map(Vec::as_slice),
                )
                .unwrap();
        }
        assert_eq!(ledger.owned.keys().collect::<Vec<_>>(), ["V"]);
        ledger.take("shop", Some(b"shop/V"), None).unwrap();
        assert!(ledger.owned.is_empty());
    }
}
