//! Where the files are.

mod folder;
mod s3;
mod xml;

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use folder::Folder;
use s3::S3;

pub use aws::Credentials;
pub use s3::{Pause, S3Options};

use crate::error::at;
use crate::log::number;
use crate::{Error, Result};

/// A folder or a bucket.
#[derive(Debug)]
pub struct Store(Kind);

#[derive(Debug)]
enum Kind {
    Folder(Folder),
    S3(Box<S3>),
}

/// What became of a file that should be new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    New,
    /// Something stands there; it is untouched.
    There,
}

/// No entry of a log is larger.
const LIMIT_BYTES: u64 = 256 << 20;

impl Store {
    /// The place a URL names: `file:PATH` or `s3://BUCKET/PREFIX`. `options`
    /// are asked for if it is the latter.
    ///
    /// # Errors
    /// Fails if it is of another kind, or the options cannot be had or used.
    pub fn of<E: From<Error>>(
        url: &str,
        options: impl FnOnce() -> std::result::Result<S3Options, E>,
    ) -> std::result::Result<Self, E> {
        if let Some(place) = url.strip_prefix("s3://") {
            let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
            let s3 = S3::new(bucket, prefix.trim_matches('/'), options()?)?;
            return Ok(Self(Kind::S3(Box::new(s3))));
        }
        match url.strip_prefix("file:") {
            Some(path) if !path.is_empty() => {
                let path = PathBuf::from(path.strip_prefix("//").unwrap_or(path));
                Ok(Self(Kind::Folder(Folder(path))))
            }
            _ => Err(Error::Url(url.to_owned()).into()),
        }
    }

    /// The folder where files are put together, emptied of what killed runs
    /// left; others of this machine are kept away.
    pub(crate) fn spool(&self, who: &str) -> Result<(PathBuf, files::Lock)> {
        let folder = match &self.0 {
            Kind::Folder(store) => store.spool(who)?,
            Kind::S3(store) => store.spool(who)?,
        };
        let lock = files::Lock::acquire(&folder.join(".lock"))?;
        for entry in fs::read_dir(&folder).map_err(at(&folder))? {
            let path = entry.map_err(at(&folder))?.path();
            if path.extension().is_some_and(|ending| ending == "part") {
                fs::remove_file(&path).map_err(at(&path))?;
            }
        }
        Ok((folder, lock))
    }

    /// Gives a finished file of the spool its name, unless something has it.
    pub(crate) fn publish(&self, spooled: &Path, name: &str) -> Result<Put> {
        let put = match &self.0 {
            Kind::Folder(store) => store.publish(spooled, name),
            Kind::S3(store) => store.publish(spooled, name),
        }?;
        if put == Put::New {
            let _ = fs::remove_file(spooled);
        }
        Ok(put)
    }

    /// Whether a file holds what one of the spool does.
    pub(crate) fn holds(&self, name: &str, spooled: &Path) -> Result<bool> {
        match &self.0 {
            Kind::Folder(store) => {
                let ours = fs::File::open(spooled).map_err(at(spooled))?;
                same(ours, store.open(name)?).map_err(at(Path::new(name)))
            }
            Kind::S3(store) => store.holds(name, spooled),
        }
    }

    /// Writes a small file, unless there is one.
    pub(crate) fn create(&self, name: &str, content: &[u8]) -> Result<Put> {
        match &self.0 {
            Kind::Folder(store) => store.create(name, content),
            Kind::S3(store) => store.create(name, content),
        }
    }

    /// Writes a small file, whatever stands there.
    pub(crate) fn replace(&self, name: &str, content: &[u8]) -> Result<()> {
        match &self.0 {
            Kind::Folder(store) => store.replace(name, content),
            Kind::S3(store) => store.replace(name, content),
        }
    }

    /// Reads a small file; `None` if there is none.
    pub(crate) fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        match &self.0 {
            Kind::Folder(store) => store.read(name),
            Kind::S3(store) => store.read(name),
        }
    }

    /// Removes a file; one that is gone is no failure.
    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        match &self.0 {
            Kind::Folder(store) => store.remove(name),
            Kind::S3(store) => store.remove(name),
        }
    }

    /// The names of the log's files that begin so.
    pub(crate) fn log(&self, prefix: &str) -> Result<Vec<String>> {
        match &self.0 {
            Kind::Folder(store) => {
                let mut names = store.log()?;
                names.retain(|name| name.starts_with(prefix));
                Ok(names)
            }
            Kind::S3(store) => store.log(prefix),
        }
    }

    /// The number of the log's newest entry; 0 if there is none.
    pub(crate) fn newest(&self) -> Result<u64> {
        match &self.0 {
            Kind::Folder(store) => Ok(store.log()?.iter().filter_map(|name| number(name)).max().unwrap_or(0)),
            Kind::S3(store) => store.newest(),
        }
    }

    /// All data files, with their sizes.
    pub(crate) fn files(&self) -> Result<Vec<(String, u64)>> {
        let mut files = match &self.0 {
            Kind::Folder(store) => store.files(),
            Kind::S3(store) => store.files(),
        }?;
        files.retain(|(name, _)| !name.starts_with(['_', '.']));
        Ok(files)
    }

    /// The last bytes of a file that has so many.
    pub(crate) fn tail(&self, name: &str, bytes: u64, length: u64) -> Result<Vec<u8>> {
        let from = bytes.saturating_sub(length);
        match &self.0 {
            Kind::Folder(store) => store.tail(name, from),
            Kind::S3(store) => store.tail(name, from),
        }
    }
}

/// Whether two files say the same.
fn same(mut one: impl Read, mut other: impl Read) -> std::io::Result<bool> {
    let (mut ours, mut theirs) = (vec![0; 256 << 10], vec![0; 256 << 10]);
    loop {
        let read = fill(&mut one, &mut ours)?;
        if fill(&mut other, &mut theirs)? != read || ours[..read] != theirs[..read] {
            return Ok(false);
        }
        if read == 0 {
            return Ok(true);
        }
    }
}

fn fill(from: &mut impl Read, into: &mut [u8]) -> std::io::Result<usize> {
    let mut at = 0;
    while at < into.len() {
        match from.read(&mut into[at..]) {
            Ok(0) => break,
            Ok(read) => at += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_the_same_if_every_byte_is() {
        let long = vec![7; 600 << 10];
        assert!(same(&long[..], &long[..]).unwrap());
        assert!(!same(&long[..], &long[1..]).unwrap());
        assert!(!same(&b"ab"[..], &b"ac"[..]).unwrap());
        assert!(same(&b""[..], &b""[..]).unwrap());
    }
}
