//! Rows out, then the state that knows of them.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cli::{Answer, Context, Error, Kept, Out};
use database::{Batch, Changes, Follow, Got, Overlap, Patience, Reader, Scalar, Wanted};
use model::{Checkpoint, LogPlace};
use process::Stop;

use crate::ack::Acks;
use crate::job::Job;
use crate::state::State;
use crate::{Args, Mode};

/// What became of the rows that were read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) out: u64,
    /// In the overlap, and given before.
    pub(crate) again: u64,
    /// A column of the cursor that is null in some rows: nobody sees them.
    pub(crate) unseen: Option<String>,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { out, again, .. } = self;
        write!(f, "{} in = {out} out + {again} filtered (given before)", out + again)
    }
}

impl Counts {
    #[expect(clippy::cast_precision_loss, reason = "Prometheus counts in doubles")]
    pub(crate) fn metrics(&self) -> [(&'static str, &'static str, f64); 3] {
        [
            ("db_extract_in_total", "Rows read.", (self.out + self.again) as f64),
            ("db_extract_out_total", "Rows given.", self.out as f64),
            ("db_extract_filtered_total", "Rows in the overlap that were given before.", self.again as f64),
        ]
    }
}

/// Extracts what is asked for.
pub(crate) fn run(job: &Job, args: &Args, out: &mut Out, counts: &mut Counts) -> cli::Result {
    let began = Instant::now();
    let stop = Arc::new(Stop::on_signals().doing("catching signals")?);
    let (state, kept) = match &args.state {
        Some(path) => {
            let (state, kept) = State::open(path)?;
            (Some(state), kept)
        }
        None => (None, None),
    };
    let checkpoint = kept.unwrap_or_else(|| Checkpoint { of: job.words(), ..Checkpoint::default() });
    if checkpoint.of != job.words() {
        let why = format!("it is of the {}, and not of the {}", checkpoint.of, job.words());
        return Err(Error::invalid("going on from the state", why).hint("remove it to begin anew"));
    }
    let file = args.out.as_deref().map(|path| Kept::open(path, checkpoint.bytes)).transpose()?;
    if checkpoint.done {
        cli::note("the snapshot is complete; remove the state to begin anew");
        return Ok(Answer::Yes);
    }
    let doing = format!("reading {} in {}", job.wanted.table, job.url);
    let acks = args.ack.then(|| Acks::from(checkpoint.rows));
    let mut run = Run { args, doing, out, file, state, checkpoint, acks, counts, stop, began };
    if job.mode == Mode::Cdc { run.follow(job) } else { run.read(job).map(|()| Answer::Yes) }
}

fn open(job: &Job, from: &Checkpoint, patience: Patience) -> database::Result<Reader> {
    let scalar = |value: &serde_json::Value| serde_json::from_value(value.clone()).ok();
    let after = from.position.as_ref().and_then(|position| position.iter().map(scalar).collect());
    let overlap = (job.overlap.ms > 0).then(|| Overlap::new(job.overlap.ms, &from.seen)).transpose()?;
    Reader::open(&job.url, job.password.as_deref(), Wanted { after, overlap, patience, ..job.wanted.clone() })
}

/// The database's own words.
fn told<T>(doing: &str, result: database::Result<T>) -> cli::Result<T> {
    let hint = result.as_ref().err().and_then(|error| error.hint.clone());
    result.doing(doing).map_err(|error| if let Some(hint) = hint { error.hint(hint) } else { error })
}

/// Whether the columns are what they were.
fn compare(before: &Checkpoint, now: &[String], accept: bool) -> cli::Result<()> {
    let known = !before.columns.is_empty() && !accept;
    let Some(why) = database::difference(&before.columns, now).filter(|_| known) else { return Ok(()) };
    let why = format!("schema_changed: {why}");
    Err(Error::invalid("going on from the state", why).hint(database::ACCEPT))
}

/// How long a table without changes is left alone.
const IDLE: Duration = Duration::from_millis(500);

