//! Comparing what is wanted with what is there.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use model::Change;

use crate::compare::{self, Snapshot};
use crate::wanted::Goal;
use crate::{Error, Live, Refused, Result, Wanted, Writer};

/// A tree of files, and the place of its journals.
#[derive(Clone, Debug)]
pub struct Tree {
    pub(crate) root: PathBuf,
    pub(crate) journals: PathBuf,
    pub(crate) target: String,
    live: Option<Rc<dyn Live>>,
}

impl Tree {
    /// The tree below `root` (`/` for the live machine), changed by `tool`;
    /// `target` names the host in change records. Journals go below
    /// `/var/lib/bareplane/undo/TOOL` in the tree.
    pub fn new(root: impl Into<PathBuf>, tool: &str, target: &str) -> Self {
        let journals = Path::new("/var/lib/bareplane/undo").join(tool);
        Self { root: root.into(), journals, target: target.to_owned(), live: None }
    }

    /// The tree of a running machine, whose settings may be wanted as well.
    #[must_use]
    pub fn running(mut self, live: Rc<dyn Live>) -> Self {
        self.live = Some(live);
        self
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
    /// Fails if a path is relative, wanted twice or no regular file, or cannot
    /// be read; or if a setting is wanted of what does not run.
    pub fn plan(&self, wanted: &[Wanted]) -> Result<Plan> {
        let mut seen = HashSet::new();
        let mut plan = Plan { items: Vec::new(), settings: Vec::new() };
        for one in wanted {
            let (place, state) = match &one.goal {
                Goal::File(state) => (self.place(&one.path)?, state.clone()),
                Goal::Link(link) => (self.place_unfollowed(&one.path)?, Some(link.clone())),
                Goal::Setting(value) => {
                    let name = one.path.to_string_lossy().into_owned();
                    plan.settings.extend(self.compare_setting(name, value.clone())?);
                    continue;
                }
            };
            if !seen.insert(place.clone()) {
                return Err(Error::Twice(one.path.clone()));
            }
            plan.items.extend(self.compare(one, place, state)?);
        }
        Ok(plan)
    }

    fn compare(&self, file: &Wanted, place: PathBuf, state: Option<Snapshot>) -> Result<Option<Item>> {
        let before = Snapshot::of(&place)?;
        let after = state.map(|mut state| {
            if !state.link {
                state.owner = state.owner.or(before.as_ref().and_then(|before| before.owner));
            }
            state
        });
        let face = |state: &Option<Snapshot>| state.as_ref().map(Snapshot::face);
        if compare::same(face(&before).as_ref(), face(&after).as_ref()) {
            return Ok(None);
        }
        let change = compare::change(&self.target, &file.path, before.as_ref(), after.as_ref(), file.secret);
        let unfollowed = matches!(file.goal, Goal::Link(_));
        Ok(Some(Item {
            path: file.path.clone(),
            place,
            unfollowed,
            before,
            after,
            secret: file.secret,
            change,
        }))
    }

    fn compare_setting(&self, name: String, after: Option<String>) -> Result<Option<Setting>> {
        let before = self.live(&name, |live| live.read(&name))?;
        if before == after {
            return Ok(None);
        }
        let change = compare::setting(&self.target, &name, before.as_deref(), after.as_deref());
        Ok(Some(Setting { name, before, after, change }))
    }

    /// Asks the running machine.
    pub(crate) fn live<T>(
        &self,
        name: &str,
        ask: impl FnOnce(&dyn Live) -> std::result::Result<T, Refused>,
    ) -> Result<T> {
        let live = self.live.as_ref().ok_or_else(|| Error::NotRunning(name.to_owned()))?;
        Ok(ask(live.as_ref())?)
    }

    /// Lets whoever reads these files know; on a tree that does not run nobody does.
    pub(crate) fn settle(&self, files: &[PathBuf]) -> Result<()> {
        match &self.live {
            Some(live) if !files.is_empty() => Ok(live.settle(files)?),
            _ => Ok(()),
        }
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

    /// The same for a path that is, or becomes, a link itself.
    pub(crate) fn place_unfollowed(&self, path: &Path) -> Result<PathBuf> {
        if !path.is_absolute() {
            return Err(Error::Relative(path.to_owned()));
        }
        Ok(files::within_unfollowed(&self.root, path)?)
    }
}

/// What would have to change, in the order it was wanted: files first, then settings.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) items: Vec<Item>,
    pub(crate) settings: Vec<Setting>,
}

/// A setting that would change.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) name: String,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
    change: Change,
}

#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) path: PathBuf,
    pub(crate) place: PathBuf,
    pub(crate) unfollowed: bool,
    pub(crate) before: Option<Snapshot>,
    pub(crate) after: Option<Snapshot>,
    pub(crate) secret: bool,
    change: Change,
}

impl Plan {
    /// Whether everything is as wanted.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty() && self.settings.is_empty()
    }

    /// The records of what would change.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        let settings = self.settings.iter().map(|setting| &setting.change);
        self.items.iter().map(|item| &item.change).chain(settings)
    }

    /// Each path that would change with the content it would get; `None` if the file would go.
    pub fn contents(&self) -> impl Iterator<Item = (&Path, Option<&[u8]>)> {
        self.items
            .iter()
            .map(|item| (item.path.as_path(), item.after.as_ref().map(|after| after.content.as_slice())))
    }
}
