//! The state file: which rows were given.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use cli::{Context, Error};
use model::Checkpoint;

/// A million rows of an overlap, and some.
const LIMIT_BYTES: u64 = 1 << 28;

/// The state file, held against other runs.
#[derive(Debug)]
pub(crate) struct State {
    path: PathBuf,
    _lock: files::Lock,
    /// Written when their rows are acknowledged, oldest first.
    waiting: VecDeque<Checkpoint>,
}

impl State {
    /// Takes hold of it; with what was kept there, if anything was.
    pub(crate) fn open(path: &Path) -> cli::Result<(Self, Option<Checkpoint>)> {
        let mut lock = path.as_os_str().to_owned();
        lock.push(".lock");
        let lock = files::Lock::acquire(Path::new(&lock)).doing("locked: taking hold of the state")?;
        let this = Self { path: path.to_owned(), _lock: lock, waiting: VecDeque::new() };
        let doing = format!("reading {}", path.display());
        if !path.try_exists().doing(&doing)? {
            return Ok((this, None));
        }
        let text = files::read(path, LIMIT_BYTES).doing("reading the state")?;
        let kept = serde_json::from_slice(&text).map_err(|error| {
            Error::invalid(&doing, format!("no state of db-extract: {error}"))
                .hint("name another file to begin anew")
        })?;
        Ok((this, Some(kept)))
    }

    /// Rows are given.
    pub(crate) fn keep(&self, checkpoint: &Checkpoint) -> cli::Result<()> {
        let doing = "writing the state";
        let mut line = serde_json::to_vec(checkpoint).invalid(doing)?;
        line.push(b'\n');
        files::replace(&self.path, &line, &files::Attributes::mode(0o600)).doing(doing)
    }

    /// Rows are given once they are acknowledged.
    pub(crate) fn wait(&mut self, checkpoint: Checkpoint) {
        self.waiting.push_back(checkpoint);
    }

    /// So many rows are acknowledged.
    pub(crate) fn acknowledged(&mut self, rows: u64) -> cli::Result<()> {
        let mut last = None;
        while self.waiting.front().is_some_and(|checkpoint| checkpoint.rows <= rows) {
            last = self.waiting.pop_front();
        }
        last.map_or(Ok(()), |checkpoint| self.keep(&checkpoint))
    }

    /// The rows up to here, if they are not acknowledged.
    pub(crate) fn waits_for(&self) -> Option<u64> {
        self.waiting.back().map(|checkpoint| checkpoint.rows)
    }
}
