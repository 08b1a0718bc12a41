//! Step records as the work goes on.

use std::time::Instant;

use cli::Out;
use model::Step;

/// Prints each step when it ends, with the time since the one before.
pub(crate) struct Steps<'a> {
    pub(crate) out: &'a mut Out,
    since: Instant,
}

impl<'a> Steps<'a> {
    pub(crate) fn new(out: &'a mut Out) -> Self {
        Self { out, since: Instant::now() }
    }

    /// A step did what it should.
    pub(crate) fn done(&mut self, step: &str) -> cli::Result<()> {
        self.end(step, true, None)
    }

    /// A step did not; `error` is a word scripts can compare.
    pub(crate) fn failed(&mut self, step: &str, error: &str) -> cli::Result<()> {
        self.end(step, false, Some(error))
    }

    /// A step ended. Nothing waits in a buffer: the next one may be the last.
    pub(crate) fn end(&mut self, step: &str, ok: bool, error: Option<&str>) -> cli::Result<()> {
        let elapsed_ms = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.since = Instant::now();
        self.out.emit(&Step { step: step.to_owned(), ok, elapsed_ms, error: error.map(str::to_owned) })?;
        self.out.flush()
    }
}
