//! Rows out, then the state that knows of them.

use std::fmt;
use std::time::{Duration, Instant};

use cli::{Context, Error, Out};
use database::{Batch, Overlap, Reader, Scalar, Wanted};
use model::Checkpoint;
use process::Stop;

use crate::ack::Acks;
use crate::job::Job;
use crate::kept::Kept;
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
pub(crate) fn run(job: &Job, args: &Args, out: &mut Out, counts: &mut Counts) -> cli::Result<()> {
    let stop = Stop::on_signals().doing("catching signals")?;
    let (state, kept) = match &args.state {
        Some(path) => {
            let (state, kept) = State::open(path)?;
            (Some(state), kept)
        }
        None => (None, None),
    };
    let mut checkpoint = kept.unwrap_or_else(|| Checkpoint { of: job.words(), ..Checkpoint::default() });
    if checkpoint.of != job.words() {
        let why = format!("it is of the {}, and not of the {}", checkpoint.of, job.words());
        return Err(Error::invalid("going on from the state", why).hint("remove it to begin anew"));
    }
    let file = args.out.as_deref().map(|path| Kept::open(path, checkpoint.bytes)).transpose()?;
    if checkpoint.done {
        cli::note("the snapshot is complete; remove the state to begin anew");
        return Ok(());
    }
    let doing = format!("reading {} in {}", job.wanted.table, job.url);
    let mut reader = told(&doing, open(job, &checkpoint))?;
    compare(&checkpoint, &reader, args.accept_schema).map_err(|error| {
        error.hint("--accept-schema goes on with the columns as they are now; removing the state begins anew")
    })?;
    checkpoint.columns = reader.columns().to_vec();
    if state.is_some() && !reader.is_ordered() {
        return Err(Error::invalid(
            doing,
            "nothing tells its rows apart: reading could not go on in the middle",
        )
        .hint("give no --state, or a --cursor of columns that do"));
    }
    counts.unseen = told(&doing, reader.null_cursor())?;
    let acks = args.ack.then(Acks::default);
    let mut run = Run { args, out, file, state, checkpoint, acks, counts, stop };
    run.all(&mut reader, job, &doing)
}

fn open(job: &Job, from: &Checkpoint) -> database::Result<Reader> {
    let scalar = |value: &serde_json::Value| serde_json::from_value(value.clone()).ok();
    let after = from.position.as_ref().and_then(|position| position.iter().map(scalar).collect());
    let overlap = (job.overlap.ms > 0).then(|| Overlap::new(job.overlap.ms, &from.seen)).transpose()?;
    Reader::open(&job.url, job.password.as_deref(), Wanted { after, overlap, ..job.wanted.clone() })
}

/// The database's own words.
fn told<T>(doing: &str, result: database::Result<T>) -> cli::Result<T> {
    let hint = result.as_ref().err().and_then(|error| error.hint.clone());
    result.doing(doing).map_err(|error| if let Some(hint) = hint { error.hint(hint) } else { error })
}

/// Whether the columns are what they were.
fn compare(before: &Checkpoint, reader: &Reader, accept: bool) -> cli::Result<()> {
    let now = reader.columns();
    if before.columns.is_empty() || before.columns == now || accept {
        return Ok(());
    }
    let missing = |of: &[String], from: &[String]| {
        of.iter().filter(|column| !from.contains(column)).cloned().collect::<Vec<_>>().join(", ")
    };
    let (gone, new) = (missing(&before.columns, now), missing(now, &before.columns));
    let why = match (gone.is_empty(), new.is_empty()) {
        (true, true) => "columns stand in another order".to_owned(),
        (false, true) => format!("gone: {gone}"),
        (true, false) => format!("new: {new}"),
        (false, false) => format!("was: {gone}; is: {new}"),
    };
    Err(Error::invalid("going on from the state", format!("schema_changed: {why}")))
}

struct Run<'a> {
    args: &'a Args,
    out: &'a mut Out,
    file: Option<Kept>,
    state: Option<State>,
    checkpoint: Checkpoint,
    acks: Option<Acks>,
    counts: &'a mut Counts,
    stop: Stop,
}

impl Run<'_> {
    fn all(&mut self, reader: &mut Reader, job: &Job, doing: &str) -> cli::Result<()> {
        let began = Instant::now();
        let mut batch = Batch::default();
        loop {
            let more = told(doing, reader.next(&mut batch))?;
            self.give(&batch)?;
            if self.out.is_closed() {
                return Ok(());
            }
            if batch.position.is_some() {
                self.checkpoint.position =
                    batch.position.as_deref().map(values).transpose().invalid(doing)?;
            }
            self.checkpoint.seen = reader.overlap().map(Overlap::seen).unwrap_or_default();
            self.checkpoint.done = !more && job.mode == Mode::Snapshot;
            self.keep()?;
            if !more {
                return self.wait();
            }
            if let Some(rate) = self.args.rate {
                let due = Duration::from_secs_f64(counted(self.counts.out) / f64::from(rate));
                self.stop.sleep(due.saturating_sub(began.elapsed()));
            }
            if self.stop.requested() {
                return Err(Error::unavailable(doing, "interrupted"));
            }
            if self.args.timeout.is_some_and(|limit| began.elapsed() >= limit.into()) {
                return Err(Error::unavailable(doing, "deadline: not done in time"));
            }
        }
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
