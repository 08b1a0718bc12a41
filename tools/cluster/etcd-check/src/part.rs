//! A file on its way: hidden and locked until it is whole.
//!
//! `etcd.db` is written as `.etcd.db.etcd-check`, which only its owner may
//! read. The lock ends with the process, however it ends: whatever of that
//! name nobody holds a lock on is left over from a run that was killed.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use cli::{Context, Error};
use nix::fcntl::{Flock, FlockArg};

const ENDING: &str = ".etcd-check";

#[derive(Debug)]
pub(crate) struct Part {
    file: Flock<File>,
    temporary: PathBuf,
    target: PathBuf,
    placed: bool,
}

impl Part {
    /// Opens the hidden file beside `target`, after sweeping what killed runs left there.
    pub(crate) fn beside(target: &Path) -> cli::Result<Self> {
        let doing = || format!("writing {}", target.display());
        let directory = directory_of(target);
        let name = target.file_name().ok_or_else(|| Error::invalid(doing(), "is not a file's name"))?;
        if target.is_dir() {
            return Err(Error::invalid(doing(), "is a directory"));
        }
        sweep(&directory).doing(doing())?;
        let temporary = directory.join(format!(".{}{ENDING}", name.to_string_lossy()));
        let file = OpenOptions::new()
            .write(true)
            .read(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(nix::libc::O_NOFOLLOW)
            .open(&temporary)
            .doing(doing())?;
        let busy = || Error::unavailable(doing(), "another run is writing it");
        let file = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|_| busy())?;
        // Somebody may have swept it before it was locked.
        let same = fs::metadata(&temporary)
            .is_ok_and(|on_disk| file.metadata().is_ok_and(|own| own.ino() == on_disk.ino()));
        if !same {
            return Err(busy());
        }
        Ok(Self { file, temporary, target: target.to_owned(), placed: false })
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Puts the file in its place; it survives a power cut.
    pub(crate) fn place(mut self) -> cli::Result<()> {
        let doing = || format!("writing {}", self.target.display());
        self.file.sync_all().doing(doing())?;
        fs::rename(&self.temporary, &self.target).doing(doing())?;
        self.placed = true;
        files::sync_directory(&self.target).doing(doing())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.placed {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

fn directory_of(path: &Path) -> PathBuf {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

fn sweep(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !name.starts_with('.') || !name.ends_with(ENDING) || !entry.file_type()?.is_file() {
            continue;
        }
        let file = File::open(entry.path())?;
        if Flock::lock(file, FlockArg::LockExclusiveNonblock).is_ok() {
            cli::note(format!("removing {}, left over from a run that was killed", entry.path().display()));
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn nothing_is_there_under_the_name_until_it_is_placed_and_nobody_else_may_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a.db");
        let part = Part::beside(&target).unwrap();
        part.file().write_all(b"whole").unwrap();
        assert_eq!(names(dir.path()), [".a.db.etcd-check"]);
        part.place().unwrap();
        assert_eq!(names(dir.path()), ["a.db"]);
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_is_given_up_leaves_nothing_and_the_old_file_alone() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a.db");
        fs::write(&target, "old").unwrap();
        Part::beside(&target).unwrap().file().write_all(b"half").unwrap();
        assert_eq!(names(dir.path()), ["a.db"]);
        assert_eq!(fs::read(&target).unwrap(), b"old");
    }

    #[test]
    fn leftovers_are_swept_but_not_the_file_of_a_run_that_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(".gone.db.etcd-check"), "half").unwrap();
        fs::write(dir.path().join(".other"), "").unwrap();
        let running = Part::beside(&dir.path().join("a.db")).unwrap();
        let second = Part::beside(&dir.path().join("b.db")).unwrap();
        assert_eq!(names(dir.path()), [".a.db.etcd-check", ".b.db.etcd-check", ".other"]);
        assert_eq!(Part::beside(&dir.path().join("a.db")).unwrap_err().status(), 3);
        drop((running, second));
        assert_eq!(names(dir.path()), [".other"]);
    }
}
