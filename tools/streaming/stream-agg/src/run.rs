//! Lines in, windows out, and a place to go on from.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use cli::{Context, Error, Input, Kept, Out};
use ndjson::{Block, Line, Lines};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use process::Stop;
use serde::{Deserialize, Serialize};
use window::{Engine, Row};

use crate::checkpoint::{self, Checkpoint, Place};
use crate::crew::{Crew, Shift};
use crate::job::Job;
use crate::read::{BETWEEN, Bad, Batch, Found, LINE_BYTES};
use crate::spill::{Spill, Spilled};
use crate::stage::{Fate, Stage};
use crate::topics::Aside;
use crate::{Args, AtEof, time};

/// What became of the rows; `read` is the sum of the next four.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) read: u64,
    pub(crate) aggregated: u64,
    pub(crate) late: u64,
    #[serde(default)]
    pub(crate) duplicate: u64,
    pub(crate) rejected: u64,
    /// Rows written.
    pub(crate) rows: u64,
    /// Rows of windows that were closed without a source that was idle.
    #[serde(default)]
    pub(crate) late_rows: u64,
}

impl Counts {
    #[expect(clippy::cast_precision_loss, reason = "Prometheus counts in doubles")]
    pub(crate) fn metrics(&self) -> [(&'static str, &'static str, f64); 6] {
        [
            ("stream_agg_in_total", "rows read", self.read as f64),
            ("stream_agg_aggregated_total", "rows in at least one window", self.aggregated as f64),
            ("stream_agg_late_total", "rows whose windows were all over", self.late as f64),
            ("stream_agg_duplicate_total", "rows that were there before", self.duplicate as f64),
            ("stream_agg_rejected_total", "rows that were put aside", self.rejected as f64),
            ("stream_agg_rows_total", "rows written", self.rows as f64),
        ]
    }

    /// Tells them, aloud if not all rows were aggregated.
    pub(crate) fn say(&self, late_kept: bool) {
        let Self { read, aggregated, late, duplicate, rejected, .. } = self;
        let duplicates = if *duplicate > 0 { format!(" + {duplicate} duplicate") } else { String::new() };
        let said =
            format!("{read} in = {aggregated} aggregated + {late} late{duplicates} + {rejected} rejected");
        match (late + rejected, late) {
            (0, _) => cli::note(said),
            (_, 1..) if !late_kept => cli::warn_hint(said, "late rows were dropped; --late FILE keeps them"),
            _ => cli::warn(said),
        }
    }
}

/// Reads all there is; what became of it, with what earlier runs read.
pub(crate) fn run(job: &Job, args: &Args, out: &mut Out) -> cli::Result<Counts> {
    let stop =
        Stop::on_signals().and_then(|stop| stop.at(args.brokers.deadline())).doing("catching signals")?;
    let (checkpoint, saved) = match &args.checkpoint {
        Some(path) => {
            let (checkpoint, saved) = Checkpoint::open(path)?;
            (Some(checkpoint), saved)
        }
        None => (None, None),
    };
    let mut input = Source::open(&args.input, stop)?;
    if checkpoint.is_some() && !input.seekable {
        return Err(Error::invalid(format!("reading {}", args.input), "a pipe cannot be read again")
            .hint("--checkpoint wants a file: stream-agg … < FILE"));
    }
    let (place, stage) = match saved {
        None => {
            let engine = Engine::new(job.plan.clone()).invalid("reading arguments")?;
            (Place { fingerprint: job.fingerprint.clone(), ..Place::default() }, Stage::new(job, engine))
        }
        Some((place, state)) => {
            let doing = "going on from the checkpoint";
            if place.fingerprint != job.fingerprint {
                return Err(Error::invalid(doing, "it is of a run that was asked for something else")
                    .hint("remove it to begin anew"));
            }
            (place, Stage::restore(job, &state).invalid(doing)?)
        }
    };
    if input.resume(&place, args)? {
        return Ok(place.counts);
    }
    let kept = |path: Option<&PathBuf>, bytes| path.map(|path| Kept::open(path, bytes)).transpose();
    let mut run = Run {
        job,
        stage,
        spill: spilling(args, job, checkpoint.as_ref(), place.spilled)?,
        out,
        file: kept(args.out.as_ref(), place.out_bytes)?,
        late: kept(Aside::file(args.late.as_ref()), place.late_bytes)?,
        reject: kept(Aside::file(args.reject.as_ref()), place.reject_bytes)?,
        name: args.input.to_string(),
        counts: place.counts,
        rows: String::new(),
        at: (place.offset_bytes, place.lines),
    };
    let lines = Lines::resumed(input, LINE_BYTES, place.offset_bytes, place.lines);
    let crew = Crew::new();
    let read = |task| read(job, task);
    let went = thread::scope(|scope| {
        let _shift = Shift(&crew);
        (1..args.threads.get()).for_each(|_| drop(scope.spawn(|| crew.work(&read))));
        run.through(lines, args, checkpoint.as_ref(), &crew, &read)
    });
    // Rows made before a failure go out before its message.
    let flushed = run.flush();
    went?;
    flushed?;
    Ok(run.counts)
}

