//! The topic that is written to.

use std::collections::BTreeMap;

use kafka::{Delivered, GroupMetadata, Outgoing, Partitioner, Place, Producer, Run};

use crate::form::{Bad, Dress, Load};
use crate::job::{Chooser, Job, Rejected};
use crate::progress::{Result, told};

/// A topic, and who writes to it.
pub(crate) struct Target {
    topic: String,
    doing: String,
    producer: Producer,
    dress: Dress,
    transactions: bool,
    /// Whether a transaction is open.
    open: bool,
    /// What writers before this one have written.
    earlier: BTreeMap<Place, Run>,
}

impl Target {
    /// Looks whether the topics are there; an earlier run with the same id can write no more.
    pub(crate) fn open(job: &Job, topic: &str) -> Result<Self> {
        let doing = format!("writing topic {topic}");
        let partitioner = match job.chooser {
            Chooser::Key(partitioner) => partitioner,
            _ => Partitioner::Consistent,
        };
        let id = job.txn_id.as_deref();
        let producer =
            Producer::open(&job.connection, partitioner, id, job.largest_bytes).map_err(told(&doing))?;
        let partitions = producer.partitions(topic).map_err(told(&doing))?;
        if let Some(Rejected::Topic(name)) = &job.reject {
            producer.partitions(name).map_err(told(format!("writing topic {name}")))?;
        }
        if id.is_some() {
            producer.init_transactions().map_err(told(&doing))?;
        }
        let dress = Dress::of(job, partitions);
        let (topic, earlier) = (topic.to_owned(), BTreeMap::new());
        Ok(Self { topic, doing, producer, dress, transactions: id.is_some(), open: false, earlier })
    }

    /// Sends a message; `Some` says why it cannot be one.
    pub(crate) fn send(&mut self, mut load: Load) -> Result<Option<Bad>> {
        if let Err(bad) = self.dress.on(&mut load) {
            return Ok(Some(bad));
        }
        self.begin()?;
        let headers: Vec<_> =
            load.headers.iter().map(|(name, value)| (name.as_ref(), value.as_deref())).collect();
        self.producer
            .send(&Outgoing {
                topic: &self.topic,
                partition: load.partition,
                key: load.key.as_deref(),
                value: load.value.as_deref(),
                time_ms: load.time_ms,
                headers: &headers,
            })
            .map_err(told(&self.doing))?;
        Ok(None)
    }

    /// Sends something to another topic, in the same transaction.
    pub(crate) fn send_aside(&self, message: &Outgoing) -> Result<()> {
        self.producer.send(message).map_err(told(format!("writing topic {}", message.topic)))
    }

    /// Begins a transaction, if there are any and none is open.
    pub(crate) fn begin(&mut self) -> Result<()> {
        if self.transactions && !self.open {
            self.producer.begin().map_err(told(&self.doing))?;
            self.open = true;
        }
        Ok(())
    }

    /// Waits until the brokers have all that was sent; with transactions commits it,
    /// together with a group's offsets.
    pub(crate) fn commit(
        &mut self,
        offsets: Option<(&BTreeMap<Place, i64>, GroupMetadata)>,
    ) -> std::result::Result<(), kafka::Error> {
        self.producer.flush()?;
        if !self.transactions {
            return Ok(());
        }
        if !self.open {
            self.producer.begin()?;
            self.open = true;
        }
        if let Some((next, group)) = offsets {
            self.producer.send_offsets(next, group)?;
        }
        self.producer.commit()?;
        self.open = false;
        Ok(())
    }

    /// Breaks the open transaction off.
    pub(crate) fn abort(&mut self) -> std::result::Result<(), kafka::Error> {
        if !self.open {
            return Ok(());
        }
        self.open = false;
        self.producer.abort()
    }

    /// Begins with a new writer, which breaks off what this one has begun.
    pub(crate) fn again(&mut self, job: &Job) -> Result<()> {
        let earlier = self.all(&self.producer.committed());
        *self = Self { earlier, ..Self::open(job, &self.topic)? };
        Ok(())
    }

    pub(crate) fn doing(&self) -> &str {
        &self.doing
    }

    /// What the topic has of ours.
    pub(crate) fn delivered(&self) -> BTreeMap<Place, Run> {
        self.all(&self.producer.delivered())
    }

    fn all(&self, delivered: &Delivered) -> BTreeMap<Place, Run> {
        let mut all = self.earlier.clone();
        for (place, run) in delivered.runs().filter(|(place, _)| place.topic == self.topic) {
            all.entry(place).or_insert(Run { count: 0, ..run }).add(run);
        }
        all
    }
}
