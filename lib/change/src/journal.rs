//! The journal of one change, on disk.

use std::fs;
use std::path::{Path, PathBuf};

use files::Attributes;
use serde::{Deserialize, Serialize};

use crate::compare::{Face, Snapshot};
use crate::plan::{Plan, Tree};
use crate::{Error, Result, compare};

const JOURNAL_BYTES: u64 = 16 << 20;

/// How far a change has come; see the crate's documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Files may be old or new.
    Prepared,
    /// All files are new; somebody has yet to say they may stay.
    Unconfirmed,
    /// All files are new and stay.
    Done,
    /// Files may be new or old.
    Undoing,
    /// All files are old again, by request.
    Undone,
    /// All files are old again, since the change failed or was not confirmed.
    RolledBack,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Journal {
    pub(crate) state: State,
    /// The host, for change records.
    pub(crate) target: String,
    /// The process that wrote last; its temporary files carry this number.
    pub(crate) pid: u32,
    /// Directories made for the files, outermost first, as paths of the tree.
    pub(crate) directories: Vec<PathBuf>,
    pub(crate) files: Vec<Entry>,
    #[serde(default)]
    pub(crate) settings: Vec<Setting>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) path: PathBuf,
    pub(crate) before: Option<Face>,
    pub(crate) after: Option<Face>,
    pub(crate) secret: bool,
    /// Whether the path itself is, or was to become, a link.
    #[serde(default)]
    pub(crate) unfollowed: bool,
}

/// A setting of the running machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Setting {
    pub(crate) name: String,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
}

impl Journal {
    /// The journal of a plan that is about to be carried out.
    pub(crate) fn of(plan: &Plan, tree: &Tree) -> Self {
        let mut directories: Vec<PathBuf> = Vec::new();
        for item in plan.items.iter().filter(|item| item.after.is_some()) {
            for missing in compare::missing_directories(&item.place) {
                let directory = Path::new("/").join(missing.strip_prefix(&tree.root).unwrap_or(&missing));
                if !directories.contains(&directory) {
                    directories.push(directory);
                }
            }
        }
        let files = plan.items.iter().map(|item| Entry {
            path: item.path.clone(),
            before: item.before.as_ref().map(Snapshot::face),
            after: item.after.as_ref().map(Snapshot::face),
            secret: item.secret,
            unfollowed: item.unfollowed,
        });
        let settings = plan.settings.iter().map(|setting| Setting {
            name: setting.name.clone(),
            before: setting.before.clone(),
            after: setting.after.clone(),
        });
        Self {
            state: State::Prepared,
            target: tree.target.clone(),
            pid: std::process::id(),
            directories,
            files: files.collect(),
            settings: settings.collect(),
        }
    }

    /// Reads a journal; `None` if its directory holds none (yet).
    pub(crate) fn load(directory: &Path) -> Result<Option<Self>> {
        let path = directory.join("journal.json");
        if !path.exists() {
            return Ok(None);
        }
        let text = files::read(&path, JOURNAL_BYTES)?;
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|error| Error::Broken { path, why: error.to_string() })
    }

    /// Writes it with a new state; it survives a power cut.
    pub(crate) fn store(&mut self, directory: &Path, state: State) -> Result<()> {
        (self.state, self.pid) = (state, std::process::id());
        let path = directory.join("journal.json");
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| Error::Broken { path: path.clone(), why: error.to_string() })?;
        Ok(files::replace(&path, &text, &Attributes::mode(0o600))?)
    }
}

impl Entry {
    /// Where it really is.
    pub(crate) fn place(&self, tree: &Tree) -> Result<PathBuf> {
        if self.unfollowed { tree.place_unfollowed(&self.path) } else { tree.place(&self.path) }
    }

    /// The content the file had, with its mode and owner, from the journal's copy.
    pub(crate) fn kept(&self, number: usize, directory: &Path) -> Result<Option<Snapshot>> {
        let Some(before) = &self.before else { return Ok(None) };
        let path = directory.join(backup(number));
        let content = files::read(&path, JOURNAL_BYTES)?;
        if files::sha256_hex(&content) != before.sha256 {
            return Err(Error::Broken { path, why: "not the content that was kept".into() });
        }
        Ok(Some(Snapshot { content, mode: before.mode, owner: before.owner, link: before.link }))
    }
}

/// The name of the copy of the file with this number.
pub(crate) fn backup(number: usize) -> String {
    format!("{number}.before")
}

/// The numbers of the journals below `directory`, oldest first.
pub(crate) fn numbers(directory: &Path) -> Result<Vec<u64>> {
    let io = |source| files::Error::Io { path: directory.to_owned(), source };
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory).map_err(io)? {
        let name = entry.map_err(io)?.file_name();
        numbers.extend(name.to_str().and_then(|name| name.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}
