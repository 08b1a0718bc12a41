//! What is kept of a run outside the process that watches it.

use std::path::{Path, PathBuf};

use cli::{Context, Error};
use files::Attributes;
use serde::{Deserialize, Serialize};

/// A state is no longer.
const LIMIT_BYTES: u64 = 1 << 20;

/// What is kept of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) dag: String,
    pub(crate) run: String,
    /// How often its failed tasks were cleared.
    pub(crate) cleared: u32,
    /// Whether it was watched to its end.
    pub(crate) done: bool,
}

/// The file, held while we live.
pub(crate) struct Place {
    path: PathBuf,
    #[expect(dead_code, reason = "held for its drop")]
    lock: files::Lock,
}

impl Place {
    pub(crate) fn open(path: &Path) -> cli::Result<Self> {
        let lock = PathBuf::from(format!("{}.lock", path.display()));
        let lock = files::Lock::acquire(&lock).doing(format!("taking {}", path.display()))?;
        Ok(Self { path: path.to_owned(), lock })
    }

    /// What an earlier watcher left; none if it came to an end.
    pub(crate) fn read(&self, dag: &str) -> cli::Result<Option<Kept>> {
        if !self.path.exists() {
            return Ok(None);
        }
        let doing = format!("reading {}", self.path.display());
        let kept: Kept =
            serde_json::from_slice(&files::read(&self.path, LIMIT_BYTES).doing(&doing)?).invalid(&doing)?;
        if kept.dag != dag {
            return Err(
                Error::invalid(doing, format!("it is about {}", kept.dag)).hint("one file for each DAG")
            );
        }
        Ok((!kept.done).then_some(kept))
    }

    pub(crate) fn write(&self, kept: &Kept) -> cli::Result<()> {
        let doing = format!("writing {}", self.path.display());
        let text = serde_json::to_string(kept).invalid(&doing)?;
        files::replace(&self.path, text.as_bytes(), &Attributes::mode(0o600)).doing(doing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_is_not_over_is_taken_up_by_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let place = Place::open(&path).unwrap();
        assert_eq!(place.read("d").unwrap(), None);
        let mut kept = Kept { dag: "d".into(), run: "r".into(), cleared: 1, done: false };
        place.write(&kept).unwrap();
        assert_eq!(Place::open(&path).err().map(|error| error.status()), Some(3));
        assert_eq!(place.read("d").unwrap().as_ref(), Some(&kept));
        assert_eq!(place.read("other").unwrap_err().status(), 2);
        kept.done = true;
        place.write(&kept).unwrap();
        assert_eq!(place.read("d").unwrap(), None);
    }
}
