//! Files that are never seen half-written.
//!
//! [`replace`] writes a temporary file beside the target, syncs it, renames
//! it over the target and syncs the directory: after a crash at any moment
//! the old or the new file is there, whole. [`Lock`] keeps two runs apart,
//! [`read`] refuses what is larger than expected, and [`within`] joins a
//! path to a root tree without leaving it.
//!
//! ```
//! # let dir = tempfile::tempdir().unwrap();
//! let path = dir.path().join("motd");
//! files::replace(&path, b"hello\n", &files::Attributes::mode(0o644)).unwrap();
//! assert_eq!(files::read(&path, 1024).unwrap(), b"hello\n");
//! ```

mod atomic;
mod lock;
mod root;

pub use atomic::{Attributes, Durability, remove, replace, replace_link, replace_with, sync_directory};
pub use lock::Lock;
pub use root::{within, within_unfollowed};

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use model::{Fault, Kind};
use sha2::{Digest, Sha256};

/// Why a file could not be read, written or locked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file concerned.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is larger than the reader is prepared to take.
    #[error("{}: larger than {limit_bytes} bytes", path.display())]
    TooLarge {
        /// The file concerned.
        path: PathBuf,
        /// The bound, bytes.
        limit_bytes: u64,
    },
    /// Somebody else holds the lock.
    #[error("{}: locked by another process", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The path leads out of the tree it should stay in.
    #[error("{}: leads out of {}", path.display(), root.display())]
    Escapes {
        /// The path as given.
        path: PathBuf,
        /// The tree.
        root: PathBuf,
    },
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Io { source, .. } => Fault::kind(source),
            Self::TooLarge { .. } | Self::Escapes { .. } => Kind::Invalid,
            Self::Locked { .. } => Kind::Unavailable,
        }
    }
}

/// What this crate's functions return.
pub type Result<T> = std::result::Result<T, Error>;

pub(crate) trait At<T> {
    fn at(self, path: &Path) -> Result<T>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, path: &Path) -> Result<T> {
        self.map_err(|source| Error::Io { path: path.to_owned(), source })
    }
}

impl<T> At<T> for nix::Result<T> {
    fn at(self, path: &Path) -> Result<T> {
        self.map_err(io::Error::from).at(path)
    }
}

/// Reads a whole file of at most `limit_bytes`.
///
/// # Errors
/// Fails if the file cannot be read or is larger.
pub fn read(path: &Path, limit_bytes: u64) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path).at(path)?.take(limit_bytes + 1).read_to_end(&mut content).at(path)?;
    if content.len() as u64 > limit_bytes {
        return Err(Error::TooLarge { path: path.to_owned(), limit_bytes });
    }
    Ok(content)
}

/// The SHA-256 of `content` in lower-case hex.
pub fn sha256_hex(content: &[u8]) -> String {
    use std::fmt::Write;
    Sha256::digest(content).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
