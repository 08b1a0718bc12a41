//! What the brokers know.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kafka::{Cluster, Connection, Consumer, Error, Event, Isolation, Place, Result};
use model::Lag;

use crate::judge::{Known, Seen, judge};

/// Whose lag is asked for.
pub(crate) struct Question {
    /// The groups; all there are if none.
    pub(crate) groups: Vec<String>,
    /// The topics; those the group has offsets in if none.
    pub(crate) topics: Vec<String>,
    /// Whether the age of the newest message is wanted.
    pub(crate) newest: bool,
}

/// How far from the end the newest message is looked for: behind it are markers.
const BACK: [i64; 3] = [16, 1024, 1 << 16];

impl Question {
    /// A record for each group and partition. Who coordinates a group is settled while one
    /// waits: brokers that have just come do not know it yet.
    pub(crate) fn ask(&self, connection: &Connection) -> Result<Vec<Lag>> {
        let until = Instant::now() + connection.patience();
        loop {
            match self.once(connection) {
                Err(Error::Network(_)) if Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(200));
                }
                told => return told,
            }
        }
    }

    fn once(&self, connection: &Connection) -> Result<Vec<Lag>> {
        let cluster = connection.cluster()?;
        let mut places = Vec::new();
        if self.topics.is_empty() {
            places.extend(cluster.topics()?.iter().flat_map(kafka::Topic::places));
        }
        for name in &self.topics {
            places.extend(cluster.topic(name)?.places());
        }
        let groups = match self.groups.as_slice() {
            [] => cluster.groups()?.into_iter().map(|group| group.name).collect(),
            some => some.to_vec(),
        };
        let mut records = Vec::new();
        for group in &groups {
            records.extend(self.of_group(connection, &cluster, group, &places)?);
        }
        Ok(records)
    }

    fn of_group(
        &self,
        connection: &Connection,
        cluster: &Cluster,
        group: &str,
        places: &[Place],
    ) -> Result<Vec<Lag>> {
        let committed = cluster.committed(group, places)?;
        if committed.is_empty() && !self.groups.is_empty() {
            // One that has never committed is there nonetheless if somebody is in it.
            cluster.group(group)?;
        }
        let read: BTreeSet<&str> = committed.keys().map(|place| place.topic.as_str()).collect();
        let named = !self.topics.is_empty() && !self.groups.is_empty();
        let places: Vec<_> =
            places.iter().filter(|place| named || read.contains(place.topic.as_str())).cloned().collect();
        // The end first: what is written in between would be lag of nobody's.
        let ends = cluster.ends(&places)?;
        let begins = cluster.begins(&places)?;
        let known: BTreeMap<Place, Known> = places
            .iter()
            .map(|place| {
                let offset = |of: &BTreeMap<Place, i64>| of.get(place).copied().unwrap_or_default();
                let committed = committed.get(place).map(|committed| committed.offset);
                (place.clone(), Known { committed, begin: offset(&begins), end: offset(&ends) })
            })
            .collect();
        let unread = known.iter().filter_map(|(place, known)| Some((place.clone(), known.unread_from()?)));
        let seen = first(connection, &unread.collect())?;
        let newest = if self.newest { newest(connection, &known)? } else { BTreeMap::new() };
        let now = SystemTime::now();
        let now_ms = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let now_ms = i64::try_from(now_ms).unwrap_or(i64::MAX);
        let record = |(place, known): (Place, Known)| {
            let seen = seen.get(&place).copied().unwrap_or(Seen::Nothing);
            let (lag, age_ms, state) = judge(known, seen, now_ms);
            let newest = newest.get(&place).map(|time| u64::try_from(now_ms - time).unwrap_or_default());
            Lag {
                at: cli::rfc3339(now).to_string(),
                group: group.to_owned(),
                topic: place.topic,
                partition: place.partition,
                committed: known.committed,
                begin: known.begin,
                end: known.end,
                lag,
                age_ms,
                newest_age_ms: newest,
                state,
            }
        };
        Ok(known.into_iter().map(record).collect())
    }
}

/// A reader that fetches no more than it has to.
fn reader(connection: &Connection, from: &BTreeMap<Place, i64>) -> Result<Consumer> {
    let connection = connection
        .clone()
        .set("max.partition.fetch.bytes", "65536")?
        .set("queued.min.messages", "1")?
        .set("queued.max.messages.kbytes", "1024")?;
    Consumer::assigned(&connection, None, Isolation::Committed, from)
}

/// What is seen first from these offsets on.
fn first(connection: &Connection, from: &BTreeMap<Place, i64>) -> Result<BTreeMap<Place, Seen>> {
    let mut seen = BTreeMap::new();
    scan(connection, from, |place, message| {
        let found = message.map_or(Seen::Empty, Seen::Message);
        seen.entry(place.clone()).or_insert(found);
        true
    })?;
    Ok(seen)
}

/// The time of the newest message of each partition.
fn newest(connection: &Connection, known: &BTreeMap<Place, Known>) -> Result<BTreeMap<Place, i64>> {
    let mut newest = BTreeMap::new();
    for back in BACK {
        let missing =
            known.iter().filter(|(place, known)| known.end > known.begin && !newest.contains_key(*place));
        let from = |(place, known): (&Place, &Known)| (place.clone(), known.begin.max(known.end - back));
        let from: BTreeMap<_, _> = missing.map(from).collect();
        scan(connection, &from, |place, message| match message {
            Some(time) => {
                if let Some(time) = time {
                    let found = newest.entry(place.clone()).or_insert(time);
                    *found = time.max(*found);
                }
                false
            }
            None => true,
        })?;
    }
    Ok(newest)
}

/// Reads from these offsets on, and tells `see` the time of every message, or that the end has
/// come, until it has had enough of each partition, or the time is up.
fn scan(
    connection: &Connection,
    from: &BTreeMap<Place, i64>,
    mut see: impl FnMut(&Place, Option<Option<i64>>) -> bool,
) -> Result<()> {
    if from.is_empty() {
        return Ok(());
    }
    let mut open: BTreeSet<Place> = from.keys().cloned().collect();
    let reader = reader(connection, from)?;
    let until = Instant::now() + connection.patience();
    while !open.is_empty() {
        let (place, told) = match reader.poll(Duration::from_millis(100))? {
            Event::Message(message) => {
                (Place::new(message.topic(), message.partition()), Some(message.time_ms()))
            }
            Event::End(place, _) => (place, None),
            _ if Instant::now() > until => return Err(reader.explain(Error::Timeout)),
            _ => continue,
        };
        if open.contains(&place) && see(&place, told) {
            reader.pause(std::slice::from_ref(&place), true)?;
            open.remove(&place);
        }
    }
    Ok(())
}
