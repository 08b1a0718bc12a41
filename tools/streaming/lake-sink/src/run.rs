//! Rows in, files out, and what was put aside.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cli::{Context, Error, Out, Rejects};
use lake::{Bad, Commit, Lake, Limits, Sample, Stream, Table, Taken};
use model::{Kind, LakeFile, Reject};
use process::Stop;

use crate::Args;
use crate::job::{From, Job};
use crate::{lines, topics};

/// The rows columns are found in, if nobody says them.
const SAMPLE_ROWS: usize = 10_000;
const SAMPLE_BYTES: usize = 16 << 20;

/// What became of the rows; `read` is the sum of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) read: u64,
    pub(crate) written: u64,
    pub(crate) held: u64,
    pub(crate) rejected: u64,
}

impl Counts {
    #[expect(clippy::cast_precision_loss, reason = "Prometheus counts in doubles")]
    pub(crate) fn metrics(&self) -> [(&'static str, &'static str, f64); 4] {
        [
            ("lake_sink_in_total", "rows read", self.read as f64),
            ("lake_sink_written_total", "rows that became part of the lake", self.written as f64),
            ("lake_sink_held_total", "rows that were part of it already", self.held as f64),
            ("lake_sink_rejected_total", "rows that were put aside", self.rejected as f64),
        ]
    }

    /// Tells them, aloud if rows were put aside.
    pub(crate) fn say(&self) {
        let Self { read, written, held, rejected } = self;
        let said = format!("{read} in = {written} written + {held} held already + {rejected} rejected");
        if *rejected > 0 { cli::tell(said) } else { cli::note(said) }
    }
}

/// Reads all there is.
pub(crate) fn run(job: &Job, lake: Lake, args: &Args, stop: &Stop, out: &mut Out) -> cli::Result<End> {
    let mut run = Run {
        job,
        lake,
        out,
        reject: args.reject.as_deref().map(Rejects::append).transpose()?,
        counts: Counts::default(),
        topics: BTreeMap::new(),
        since: None,
        limits: Limits {
            files_bytes: job.roll.size.bytes,
            rows_bytes: ROWS_BYTES,
            folders: 64,
            keeps_last: !args.messages && !matches!(args.input, From::Topics(_)),
        },
        fenced: false,
    };
    let went = match &args.input {
        From::Input(cli::Input::Stdin) => lines::all(&mut run, io::stdin(), args, stop),
        From::Input(cli::Input::File(path)) => {
            let file = File::open(path).doing(format!("reading {}", args.input))?;
            lines::all(&mut run, file, args, stop)
        }
        From::Topics(topics) => {
            let topics = if topics.is_empty() { &job.topics } else { topics };
            topics::all(&mut run, topics, args, stop)
        }
    };
    match went {
        // Another try would only push the other one out.
        Err(error) if run.fenced => {
            cli::warn(error.to_string());
            Ok(End::Fenced)
        }
        went => went.map(|()| End::Done(run.counts)),
    }
}

/// How a run ended.
pub(crate) enum End {
    Done(Counts),
    /// Somebody else does the same work.
    Fenced,
}

/// Rows that are not written yet, in all.
const ROWS_BYTES: usize = 32 << 20;

pub(crate) struct Run<'a> {
    pub(crate) job: &'a Job,
    pub(crate) lake: Lake,
    pub(crate) counts: Counts,
    out: &'a mut Out,
    reject: Option<Rejects>,
    topics: BTreeMap<String, Topic>,
    /// When the first row came that is not committed.
    since: Option<Instant>,
    limits: Limits,
    /// Whether somebody else has committed what we were about to.
    fenced: bool,
}

/// A topic: its columns, once they are known, and its partitions.
#[derive(Default)]
struct Topic {
    /// Whether the lake was asked for them.
    asked: bool,
    table: Option<Arc<Table>>,
    sample: Sample,
    waiting: Vec<Waiting>,
    waiting_bytes: usize,
    streams: BTreeMap<String, Stream>,
}

/// A row that waits for its columns.
struct Waiting {
    partition: String,
    offset: u64,
    number: u64,
    whole: Vec<u8>,
    name: String,
    value: Vec<u8>,
}

/// A row.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    pub(crate) offset: u64,
    /// Its line, or how many messages there were before it.
    pub(crate) number: u64,
    /// What it came in.
    pub(crate) whole: Whole<'a>,
    pub(crate) value: &'a [u8],
}

/// What a row came in.
#[derive(Clone, Copy)]
pub(crate) enum Whole<'a> {
    /// A line of an input of that name.
    Line { bytes: &'a [u8], name: &'a str },
    /// A message of Kafka.
    Message(&'a kafka::Message<'a>),
}

