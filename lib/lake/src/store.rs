//! Where the files are.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::error::at;
use crate::{Error, Result};

/// A folder or a bucket.
#[derive(Debug)]
pub enum Store {
    /// A folder of this machine.
    Folder(PathBuf),
}

/// What became of a file that should be new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    New,
    /// Something stands there; it is untouched.
    There,
}

/// What is put together lies here until it is whole.
const SPOOL: &str = "_log/spool";

/// No entry of a log, and no file that is compared, is larger.
const LIMIT_BYTES: u64 = 16 << 30;

impl Store {
    /// The place a URL names: `file:PATH`.
    ///
    /// # Errors
    /// Fails if it is of another kind.
    pub fn of(url: &str) -> Result<Self> {
        match url.split_once(':') {
            Some(("file", path)) if !path.is_empty() => {
                Ok(Self::Folder(PathBuf::from(path.strip_prefix("//").unwrap_or(path))))
            }
            _ => Err(Error::Url(url.to_owned())),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        let Self::Folder(root) = self;
        root.join(name)
    }

    /// The folder where files are put together, emptied of what killed runs left of `who`.
    pub(crate) fn spool(&self, who: &str) -> Result<PathBuf> {
        let folder = self.path(SPOOL).join(who);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(at(&folder)(error)),
            _ => {}
        }
        fs::create_dir_all(&folder).map_err(at(&folder))?;
        Ok(folder)
    }

    /// Keeps others of the same name away, as far as the place can.
    pub(crate) fn lock(&self, who: &str) -> Result<Option<files::Lock>> {
        let folder = self.path("_log");
        fs::create_dir_all(&folder).map_err(at(&folder))?;
        Ok(Some(files::Lock::acquire(&folder.join(format!(".{who}.lock")))?))
    }

    /// Gives a finished file of the spool its name, unless something has it.
    pub(crate) fn publish(&self, spooled: &Path, name: &str) -> Result<Put> {
        let path = self.path(name);
        if let Some(folder) = path.parent() {
            make(folder)?;
        }
        let put = match fs::hard_link(spooled, &path) {
            Ok(()) => Put::New,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(Put::There),
            Err(error) => return Err(at(&path)(error)),
        };
        files::sync_directory(&path)?;
        let _ = fs::remove_file(spooled);
        Ok(put)
    }

    /// Whether a file holds what one of the spool does.
    pub(crate) fn holds(&self, name: &str, spooled: &Path) -> Result<bool> {
        let there = files::read(&self.path(name), LIMIT_BYTES)?;
        Ok(there == files::read(spooled, LIMIT_BYTES)?)
    }

    /// Writes a small file, unless there is one.
    pub(crate) fn create(&self, name: &str, content: &[u8]) -> Result<Put> {
        let path = self.path(name);
        let folder = path.parent().unwrap_or(Path::new("."));
        make(folder)?;
        let spooled = folder.join(format!(".{}.tmp", std::process::id()));
        let written = fs::File::create(&spooled).and_then(|mut file| {
            file.write_all(content)?;
            file.sync_all()
        });
        let put = written.map_err(at(&spooled)).and_then(|()| match fs::hard_link(&spooled, &path) {
            Ok(()) => Ok(Put::New),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Put::There),
            Err(error) => Err(at(&path)(error)),
        });
        let _ = fs::remove_file(&spooled);
        if matches!(put, Ok(Put::New)) {
            files::sync_directory(&path)?;
        }
        put
    }

    /// Writes a small file, whatever stands there.
    pub(crate) fn replace(&self, name: &str, content: &[u8]) -> Result<()> {
        let path = self.path(name);
        make(path.parent().unwrap_or(Path::new(".")))?;
        Ok(files::replace(&path, content, &files::Attributes::mode(0o644))?)
    }

    /// Reads a small file; `None` if there is none.
    pub(crate) fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        match files::read(&self.path(name), LIMIT_BYTES) {
            Ok(content) => Ok(Some(content)),
            Err(files::Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes a file; one that is gone is no failure.
    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        match files::remove(&self.path(name)) {
            // Its folder is gone, too.
            Err(files::Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(()),
            removed => Ok(removed?),
        }
    }

    /// The names in a folder.
    pub(crate) fn list(&self, folder: &str) -> Result<Vec<String>> {
        let path = self.path(folder);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(at(&path)(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            names.push(entry.map_err(at(&path))?.file_name().to_string_lossy().into_owned());
        }
        Ok(names)
    }
}

/// Makes a folder and those above it; each lasts.
fn make(folder: &Path) -> Result<()> {
    if folder.is_dir() || folder.as_os_str().is_empty() {
        return Ok(());
    }
    if let Some(above) = folder.parent() {
        make(above)?;
    }
    match fs::create_dir(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(at(folder)(error)),
        _ => Ok(files::sync_directory(folder)?),
    }
}