/// Room on a disk for what does not fit, with what is there already.
fn spilling(
    args: &Args,
    job: &Job,
    checkpoint: Option<&Checkpoint>,
    spilled: Spilled,
) -> cli::Result<Option<Spill>> {
    let Some(most) = args.max_state else {
        if spilled.is_empty() {
            return Ok(None);
        }
        let why = "windows were spilled beside it";
        return Err(Error::invalid("going on from the checkpoint", why).hint("give --max-state as before"));
    };
    let most_bytes = usize::try_from(most.bytes).unwrap_or(usize::MAX);
    if let Some(checkpoint) = checkpoint {
        return Spill::kept(&checkpoint.spool(), spilled, most_bytes, &job.plan).map(Some);
    }
    let dir = args.spool.clone().unwrap_or_else(std::env::temp_dir);
    Spill::new(&dir, most_bytes, &job.plan).map(Some)
}

/// Lines and the events in them.
#[derive(Default)]
struct Task {
    block: Block,
    batch: Batch,
}

/// Reads the lines of a block; anybody can.
fn read(job: &Job, mut task: Task) -> Task {
    job.reading.block(&task.block, &mut task.batch);
    task
}

struct Run<'a> {
    job: &'a Job,
    stage: Stage<'a>,
    spill: Option<Spill>,
    out: &'a mut Out,
    file: Option<Kept>,
    late: Option<Kept>,
    reject: Option<Kept>,
    name: String,
    counts: Counts,
    /// Rows that are not written yet.
    rows: String,
    /// What was taken of the input: bytes and lines.
    at: (u64, u64),
}

