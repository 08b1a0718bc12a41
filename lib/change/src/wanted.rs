//! What the caller wants.

use std::path::{Path, PathBuf};

use crate::compare::Snapshot;

/// One file as it should be, a path where none should be, or a setting of
/// the running machine.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub(crate) path: PathBuf,
    pub(crate) goal: Goal,
    pub(crate) secret: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Goal {
    /// A file, or none; links on the way are followed.
    File(Option<Snapshot>),
    /// A symbolic link at the very path.
    Link(Snapshot),
    /// The value of a setting that has a name instead of a path.
    Setting(Option<String>),
}

impl Wanted {
    /// A file with this content and these permission bits. An existing file
    /// keeps its owner, a new one belongs to whoever writes it.
    pub fn file(path: impl Into<PathBuf>, content: impl Into<Vec<u8>>, mode: u32) -> Self {
        let state = Snapshot { content: content.into(), mode, owner: None, link: false };
        Self { path: path.into(), goal: Goal::File(Some(state)), secret: false }
    }

    /// A symbolic link. What is there instead, a file or another link, is kept for undo.
    pub fn link(path: impl Into<PathBuf>, target: impl AsRef<Path>) -> Self {
        Self { path: path.into(), goal: Goal::Link(Snapshot::link(target.as_ref())), secret: false }
    }

    /// No file here.
    pub fn absent(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), goal: Goal::File(None), secret: false }
    }

    /// A setting of the running machine, as the tree's [`Live`](crate::Live)
    /// knows it by name; `None` for one that should not be.
    pub fn setting(name: impl Into<String>, value: Option<&str>) -> Self {
        let path = PathBuf::from(name.into());
        Self { path, goal: Goal::Setting(value.map(str::to_owned)), secret: false }
    }

    /// Its path, or a setting's name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Belongs to this user and group.
    #[must_use]
    pub fn owned_by(mut self, uid: u32, gid: u32) -> Self {
        if let Goal::File(Some(state)) = &mut self.goal {
            state.owner = Some((uid, gid));
        }
        self
    }

    /// Holds a secret: no diff of it is ever made.
    #[must_use]
    pub fn secret(mut self) -> Self {
        self.secret = true;
        self
    }
}
