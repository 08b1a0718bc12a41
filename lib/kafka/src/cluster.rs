//! What there is: topics, offsets, groups.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::metadata::Metadata;
use rdkafka::{Offset, TopicPartitionList};

use crate::hearing::Hearing;
use crate::{Connection, Error, Isolation, Place, Result};

/// Asks the brokers what there is; changes nothing.
pub struct Cluster {
    client: BaseConsumer<Hearing>,
    connection: Connection,
}

/// A topic as the brokers describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Its partitions, by their numbers.
    pub partitions: Vec<Partition>,
}

/// A partition as the brokers describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its number, from 0.
    pub id: i32,
    /// The broker that leads it; none for now if `None`.
    pub leader: Option<i32>,
    /// The brokers it is kept on.
    pub replicas: Vec<i32>,
    /// Those of them that are in sync.
    pub in_sync: Vec<i32>,
}

/// How far a group has come in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The offset of the next message.
    pub offset: i64,
    /// What was left beside it; empty if nothing was.
    pub metadata: String,
}

/// A group of consumers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// As the broker calls it: `Stable`, `Empty`, `PreparingRebalance`, `CompletingRebalance`, `Dead`.
    pub state: String,
    /// Who is in it.
    pub members: Vec<Member>,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The name the broker gave it.
    pub id: String,
    /// The name it gave itself.
    pub client: String,
    /// Where it is.
    pub host: String,
}

/// What Kafka takes for the first and the next offset where a time is asked for.
const EARLIEST: Offset = Offset::Beginning;
const LATEST: Offset = Offset::End;

impl Cluster {
    pub(crate) fn open(connection: &Connection, isolation: Isolation) -> Result<Self> {
        Ok(Self { client: client(connection, None, None, isolation)?, connection: connection.clone() })
    }

    /// Every topic but the brokers' own, by name.
    ///
    /// # Errors
    /// Fails if nobody answers in time.
    pub fn topics(&self) -> Result<Vec<Topic>> {
        let metadata = metadata(&self.client, None, self.connection.timeout)?;
        let mut topics: Vec<_> =
            metadata.topics().iter().filter(|topic| !topic.name().starts_with("__")).map(described).collect();
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(topics)
    }

    /// One topic.
    ///
    /// # Errors
    /// Fails if there is none of that name, or nobody answers in time.
    pub fn topic(&self, name: &str) -> Result<Topic> {
        let metadata = metadata(&self.client, Some(name), self.connection.timeout)?;
        let Some(topic) = metadata.topics().iter().find(|topic| topic.name() == name) else {
            return Err(Error::NoSuchTopic(name.to_owned()));
        };
        match topic.error() {
            Some(code) => Err(Error::of_code(code.into(), name)),
            None => Ok(described(topic)),
        }
    }

    /// How many brokers there are.
    ///
    /// # Errors
    /// Fails if nobody answers in time.
    pub fn brokers(&self) -> Result<usize> {
        Ok(metadata(&self.client, None, self.connection.timeout)?.brokers().len())
    }

    /// The offset of each partition's first message.
    ///
    /// # Errors
    /// Fails if there is no such partition, or nobody answers in time.
    pub fn begins(&self, places: &[Place]) -> Result<BTreeMap<Place, i64>> {
        self.offsets(places, EARLIEST)
    }

    /// The offset each partition's next message will have; for readers of what is
    /// committed that is the last stable one.
    ///
    /// # Errors
    /// Fails if there is no such partition, or nobody answers in time.
    pub fn ends(&self, places: &[Place]) -> Result<BTreeMap<Place, i64>> {
        self.offsets(places, LATEST)
    }

    /// The offset of each partition's first message that is not older, milliseconds
    /// since 1970; where there is none, the partition's end.
    ///
    /// # Errors
    /// Fails if there is no such partition, or nobody answers in time.
    pub fn since(&self, places: &[Place], time_ms: i64) -> Result<BTreeMap<Place, i64>> {
        let found = self.asked(places, Offset::Offset(time_ms.max(0)))?;
        let missing: Vec<_> = places.iter().filter(|place| !found.contains_key(place)).cloned().collect();
        let mut found = found;
        if !missing.is_empty() {
            found.extend(self.ends(&missing)?);
        }
        Ok(found)
    }

