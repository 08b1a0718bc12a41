//! Rows in, files out, and what was put aside.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cli::{Context, Error, Out};
use lake::{Bad, Commit, Lake, Limits, Sample, Stream, Table, Taken};
use model::{Kind, LakeFile, Reject};
use ndjson::{Line, Lines};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use process::Stop;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Args;
use crate::job::Job;

/// The longest line.
const LINE_BYTES: usize = 16 << 20;

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
        reject: args.reject.as_deref().map(Rejects::open).transpose()?,
        name: args.input.to_string(),
        counts: Counts::default(),
        topics: BTreeMap::new(),
        since: None,
        limits: Limits {
            files_bytes: job.roll.size.bytes,
            rows_bytes: 64 << 20,
            folders: 64,
            keeps_last: !args.messages,
        },
        fenced: false,
    };
    let went = match &args.input {
        cli::Input::Stdin => run.all(io::stdin(), args, stop),
        cli::Input::File(path) => {
            run.all(File::open(path).doing(format!("reading {}", args.input))?, args, stop)
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

struct Run<'a> {
    job: &'a Job,
    lake: Lake,
    out: &'a mut Out,
    reject: Option<Rejects>,
    name: String,
    counts: Counts,
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
    line: Vec<u8>,
    value: Range<usize>,
}

/// A row, and the line it came in.
#[derive(Clone, Copy)]
struct Row<'a> {
    offset: u64,
    number: u64,
    line: &'a [u8],
    value: &'a [u8],
}

/// A message as kafka-relay prints it.
#[derive(Deserialize)]
struct Message<'a> {
    record: &'a str,
    topic: String,
    partition: u32,
    offset: u64,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
}

