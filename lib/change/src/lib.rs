//! Files changed in one move that can be taken back.
//!
//! A [`Tree`] compares wanted files with what is there ([`Tree::plan`],
//! touches nothing). [`Tree::open`] takes the tree's lock and gives a
//! [`Writer`], which journals before it writes. A journal is a directory
//! `N/` with the content each file had and `journal.json`, which names its state:
//!
//! ```text
//! (no journal.json)   nothing was touched yet: litter
//! prepared            files may be old or new, each whole
//! unconfirmed         all are new, somebody has yet to say they may stay
//! done                all are new, `undo` takes them back
//! undoing             files may be new or old, each whole
//! undone rolled-back  all are old
//! ```
//!
//! One rule mends every crash: what is prepared, undoing, or unconfirmed
//! with nobody waiting is taken back ([`Writer::recover`]), then the caller
//! starts anew. Journals are numbered, not dated: a clock that steps cannot
//! put them out of order.
//!
//! ```
//! use change::{Tree, Wanted};
//! # let dir = tempfile::tempdir().unwrap();
//! let tree = Tree::new(dir.path(), "hosts-render", "cp1");
//! let wanted = [Wanted::file("/etc/hosts", "10.0.0.11 cp1\n", 0o644)];
//! assert_eq!(tree.plan(&wanted).unwrap().changes().count(), 1);
//!
//! let mut writer = tree.open().unwrap();
//! writer.recover().unwrap();
//! writer.apply(&tree.plan(&wanted).unwrap(), 5).unwrap();
//! assert!(tree.plan(&wanted).unwrap().is_empty());
//!
//! writer.undo(None).unwrap();
//! assert!(!dir.path().join("etc/hosts").exists());
//! ```
//!
//! A machine is more than its files: a tree that is [`Tree::running`] takes
//! settings as well ([`Wanted::setting`]: a kernel parameter, a swap area),
//! which its [`Live`] reads and writes. They are written after the files,
//! journalled with them, and taken back with them.
//!
//! Who judges a machine before it changes it collects both in a [`Report`]:
//! what was found, and what is wanted so that it goes away.
//!
//! Content, mode and owner come back; time stamps, links to the file and
//! extended attributes do not: a file is replaced, not rewritten.

mod compare;
mod journal;
mod live;
mod plan;
mod report;
mod undo;
mod wanted;
mod writer;

pub use journal::State;
pub use live::{Live, Refused};
pub use plan::{Plan, Tree};
pub use report::{Judged, Report};
pub use undo::Taken;
pub use wanted::Wanted;
pub use writer::Writer;

use std::path::PathBuf;

use model::{Fault, Kind};

/// Why files could not be compared, changed or taken back.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read, written or locked.
    #[error(transparent)]
    Files(#[from] files::Error),
    /// A wanted path does not start at the root of the tree.
    #[error("{}: not an absolute path", .0.display())]
    Relative(PathBuf),
    /// Two wanted files have one place.
    #[error("{}: wanted twice", .0.display())]
    Twice(PathBuf),
    /// Something is there that is no regular file.
    #[error("{}: not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// Somebody changed these files since they were journalled.
    #[error("changed since by somebody else: {}", list(.0))]
    ChangedSince(Vec<PathBuf>),
    /// There is no journal of this number.
    #[error("no journal {0}")]
    NoJournal(u64),
    /// No journal is left that could be undone.
    #[error("nothing to undo")]
    NothingToUndo,
    /// A journal cannot be understood, or a kept content is not what it says.
    #[error("{}: {why}", path.display())]
    Broken {
        /// The journal's file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A setting of the running machine is wanted, and nothing runs here.
    #[error("{0}: a setting of a running machine, and this tree does not run")]
    NotRunning(String),
    /// The running machine refused.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// An earlier change waits to be confirmed.
    #[error("change {0} waits to be confirmed")]
    Unconfirmed(u64),
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Files(error) => error.kind(),
            Self::Unconfirmed(_) => Kind::Unavailable,
            Self::Refused(refused) => refused.kind,
            _ => Kind::Invalid,
        }
    }
}

/// What this crate's functions return.
pub type Result<T> = std::result::Result<T, Error>;

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
