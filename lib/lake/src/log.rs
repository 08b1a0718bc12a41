//! The commit log: one entry after the other, each created where nothing stands.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::schema::Schema;
use crate::store::{Put, Store};
use crate::{Error, Result};

/// A place with data files and a log.
#[derive(Debug)]
pub struct Lake {
    pub(crate) store: Store,
    /// The latest entry that was seen.
    latest: Option<Commit>,
}

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename = "commit")]
pub struct Commit {
    /// The version of this format: 1.
    pub version: u32,
    /// Its number, from 1.
    pub number: u64,
    /// The topic its rows are of.
    pub topic: String,
    /// The partition of it.
    pub partition: String,
    /// The offset of its first row.
    pub from: u64,
    /// The offset after its last row.
    pub to: u64,
    /// How many rows of that were put aside.
    pub rejected: u64,
    /// The files it adds.
    pub files: Vec<File>,
    /// What the lake holds with it, by topic and partition.
    pub held: BTreeMap<String, BTreeMap<String, Held>>,
    /// The columns of each topic.
    pub schemas: BTreeMap<String, Schema>,
    /// The folders of each topic, outermost first.
    pub folders: BTreeMap<String, Vec<String>>,
}

/// A file with rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its name below the lake.
    pub file: String,
    /// How many rows it has.
    pub rows: u64,
    /// How large it is.
    pub bytes: u64,
}

/// The offsets a lake holds of a partition, without gaps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The first.
    pub from: u64,
    /// The one after the last.
    pub to: u64,
    /// Of an input whose offsets are lines: the SHA-256 of the last line, as far as 4096 bytes
    /// go; null for others.
    pub last_sha256: Option<String>,
}

const VERSION: u32 = 1;

/// The number of an entry's file.
pub(crate) fn number(name: &str) -> Option<u64> {
    name.strip_suffix(".json").filter(|digits| digits.len() == 20)?.parse().ok()
}

fn name(number: u64) -> String {
    format!("_log/{number:020}.json")
}

fn intent(who: &str) -> String {
    format!("_log/intent-{who}.json")
}

/// Files that are about to be put, and what they are made of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Intent {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) files: Vec<String>,
    pub(crate) schema: Schema,
    pub(crate) folders: Vec<String>,
}

impl Intent {
    fn parse(content: &[u8]) -> std::result::Result<Self, String> {
        let intent: Self = serde_json::from_slice(content).map_err(|why| why.to_string())?;
        if intent.to <= intent.from {
            return Err(format!("its offsets end at {}, where they begin", intent.to));
        }
        // They may be removed: nothing but data files of this lake is.
        let strange = |file: &&String| {
            file.starts_with('_') || file.split('/').any(|part| matches!(part, "" | "." | ".."))
        };
        match intent.files.iter().find(strange) {
            Some(file) => Err(format!("`{file}` is no data file")),
            None => Ok(intent),
        }
    }
}

impl Lake {
    /// Opens a place; an empty one is a lake with nothing in it.
    ///
    /// # Errors
    /// Fails if it cannot be read, or its log is damaged.
    pub fn open(store: Store) -> Result<Self> {
        let mut lake = Self { store, latest: None };
        lake.latest = match lake.store.newest()? {
            0 => None,
            newest => Some(lake.entry(newest)?),
        };
        Ok(lake)
    }