impl Run<'_> {
    fn through(
        &mut self,
        mut lines: Lines<Source>,
        args: &Args,
        checkpoint: Option<&Checkpoint>,
        crew: &Crew<Task, Task>,
        read: &impl Fn(Task) -> Task,
    ) -> cli::Result<()> {
        let every = Duration::from(args.checkpoint_every);
        let ahead = 2 * args.threads.get() as u64;
        let mut kept_at = Instant::now();
        let mut rooms = Vec::new();
        let mut more = true;
        loop {
            if lines.input().stop.requested() {
                if let Some(checkpoint) = checkpoint {
                    self.keep(&mut lines, checkpoint, false)?;
                }
                return Err(Error::unavailable(format!("reading {}", self.name), lines.input().stop.why()));
            }
            if let Some(checkpoint) = checkpoint.filter(|_| kept_at.elapsed() >= every) {
                self.keep(&mut lines, checkpoint, false)?;
                kept_at = Instant::now();
            }
            if self.out.is_closed() {
                return Ok(());
            }
            if let Some(task) = crew.ready() {
                self.block(&task)?;
                rooms.push(task);
                continue;
            }
            let flying = crew.in_flight();
            // What was read goes out before anybody waits for more.
            if !more || flying >= ahead || (flying > 0 && !lines.input().is_ready()) {
                if flying == 0 {
                    break;
                }
                crew.help(read);
                continue;
            }
            if flying == 0 && !lines.input().is_ready() {
                self.flush()?;
            }
            more = match lines.fill() {
                Ok(more) => more,
                // Told above.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error).doing(format!("reading {}", self.name)),
            };
            let Task { block, batch } = rooms.pop().unwrap_or_default();
            if let Some(block) = lines.block(block) {
                crew.give(Task { block, batch });
                continue;
            }
            // A line has no end yet; one that is too long is let go of as it is read.
            while crew.in_flight() > 0 {
                match crew.ready() {
                    Some(task) => self.block(&task)?,
                    None => crew.help(read),
                }
            }
            while let Some(line) = lines.take() {
                self.alone(&line)?;
                self.at = (lines.offset(), lines.number());
            }
        }
        let flushes = args.at_eof != Some(AtEof::Keep);
        if flushes {
            if let Some(line) = lines.last() {
                self.alone(&line)?;
                self.at = (lines.offset(), lines.number());
            }
            if let Some(spill) = &mut self.spill {
                spill.relieve(&mut self.stage.engine, true)?;
            }
            let (rows, job, written) = (&mut self.rows, self.job, &mut self.counts.rows);
            let spill = &mut self.spill;
            self.stage.engine.finish(&mut |row| {
                if !spill.as_mut().is_some_and(|spill| spill.takes(row)) {
                    write_row(row, job, rows, written);
                }
            });
            self.unspill(i64::MAX)?;
        }
        self.flush()?;
        match checkpoint {
            Some(checkpoint) => self.keep(&mut lines, checkpoint, flushes),
            None => Ok(()),
        }
    }

    /// A line that is in no block.
    fn alone(&mut self, line: &Line) -> cli::Result<()> {
        let mut batch = Batch::default();
        match self.job.reading.line(line, &mut self.job.reading.room(), &mut batch) {
            Some(found) => self.event(&batch, found.as_ref(), line),
            None => Ok(()),
        }
    }

    fn block(&mut self, task: &Task) -> cli::Result<()> {
        let Task { block, batch } = task;
        for event in &batch.events {
            self.event(batch, event.found.as_ref().map_err(|bad| &**bad), &event.line(block))?;
        }
        self.at = block.end(batch.lines as u64);
        self.stage.tidy();
        match &mut self.spill {
            Some(spill) => spill.relieve(&mut self.stage.engine, false),
            None => Ok(()),
        }
    }

    /// Brings out what was spilled of windows that are over.
    fn unspill(&mut self, watermark_us: i64) -> cli::Result<()> {
        let Some(mut spill) = self.spill.take() else { return Ok(()) };
        let (job, mut failed) = (self.job, Ok(()));
        let went = spill.close(&job.plan, watermark_us, &mut |row| {
            write_row(row, job, &mut self.rows, &mut self.counts.rows);
            if self.rows.len() > 64 << 10 && failed.is_ok() {
                failed = self.write();
            }
        });
        self.spill = Some(spill);
        went.and(failed)
    }

    #[inline]
    fn event(&mut self, batch: &Batch, found: Result<&Found, &Bad>, line: &Line) -> cli::Result<()> {
        self.counts.read += 1;
        let (rows, job, written) = (&mut self.rows, self.job, &mut self.counts.rows);
        let spill = &mut self.spill;
        let mut sink = |row: &Row| {
            if !spill.as_mut().is_some_and(|spill| spill.takes(row)) {
                write_row(row, job, rows, written);
            }
        };
        let fate = found.map(|found| {
            let at = self.stage.partition_of(batch, found);
            self.stage.take(at, batch, found, line.bytes, &mut sink)
        });
        match fate {
            Ok(Ok(Fate::Counted)) => self.counts.aggregated += 1,
            Ok(Ok(Fate::Duplicate)) => self.counts.duplicate += 1,
            Ok(Ok(Fate::Late)) => {
                self.counts.late += 1;
                if let Some(late) = &mut self.late {
                    late.write(line.bytes)?;
                    late.write(b"\n")?;
                }
            }
            Ok(Err(bad)) => self.rejected(line, &bad)?,
            Err(bad) => self.rejected(line, bad)?,
        }
        let watermark_us = self.stage.engine.watermark_us().unwrap_or(i64::MIN);
        if self.spill.as_ref().is_some_and(|spill| spill.is_due(watermark_us)) {
            self.unspill(watermark_us)?;
        }
        if self.rows.len() > 64 << 10 { self.write() } else { Ok(()) }
    }

    #[cold]
    fn rejected(&mut self, line: &Line, bad: &Bad) -> cli::Result<()> {
        let Some(reject) = &mut self.reject else {
            let doing = format!("reading {} line {}", self.name, line.number);
            return Err(Error::invalid(doing, bad).hint("--reject FILE puts bad rows aside and goes on"));
        };
        self.counts.rejected += 1;
        let mut json = serde_json::to_vec(&crate::read::reject(line, bad)).invalid("writing a record")?;
        json.push(b'\n');
        reject.write(&json)
    }

    /// Hands rows to whoever reads them.
    fn write(&mut self) -> cli::Result<()> {
        match &mut self.file {
            Some(file) => file.write(self.rows.as_bytes())?,
            None => self.out.write(self.rows.as_bytes())?,
        }
        self.rows.clear();
        Ok(())
    }

    fn flush(&mut self) -> cli::Result<()> {
        self.write()?;
        for file in [&mut self.file, &mut self.late, &mut self.reject].into_iter().flatten() {
            file.flush()?;
        }
        self.out.flush()
    }

    /// Outputs first, then the checkpoint that knows of them.
    fn keep(&mut self, lines: &mut Lines<Source>, checkpoint: &Checkpoint, done: bool) -> cli::Result<()> {
        self.write()?;
        let sync = |file: &mut Option<Kept>| file.as_mut().map_or(Ok(0), Kept::sync);
        let (out_bytes, late_bytes, reject_bytes) =
            (sync(&mut self.file)?, sync(&mut self.late)?, sync(&mut self.reject)?);
        let (offset_bytes, lines_taken) = self.at;
        let engine = &mut self.stage.engine;
        let spilled = self.spill.as_mut().map(|spill| spill.keep(engine)).transpose()?.unwrap_or_default();
        let before_sha256 = lines.input().before(offset_bytes).doing(format!("reading {}", self.name))?;
        let place = Place {
            fingerprint: self.job.fingerprint.clone(),
            offset_bytes,
            lines: lines_taken,
            before_sha256,
            out_bytes,
            late_bytes,
            reject_bytes,
            counts: self.counts,
            done,
            spilled,
        };
        checkpoint.write(&place, &self.stage.save())?;
        self.spill.as_mut().map_or(Ok(()), Spill::give_back)
    }
}

