//! Messages in.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerGroupMetadata};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::{Offset, TopicPartitionList};

use crate::cluster::{client, heard, metadata, read_committed};
use crate::hearing::Hearing;
use crate::native::{Queue, Told};
use crate::{Committed, Connection, Error, Isolation, Message, Place, Result};

/// Reads partitions: those it is told, or those its group gives it.
///
/// Where to begin is said by the caller, always: nothing is passed over
/// because an offset is gone. Nothing is committed by itself.
pub struct Consumer {
    queue: Queue,
    client: BaseConsumer<Hearing>,
    connection: Connection,
    hastened: Cell<bool>,
    /// Whether the group is one somebody named.
    grouped: bool,
}

/// What a consumer has to tell.
#[derive(Debug)]
pub enum Event<'a> {
    /// A message.
    Message(Message<'a>),
    /// All there is in the partition has been read, for now: up to this offset,
    /// which lies behind the marks of transactions.
    End(Place, i64),
    /// The group gives these partitions; [`Consumer::take`] answers.
    Assigned(Vec<Place>),
    /// The group wants these partitions back; [`Consumer::let_go`] answers.
    Revoked(Vec<Place>),
    /// Nothing in that time.
    Nothing,
}

/// Who we are in the group, for a transaction that commits its offsets.
pub struct GroupMetadata(pub(crate) ConsumerGroupMetadata);

impl Consumer {
    /// Reads these partitions from these offsets on. With a group it can commit in its name.
    ///
    /// # Errors
    /// Fails if the settings make no sense.
    pub fn assigned(
        connection: &Connection,
        group: Option<&str>,
        isolation: Isolation,
        from: &BTreeMap<Place, i64>,
    ) -> Result<Self> {
        // Without a group librdkafka has no queue for a consumer; a name is no membership.
        let mut consumer = Self::open(connection, group.unwrap_or("bareplane"), None, isolation)?;
        consumer.grouped = group.is_some();
        consumer.take(from)?;
        Ok(consumer)
    }

    /// Joins a group, which says by [`Event::Assigned`] what to read. With an
    /// instance's name, another one of that name takes its place at once, and
    /// [`Error::Fenced`] tells it so.
    ///
    /// # Errors
    /// Fails if the settings make no sense.
    pub fn subscribed(
        connection: &Connection,
        group: &str,
        instance: Option<&str>,
        isolation: Isolation,
        topics: &[&str],
    ) -> Result<Self> {
        let consumer = Self::open(connection, group, instance, isolation)?;
        consumer.hasten(topics.first().copied())?;
        consumer.client.subscribe(topics).map_err(|error| Error::of(&error, ""))?;
        Ok(consumer)
    }

    /// librdkafka looks for brokers and leaders now and then, unless it is asked.
    fn hasten(&self, topic: Option<&str>) -> Result<()> {
        if topic.is_none() || self.hastened.replace(true) {
            return Ok(());
        }
        metadata(&self.client, topic, self.connection.timeout).map(drop)
    }

    fn open(
        connection: &Connection,
        group: &str,
        instance: Option<&str>,
        isolation: Isolation,
    ) -> Result<Self> {
        let client = client(connection, Some(group), instance, isolation)?;
        let queue = Queue::consumer(client.client().native_client())
            .ok_or_else(|| Error::Other("librdkafka has no queue".to_owned()))?;
        let (connection, hastened) = (connection.clone(), Cell::new(false));
        Ok(Self { queue, client, connection, hastened, grouped: true })
    }

