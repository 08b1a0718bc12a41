//! Kafka: messages in and out, transactions, offsets, topics.
//!
//! The only crate that sees librdkafka. A [`Connection`] holds the brokers and
//! the client's settings; from it come a [`Consumer`], a [`Producer`], a
//! [`Cluster`] (what there is: topics, offsets, groups) and an [`Admin`] (who
//! changes that). Whatever waits has the connection's timeout.
//!
//! ```no_run
//! let connection = kafka::Connection::new(&["127.0.0.1:9092".to_owned()]);
//! let topic = connection.cluster()?.topic("V")?;
//! println!("{} partitions", topic.partitions.len());
//! # Ok::<(), kafka::Error>(())
//! ```
//!
//! Readers see what is committed and nothing of transactions that were broken
//! off; writers are idempotent and wait for all replicas in sync.

mod admin;
mod cluster;
mod connection;
mod consumer;
mod error;
mod hearing;
mod native;
mod producer;

pub use admin::{Admin, NewTopic, Setting, Source};
pub use cluster::{Cluster, Committed, Group, Member, Partition, Topic};
pub use connection::{Connection, Isolation};
pub use consumer::{Consumer, Event, GroupMetadata};
pub use error::{Error, Result};
pub use native::{Headers, Message};
pub use producer::{Delivered, Outgoing, Partitioner, Producer, Run};

/// A partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The topic.
    pub topic: String,
    /// Its number, from 0.
    pub partition: i32,
}

impl Place {
    /// That partition of that topic.
    pub fn new(topic: &str, partition: i32) -> Self {
        Self { topic: topic.to_owned(), partition }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.topic, self.partition)
    }
}
