//! Carrying a plan out.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::compare::Snapshot;
use crate::journal::{self, Journal, State};
use crate::{Error, Plan, Result, Tree};
use files::{Attributes, Lock};

/// The right to change a tree; others wait outside until it is dropped.
#[derive(Debug)]
pub struct Writer {
    pub(crate) tree: Tree,
    pub(crate) directory: PathBuf,
    _lock: Lock,
}

impl Writer {
    pub(crate) fn open(tree: &Tree, lock: Option<&Path>) -> Result<Self> {
        let directory = tree.place(&tree.journals)?;
        let made = match directory.parent() {
            Some(parent) => fs::create_dir_all(parent),
            None => Ok(()),
        };
        // What is kept may be secret.
        made.and_then(|()| make_private(&directory)).map_err(io(&directory))?;
        let own = directory.join("lock");
        let lock = Lock::acquire(lock.unwrap_or(&own))?;
        Ok(Self { tree: tree.clone(), directory, _lock: lock })
    }

    /// An empty private directory, gone at the next [`Writer::recover`].
    ///
    /// # Errors
    /// Fails if it cannot be made.
    pub fn scratch(&self) -> Result<PathBuf> {
        let path = self.directory.join("scratch");
        let _ = fs::remove_dir_all(&path);
        make_private(&path).map_err(io(&path))?;
        Ok(path)
    }

    /// Carries a plan out; `None` if there is nothing to do. Journals of
    /// finished changes beyond the newest `keep` are dropped.
    ///
    /// # Errors
    /// Fails if a file cannot be written; what was written is then taken back.
    pub fn apply(&mut self, plan: &Plan, keep: usize) -> Result<Option<u64>> {
        if plan.is_empty() {
            return Ok(None);
        }
        let id = self.begin(plan)?;
        self.install(id, plan)?;
        self.commit(id, keep)?;
        Ok(Some(id))
    }

    /// Journals a plan: from here on it can be taken back.
    ///
    /// # Errors
    /// Fails if the journal cannot be written; nothing was touched then.
    pub fn begin(&mut self, plan: &Plan) -> Result<u64> {
        let id = journal::numbers(&self.directory)?.last().map_or(1, |last| last + 1);
        let directory = self.journal(id);
        let written = make_private(&directory).map_err(|e| io(&directory)(e).into()).and_then(|()| {
            for (number, item) in plan.items.iter().enumerate() {
                if let Some(before) = &item.before {
                    let copy = directory.join(journal::backup(number));
                    files::replace(&copy, &before.content, &Attributes::mode(0o600))?;
                }
            }
            files::sync_directory(&directory)?;
            Journal::of(plan, &self.tree).store(&directory, State::Prepared)
        });
        if written.is_err() {
            let _ = fs::remove_dir_all(&directory);
        }
        written.map(|()| id)
    }

    /// Writes the files and settings of a plan that was journalled under `id`.
    ///
    /// # Errors
    /// [`Error::ChangedSince`] if a file is not what it was when planned, or
    /// if one cannot be written; what was written is then taken back, as far
    /// as the disk lets us (the next [`Writer::recover`] does the rest).
    pub fn install(&mut self, id: u64, plan: &Plan) -> Result<()> {
        let written = self.write(id, plan);
        if written.is_err() {
            let _ = self.roll_back(id);
        }
        written
    }

