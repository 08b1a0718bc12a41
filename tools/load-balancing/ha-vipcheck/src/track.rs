//! The file keepalived follows.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use files::{Attributes, Durability};
use model::Check;
use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;

use crate::asked::{check, failed};

/// keepalived reads one integer.
const TRACK_BYTES: u64 = 64;

/// How long a file that seems stale is looked at again.
const SECOND_LOOK: Duration = Duration::from_millis(300);

/// The file a watcher writes.
#[derive(Debug)]
pub(crate) struct Track {
    path: PathBuf,
}

impl Track {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// What an earlier watcher left; `None` if nothing usable.
    pub(crate) fn left(&self) -> Option<bool> {
        number(&self.path).ok().map(|value| value == 0)
    }

    /// Writes 0 or 1 by rename. On a full disk an old file of the same
    /// length can still be overwritten.
    pub(crate) fn write(&self, ok: bool) -> files::Result<()> {
        let content = text(ok);
        files::replace_with(&self.path, content, &Attributes::mode(0o644), Durability::Kill).or_else(
            |error| {
                let file = OpenOptions::new().write(true).open(&self.path);
                file.and_then(|file| file.write_all_at(content, 0)).map_err(|_| error)
            },
        )
    }

    /// Touches the file, and writes it again if it no longer says what it should.
    pub(crate) fn beat(&self, ok: bool) -> files::Result<()> {
        // Opening it to read wakes nobody; closing a written file would make
        // keepalived read it at every beat.
        let same = fs::read(&self.path).is_ok_and(|found| found == text(ok));
        let (now, follow) = (TimeSpec::UTIME_NOW, UtimensatFlags::FollowSymlink);
        if same && utimensat(AT_FDCWD, &self.path, &now, &now, follow).is_ok() {
            return Ok(());
        }
        self.write(ok)
    }
}

fn text(ok: bool) -> &'static [u8] {
    if ok { b"0\n" } else { b"1\n" }
}

fn number(path: &Path) -> Result<i64, &'static str> {
    let content = files::read(path, TRACK_BYTES).map_err(|_| "missing")?;
    std::str::from_utf8(&content).ok().and_then(|text| text.trim().parse().ok()).ok_or("garbled")
}

/// Whether somebody has touched the file lately.
pub(crate) fn fresh(path: &Path, max: Duration, deadline: Instant) -> Check {
    let started = Instant::now();
    let verdict = number(path).and_then(|_| {
        let first = touched(path).ok_or("missing")?;
        if young(first, SystemTime::now(), max) {
            return Ok(());
        }
        // The wall clock may have stepped: whoever touches it now is alive.
        let end = deadline.min(started + SECOND_LOOK);
        while Instant::now() < end {
            thread::sleep(Duration::from_millis(10));
            if touched(path).is_some_and(|again| again != first) {
                return Ok(());
            }
        }
        Err("stale")
    });
    let check = check("track-file", started);
    match verdict {
        Ok(()) => check,
        Err(error) => failed(check, None, error, Some(path.display().to_string())),
    }
}

fn touched(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|found| found.modified()).ok()
}

/// Younger than `max`, and not from the future; file systems keep time to a
/// timer tick, so a file just touched may seem a little ahead.
fn young(touched: SystemTime, now: SystemTime, max: Duration) -> bool {
    match now.duration_since(touched) {
        Ok(age) => age <= max,
        Err(ahead) => ahead.duration() < Duration::from_millis(20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(1)
    }

    fn set_back(path: &Path, by: Duration) {
        fs::File::open(path).unwrap().set_modified(SystemTime::now() - by).unwrap();
    }

    #[test]
    fn a_beat_mends_what_was_deleted_truncated_or_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t");
        let track = Track::new(&path);
        track.beat(true).unwrap();
        for damage in ["", "garbage", "1\n"] {
            fs::write(&path, damage).unwrap();
            track.beat(true).unwrap();
            assert_eq!(track.left(), Some(true));
        }
        fs::remove_file(&path).unwrap();
        track.beat(false).unwrap();
        assert_eq!(track.left(), Some(false));
        assert_eq!(fs::read(&path).unwrap(), b"1\n");
    }

    #[test]
    fn a_beat_keeps_the_file_young() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t");
        let track = Track::new(&path);
        track.write(true).unwrap();
        set_back(&path, Duration::from_mins(1));
        track.beat(true).unwrap();
        assert!(fresh(&path, Duration::from_secs(3), soon()).ok);
    }

    #[test]
    fn missing_garbled_and_stale_files_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t");
        let error = || fresh(&path, Duration::from_secs(3), soon()).error;
        assert_eq!(error().as_deref(), Some("missing"));
        fs::write(&path, "").unwrap();
        assert_eq!(error().as_deref(), Some("garbled"));
        fs::write(&path, "0\n").unwrap();
        assert_eq!(error(), None);
        set_back(&path, Duration::from_secs(4));
        assert_eq!(error().as_deref(), Some("stale"));
    }

    #[test]
    fn after_a_step_of_the_clock_a_living_writer_is_still_believed_and_a_dead_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t");
        for ahead in [false, true] {
            fs::write(&path, "0\n").unwrap();
            let hour = Duration::from_hours(1);
            let stepped = if ahead { SystemTime::now() + hour } else { SystemTime::now() - hour };
            fs::File::open(&path).unwrap().set_modified(stepped).unwrap();
            assert_eq!(fresh(&path, Duration::from_secs(3), soon()).error.as_deref(), Some("stale"));
            let writer = thread::spawn({
                let path = path.clone();
                move || {
                    thread::sleep(Duration::from_millis(60));
                    // Still by the stepped clock.
                    fs::File::open(&path).unwrap().set_modified(stepped + Duration::from_millis(60)).unwrap();
                }
            });
            assert!(fresh(&path, Duration::from_secs(3), soon()).ok);
            writer.join().unwrap();
        }
    }
}