    /// The same for [`Lake::check`], which itself tells of a damaged entry.
    ///
    /// # Errors
    /// Fails if the place cannot be read.
    pub fn open_damaged(store: Store) -> Result<Self> {
        let mut lake = Self { store, latest: None };
        for number in lake.numbers()?.into_iter().rev() {
            match lake.entry(number) {
                Ok(entry) => {
                    lake.latest = Some(entry);
                    break;
                }
                Err(Error::Log { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(lake)
    }

    /// The numbers of all entries, in order.
    fn numbers(&self) -> Result<Vec<u64>> {
        let mut numbers: Vec<u64> = self.store.log("0")?.iter().filter_map(|name| number(name)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// All entries, oldest first.
    ///
    /// # Errors
    /// Fails if one cannot be read, or is none.
    pub fn entries(&self) -> impl Iterator<Item = Result<Commit>> {
        let (numbers, failed) = match self.numbers() {
            Ok(numbers) => (numbers, None),
            Err(error) => (Vec::new(), Some(Err(error))),
        };
        failed.into_iter().chain(numbers.into_iter().map(|number| self.entry(number)))
    }

    fn entry(&self, number: u64) -> Result<Commit> {
        let name = name(number);
        let content = self.store.read(&name)?.unwrap_or_default();
        Commit::parse(&content, number).map_err(|why| Error::Log { name, why })
    }

    /// What the lake holds of a partition; `None` if nothing.
    pub fn held(&self, topic: &str, partition: &str) -> Option<&Held> {
        self.latest.as_ref().and_then(|latest| latest.held.get(topic)?.get(partition))
    }

    /// All partitions the lake holds something of.
    pub fn partitions(&self) -> impl Iterator<Item = (&str, &str, &Held)> {
        let topics = self.latest.iter().flat_map(|latest| &latest.held);
        topics.flat_map(|(topic, held)| held.iter().map(move |(part, held)| (&**topic, &**part, held)))
    }

    /// Whether the lake has rows of a topic.
    pub fn has(&self, topic: &str) -> bool {
        self.latest.as_ref().is_some_and(|latest| latest.schemas.contains_key(topic))
    }

    /// The columns of a topic, if the lake has any rows of it, and its folders.
    ///
    /// # Errors
    /// Fails if the log cannot be read.
    pub fn table(&self, topic: &str) -> Result<Option<(Schema, Vec<String>)>> {
        if let Some(latest) = &self.latest
            && let Some(schema) = latest.schemas.get(topic)
        {
            return Ok(Some((schema.clone(), latest.folders.get(topic).cloned().unwrap_or_default())));
        }
        // A commit that was broken off has decided on them.
        let prefix = format!("intent-{topic}-");
        for name in self.store.log(&prefix)? {
            let Some(rest) = name.strip_prefix(&prefix) else { continue };
            let Some(partition) = rest.strip_suffix(".json").filter(|rest| !rest.contains('-')) else {
                continue;
            };
            if let Some(intent) = self.pending(topic, partition)? {
                return Ok(Some((intent.schema, intent.folders)));
            }
        }
        Ok(None)
    }

    /// The commit that a crash broke off, between the first of its files and its entry.
    pub(crate) fn pending(&self, topic: &str, partition: &str) -> Result<Option<Intent>> {
        let name = intent(&format!("{topic}-{partition}"));
        let Some(content) = self.store.read(&name)? else { return Ok(None) };
        let intent = Intent::parse(&content).map_err(|why| Error::Log { name, why })?;
        let ends = self.held(topic, partition).map_or(intent.from, |held| held.to);
        Ok((intent.from == ends).then_some(intent))
    }

    /// Files that were about to be put when their run was last seen, and are in no entry.
    pub(crate) fn intended(&self) -> Result<Vec<String>> {
        let mut files = Vec::new();
        for name in self.store.log("intent-")? {
            let who = name.strip_prefix("intent-").and_then(|rest| rest.strip_suffix(".json"));
            let Some((topic, partition)) = who.and_then(|who| who.rsplit_once('-')) else { continue };
            files.extend(self.pending(topic, partition)?.into_iter().flat_map(|intent| intent.files));
        }
        Ok(files)
    }

    /// Whether an entry names a file.
    pub(crate) fn names(&self, file: &str) -> Result<bool> {
        for entry in self.entries() {
            if entry?.files.iter().any(|known| known.file == file) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Says what is about to be put, so that the next run finds it.
    pub(crate) fn intend(&self, who: &str, what: &Intent) -> Result<()> {
        let content =
            serde_json::to_vec(what).map_err(|why| Error::Log { name: intent(who), why: why.to_string() })?;
        self.store.replace(&intent(who), &content)
    }

    /// Adds an entry; its number, and what it holds of other partitions, come from the log.
    pub(crate) fn commit(&mut self, add: Addition) -> Result<Commit> {
        loop {
            let held = self.held(&add.topic, &add.partition).map_or(add.from, |held| held.to);
            if held != add.from {
                return Err(Error::Fenced { topic: add.topic, partition: add.partition, to: held });
            }
            let next = add.after(self.latest.as_ref());
            let mut content = serde_json::to_vec(&next)
                .map_err(|why| Error::Log { name: name(next.number), why: why.to_string() })?;
            content.push(b'\n');
            match self.store.create(&name(next.number), &content)? {
                Put::New => {
                    self.latest = Some(next.clone());
                    return Ok(next);
                }
                Put::There => {
                    let there = self.entry(next.number)?;
                    // The answer to our own put may have been lost.
                    if there == next {
                        self.latest = Some(next.clone());
                        return Ok(next);
                    }
                    self.latest = Some(there);
                }
            }
        }
    }
}

/// What an entry adds to the one before it.
#[derive(Clone, Debug)]
pub(crate) struct Addition {
    pub(crate) topic: String,
    pub(crate) partition: String,
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) last_sha256: Option<String>,
    pub(crate) rejected: u64,
    pub(crate) files: Vec<File>,
    pub(crate) schema: Schema,
    pub(crate) folders: Vec<String>,
}

impl Addition {
    fn after(&self, latest: Option<&Commit>) -> Commit {
        let (mut held, mut schemas, mut folders) = match latest {
            Some(latest) => (latest.held.clone(), latest.schemas.clone(), latest.folders.clone()),
            None => Default::default(),
        };
        schemas.insert(self.topic.clone(), self.schema.clone());
        folders.insert(self.topic.clone(), self.folders.clone());
        let partitions = held.entry(self.topic.clone()).or_default();
        let from = partitions.get(&self.partition).map_or(self.from, |held| held.from);
        let last_sha256 = self.last_sha256.clone();
        partitions.insert(self.partition.clone(), Held { from, to: self.to, last_sha256 });
        Commit {
            version: VERSION,
            number: latest.map_or(1, |latest| latest.number + 1),
            topic: self.topic.clone(),
            partition: self.partition.clone(),
            from: self.from,
            to: self.to,
            rejected: self.rejected,
            files: self.files.clone(),
            held,
            schemas,
            folders,
        }
    }
}

impl Commit {
    /// Reads an entry.
    ///
    /// # Errors
    /// Tells what is wrong with it.
    pub fn parse(content: &[u8], number: u64) -> std::result::Result<Self, String> {
        let commit: Self = serde_json::from_slice(content).map_err(|why| why.to_string())?;
        if commit.version != VERSION {
            return Err(format!("version {} is not known here", commit.version));
        }
        if commit.number != number {
            return Err(format!("says it is number {}", commit.number));
        }
        if commit.to < commit.from {
            return Err(format!("its offsets end at {}, before they begin at {}", commit.to, commit.from));
        }
        Ok(commit)
    }
}
