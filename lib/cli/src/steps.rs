//! Step records as the work goes on.

use std::time::Instant;

use model::Step;

use crate::{Out, Result};

/// Prints each step when it ends, with the time since the one before.
#[derive(Debug)]
pub struct Steps<'a> {
    /// Where the other records go.
    pub out: &'a mut Out,
    since: Instant,
}

impl<'a> Steps<'a> {
    /// The clock of the first step starts now.
    pub fn new(out: &'a mut Out) -> Self {
        Self { out, since: Instant::now() }
    }

    /// A step did what it should.
    ///
    /// # Errors
    /// Fails if standard output does.
    pub fn done(&mut self, step: &str) -> Result<()> {
        self.end(step, true, None)
    }

    /// A step did not; `error` is a word scripts can compare.
    ///
    /// # Errors
    /// Fails if standard output does.
    pub fn failed(&mut self, step: &str, error: &str) -> Result<()> {
        self.end(step, false, Some(error))
    }

    /// A step ended. Nothing waits in a buffer: the next one may be the last.
    ///
    /// # Errors
    /// Fails if standard output does.
    pub fn end(&mut self, step: &str, ok: bool, error: Option<&str>) -> Result<()> {
        let elapsed_ms = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.since = Instant::now();
        self.out.emit(&Step { step: step.to_owned(), ok, elapsed_ms, error: error.map(str::to_owned) })?;
        self.out.flush()
    }
}
