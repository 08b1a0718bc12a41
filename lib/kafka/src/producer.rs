//! Messages out.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{BaseProducer, Producer as _};

use crate::cluster::patiently;
use crate::consumer::listed;
use crate::hearing::Hearing;
use crate::native::{Queue, Target, Told, hurry};
use crate::{Committed, Connection, Error, GroupMetadata, Place, Result};

/// Writes messages: each once, in order within its partition, to all replicas in sync.
///
/// What [`Producer::send`] took is delivered when [`Producer::flush`] has
/// returned; a message that was not makes the next call fail.
pub struct Producer {
    targets: RefCell<BTreeMap<String, Target>>,
    queue: Queue,
    client: Arc<BaseProducer<Hearing>>,
    connection: Connection,
    sent: Cell<u64>,
    delivered: RefCell<Delivered>,
    /// What the brokers had when the transaction began.
    before: RefCell<Delivered>,
    failed: RefCell<Option<Error>>,
}

/// Longer than it takes until brokers agree on who is gone (`broker.session.timeout.ms`, 9 s).
const STUCK: Duration = Duration::from_secs(10);

/// A message to be written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outgoing<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The partition; the partitioner chooses if `None`.
    pub partition: Option<i32>,
    /// The key, if it has one.
    pub key: Option<&'a [u8]>,
    /// The value; `None` deletes the key.
    pub value: Option<&'a [u8]>,
    /// The time, milliseconds since 1970; now if `None`.
    pub time_ms: Option<i64>,
    /// Headers, in their order; names without zero bytes.
    pub headers: &'a [(&'a [u8], Option<&'a [u8]>)],
}

/// Who chooses the partition of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Partitioner {
    /// CRC32 of the key, as librdkafka does; without a key anyone.
    #[default]
    Consistent,
    /// Murmur2 of the key, as the Java client does; without a key anyone.
    Murmur2,
}

/// What the brokers have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    topics: BTreeMap<String, Vec<Option<Run>>>,
}

/// What went to one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The first offset.
    pub first: i64,
    /// The last offset.
    pub last: i64,
    /// How many messages.
    pub count: u64,
}

impl Run {
    /// Adds what went to the same partition.
    pub fn add(&mut self, other: Self) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.count += other.count;
    }
}

impl Delivered {
    fn add(&mut self, topic: &str, partition: i32, offset: i64) {
        let Ok(partition) = usize::try_from(partition) else { return };
        let runs = match self.topics.get_mut(topic) {
            Some(runs) => runs,
            None => self.topics.entry(topic.to_owned()).or_default(),
        };
        if runs.len() <= partition {
            runs.resize(partition + 1, None);
        }
        let one = Run { first: offset, last: offset, count: 1 };
        runs[partition].get_or_insert(Run { count: 0, ..one }).add(one);
    }

    /// Each partition something went to.
    pub fn runs(&self) -> impl Iterator<Item = (Place, Run)> {
        self.topics.iter().flat_map(|(topic, runs)| {
            runs.iter()
                .zip(0..)
                .filter_map(move |(run, partition)| run.map(|run| (Place::new(topic, partition), run)))
        })
    }

    /// How many messages.
    pub fn count(&self) -> u64 {
        self.runs().map(|(_, run)| run.count).sum()
    }
}

impl Producer {
    /// A writer; with an id, one of transactions, of which there is one at a time.
    ///
    /// # Errors
    /// Fails if the settings make no sense.
    pub fn open(
        connection: &Connection,
        partitioner: Partitioner,
        transactional_id: Option<&str>,
        largest_bytes: usize,
    ) -> Result<Self> {
        let mut config = connection.config();
        let partitioner = match partitioner {
            Partitioner::Consistent => "consistent_random",
            Partitioner::Murmur2 => "murmur2_random",
        };
        config
            .set("enable.idempotence", "true")
            .set("partitioner", partitioner)
            .set("message.max.bytes", (largest_bytes + 1024).to_string());
        for (name, value) in [
            // An idempotent writer has one batch of a partition under way: batches are as
            // large as brokers take, and the next messages go to another partition.
            ("linger.ms", "50"),
            ("sticky.partitioning.linger.ms", "10"),
            ("batch.num.messages", "100000"),
            ("queue.buffering.max.messages", "500000"),
        ] {
            if config.get(name).is_none() {
                config.set(name, value);
            }
        }
        // Batches that wait behind one under way cost librdkafka a processor: it turns
        // in a circle meanwhile. So no more wait than there are batches under way.
        if config.get("queue.buffering.max.kbytes").is_none() {
            let most = (largest_bytes / 256).clamp(5120, 2_097_151);
            config.set("queue.buffering.max.kbytes", most.to_string());
        }
        if let Some(id) = transactional_id {
            config.set("transactional.id", id);
        }
        let client: BaseProducer<Hearing> =
            config.create_with_context(Hearing::default()).map_err(|error| Error::of(&error, ""))?;
        let queue = Queue::main(client.client().native_client())
            .ok_or_else(|| Error::Other("librdkafka has no queue".to_owned()))?;
        let connection = connection.clone();
        Ok(Self {
            targets: RefCell::default(),
            queue,
            client: Arc::new(client),
            connection,
            sent: Cell::new(0),
            delivered: RefCell::default(),
            before: RefCell::default(),
            failed: RefCell::default(),
        })
    }

