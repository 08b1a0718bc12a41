//! What the caller wants.

use std::path::PathBuf;

use crate::compare::Snapshot;

/// One file as it should be, or a path where none should be.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub(crate) path: PathBuf,
    pub(crate) state: Option<Snapshot>,
    pub(crate) secret: bool,
}

impl Wanted {
    /// A file with this content and these permission bits. An existing file
    /// keeps its owner, a new one belongs to whoever writes it.
    pub fn file(path: impl Into<PathBuf>, content: impl Into<Vec<u8>>, mode: u32) -> Self {
        let state = Snapshot { content: content.into(), mode, owner: None };
        Self { path: path.into(), state: Some(state), secret: false }
    }

    /// No file here.
    pub fn absent(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), state: None, secret: false }
    }

    /// Belongs to this user and group.
    #[must_use]
    pub fn owned_by(mut self, uid: u32, gid: u32) -> Self {
        if let Some(state) = &mut self.state {
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
