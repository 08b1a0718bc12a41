//! Rows in, items out.

use std::fs::File;
use std::os::fd::AsFd;
use std::sync::Arc;

use cli::{Context, Error, Input, Rejects};
use ndjson::{Line, Lines};
use process::{Awaited, Stop};

use crate::item::{Bad, Item, Reading};
use crate::store::{Store, Tally};

/// The longest row.
const LINE_BYTES: usize = 16 << 20;

/// What became of the rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) read: u64,
    pub(crate) rejected: u64,
    pub(crate) tally: Tally,
}

impl Counts {
    pub(crate) fn say(&self) {
        let Tally { put, deleted, same, older, .. } = &self.tally;
        let Self { read, rejected, .. } = self;
        cli::note(format!(
            "{read} in = {put} put + {deleted} deleted + {same} there already + {older} older + {rejected} rejected"
        ));
    }

    #[expect(clippy::cast_precision_loss, reason = "Prometheus counts in doubles")]
    pub(crate) fn metrics(&self) -> [(&'static str, &'static str, f64); 6] {
        let Tally { put, deleted, same, older, .. } = &self.tally;
        [
            ("nosql_put_in_total", "Rows read.", self.read as f64),
            ("nosql_put_put_total", "Rows put.", *put as f64),
            ("nosql_put_deleted_total", "Keys deleted.", *deleted as f64),
            ("nosql_put_same_total", "Rows that were there already.", *same as f64),
            ("nosql_put_older_total", "Rows older than what is there.", *older as f64),
            ("nosql_put_rejected_total", "Rows put aside.", self.rejected as f64),
        ]
    }
}

/// A run.
pub(crate) struct Run<'a> {
    pub(crate) doing: String,
    pub(crate) reading: Reading,
    pub(crate) messages: bool,
    pub(crate) store: &'a mut dyn Store,
    pub(crate) rejects: Option<Rejects>,
    pub(crate) batch: Vec<Item>,
    pub(crate) counts: Counts,
}

impl Run<'_> {
    /// Puts all rows of an input.
    pub(crate) fn all(&mut self, input: &Input, stop: &Arc<Stop>) -> cli::Result<()> {
        let file = match input {
            Input::Stdin => std::io::stdin().as_fd().try_clone_to_owned().map(File::from),
            Input::File(path) => File::open(path),
        };
        let mut lines = Lines::new(Awaited::new(file.doing(&self.doing)?, stop), LINE_BYTES);
        loop {
            while let Some(line) = lines.take() {
                self.line(&line)?;
            }
            // What comes slowly is put at once, and known to be.
            if !lines.input().is_ready() {
                self.settle()?;
            }
            if !lines.fill().doing(&self.doing)? {
                break;
            }
        }
        if let Some(line) = lines.last() {
            self.line(&line)?;
        }
        self.settle()?;
        self.rejects.as_mut().map_or(Ok(()), Rejects::sync)
    }

    fn line(&mut self, line: &Line) -> cli::Result<()> {
        if line.bytes.trim_ascii().is_empty() && !line.is_too_long() {
            return Ok(());
        }
        self.counts.read += 1;
        let item = if line.is_too_long() {
            Err(Bad::whole("longer than 16 MiB"))
        } else if self.messages {
            self.reading.message(line.number, line.bytes)
        } else {
            self.reading.row(line.number, line.bytes)
        };
        let item = item.and_then(|item| self.store.check(&item).map(|()| item));
        match item {
            Ok(item) => self.batch.push(item),
            Err(bad) => {
                // Nothing behind a bad row is put without --reject, and all before it.
                if self.rejects.is_none() {
                    self.settle()?;
                }
                return self.reject(line, bad);
            }
        }
        if self.batch.len() >= self.store.batch() { self.send() } else { Ok(()) }
    }

    fn send(&mut self) -> cli::Result<()> {
        if !self.batch.is_empty() {
            let items = std::mem::replace(&mut self.batch, Vec::with_capacity(self.store.batch()));
            self.store.put(items, &mut self.counts.tally)?;
        }
        self.refused()
    }

    /// Puts what waits, and waits until it is there.
    fn settle(&mut self) -> cli::Result<()> {
        self.send()?;
        self.store.finish(&mut self.counts.tally)?;
        self.refused()
    }

    /// What the store itself would not take.
    fn refused(&mut self) -> cli::Result<()> {
        for (item, bad) in std::mem::take(&mut self.counts.tally.refused) {
            let bytes = item.row.as_deref().unwrap_or_default();
            let line = Line { bytes, number: item.line, offset: 0, length_bytes: bytes.len() as u64 };
            self.reject(&line, bad)?;
        }
        Ok(())
    }

    fn reject(&mut self, line: &Line, bad: Bad) -> cli::Result<()> {
        self.counts.rejected += 1;
        if let Some(rejects) = &mut self.rejects {
            return rejects.put(&bad.of(line));
        }
        let at = bad.field.as_ref().map(|field| format!(": {field}")).unwrap_or_default();
        Err(Error::invalid(format!("{} line {}{at}", self.doing, line.number), bad.why)
            .hint("--reject FILE puts such rows aside"))
    }
}