/// What makes a row of a topic the same as another of it: a later one is its revision.
pub(crate) fn row_key(row: &Row, job: &Job, key: &mut String) {
    key.push_str("{\"window_start\":\"");
    time::write(row.start_us, key);
    key.push('"');
    let parts = row.key.split(|byte| *byte == BETWEEN);
    for (name, value) in job.keys.iter().zip(parts) {
        put(key, name, &String::from_utf8_lossy(value));
    }
    key.push('}');
}

/// One row of output.
pub(crate) fn write_row(row: &Row, job: &Job, rows: &mut String, written: &mut u64) {
    *written += 1;
    rows.push_str("{\"window_start\":\"");
    time::write(row.start_us, rows);
    rows.push_str("\",\"window_end\":\"");
    time::write(row.end_us, rows);
    rows.push('"');
    let parts = row.key.split(|byte| *byte == BETWEEN);
    for (name, value) in job.keys.iter().zip(parts) {
        put(rows, name, &String::from_utf8_lossy(value));
    }
    for (name, value) in job.aggregates.iter().zip(row.values()) {
        put(rows, name, &value);
    }
    put(rows, "\"rev\"", &row.rev.to_string());
    put(rows, "\"final\"", if row.is_final { "true" } else { "false" });
    rows.push_str("}\n");
}

fn put(rows: &mut String, name: &str, value: &str) {
    rows.push(',');
    rows.push_str(name);
    rows.push(':');
    rows.push_str(value);
}

/// The input: a file, or a pipe that is waited on together with signals.
struct Source {
    file: File,
    seekable: bool,
    stop: Stop,
}

impl Source {
    fn open(input: &Input, stop: Stop) -> cli::Result<Self> {
        let doing = format!("reading {input}");
        let file = match input {
            Input::Stdin => File::from(io::stdin().as_fd().try_clone_to_owned().doing(&doing)?),
            Input::File(path) => File::open(path).doing(&doing)?,
        };
        let seekable = file.metadata().doing(&doing)?.is_file();
        Ok(Self { file, seekable, stop })
    }

    /// Goes to where the checkpoint was; true if nothing is left to do.
    fn resume(&mut self, place: &Place, args: &Args) -> cli::Result<bool> {
        if args.checkpoint.is_none() {
            return Ok(false);
        }
        let doing = format!("reading {}", args.input);
        let begin_anew = "remove the checkpoint to begin anew";
        let length = self.file.metadata().doing(&doing)?.len();
        let offset = place.offset_bytes;
        if length < offset || (offset > 0 && self.before(offset).doing(&doing)? != place.before_sha256) {
            return Err(Error::invalid(doing, "not the input the checkpoint is of").hint(begin_anew));
        }
        if place.done && length > offset {
            let why = "it has grown since its windows were closed";
            return Err(
                Error::invalid(doing, why).hint(format!("{begin_anew}; --at-eof keep leaves windows open"))
            );
        }
        self.file.seek(SeekFrom::Start(offset)).doing(&doing)?;
        Ok(place.done)
    }

    fn before(&self, offset: u64) -> io::Result<String> {
        checkpoint::before(&self.file, offset)
    }

    /// Whether reading may wait for somebody.
    fn waits(&self) -> bool {
        !self.seekable
    }

    /// Whether reading would not wait now.
    fn is_ready(&self) -> bool {
        let mut file = [PollFd::new(self.file.as_fd(), PollFlags::POLLIN)];
        !self.waits() || poll(&mut file, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }
}

impl Read for Source {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.waits() {
            let mut both = [
                PollFd::new(self.file.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.stop.as_fd(), PollFlags::POLLIN),
            ];
            poll(&mut both, PollTimeout::NONE)?;
        }
        if self.stop.requested() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        self.file.read(into)
    }
}
