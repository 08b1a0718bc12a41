//! Comparing what is wanted with what is there.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use model::Change;

use crate::compare::{self, Snapshot};
use crate::{Error, Result, Wanted, Writer};

/// A tree of files, and the place of its journals.
#[derive(Clone, Debug)]
pub struct Tree {
    pub(crate) root: PathBuf,
    pub(crate) journals: PathBuf,
    pub(crate) target: String,
}

impl Tree {
    /// The tree below `root` (`/` for the live machine), changed by `tool`;
    /// `target` names the host in change records. Journals go below
    /// `/var/lib/bareplane/undo/TOOL` in the tree.
    pub fn new(root: impl Into<PathBuf>, tool: &str, target: &str) -> Self {
        let journals = Path::new("/var/lib/bareplane/undo").join(tool);
        Self { root: root.into(), journals, target: target.to_owned() }
    }

    /// Keeps the journals elsewhere in the tree.
    #[must_use]
    pub fn journals_in(mut self, path: impl Into<PathBuf>) -> Self {
        self.journals = path.into();
        self
    }

    /// What would have to change; touches nothing.
    ///
    /// # Errors
    /// Fails if a path is relative, wanted twice or no regular file, or cannot be read.
    pub fn plan(&self, wanted: &[Wanted]) -> Result<Plan> {
        let mut seen = HashSet::new();
        let mut items = Vec::new();
        for file in wanted {
            let place = self.place(&file.path)?;
            if !seen.insert(place.clone()) {
                return Err(Error::Twice(file.path.clone()));
            }
            items.extend(self.compare(file, place)?);
        }
        Ok(Plan { items })
    }

    fn compare(&self, file: &Wanted, place: PathBuf) -> Result<Option<Item>> {
        let before = Snapshot::of(&place)?;
        let after = file.state.clone().map(|mut state| {
            state.owner = state.owner.or(before.as_ref().and_then(|before| before.owner));
            state
        });
        let face = |state: &Option<Snapshot>| state.as_ref().map(Snapshot::face);
        if compare::same(face(&before).as_ref(), face(&after).as_ref()) {
            return Ok(None);
        }
        let change = compare::change(&self.target, &file.path, before.as_ref(), after.as_ref(), file.secret);
        Ok(Some(Item { path: file.path.clone(), place, before, after, secret: file.secret, change }))
    }

    /// Whether anything was ever changed here: without journals there is
    /// nothing to take back.
    ///
    /// # Errors
    /// Fails if the links on the way to them go round in circles.
    pub fn has_journals(&self) -> Result<bool> {
        Ok(self.place(&self.journals)?.exists())
    }

    /// Takes the tree's lock, which lies with its journals.
    ///
    /// # Errors
    /// Fails if somebody holds it, or the journals' directory cannot be made.
    pub fn open(&self) -> Result<Writer> {
        Writer::open(self, None)
    }

    /// Takes `lock`, a path outside the tree, instead of the tree's own.
    ///
    /// # Errors
    /// Fails if somebody holds it, or the journals' directory cannot be made.
    pub fn open_with(&self, lock: &Path) -> Result<Writer> {
        Writer::open(self, Some(lock))
    }

    /// Where a path of the tree really is, links followed as from inside.
    ///
    /// # Errors
    /// Fails if the path is relative, or its links go round in circles.
    pub fn place(&self, path: &Path) -> Result<PathBuf> {
        if !path.is_absolute() {
            return Err(Error::Relative(path.to_owned()));
        }
        Ok(files::within(&self.root, path)?)
    }
}

/// What would have to change, in the order it was wanted.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) items: Vec<Item>,
}

#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) path: PathBuf,
    pub(crate) place: PathBuf,
    pub(crate) before: Option<Snapshot>,
    pub(crate) after: Option<Snapshot>,
    pub(crate) secret: bool,
    change: Change,
}

impl Plan {
    /// Whether everything is as wanted.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The records of what would change.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.items.iter().map(|item| &item.change)
    }

    /// Each path that would change with the content it would get; `None` if the file would go.
    pub fn contents(&self) -> impl Iterator<Item = (&Path, Option<&[u8]>)> {
        self.items
            .iter()
            .map(|item| (item.path.as_path(), item.after.as_ref().map(|after| after.content.as_slice())))
    }
}
