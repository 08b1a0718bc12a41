//! A lake in a folder of this machine.

use std::fs;
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::{LIMIT_BYTES, Put};
use crate::Result;
use crate::error::at;

/// A folder.
#[derive(Debug)]
pub(super) struct Folder(pub(super) PathBuf);

/// What is put together lies here until it is whole.
const SPOOL: &str = "_log/spool";

impl Folder {
    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The folder where files are put together.
    pub(super) fn spool(&self, who: &str) -> Result<PathBuf> {
        let folder = self.path(SPOOL).join(who);
        make(&folder)?;
        Ok(folder)
    }

    /// Gives a finished file of the spool its name, unless something has it.
    pub(super) fn publish(&self, spooled: &Path, name: &str) -> Result<Put> {
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
        Ok(put)
    }

    /// Opens a file.
    pub(super) fn open(&self, name: &str) -> Result<fs::File> {
        let path = self.path(name);
        fs::File::open(&path).map_err(at(&path))
    }

    /// Writes a small file, unless there is one.
    pub(super) fn create(&self, name: &str, content: &[u8]) -> Result<Put> {
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
    pub(super) fn replace(&self, name: &str, content: &[u8]) -> Result<()> {
        let path = self.path(name);
        make(path.parent().unwrap_or(Path::new(".")))?;
        Ok(files::replace(&path, content, &files::Attributes::mode(0o644))?)
    }

    /// Reads a small file; `None` if there is none.
    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        match files::read(&self.path(name), LIMIT_BYTES) {
            Ok(content) => Ok(Some(content)),
            Err(files::Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes a file; one that is gone is no failure.
    pub(super) fn remove(&self, name: &str) -> Result<()> {
        match files::remove(&self.path(name)) {
            // Its folder is gone, too.
            Err(files::Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(()),
            removed => Ok(removed?),
        }
    }

    /// The names of the log's files.
    pub(super) fn log(&self) -> Result<Vec<String>> {
        let path = self.path("_log");
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

    /// All files, with their sizes.
    pub(super) fn files(&self) -> Result<Vec<(String, u64)>> {
        let mut files = Vec::new();
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            let path = self.path(&folder);
            let entries = match fs::read_dir(&path) {
                Ok(entries) => entries,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(at(&path)(error)),
            };
            for entry in entries {
                let entry = entry.map_err(at(&path))?;
                let name = format!("{folder}{}", entry.file_name().to_string_lossy());
                let found = entry.metadata().map_err(at(&path))?;
                if found.is_dir() && name != "_log" {
                    folders.push(format!("{name}/"));
                } else if found.is_file() {
                    files.push((name, found.len()));
                }
            }
        }
        Ok(files)
    }

    /// A file from there on.
    pub(super) fn tail(&self, name: &str, from: u64) -> Result<Vec<u8>> {
        let path = self.path(name);
        let mut tail = Vec::new();
        let mut file = fs::File::open(&path).map_err(at(&path))?;
        file.seek(SeekFrom::Start(from)).and_then(|_| file.read_to_end(&mut tail)).map_err(at(&path))?;
        Ok(tail)
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
