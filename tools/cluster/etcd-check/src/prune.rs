//! Letting old backups go.
//!
//! Files are looked at from the youngest to the oldest until enough whole
//! backups are found; what is older goes, whole or broken. A file is known as
//! a backup by the first page of its database, never by its name.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use cli::{Answer, Context, Steps};
use etcd::bolt;
use model::{Action, Change};

use crate::verify;

/// What to keep.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keep {
    /// So many whole backups; at least one.
    pub(crate) whole: usize,
    /// And whatever is younger.
    pub(crate) younger: Option<Duration>,
}

/// A backup, whole or not.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    path: PathBuf,
    modified: SystemTime,
}

/// What goes, the oldest first, and whether there is any whole backup at all.
struct Plan {
    goes: Vec<Found>,
    any_whole: bool,
}

pub(crate) fn plan(directory: &Path, keep: Keep, out: &mut cli::Out) -> cli::Result {
    let plan = planned(directory, keep, SystemTime::now())?;
    for found in &plan.goes {
        out.emit(&change(found, directory)?)?;
    }
    answer(&plan, plan.goes.is_empty(), out)
}

pub(crate) fn apply(directory: &Path, keep: Keep, out: &mut cli::Out) -> cli::Result {
    let plan = planned(directory, keep, SystemTime::now())?;
    for found in &plan.goes {
        let change = change(found, directory)?;
        // Whoever wrote to it since wants it.
        if fs::metadata(&found.path).and_then(|now| now.modified()).is_ok_and(|now| now == found.modified) {
            files::remove(&found.path).doing("removing a backup")?;
            out.emit(&change)?;
        }
    }
    answer(&plan, true, out)
}

fn answer(plan: &Plan, nothing_to_do: bool, out: &mut cli::Out) -> cli::Result {
    if !plan.any_whole {
        Steps::new(out).failed("prune", "guard")?;
        cli::warn_hint("there is no whole backup: nothing is removed", "take one: etcd-check save");
        return Ok(Answer::No);
    }
    Ok(Answer::from(nothing_to_do))
}

fn planned(directory: &Path, keep: Keep, now: SystemTime) -> cli::Result<Plan> {
    let mut whole = 0;
    let mut goes = Vec::new();
    for found in backups(directory)? {
        if whole >= keep.whole {
            goes.push(found);
        } else if verify::file(&found.path)?.ok {
            whole += 1;
        } else {
            cli::warn(format!("{}: is broken, and does not count", found.path.display()));
        }
    }
    let old = |found: &Found| now.duration_since(found.modified).unwrap_or_default();
    goes.retain(|found| keep.younger.is_none_or(|younger| old(found) > younger));
    goes.reverse();
    Ok(Plan { goes, any_whole: whole > 0 })
}

/// The backups of a directory, the youngest first.
fn backups(directory: &Path) -> cli::Result<Vec<Found>> {
    let doing = || format!("reading {}", directory.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).doing(doing())? {
        let entry = entry.doing(doing())?;
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if hidden || !entry.file_type().doing(doing())?.is_file() || !is_backup(&entry.path())? {
            continue;
        }
        let modified = entry.metadata().and_then(|file| file.modified()).doing(doing())?;
        found.push(Found { path: entry.path(), modified });
    }
    found.sort_by(|one, other| (other.modified, &other.path).cmp(&(one.modified, &one.path)));
    Ok(found)
}

fn is_backup(path: &Path) -> cli::Result<bool> {
    let file = fs::File::open(path).doing(format!("reading {}", path.display()))?;
    Ok(bolt::is_one(&file))
}

fn change(found: &Found, directory: &Path) -> cli::Result<Change> {
    Ok(Change {
        target: directory.display().to_string(),
        path: Some(found.path.display().to_string()),
        action: Action::Delete,
        before_sha256: verify::file(&found.path)?.sha256,
        after_sha256: None,
        diff: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const REAL: &[u8] =
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/fixtures/examples/etcd.db"));

    /// A directory of files, each a day older than the one before.
    fn directory(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (age, (name, content)) in files.iter().enumerate() {
            let path = dir.path().join(name);
            fs::write(&path, content).unwrap();
            let modified = now() - Duration::from_hours(24 * age as u64);
            fs::File::options().append(true).open(path).unwrap().set_modified(modified).unwrap();
        }
        dir
    }

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_hours(500_000)
    }

    fn goes(dir: &tempfile::TempDir, whole: usize, days: Option<u64>) -> (Vec<String>, bool) {
        let younger = days.map(|days| Duration::from_hours(days * 24));
        let plan = planned(dir.path(), Keep { whole, younger }, now()).unwrap();
        let names =
            plan.goes.iter().map(|found| found.path.file_name().unwrap().to_string_lossy().into_owned());
        (names.collect(), plan.any_whole)
    }

    #[test]
    fn the_oldest_go_and_the_youngest_stay() {
        let dir = directory(&[("a", REAL), ("b", REAL), ("c", REAL), ("d", REAL)]);
        assert_eq!(goes(&dir, 2, None).0, ["d", "c"]);
        assert_eq!(goes(&dir, 4, None).0, [""; 0]);
    }

    #[test]
    fn a_broken_backup_does_not_count_and_goes_when_it_is_old() {
        let broken = &REAL[..20_000];
        let dir = directory(&[("a", broken), ("b", REAL), ("c", broken), ("d", REAL), ("e", broken)]);
        assert_eq!(goes(&dir, 2, None).0, ["e"]);
        assert_eq!(goes(&dir, 1, None).0, ["e", "d", "c"]);
    }

    #[test]
    fn without_any_whole_backup_nothing_goes() {
        let dir = directory(&[("a", &REAL[..20_000]), ("b", &REAL[..8192])]);
        assert_eq!(goes(&dir, 1, None), (vec![], false));
    }

    #[test]
    fn what_is_young_stays_however_many_there_are() {
        let dir = directory(&[("a", REAL), ("b", REAL), ("c", REAL), ("d", REAL)]);
        assert_eq!(goes(&dir, 1, Some(2)).0, ["d"]);
    }

    #[test]
    fn what_is_no_backup_is_never_touched() {
        let dir = directory(&[("a", REAL), ("b", b"notes"), (".c", REAL), ("etcd-2020.db", b"")]);
        fs::create_dir(dir.path().join("sub")).unwrap();
        std::os::unix::fs::symlink("a", dir.path().join("link")).unwrap();
        assert_eq!(goes(&dir, 1, None), (vec![], true));
    }
}