    /// The next thing there is to tell. Must be asked again before the group loses
    /// patience (`max.poll.interval.ms`).
    ///
    /// # Errors
    /// Fails if trying on cannot help: no such topic, no right, an offset that is gone.
    /// A broker that is away is no error: it may come back.
    #[inline]
    pub fn poll(&self, timeout: Duration) -> Result<Event<'_>> {
        match self.queue.poll(timeout) {
            Some(Told::Message(message)) => Ok(Event::Message(message)),
            None => Ok(Event::Nothing),
            Some(told) => self.aside(told),
        }
    }

    #[cold]
    fn aside<'a>(&'a self, told: Told<'a>) -> Result<Event<'a>> {
        let hearing = self.client.context();
        match told {
            Told::Message(message) => Ok(Event::Message(message)),
            Told::End(place, offset) => Ok(Event::End(place, offset)),
            Told::Assign(places) => Ok(Event::Assigned(places)),
            Told::Revoke(places) => Ok(Event::Revoked(places)),
            Told::Log(facility, text) => {
                hearing.log_line(&facility, &text);
                Ok(Event::Nothing)
            }
            Told::Error(code, text) => {
                let code = Code::from(code);
                if code == Code::GroupAuthorizationFailed && !self.grouped {
                    // librdkafka asks for a group's coordinator where no group matters.
                    return Ok(Event::Nothing);
                }
                hearing.note(code, &text);
                if let Some(error) = hearing.turned_away() {
                    return Err(error);
                }
                if code == Code::Fatal {
                    let (cause, text) = self.client.client().fatal_error().unwrap_or((code, text));
                    return Err(match Error::of_code(cause, "") {
                        Error::Other(_) => Error::Other(text),
                        error => error,
                    });
                }
                match Error::of_code(code, &text) {
                    Error::NoSuchTopic(_) => Err(Error::NoSuchTopic(named(&text))),
                    Error::Auth(_) => Err(Error::Auth(text)),
                    Error::Fenced => Err(Error::Fenced),
                    _ if matches!(code, Code::AutoOffsetReset | Code::OffsetOutOfRange) => {
                        Err(Error::Invalid(format!("the offset asked for is gone: {text}")))
                    }
                    // Everything else librdkafka tries again by itself.
                    _ => Ok(Event::Nothing),
                }
            }
            Told::Delivered(_) | Told::Other => Ok(Event::Nothing),
        }
    }

    /// Why nobody answers, if something was heard.
    pub fn explain(&self, error: Error) -> Error {
        self.client.context().explain(error)
    }

    /// Reads these from these offsets on, and nothing else.
    ///
    /// # Errors
    /// Fails if the client is broken for good.
    pub fn take(&self, from: &BTreeMap<Place, i64>) -> Result<()> {
        self.hasten(from.keys().next().map(|place| place.topic.as_str()))?;
        let list = listed(from.iter().map(|(place, offset)| (place, *offset)))?;
        self.client.assign(&list).map_err(|error| Error::of(&error, ""))
    }

    /// Reads nothing any more, until the group gives partitions again.
    ///
    /// # Errors
    /// Fails if the client is broken for good.
    pub fn let_go(&self) -> Result<()> {
        self.client.unassign().map_err(|error| Error::of(&error, ""))
    }

    /// Holds these partitions up, or lets them on.
    ///
    /// # Errors
    /// Fails if they are not ours.
    pub fn pause(&self, places: &[Place], hold: bool) -> Result<()> {
        let list = listed(places.iter().map(|place| (place, 0)))?;
        let done = if hold { self.client.pause(&list) } else { self.client.resume(&list) };
        done.map_err(|error| Error::of(&error, ""))
    }

    /// Leaves the group, so that the others need not wait until it is missed.
    pub fn leave(self) {
        self.client.unsubscribe();
        // What it had is taken from it first, and the farewell goes out then.
        let until = Instant::now() + Duration::from_secs(2);
        let mut left = false;
        while Instant::now() < until {
            match self.queue.poll(Duration::from_millis(if left { 50 } else { 200 })) {
                Some(Told::Revoke(_)) => left = self.let_go().is_ok(),
                None if left => return,
                _ => {}
            }
        }
    }

    /// Whether the group gave our partitions to others before we let them go.
    pub fn has_lost(&self) -> bool {
        self.client.assignment_lost()
    }

    /// How far the group has come in these; nothing for those it has no offset for.
    /// Waits for transactions that are about to commit some.
    ///
    /// # Errors
    /// Fails if nobody answers in time.
    pub fn committed(&self, places: &[Place]) -> Result<BTreeMap<Place, Committed>> {
        read_committed(&self.client, places, self.connection.timeout)
    }

    /// Commits that the group has come so far: the offsets of the next messages.
    ///
    /// # Errors
    /// Fails if they are not ours any more, or nobody answers in time.
    pub fn commit(&self, next: &BTreeMap<Place, i64>) -> Result<()> {
        if next.is_empty() {
            return Ok(());
        }
        let list = listed(next.iter().map(|(place, offset)| (place, *offset)))?;
        heard(&self.client, self.client.commit(&list, CommitMode::Sync), "")
    }

    /// Who we are in the group.
    ///
    /// # Errors
    /// Fails if the client is broken for good.
    pub fn group_metadata(&self) -> Result<GroupMetadata> {
        self.client
            .group_metadata()
            .map(GroupMetadata)
            .ok_or_else(|| Error::Other("librdkafka knows no group".to_owned()))
    }
}

pub(crate) fn listed<'a>(places: impl IntoIterator<Item = (&'a Place, i64)>) -> Result<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for (place, offset) in places {
        list.add_partition_offset(&place.topic, place.partition, Offset::Offset(offset))
            .map_err(|error| Error::of(&error, &place.topic))?;
    }
    Ok(list)
}

/// `Subscribed topic not available: V: Broker: Unknown topic or partition` as `V`.
fn named(text: &str) -> String {
    let name = text.split_once("not available: ").and_then(|(_, rest)| rest.split_once(": "));
    name.map_or_else(|| text.to_owned(), |(name, _)| name.to_owned())
}