impl<'a> Whole<'a> {
    /// As it is put aside.
    fn bytes(&self) -> Cow<'a, [u8]> {
        match self {
            Self::Line { bytes, .. } => Cow::Borrowed(bytes),
            Self::Message(message) => {
                let parts = envelope::Parts {
                    topic: Some(message.topic()),
                    partition: Some(message.partition()),
                    offset: Some(message.offset()),
                    time_ms: message.time_ms(),
                    key: message.key(),
                    value: message.value(),
                };
                let mut line = Vec::new();
                envelope::Writer::default().write(&parts, message.headers(), &mut line);
                Cow::Owned(line)
            }
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Line { name, .. } => (*name).to_owned(),
            Self::Message(message) => format!("topic {}", message.topic()),
        }
    }
}

impl Run<'_> {
    /// So many partitions share the room for rows.
    pub(crate) fn share(&mut self, partitions: usize) {
        self.limits.rows_bytes = (ROWS_BYTES / partitions.max(1)).max(1 << 20);
    }

    /// How long the first row may still wait; `None` if there is none.
    pub(crate) fn left(&self) -> Option<Duration> {
        let age = Duration::from(self.job.roll.age);
        self.since.map(|since| age.saturating_sub(since.elapsed()))
    }

    /// Commits what has waited for long enough.
    pub(crate) fn commit_old(&mut self) -> cli::Result<()> {
        if self.left().is_some_and(|left| left.is_zero()) { self.commit_all(Cut::Early) } else { Ok(()) }
    }

    /// What came before a row that ends the run is made part of the lake.
    pub(crate) fn whole(&mut self, taken: cli::Result<()>) -> cli::Result<()> {
        match taken {
            Err(error) if error.kind() == Kind::Invalid && !self.fenced => {
                self.commit_all(Cut::Early).and(Err(error))
            }
            taken => taken,
        }
    }

    #[inline]
    pub(crate) fn row(&mut self, topic: &str, partition: &str, row: Row) -> cli::Result<()> {
        if self.since.is_none() {
            self.since = Some(Instant::now());
        }
        let Some(stream) = self.stream(topic, partition)? else { return self.sample(topic, partition, row) };
        match stream.push(row.offset, row.value).doing("writing rows")? {
            Taken::In if stream.is_full() => self.commit(topic, partition),
            Taken::In => Ok(()),
            Taken::Bad(bad) => self.rejected(topic, partition, &row, 0, bad),
            Taken::Full => {
                self.commit(topic, partition)?;
                self.row(topic, partition, row)
            }
        }
    }

    /// The stream rows of a partition go to; none while the columns are not known.
    #[inline]
    pub(crate) fn stream(&mut self, topic: &str, partition: &str) -> cli::Result<Option<&mut Stream>> {
        if !self.topics.contains_key(topic) {
            self.topics.insert(topic.to_owned(), Topic::default());
        }
        let Some(state) = self.topics.get_mut(topic) else { return Ok(None) };
        if !state.asked {
            state.asked = true;
            state.table = table(self.job, &self.lake, topic, None)?;
        }
        let Some(table) = &state.table else { return Ok(None) };
        if !state.streams.contains_key(partition) {
            let stream = Stream::open(&self.lake, topic, partition, 0, Arc::clone(table), self.limits)
                .doing(format!("opening the lake {}", self.job.url))?;
            state.streams.insert(partition.to_owned(), stream);
        }
        Ok(state.streams.get_mut(partition))
    }

    /// Keeps a row until its columns are known.
    fn sample(&mut self, topic: &str, partition: &str, row: Row) -> cli::Result<()> {
        let state = self.topics.entry(topic.to_owned()).or_default();
        // What is no row is told when its turn comes.
        let _ = state.sample.row(row.value);
        state.waiting_bytes += row.value.len();
        state.waiting.push(Waiting {
            partition: partition.to_owned(),
            offset: row.offset,
            number: row.number,
            whole: row.whole.bytes().into_owned(),
            name: row.whole.name(),
            value: row.value.to_vec(),
        });
        if state.waiting.len() >= SAMPLE_ROWS || state.waiting_bytes >= SAMPLE_BYTES {
            self.settle(topic)?;
        }
        Ok(())
    }

    /// Decides on the columns of a topic, and takes the rows that waited for that.
    pub(crate) fn settle(&mut self, topic: &str) -> cli::Result<()> {
        let Some(state) = self.topics.get_mut(topic) else { return Ok(()) };
        if state.table.is_some() || state.waiting.is_empty() {
            return Ok(());
        }
        state.waiting_bytes = 0;
        let waiting = std::mem::take(&mut state.waiting);
        let any = !state.sample.is_empty();
        if any {
            state.table = table(self.job, &self.lake, topic, Some(&state.sample))?;
        }
        for Waiting { partition, offset, number, whole, name, value } in waiting {
            let whole = Whole::Line { bytes: &whole, name: &name };
            let row = Row { offset, number, whole, value: &value };
            if any {
                self.row(topic, &partition, row)?;
                continue;
            }
            let why = ndjson::each(row.value, |_, _| ()).err().map_or_else(
                || "a row without fields, and no row before it had one".to_owned(),
                |broken| broken.to_string(),
            );
            self.rejected(topic, &partition, &row, 0, Bad { field: None, why })?;
        }
        Ok(())
    }

    /// Commits what there is, except where a commit is made again whose end has not come yet.
    pub(crate) fn commit_all(&mut self, cut: Cut) -> cli::Result<()> {
        let topics: Vec<_> = self.topics.keys().cloned().collect();
        for topic in topics {
            self.settle(&topic)?;
            let streams = self.topics.get(&topic).into_iter().flat_map(|state| &state.streams);
            let due = streams.filter(|(_, stream)| cut == Cut::End || !stream.is_again());
            let due: Vec<_> = due.map(|(partition, _)| partition.clone()).collect();
            for partition in due {
                self.commit(&topic, &partition)?;
            }
        }
        self.since = None;
        Ok(())
    }

    /// Makes the rows of a partition part of the lake; those put aside are on disk before.
    fn commit(&mut self, topic: &str, partition: &str) -> cli::Result<()> {
        if let Some(reject) = &mut self.reject {
            reject.sync()?;
        }
        let stream = self.topics.get_mut(topic).and_then(|state| state.streams.get_mut(partition));
        let Some(stream) = stream else { return Ok(()) };
        let to = stream.next();
        let commit =
            stream.commit(&mut self.lake, to).doing(format!("committing to the lake {}", self.job.url))?;
        if let Some(commit) = commit {
            self.counts.written += commit.files.iter().map(|file| file.rows).sum::<u64>();
            records(&commit).try_for_each(|record| self.out.emit(&record))?;
            self.out.flush()?;
        }
        Ok(())
    }

    /// Puts a row aside; `bytes` is its length if it was cut.
    #[cold]
    pub(crate) fn rejected(
        &mut self,
        topic: &str,
        partition: &str,
        row: &Row,
        bytes: u64,
        bad: Bad,
    ) -> cli::Result<()> {
        let Some(reject) = &mut self.reject else {
            let field = bad.field.map(|field| format!("{field}: ")).unwrap_or_default();
            let doing = match &row.whole {
                Whole::Line { name, .. } => format!("reading {name} line {}", row.number),
                Whole::Message(_) => format!("reading topic {topic}/{partition} offset {}", row.offset),
            };
            return Err(Error::invalid(doing, format!("{field}{}", bad.why))
                .hint("--reject FILE puts such rows aside and goes on"));
        };
        self.counts.rejected += 1;
        let whole = row.whole.bytes();
        reject.put(&Reject {
            rule: bad.field.is_some().then(|| "column".to_owned()),
            field: bad.field,
            error: bad.why,
            ..Reject::of(row.number, &whole, bytes.max(whole.len() as u64))
        })?;
        if self.stream(topic, partition)?.is_some_and(|stream| stream.ends_before(row.offset)) {
            self.commit(topic, partition)?;
        }
        if let Some(stream) = self.stream(topic, partition)? {
            stream.reject(row.offset, row.value);
        }
        Ok(())
    }
}

