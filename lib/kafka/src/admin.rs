//! Who changes topics.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use rdkafka::Offset;
use rdkafka::TopicPartitionList;
use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigSource, NewPartitions, ResourceSpecifier, TopicReplication, TopicResult,
};
use rdkafka::error::KafkaError;

use crate::hearing::Hearing;
use crate::native::{self, Queue, Told};
use crate::{Connection, Error, Place, Result};

/// Makes, changes and removes topics.
pub struct Admin {
    queue: Queue,
    client: AdminClient<Hearing>,
    connection: Connection,
}

/// A topic to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions.
    pub partitions: u32,
    /// On how many brokers each is kept.
    pub replicas: u16,
    /// Its settings.
    pub config: BTreeMap<String, String>,
}

/// A setting of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its value; `None` if it is secret.
    pub value: Option<String>,
    /// Who set it.
    pub source: Source,
}

/// Who set a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Somebody, for this topic.
    Topic,
    /// The broker's own settings.
    Broker,
    /// Nobody: it is Kafka's default.
    Default,
}

impl Admin {
    pub(crate) fn open(connection: &Connection) -> Result<Self> {
        let client = connection.config().create_with_context(Hearing::default());
        let client: AdminClient<Hearing> = client.map_err(|error| Error::of(&error, ""))?;
        let queue = Queue::main(client.inner().native_client())
            .ok_or_else(|| Error::Other("librdkafka has no queue".to_owned()))?;
        Ok(Self { queue, client, connection: connection.clone() })
    }

    /// Makes a topic.
    ///
    /// # Errors
    /// Fails if there is one of that name, the brokers do not want it, or nobody answers in time.
    pub fn create(&self, topic: &NewTopic) -> Result<()> {
        let count = i32::try_from(topic.partitions).unwrap_or(i32::MAX);
        let replicas = TopicReplication::Fixed(i32::from(topic.replicas));
        let mut new = rdkafka::admin::NewTopic::new(&topic.name, count, replicas);
        for (name, value) in &topic.config {
            new = new.set(name, value);
        }
        let done = self.wait(self.client.create_topics([&new], &self.options()), &topic.name)?;
        self.each(done)
    }

    /// Removes topics with all that is in them.
    ///
    /// # Errors
    /// Fails if there is none of such a name, or nobody answers in time.
    pub fn delete(&self, names: &[&str]) -> Result<()> {
        let first = names.first().copied().unwrap_or_default();
        let done = self.wait(self.client.delete_topics(names, &self.options()), first)?;
        self.each(done)
    }

    /// Gives a topic more partitions, so that it has so many.
    ///
    /// # Errors
    /// Fails if it has as many already, or nobody answers in time.
    pub fn add_partitions(&self, name: &str, count: u32) -> Result<()> {
        let new = NewPartitions::new(name, count as usize);
        let done = self.wait(self.client.create_partitions([&new], &self.options()), name)?;
        self.each(done)
    }

    /// A topic's settings.
    ///
    /// # Errors
    /// Fails if there is none of that name, or nobody answers in time.
    pub fn settings(&self, name: &str) -> Result<BTreeMap<String, Setting>> {
        let topic = ResourceSpecifier::Topic(name);
        let mut told = self.wait(self.client.describe_configs([&topic], &self.options()), name)?;
        let resource = match told.pop() {
            // A topic that is not there is described without a word.
            Some(Ok(resource)) if resource.entries.is_empty() => {
                return Err(Error::NoSuchTopic(name.to_owned()));
            }
            Some(Ok(resource)) => resource,
            Some(Err(code)) => return Err(Error::of_code(code, name)),
            None => return Err(Error::Other("the brokers describe no topic".to_owned())),
        };
        let setting = |entry: rdkafka::admin::ConfigEntry| {
            let source = match entry.source {
                ConfigSource::DynamicTopic => Source::Topic,
                ConfigSource::Default | ConfigSource::Unknown => Source::Default,
                _ => Source::Broker,
            };
            (entry.name, Setting { value: entry.value, source })
        };
        Ok(resource.entries.into_iter().map(setting).collect())
    }

    /// Changes some of a topic's settings, the others stay; `None` gives one back to the brokers.
    ///
    /// # Errors
    /// Fails if there is none of that name, the brokers do not want it, or nobody answers in time.
    pub fn alter(&self, name: &str, changes: &BTreeMap<String, Option<String>>) -> Result<()> {
        native::alter_topic(self.client.inner().native_client(), name, changes, self.connection.timeout)
            .map_err(|error| self.explain(error))
    }

    /// Removes the messages before these offsets.
    ///
    /// # Errors
    /// Fails if there is no such partition or offset, or nobody answers in time.
    pub fn delete_records(&self, before: &BTreeMap<Place, i64>) -> Result<()> {
        let mut list = TopicPartitionList::with_capacity(before.len());
        for (place, offset) in before {
            list.add_partition_offset(&place.topic, place.partition, Offset::Offset(*offset))
                .map_err(|error| Error::of(&error, &place.topic))?;
        }
        let done = self.wait(self.client.delete_records(&list, &self.options()), "")?;
        done.elements()
            .iter()
            .try_for_each(|element| element.error().map_err(|error| Error::of(&error, element.topic())))
    }

    fn options(&self) -> AdminOptions {
        let timeout = self.connection.timeout;
        AdminOptions::new().request_timeout(Some(timeout)).operation_timeout(Some(timeout))
    }

    fn each(&self, results: Vec<TopicResult>) -> Result<()> {
        results.into_iter().try_for_each(|result| match result {
            Ok(_) => Ok(()),
            Err((topic, code)) => Err(self.explain(Error::of_code(code, &topic))),
        })
    }

    fn wait<T>(
        &self,
        asked: impl Future<Output = std::result::Result<T, KafkaError>>,
        name: &str,
    ) -> Result<T> {
        block_on(asked).map_err(|error| self.explain(Error::of(&error, name)))
    }

    /// The error with what was heard of its cause.
    fn explain(&self, error: Error) -> Error {
        let hearing = self.client.inner().context();
        while let Some(told) = self.queue.poll(Duration::ZERO) {
            match told {
                Told::Error(code, text) => hearing.note(code.into(), &text),
                Told::Log(facility, text) => hearing.log_line(&facility, &text),
                _ => {}
            }
        }
        hearing.explain(error)
    }
}

/// Wakes the thread that waits.
struct Waits(Thread);

impl Wake for Waits {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// librdkafka's own thread finishes it, within the time of the request.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Waits(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}