    fn offsets(&self, places: &[Place], which: Offset) -> Result<BTreeMap<Place, i64>> {
        let found = self.asked(places, which)?;
        match places.iter().find(|place| !found.contains_key(place)) {
            Some(place) => Err(Error::Other(format!("no offset is known of {place}"))),
            None => Ok(found),
        }
    }

    fn asked(&self, places: &[Place], what: Offset) -> Result<BTreeMap<Place, i64>> {
        if places.is_empty() {
            return Ok(BTreeMap::new());
        }
        let mut list = TopicPartitionList::with_capacity(places.len());
        for place in places {
            self.heard(list.add_partition_offset(&place.topic, place.partition, what), &place.topic)?;
        }
        led(self.connection.timeout, || self.asked_once(&list, &places[0].topic))
    }

    fn asked_once(&self, list: &TopicPartitionList, topic: &str) -> Result<BTreeMap<Place, i64>> {
        let asked = self.client.offsets_for_times(list.clone(), self.connection.timeout);
        let list = self.heard(asked, topic)?;
        let mut found = BTreeMap::new();
        for element in list.elements() {
            self.heard(element.error(), element.topic())?;
            if let Offset::Offset(offset) = element.offset() {
                found.insert(Place::new(element.topic(), element.partition()), offset);
            }
        }
        Ok(found)
    }

    /// How far the group has come: the partitions among these it has an offset for.
    ///
    /// # Errors
    /// Fails if nobody answers in time.
    pub fn committed(&self, group: &str, places: &[Place]) -> Result<BTreeMap<Place, Committed>> {
        let member = client(&self.connection, Some(group), None, Isolation::Committed)?;
        read_committed(&member, places, self.connection.timeout)
    }

    /// Every group, by name.
    ///
    /// # Errors
    /// Fails if nobody answers in time.
    pub fn groups(&self) -> Result<Vec<Group>> {
        let list = self.heard(self.client.fetch_group_list(None, self.connection.timeout), "")?;
        let mut groups: Vec<_> = list.groups().iter().map(grouped).collect();
        groups.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(groups)
    }

    /// One group.
    ///
    /// # Errors
    /// Fails if there is none of that name, or nobody answers in time.
    pub fn group(&self, name: &str) -> Result<Group> {
        let list = self.heard(self.client.fetch_group_list(Some(name), self.connection.timeout), name)?;
        let group = list.groups().iter().find(|group| group.name() == name).map(grouped);
        group.filter(|group| group.state != "Dead").ok_or_else(|| Error::NoSuchGroup(name.to_owned()))
    }

    fn heard<T>(&self, result: std::result::Result<T, KafkaError>, name: &str) -> Result<T> {
        heard(&self.client, result, name)
    }
}

/// A client that asks; with a group, in its name.
pub(crate) fn client(
    connection: &Connection,
    group: Option<&str>,
    instance: Option<&str>,
    isolation: Isolation,
) -> Result<BaseConsumer<Hearing>> {
    let mut config = connection.config();
    let isolation = if isolation == Isolation::Committed { "read_committed" } else { "read_uncommitted" };
    config
        .set("isolation.level", isolation)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "error");
    for (name, value) in [
        // What waits is bounded in bytes; the next question does not wait a second for room.
        ("queued.min.messages", "500000"),
        ("queued.max.messages.kbytes", "65536"),
        ("fetch.queue.backoff.ms", "5"),
        ("partition.assignment.strategy", "range"),
        // A topic that is new is soon part of what a group shares.
        ("topic.metadata.refresh.interval.ms", "10000"),
        // Who was killed holds the others up no longer than this.
        ("session.timeout.ms", "10000"),
        ("heartbeat.interval.ms", "1000"),
    ] {
        if config.get(name).is_none() {
            config.set(name, value);
        }
    }
    if let Some(group) = group {
        config.set("group.id", group);
    }
    if let Some(instance) = instance {
        config.set("group.instance.id", instance);
    }
    config.create_with_context(Hearing::default()).map_err(|error| Error::of(&error, ""))
}