/// The columns and folders of a topic, if they are known.
fn table(job: &Job, lake: &Lake, topic: &str, sample: Option<&Sample>) -> cli::Result<Option<Arc<Table>>> {
    let doing = format!("writing {topic} to the lake {}", job.url);
    let changed = |what: &str| {
        Err(Error::invalid(&doing, format!("its rows there have other {what}"))
            .hint("--topic gives these another name"))
    };
    let folders: Vec<_> = job.folders.iter().map(ToString::to_string).collect();
    let schema = match (&job.schema, lake.table(topic).doing(&doing)?, sample) {
        (Some(asked), Some((there, _)), _) if *asked != there => return changed("columns"),
        (_, Some((_, there)), _) if there != folders => return changed("folders"),
        (_, Some((there, _)), _) => there,
        (Some(asked), None, _) => asked.clone(),
        (None, None, Some(sample)) => sample.schema().map_err(|why| Error::invalid(&doing, why))?,
        (None, None, None) => return Ok(None),
    };
    let table = Table::new(schema, job.folders.clone()).invalid(&doing)?;
    Ok(Some(Arc::new(table)))
}

fn records(commit: &Commit) -> impl Iterator<Item = LakeFile> {
    commit.files.iter().map(|file| LakeFile {
        file: file.file.clone(),
        rows: file.rows,
        bytes: file.bytes,
        topic: commit.topic.clone(),
        partition: commit.partition.clone(),
        first_offset: commit.from,
        last_offset: commit.to - 1,
        commit: commit.number,
    })
}

/// Why a commit is made before its files are large.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// It is time, or somebody asks to end.
    Early,
    /// There is no more.
    End,
}