struct Run<'a> {
    args: &'a Args,
    /// What messages begin with.
    doing: String,
    out: &'a mut Out,
    file: Option<Kept>,
    state: Option<State>,
    checkpoint: Checkpoint,
    acks: Option<Acks>,
    counts: &'a mut Counts,
    stop: Arc<Stop>,
    began: Instant,
}

impl Run<'_> {
    /// A table, to its end.
    fn read(&mut self, job: &Job) -> cli::Result<()> {
        let doing = self.doing.clone();
        let mut reader = told(&doing, open(job, &self.checkpoint, self.patience()))?;
        compare(&self.checkpoint, reader.columns(), self.args.accept_schema)?;
        self.checkpoint.columns = reader.columns().to_vec();
        if self.state.is_some() && !reader.is_ordered() {
            let why = "nothing tells its rows apart: reading could not go on in the middle";
            return Err(Error::invalid(doing, why).hint("give no --state, or a --cursor of columns that do"));
        }
        self.counts.unseen = told(&doing, reader.null_cursor())?;
        let mut batch = Batch::default();
        loop {
            let more = told(&doing, reader.next(&mut batch))?;
            self.give(&batch)?;
            if self.out.is_closed() {
                return Ok(());
            }
            if batch.position.is_some() {
                self.checkpoint.position =
                    batch.position.as_deref().map(values).transpose().invalid(&doing)?;
            }
            self.checkpoint.seen = reader.overlap().map(Overlap::seen).unwrap_or_default();
            self.checkpoint.done = !more && job.mode == Mode::Snapshot;
            self.keep()?;
            if !more {
                self.hang_up()?;
                return self.wait();
            }
            self.pace();
            if self.stop.requested() {
                return Err(Error::unavailable(doing, "interrupted"));
            }
            self.in_time()?;
        }
    }

    /// A table's rows and changes, until a signal comes or all is read that was there.
    fn follow(&mut self, job: &Job) -> cli::Result {
        let doing = self.doing.clone();
        let from = self.checkpoint.log.clone();
        let wanted = Wanted { patience: self.patience(), ..job.wanted.clone() };
        let columns = self.checkpoint.columns.clone();
        let follow = Follow { from: from.clone(), columns, ..job.follow.clone() };
        let mut changes = told(&doing, Changes::open(&job.url, job.password.as_deref(), wanted, follow))?;
        if from.is_none() {
            // A slot that is made from here on is ours.
            self.checkpoint.log = Some(LogPlace::default());
            self.state.as_mut().map_or(Ok(()), |state| state.keep(&self.checkpoint))?;
        }
        let mut batch = Batch::default();
        loop {
            let got = match changes.next(&mut batch) {
                Err(error) if error.word == Some("interrupted") => return self.stopped(),
                got => told(&doing, got)?,
            };
            self.give(&batch)?;
            if self.out.is_closed() {
                return Ok(Answer::Yes);
            }
            if got == Got::End {
                self.hang_up()?;
            }
            if let Some(place) = batch.log.take() {
                self.checkpoint.log = Some(place.clone());
                self.checkpoint.columns = changes.columns().to_vec();
                self.keep()?;
                // The slot has no memory of what it gave and was not told is safe.
                self.wait()?;
                told(&doing, changes.confirm(&place))?;
            }
            match got {
                Got::End => return Ok(Answer::Yes),
                Got::OverLimit(bytes) => {
                    cli::warn_hint(
                        format!(
                            "{doing}: slot_bytes: all was read, and the database still holds {bytes} bytes of its log"
                        ),
                        "a transaction that stays open holds it: see pg_stat_activity",
                    );
                    return Ok(Answer::No);
                }
                Got::More => self.pace(),
                Got::Idle => drop(self.stop.sleep(IDLE)),
            }
            if self.stop.requested() {
                return self.stopped();
            }
            self.in_time()?;
        }
    }

    /// A signal ends what has no end. What was given since the last whole
    /// transaction is cut off or given again.
    fn stopped(&self) -> cli::Result {
        let begun = self.checkpoint.log.as_ref().is_some_and(|place| place.at.is_some());
        if begun && self.args.until.is_none() {
            return Ok(Answer::Yes);
        }
        Err(Error::unavailable(&self.doing, "interrupted"))
    }

    /// The database is waited for until a signal comes or time is up.
    fn patience(&self) -> Patience {
        let stop = Arc::clone(&self.stop);
        let end = self.args.timeout.map(|limit| self.began + Duration::from(limit));
        Patience::until(move || match end {
            _ if stop.requested() => Some("interrupted"),
            Some(end) if Instant::now() >= end => Some("deadline"),
            _ => None,
        })
    }

    /// No more rows than asked for.
    fn pace(&self) {
        if let Some(rate) = self.args.rate {
            let due = Duration::from_secs_f64(counted(self.counts.out) / f64::from(rate));
            self.stop.sleep(due.saturating_sub(self.began.elapsed()));
        }
    }

    fn in_time(&self) -> cli::Result<()> {
        if self.args.timeout.is_some_and(|limit| self.began.elapsed() >= limit.into()) {
            return Err(Error::unavailable(&self.doing, "deadline: not done in time"));
        }
        Ok(())
    }

    /// Hands rows to whoever reads them, as safely as can be.
    fn give(&mut self, batch: &Batch) -> cli::Result<()> {
        if let Some(file) = &mut self.file {
            file.write(&batch.lines)?;
            if self.state.is_some() {
                file.sync()?;
            } else {
                file.flush()?;
            }
        } else {
            self.out.write(&batch.lines)?;
            self.out.flush()?;
        }
        self.counts.out += batch.rows;
        self.counts.again += batch.again;
        self.checkpoint.rows += batch.rows;
        self.checkpoint.bytes += batch.lines.len() as u64;
        Ok(())
    }

    fn keep(&mut self) -> cli::Result<()> {
        let Some(state) = &mut self.state else { return Ok(()) };
        match &mut self.acks {
            None => state.keep(&self.checkpoint),
            Some(acks) => {
                state.wait(self.checkpoint.clone());
                match acks.read(&self.stop, false)? {
                    Some(rows) => state.acknowledged(rows),
                    None => Ok(()),
                }
            }
        }
    }

    /// Nothing more comes: a reader that acknowledges learns it before it is waited for.
    fn hang_up(&self) -> cli::Result<()> {
        if self.acks.is_none() {
            return Ok(());
        }
        let doing = "closing standard output";
        let nothing = std::fs::File::options().write(true).open("/dev/null").doing(doing)?;
        nix::unistd::dup2_stdout(nothing).unavailable(doing)
    }

    /// Waits until every row is acknowledged.
    fn wait(&mut self) -> cli::Result<()> {
        let (Some(acks), Some(state)) = (&mut self.acks, &mut self.state) else { return Ok(()) };
        let doing = "waiting for acknowledgements";
        while let Some(rows) = state.waits_for() {
            let acked = acks.read(&self.stop, true)?;
            state.acknowledged(acked.unwrap_or_default())?;
            let (left, stopped) = (acks.ended(), self.stop.requested());
            if state.waits_for().is_some() && (left || stopped) {
                let acked = acked.unwrap_or_default();
                let why = if left { "partial: the reader left" } else { "interrupted" };
                return Err(Error::unavailable(doing, format!("{why}; it keeps {acked} of {rows} rows"))
                    .hint("the next run gives the others again"));
            }
        }
        Ok(())
    }
}

fn values(position: &[Scalar]) -> Result<Vec<serde_json::Value>, serde_json::Error> {
    position.iter().map(serde_json::to_value).collect()
}

#[expect(clippy::cast_precision_loss, reason = "2^53 rows are enough")]
fn counted(rows: u64) -> f64 {
    rows as f64
}