impl Run<'_> {
    fn all<R: Read + AsFd>(&mut self, input: R, args: &Args, stop: &Stop) -> cli::Result<()> {
        let mut lines = Lines::new(input, LINE_BYTES);
        let doing = format!("reading {}", self.name);
        let mut known = Known::of(self, args);
        let mut interrupted = false;
        loop {
            while let Some(line) = lines.take() {
                let taken = self.line(&line, &mut known);
                self.whole(taken)?;
            }
            let age = Duration::from(self.job.roll.age);
            let left = self.since.map(|since| age.saturating_sub(since.elapsed()));
            if left.is_some_and(|left| left.is_zero()) {
                self.commit_all(Cut::Early)?;
                continue;
            }
            match wait(lines.input().as_fd(), stop, left).unavailable(&doing)? {
                Woken::Input => {}
                Woken::Time => continue,
                Woken::Signal => {
                    interrupted = true;
                    break;
                }
            }
            if !lines.fill().doing(&doing)? {
                break;
            }
        }
        if !interrupted {
            if let Some(line) = lines.last() {
                let taken = self.line(&line, &mut known);
                self.whole(taken)?;
            }
            known.finish(&self.name)?;
        }
        self.commit_all(if interrupted { Cut::Early } else { Cut::End })?;
        if interrupted {
            return Err(Error::unavailable(doing, "interrupted by a signal; what was read is in the lake"));
        }
        Ok(())
    }

    /// What came before a row that ends the run is made part of the lake.
    fn whole(&mut self, taken: cli::Result<()>) -> cli::Result<()> {
        match taken {
            Err(error) if error.kind() == Kind::Invalid => self.commit_all(Cut::Early).and(Err(error)),
            taken => taken,
        }
    }

    fn line(&mut self, line: &Line, known: &mut Known) -> cli::Result<()> {
        if line.bytes.trim_ascii().is_empty() && !line.is_too_long() {
            return Ok(());
        }
        self.counts.read += 1;
        let job = self.job;
        let Some(topic) = &job.topic else { return self.message(line) };
        let offset = known.base + line.number - 1;
        if offset < known.to {
            self.counts.held += 1;
            return known.check(offset, line.bytes, &self.name);
        }
        let row = Row { offset, number: line.number, line: line.bytes, value: line.bytes };
        if line.is_too_long() {
            self.settle(topic)?;
            let bad = Bad { field: None, why: "longer than 16 MiB".to_owned() };
            return self.rejected(topic, &known.source, &row, line.length_bytes, bad);
        }
        self.row(topic, &known.source, row)
    }

    /// A message: its value is the row.
    fn message(&mut self, line: &Line) -> cli::Result<()> {
        let doing = format!("reading {} line {}", self.name, line.number);
        // What says no offset cannot be passed over for good.
        if line.is_too_long() {
            return Err(Error::invalid(doing, "longer than 16 MiB"));
        }
        let message: Message = serde_json::from_slice(line.bytes)
            .invalid(&doing)
            .map_err(|error| error.hint("--messages wants the messages of kafka-relay"))?;
        if message.record != "message" || message.topic.parse::<crate::job::Topic>().is_err() {
            return Err(Error::invalid(doing, "no message of a topic"));
        }
        let partition = message.partition.to_string();
        let held = self.lake.held(&message.topic, &partition).map_or(0, |held| held.to);
        if message.offset < held {
            self.counts.held += 1;
            return Ok(());
        }
        // A tombstone, or a value that is no JSON: it is put aside with the whole message.
        let value = message.value.map_or(&line.bytes[..0], |value| value.get().as_bytes());
        let row = Row { offset: message.offset, number: line.number, line: line.bytes, value };
        self.row(&message.topic, &partition, row)
    }

    #[inline]
    fn row(&mut self, topic: &str, partition: &str, row: Row) -> cli::Result<()> {
        if self.since.is_none() {
            self.since = Some(Instant::now());
        }
        let Some(stream) = self.stream(topic, partition)? else { return self.sample(topic, partition, row) };
        match stream.push(row.offset, row.value).doing("writing rows")? {
            Taken::In if stream.is_full() => self.commit(topic, partition),
            Taken::In => Ok(()),
            Taken::Bad(bad) => self.rejected(topic, partition, &row, row.line.len() as u64, bad),
            Taken::Full => {
                self.commit(topic, partition)?;
                self.row(topic, partition, row)
            }
        }
    }

    /// The stream rows of a partition go to; none while the columns are not known.
    #[inline]
    fn stream(&mut self, topic: &str, partition: &str) -> cli::Result<Option<&mut Stream>> {
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
        let start = row.value.as_ptr() as usize - row.line.as_ptr() as usize;
        state.waiting.push(Waiting {
            partition: partition.to_owned(),
            offset: row.offset,
            number: row.number,
            line: row.line.to_vec(),
            value: start..start + row.value.len(),
        });
        state.waiting_bytes += row.line.len();
        if state.waiting.len() >= SAMPLE_ROWS || state.waiting_bytes >= SAMPLE_BYTES {
            self.settle(topic)?;
        }
        Ok(())
    }

    /// Decides on the columns of a topic, and takes the rows that waited for that.
    fn settle(&mut self, topic: &str) -> cli::Result<()> {
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
        for Waiting { partition, offset, number, line, value } in waiting {
            let row = Row { offset, number, line: &line, value: &line[value] };
            if any {
                self.row(topic, &partition, row)?;
                continue;
            }
            let why = ndjson::each(row.value, |_, _| ()).err().map_or_else(
                || "a row without fields, and no row before it had one".to_owned(),
                |broken| broken.to_string(),
            );
            self.rejected(topic, &partition, &row, row.line.len() as u64, Bad { field: None, why })?;
        }
        Ok(())
    }

    /// Commits what there is, except where a commit is made again whose end has not come yet.
    fn commit_all(&mut self, cut: Cut) -> cli::Result<()> {
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

    #[cold]
    fn rejected(&mut self, topic: &str, partition: &str, row: &Row, bytes: u64, bad: Bad) -> cli::Result<()> {
        let Some(reject) = &mut self.reject else {
            let field = bad.field.map(|field| format!("{field}: ")).unwrap_or_default();
            let doing = format!("reading {} line {}", self.name, row.number);
            return Err(Error::invalid(doing, format!("{field}{}", bad.why))
                .hint("--reject FILE puts such rows aside and goes on"));
        };
        self.counts.rejected += 1;
        reject.put(&put_aside(row.number, row.line, bytes, bad))?;
        if self.stream(topic, partition)?.is_some_and(|stream| stream.ends_before(row.offset)) {
            self.commit(topic, partition)?;
        }
        if let Some(stream) = self.stream(topic, partition)? {
            stream.reject(row.offset, row.line);
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

/// What the lake holds of an input of lines.
struct Known {
    source: String,
    /// The offset of the input's first row.
    base: u64,
    to: u64,
    last_sha256: Option<String>,
    checked: bool,
}

impl Known {
    fn of(run: &Run, args: &Args) -> Self {
        let source = args.source.0.clone();
        let held = run.job.topic.as_ref().and_then(|topic| run.lake.held(topic, &source));
        let to = held.map_or(0, |held| held.to);
        Self {
            source,
            base: if args.append { to } else { 0 },
            to,
            last_sha256: held.and_then(|held| held.last_sha256.clone()),
            checked: args.append || to == 0,
        }
    }

    /// The last row the lake holds says whether this is the same input.
    fn check(&mut self, offset: u64, line: &[u8], name: &str) -> cli::Result<()> {
        if offset + 1 < self.to {
            return Ok(());
        }
        if self.last_sha256.as_ref().is_some_and(|known| *known != lake::hash(line)) {
            return Err(self.other(name));
        }
        self.checked = true;
        Ok(())
    }

    /// An input that ends before what the lake holds of it is another one.
    fn finish(&self, name: &str) -> cli::Result<()> {
        if self.checked { Ok(()) } else { Err(self.other(name)) }
    }

    fn other(&self, name: &str) -> Error {
        let why = format!("not the input the lake holds {} rows of as source {}", self.to, self.source);
        Error::invalid(format!("reading {name}"), why)
            .hint("--source NAME tells inputs apart; --append adds these rows after those")
    }
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

/// Where rows that do not fit go.
struct Rejects(BufWriter<File>, String);

impl Rejects {
    /// Adds to the file: what an earlier run put aside is not asked for again.
    fn open(path: &Path) -> cli::Result<Self> {
        let doing = format!("writing {}", path.display());
        let file = File::options().append(true).create(true).mode(0o600).open(path).doing(&doing)?;
        Ok(Self(BufWriter::with_capacity(64 << 10, file), doing))
    }

    fn put(&mut self, reject: &Reject) -> cli::Result<()> {
        let mut line = serde_json::to_vec(reject).invalid(&self.1)?;
        line.push(b'\n');
        self.0.write_all(&line).doing(&self.1)
    }

    fn sync(&mut self) -> cli::Result<()> {
        self.0.flush().doing(&self.1)?;
        match self.0.get_ref().sync_data() {
            // A pipe or a terminal.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            synced => synced.doing(&self.1),
        }
    }
}

/// The row that is put aside, whole.
fn put_aside(line: u64, row: &[u8], bytes: u64, bad: Bad) -> Reject {
    let text = std::str::from_utf8(row).ok();
    // A null here would be no row at all.
    let json = text.filter(|text| bytes == row.len() as u64 && text.trim() != "null");
    let json = json.and_then(|text| serde_json::from_str::<&RawValue>(text).ok()).map(ToOwned::to_owned);
    Reject {
        line,
        rule: bad.field.is_some().then(|| "column".to_owned()),
        field: bad.field,
        error: bad.why,
        row_text: if json.is_none() { text.map(str::to_owned) } else { None },
        row_b64: if text.is_none() { Some(data_encoding::BASE64.encode(row)) } else { None },
        row: json,
        row_bytes: bytes,
    }
}

/// Why a commit is made before its files are large.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// It is time, or somebody asks to end.
    Early,
    /// There is no more.
    End,
}

enum Woken {
    Input,
    Time,
    Signal,
}

/// Waits for input, a signal, or so long.
fn wait(input: BorrowedFd, stop: &Stop, left: Option<Duration>) -> nix::Result<Woken> {
    let mut wanted = [PollFd::new(input, PollFlags::POLLIN), PollFd::new(stop.as_fd(), PollFlags::POLLIN)];
    let left = left.map_or(PollTimeout::NONE, |left| {
        PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX)
    });
    match poll(&mut wanted, left) {
        _ if stop.requested() => Ok(Woken::Signal),
        Ok(0) | Err(nix::errno::Errno::EINTR) => Ok(Woken::Time),
        Err(error) => Err(error),
        Ok(_) => Ok(Woken::Input),
    }
}