    /// How many partitions a topic has.
    ///
    /// # Errors
    /// Fails if there is none of that name, or nobody answers in time.
    pub fn partitions(&self, topic: &str) -> Result<usize> {
        let metadata = patiently(self.connection.timeout, |wait| {
            self.client.client().fetch_metadata(Some(topic), wait).map_err(|error| {
                while let Ok(true) = self.poll(Duration::ZERO) {}
                self.explain(Error::of(&error, topic))
            })
        })?;
        let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
            return Err(Error::NoSuchTopic(topic.to_owned()));
        };
        match found.error() {
            Some(code) => Err(Error::of_code(code.into(), topic)),
            None => Ok(found.partitions().len()),
        }
    }

    /// Takes a message to be sent, and waits while too many are under way.
    ///
    /// # Errors
    /// Fails if this message can not be sent, an earlier one was not delivered, or
    /// nobody takes any in time.
    pub fn send(&self, message: &Outgoing) -> Result<()> {
        let client = self.client.client().native_client();
        let mut targets = self.targets.borrow_mut();
        if !targets.contains_key(message.topic) {
            // librdkafka looks for brokers and leaders once a second, unless it is asked.
            self.partitions(message.topic)?;
            let target = Target::new(client, message.topic)
                .ok_or_else(|| Error::Invalid(format!("no topic can be called {}", message.topic)))?;
            targets.insert(message.topic.to_owned(), target);
        }
        let Some(target) = targets.get(message.topic) else { return Ok(()) };
        let mut since = None;
        loop {
            let (partition, time_ms) = (message.partition.unwrap_or(-1), message.time_ms.unwrap_or(0));
            let headers = message.headers.iter().copied();
            match target.send(client, partition, message.key, message.value, time_ms, headers) {
                Ok(()) => break,
                Err(code) if Code::from(code) == Code::QueueFull => {
                    let since: &mut Instant = since.get_or_insert_with(Instant::now);
                    if self.poll(Duration::from_millis(100))? {
                        *since = Instant::now();
                    }
                    if since.elapsed() > self.connection.timeout {
                        return Err(self.explain(Error::Timeout));
                    }
                }
                Err(code) => return Err(self.failure(code.into(), message.topic)),
            }
        }
        self.sent.set(self.sent.get() + 1);
        // The reports of those that were delivered are read now and then.
        if self.sent.get().is_multiple_of(4096) {
            while self.poll(Duration::ZERO)? {}
        }
        Ok(())
    }

    /// How many messages were taken to be sent.
    pub fn sent(&self) -> u64 {
        self.sent.get()
    }

    /// What the brokers have told to have.
    pub fn delivered(&self) -> Delivered {
        self.delivered.borrow().clone()
    }

    /// Waits until the brokers have all that was sent.
    ///
    /// # Errors
    /// Fails if a message was not delivered, or nobody takes any in time.
    pub fn flush(&self) -> Result<()> {
        let mut since = Instant::now();
        while hurry(self.client.client().native_client()) > 0 {
            if self.poll(Duration::from_millis(50))? {
                since = Instant::now();
            }
            if since.elapsed() > self.connection.timeout {
                return Err(self.explain(Error::Timeout));
            }
        }
        while self.poll(Duration::ZERO)? {}
        Ok(())
    }

    /// Reads what librdkafka has to tell; true if messages were delivered.
    fn poll(&self, timeout: Duration) -> Result<bool> {
        let mut some = false;
        let hearing = self.client.context();
        match self.queue.poll(timeout) {
            Some(Told::Delivered(delivery)) => {
                let mut delivered = self.delivered.borrow_mut();
                delivery.each(|topic, partition, result| match result {
                    Ok(offset) => delivered.add(topic, partition, offset),
                    Err(code) => {
                        let error = self.failure(code.into(), topic);
                        self.failed.borrow_mut().get_or_insert(error);
                    }
                });
                some = true;
            }
            Some(Told::Error(code, text)) => hearing.note(code.into(), &text),
            Some(Told::Log(facility, text)) => hearing.log_line(&facility, &text),
            Some(_) => {}
            None => {
                if let Some(error) = hearing.turned_away() {
                    return Err(error);
                }
                return Ok(false);
            }
        }
        match &*self.failed.borrow() {
            Some(error) => Err(self.explain(error.clone())),
            None => Ok(some),
        }
    }

    /// What a code says; of one that ends everything, its cause.
    fn failure(&self, code: Code, name: &str) -> Error {
        match self.client.client().fatal_error() {
            Some((cause, text)) if code == Code::Fatal || code == Code::PurgeQueue => {
                match Error::of_code(cause, name) {
                    Error::Other(_) => Error::Other(text),
                    error => error,
                }
            }
            _ => Error::of_code(code, name),
        }
    }

    fn explain(&self, error: Error) -> Error {
        self.client.context().explain(error)
    }

    /// Makes all earlier writers with this transactional id powerless, and breaks off what they left.
    ///
    /// # Errors
    /// Fails if nobody answers in time.
    pub fn init_transactions(&self) -> Result<()> {
        self.transaction(self.client.init_transactions(self.connection.timeout))
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// Fails if another writer with this id has begun.
    pub fn begin(&self) -> Result<()> {
        self.before.replace(self.delivered());
        self.transaction(self.client.begin_transaction())
    }

    /// Makes a group's offsets, those of the next messages, part of the transaction.
    ///
    /// # Errors
    /// Fails if the group has given the partitions away, another writer with this id has
    /// begun, or nobody answers in time. After [`Error::Stuck`] only a new writer helps.
    pub fn send_offsets(&self, next: &BTreeMap<Place, i64>, group: GroupMetadata) -> Result<()> {
        let list = listed(next.iter().map(|(place, offset)| (place, *offset)))?;
        self.make_part(list, group)
    }

    /// The same with something beside each offset, for whoever goes on from there.
    ///
    /// # Errors
    /// As [`Producer::send_offsets`].
    pub fn send_progress(&self, next: &BTreeMap<Place, Committed>, group: GroupMetadata) -> Result<()> {
        let list = listed(next.iter().map(|(place, next)| (place, next.offset)))?;
        for (place, next) in next {
            if let Some(mut entry) = list.find_partition(&place.topic, place.partition) {
                entry.set_metadata(&next.metadata);
            }
        }
        self.make_part(list, group)
    }

    /// librdkafka does not keep the time it is given here: it waits without an end for a
    /// coordinator that was killed (its issues 5456 and 5511). So somebody else waits for it.
    fn make_part(&self, offsets: TopicPartitionList, group: GroupMetadata) -> Result<()> {
        let (tell, told) = mpsc::channel();
        let (client, timeout) = (Arc::clone(&self.client), self.connection.timeout);
        thread::spawn(move || {
            let _ = tell.send(client.send_offsets_to_transaction(&offsets, &group.0, timeout));
        });
        match told.recv_timeout(STUCK.min(timeout)) {
            Ok(done) => self.transaction(done),
            Err(_) => Err(Error::Stuck),
        }
    }

    /// What the brokers had when the transaction began.
    pub fn committed(&self) -> Delivered {
        self.before.borrow().clone()
    }

    /// Commits the transaction with all that was sent.
    ///
    /// # Errors
    /// Fails if a message was not delivered, another writer with this id has begun, or
    /// nobody answers in time.
    pub fn commit(&self) -> Result<()> {
        self.flush()?;
        self.transaction(self.client.commit_transaction(self.connection.timeout))
    }

    /// Breaks the transaction off: nobody will see what was sent in it.
    ///
    /// # Errors
    /// Fails if another writer with this id has begun, or nobody answers in time.
    pub fn abort(&self) -> Result<()> {
        let until = Instant::now() + self.connection.timeout;
        loop {
            // It waits until the end of all that is under way was told, which we
            // read: so it waits a little at a time.
            let done = self.client.abort_transaction(Duration::from_millis(100));
            while self.queue.poll(Duration::ZERO).is_some() {}
            let again = matches!(&done, Err(KafkaError::Transaction(error))
                if error.code() == Code::OperationTimedOut && Instant::now() < until);
            if !again {
                self.failed.borrow_mut().take();
                self.delivered.replace(self.before.take());
                return self.transaction(done);
            }
        }
    }

    fn transaction(&self, done: std::result::Result<(), KafkaError>) -> Result<()> {
        done.map_err(|error| {
            let code = error.rdkafka_error_code().unwrap_or(Code::Unknown);
            if code == Code::Fatal {
                return self.failure(code, "");
            }
            let _ = self.poll(Duration::ZERO);
            self.explain(Error::of(&error, ""))
        })
    }
}