    fn write(&self, id: u64, plan: &Plan) -> Result<()> {
        let directory = self.journal(id);
        let journal = Journal::load(&directory)?.ok_or(Error::NoJournal(id))?;
        for path in &journal.directories {
            let place = self.tree.place(path)?;
            match fs::create_dir(&place) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                    return Err(io(&place)(error).into());
                }
                _ => files::sync_directory(&place)?,
            }
        }
        for item in &plan.items {
            if Snapshot::of(&item.place)? != item.before {
                return Err(Error::ChangedSince(vec![item.path.clone()]));
            }
            put(&item.place, item.after.as_ref())?;
        }
        let paths: Vec<PathBuf> = plan.items.iter().map(|item| item.path.clone()).collect();
        self.tree.settle(&paths)?;
        for setting in &plan.settings {
            self.set(&setting.name, setting.after.as_deref())?;
        }
        Ok(())
    }

    /// Gives a setting its value, unless it has it: one may follow from another.
    pub(crate) fn set(&self, name: &str, value: Option<&str>) -> Result<()> {
        self.tree.live(name, |live| {
            if live.read(name)?.as_deref() == value {
                return Ok(());
            }
            live.write(name, value)
        })
    }

    /// Keeps a change for good: only `undo` takes it back.
    ///
    /// # Errors
    /// Fails if the journal cannot be written.
    pub fn commit(&mut self, id: u64, keep: usize) -> Result<()> {
        self.mark(id, State::Done)?;
        self.prune(keep)
    }

    /// Keeps a change until it is confirmed, as long as somebody holds its [`Tree::guard`].
    ///
    /// # Errors
    /// Fails if the journal cannot be written.
    pub fn hold(&mut self, id: u64) -> Result<()> {
        self.mark(id, State::Unconfirmed)
    }

    /// The change that waits to be confirmed, if one does.
    ///
    /// # Errors
    /// Fails if a journal cannot be read.
    pub fn unconfirmed(&self) -> Result<Option<u64>> {
        self.newest(State::Unconfirmed)
    }

    /// The directory of a change's journal, for what the caller wants to keep with it.
    pub fn journal(&self, id: u64) -> PathBuf {
        self.directory.join(id.to_string())
    }

    fn mark(&self, id: u64, state: State) -> Result<()> {
        let directory = self.journal(id);
        Journal::load(&directory)?.ok_or(Error::NoJournal(id))?.store(&directory, state)
    }

    pub(crate) fn newest(&self, state: State) -> Result<Option<u64>> {
        for id in journal::numbers(&self.directory)?.into_iter().rev() {
            if Journal::load(&self.journal(id))?.is_some_and(|journal| journal.state == state) {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    fn prune(&self, keep: usize) -> Result<()> {
        for id in journal::numbers(&self.directory)?.into_iter().rev().skip(keep.max(1)) {
            let directory = self.journal(id);
            let state = Journal::load(&directory)?.map(|journal| journal.state);
            if matches!(state, Some(State::Done | State::Undone | State::RolledBack)) {
                // The journal goes first: without it the rest is litter.
                files::remove(&directory.join("journal.json"))?;
                fs::remove_dir_all(&directory).map_err(io(&directory))?;
            }
        }
        Ok(())
    }

    pub(crate) fn is_guarded(&self, id: u64) -> bool {
        matches!(Lock::acquire(&self.journal(id).join("guard")), Err(files::Error::Locked { .. }))
    }
}

impl Tree {
    /// How far a change has come; `None` if it has no journal. Needs no lock.
    ///
    /// # Errors
    /// Fails if its journal cannot be read.
    pub fn state(&self, id: u64) -> Result<Option<State>> {
        Ok(Journal::load(&self.journal(id)?)?.map(|journal| journal.state))
    }

    /// Watches over a change that waits to be confirmed: once this is
    /// dropped, or its process dies, the next [`Writer::recover`] takes an
    /// unconfirmed change back.
    ///
    /// # Errors
    /// Fails if somebody else watches over it, or it does not exist.
    pub fn guard(&self, id: u64) -> Result<Lock> {
        Ok(Lock::acquire(&self.journal(id)?.join("guard"))?)
    }

    fn journal(&self, id: u64) -> Result<PathBuf> {
        Ok(self.place(&self.journals)?.join(id.to_string()))
    }
}

pub(crate) fn put(place: &Path, state: Option<&Snapshot>) -> Result<()> {
    match state {
        Some(state) if state.link => {
            files::replace_link(place, Path::new(OsStr::from_bytes(&state.content)))?;
        }
        Some(state) => files::replace(place, &state.content, &state.attributes())?,
        None => files::remove(place)?,
    }
    Ok(())
}

fn make_private(path: &Path) -> std::io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made,
    }
}

pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> files::Error {
    |source| files::Error::Io { path: path.to_owned(), source }
}