/// What there is. librdkafka waits for brokers that turn us away as it waits for those that are
/// down; so it is asked for a while, then for longer, and the cause looked at in between.
pub(crate) fn metadata(
    client: &BaseConsumer<Hearing>,
    topic: Option<&str>,
    timeout: Duration,
) -> Result<Metadata> {
    patiently(timeout, |wait| heard(client, client.fetch_metadata(topic, wait), topic.unwrap_or_default()))
}

/// Asks until there is an answer or a cause that stays, at most for so long.
pub(crate) fn patiently<T>(timeout: Duration, mut ask: impl FnMut(Duration) -> Result<T>) -> Result<T> {
    let until = Instant::now() + timeout;
    let mut wait = Duration::from_millis(500);
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match ask(if left < 2 * wait { left } else { wait }) {
            Err(Error::Network(_) | Error::Timeout) if left >= 2 * wait => wait *= 2,
            told => return told,
        }
    }
}

/// The result, its error with what was heard of the cause.
pub(crate) fn heard<T>(
    client: &BaseConsumer<Hearing>,
    result: std::result::Result<T, KafkaError>,
    name: &str,
) -> Result<T> {
    result.map_err(|error| {
        let error = Error::of(&error, name);
        // What went wrong on the connections waits in the queue, or is about to.
        let until = Instant::now() + Duration::from_millis(300);
        let unexplained = |error: &Error| {
            matches!(error, Error::Network(_) | Error::Timeout) && !client.context().knows_why()
        };
        loop {
            match client.poll(Duration::ZERO) {
                Some(Err(KafkaError::MessageConsumption(code))) => {
                    client.context().note(code, &code.to_string());
                }
                Some(_) => {}
                None if unexplained(&error) && Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                None => return client.context().explain(error),
            }
        }
    })
}

/// Asks again while there is no leader, or the one that was asked is gone.
fn led<T>(timeout: Duration, mut ask: impl FnMut() -> Result<T>) -> Result<T> {
    let until = Instant::now() + timeout;
    loop {
        match ask() {
            Err(Error::NoLeader(_)) if Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(100));
            }
            answer => return answer,
        }
    }
}

/// How far the client's group has come in these.
pub(crate) fn read_committed(
    client: &BaseConsumer<Hearing>,
    places: &[Place],
    timeout: Duration,
) -> Result<BTreeMap<Place, Committed>> {
    if places.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut list = TopicPartitionList::with_capacity(places.len());
    for place in places {
        list.add_partition(&place.topic, place.partition);
    }
    let ask = || heard(client, client.committed_offsets(list.clone(), timeout), &places[0].topic);
    let list = led(timeout, ask)?;
    let mut found = BTreeMap::new();
    for element in list.elements() {
        if let Offset::Offset(offset) = element.offset() {
            let metadata = element.metadata().to_owned();
            found.insert(Place::new(element.topic(), element.partition()), Committed { offset, metadata });
        }
    }
    Ok(found)
}

fn described(topic: &rdkafka::metadata::MetadataTopic) -> Topic {
    let mut partitions: Vec<_> = topic
        .partitions()
        .iter()
        .map(|partition| Partition {
            id: partition.id(),
            leader: Some(partition.leader()).filter(|leader| *leader >= 0),
            replicas: partition.replicas().to_vec(),
            in_sync: partition.isr().to_vec(),
        })
        .collect();
    partitions.sort_by_key(|partition| partition.id);
    Topic { name: topic.name().to_owned(), partitions }
}

fn grouped(group: &rdkafka::groups::GroupInfo) -> Group {
    let members = group.members().iter().map(|member| Member {
        id: member.id().to_owned(),
        client: member.client_id().to_owned(),
        host: member.client_host().trim_start_matches('/').to_owned(),
    });
    Group { name: group.name().to_owned(), state: group.state().to_owned(), members: members.collect() }
}

impl Topic {
    /// Its partitions as places.
    pub fn places(&self) -> Vec<Place> {
        self.partitions.iter().map(|partition| Place::new(&self.name, partition.id)).collect()
    }
}
