//! Taking a change back: by undo, after a failure, after a crash.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use model::Change;

use crate::compare::{self, Snapshot};
use crate::journal::{self, Entry, Journal, Setting, State};
use crate::writer::{Writer, io, put};
use crate::{Error, Result};

/// A change that was taken back.
#[derive(Clone, Debug)]
pub struct Taken {
    /// Its journal's number.
    pub id: u64,
    /// Every file it was about.
    pub paths: Vec<PathBuf>,
    /// What was done to take it back.
    pub changes: Vec<Change>,
    /// Files left alone because somebody had changed them meanwhile.
    pub foreign: Vec<PathBuf>,
}

impl Writer {
    /// Takes back what an earlier run left unfinished, newest first, and clears its litter.
    ///
    /// # Errors
    /// [`Error::Unconfirmed`] if a change waits for its confirmation and its
    /// guard lives; otherwise if a journal or file cannot be read or written.
    pub fn recover(&mut self) -> Result<Vec<Taken>> {
        let mut taken = Vec::new();
        for id in journal::numbers(&self.directory)?.into_iter().rev() {
            let directory = self.journal(id);
            let Some(journal) = Journal::load(&directory)? else {
                fs::remove_dir_all(&directory).map_err(io(&directory))?;
                continue;
            };
            match journal.state {
                State::Done | State::Undone | State::RolledBack => {}
                State::Unconfirmed if self.is_guarded(id) => return Err(Error::Unconfirmed(id)),
                State::Undoing => taken.push(self.take_back(id, journal, State::Undone)?),
                State::Prepared | State::Unconfirmed => {
                    taken.push(self.take_back(id, journal, State::RolledBack)?);
                }
            }
        }
        let scratch = self.directory.join("scratch");
        match fs::remove_dir_all(&scratch) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(io(&scratch)(error).into()),
            _ => Ok(taken),
        }
    }

    /// Takes an unfinished change back.
    ///
    /// # Errors
    /// Fails if a file cannot be written; the journal then stays for the next try.
    pub fn roll_back(&mut self, id: u64) -> Result<Taken> {
        let journal = Journal::load(&self.journal(id))?.ok_or(Error::NoJournal(id))?;
        self.take_back(id, journal, State::RolledBack)
    }

    /// Takes back a change that was kept: this one, or the newest. `None` if
    /// this one was taken back already.
    ///
    /// # Errors
    /// [`Error::ChangedSince`] if somebody changed one of its files since:
    /// then none is touched. [`Error::NothingToUndo`], [`Error::NoJournal`].
    pub fn undo(&mut self, id: Option<u64>) -> Result<Option<Taken>> {
        let id = match id {
            Some(id) => id,
            None => self.newest(State::Done)?.ok_or(Error::NothingToUndo)?,
        };
        let directory = self.journal(id);
        let mut journal = Journal::load(&directory)?.ok_or(Error::NoJournal(id))?;
        if journal.state != State::Done {
            return Ok(None);
        }
        let mut foreign = Vec::new();
        for entry in &journal.files {
            let now = self.now(entry)?;
            if !compare::same(now.as_ref().map(Snapshot::face).as_ref(), entry.after.as_ref()) {
                foreign.push(entry.path.clone());
            }
        }
        for setting in &journal.settings {
            let now = self.tree.live(&setting.name, |live| live.read(&setting.name))?;
            if now.is_some() && now != setting.after && now != setting.before {
                foreign.push(PathBuf::from(&setting.name));
            }
        }
        if !foreign.is_empty() {
            return Err(Error::ChangedSince(foreign));
        }
        journal.store(&directory, State::Undoing)?;
        self.take_back(id, journal, State::Undone).map(Some)
    }

    /// Puts back every file and setting that is still as the change left it.
    fn take_back(&self, id: u64, mut journal: Journal, end: State) -> Result<Taken> {
        let directory = self.journal(id);
        let mut taken = Taken {
            id,
            paths: journal.files.iter().map(|entry| entry.path.clone()).collect(),
            changes: Vec::new(),
            foreign: Vec::new(),
        };
        for (number, entry) in journal.files.iter().enumerate().rev() {
            self.sweep(entry, journal.pid)?;
            let now = self.now(entry)?;
            let face = now.as_ref().map(Snapshot::face);
            if compare::same(face.as_ref(), entry.before.as_ref()) {
                continue;
            }
            if !compare::same(face.as_ref(), entry.after.as_ref()) {
                taken.foreign.push(entry.path.clone());
                continue;
            }
            let before = entry.kept(number, &directory)?;
            put(&entry.place(&self.tree)?, before.as_ref())?;
            let (target, path) = (&journal.target, &entry.path);
            taken.changes.push(compare::change(target, path, now.as_ref(), before.as_ref(), entry.secret));
        }
        for path in journal.directories.iter().rev() {
            // Somebody else may have put something there: then it stays.
            let _ = fs::remove_dir(self.tree.place(path)?);
        }
        self.tree.settle(&taken.paths)?;
        for setting in journal.settings.iter().rev() {
            taken.changes.extend(self.take_back_setting(&journal.target, setting)?);
        }
        journal.store(&directory, end)?;
        Ok(taken)
    }

    /// A value that is no longer there needs no taking back; nor does one
    /// somebody else has changed (an undo has refused before it comes here).
    fn take_back_setting(&self, target: &str, setting: &Setting) -> Result<Option<Change>> {
        let Setting { name, before, after } = setting;
        let now = self.tree.live(name, |live| live.read(name))?;
        if now != *after || now == *before {
            return Ok(None);
        }
        self.set(name, before.as_deref())?;
        Ok(Some(compare::setting(target, name, now.as_deref(), before.as_deref())))
    }

    /// Removes the temporary files a killed run left beside a file.
    fn sweep(&self, entry: &Entry, pid: u32) -> Result<()> {
        let place = entry.place(&self.tree)?;
        let (Some(directory), Some(name)) = (place.parent(), place.file_name()) else { return Ok(()) };
        let prefix = format!(".{}.{pid}-", name.to_string_lossy());
        for found in fs::read_dir(directory).into_iter().flatten().flatten() {
            let name = found.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(&prefix) && name.ends_with(".tmp") {
                files::remove(&found.path())?;
            }
        }
        Ok(())
    }

    fn now(&self, entry: &Entry) -> Result<Option<Snapshot>> {
        Snapshot::of(&entry.place(&self.tree)?)
    }
}
