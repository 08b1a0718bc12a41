//! Replacing and removing files so that a crash leaves the old or the new one.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, fchown, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{At, Result};

/// Who owns a file and who may read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits.
    pub mode: u32,
    /// User and group; `None` leaves them to the system.
    pub owner: Option<(u32, u32)>,
}

impl Attributes {
    /// Permission bits alone; the owner is whoever writes.
    pub fn mode(mode: u32) -> Self {
        Self { mode, owner: None }
    }

    /// What an existing file has.
    ///
    /// # Errors
    /// Fails if the file cannot be looked at.
    pub fn of(path: &Path) -> Result<Self> {
        use std::os::unix::fs::MetadataExt;
        let found = fs::metadata(path).at(path)?;
        Ok(Self { mode: found.mode() & 0o7777, owner: Some((found.uid(), found.gid())) })
    }
}

/// What a write must survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// A power cut: the file and its directory are synced.
    PowerCut,
    /// A killed process: renamed, not synced. For state that dies with the machine.
    Kill,
}

/// Replaces a file whole; it survives a power cut.
///
/// # Errors
/// Fails if the system refuses at any step; the old file is then untouched.
pub fn replace(path: &Path, content: &[u8], attributes: &Attributes) -> Result<()> {
    replace_with(path, content, attributes, Durability::PowerCut)
}

/// Replaces a file whole, as durably as asked.
///
/// # Errors
/// Fails if the system refuses at any step; the old file is then untouched.
pub fn replace_with(path: &Path, content: &[u8], attributes: &Attributes, lasts: Durability) -> Result<()> {
    let temporary = beside(path);
    let written = write(&temporary, content, attributes, lasts)
        .and_then(|()| fs::rename(&temporary, path).at(path))
        .and_then(|()| match lasts {
            Durability::PowerCut => sync_directory(path),
            Durability::Kill => Ok(()),
        });
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Makes `path` a symbolic link to `target`, replacing what is there; it survives a power cut.
///
/// # Errors
/// Fails if the system refuses at any step; what was there is then untouched.
pub fn replace_link(path: &Path, target: &Path) -> Result<()> {
    let temporary = beside(path);
    let written = symlink(target, &temporary)
        .at(&temporary)
        .and_then(|()| fs::rename(&temporary, path).at(path))
        .and_then(|()| sync_directory(path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Removes a file and syncs its directory; a file already gone is no failure.
///
/// # Errors
/// Fails if the system refuses.
pub fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        removed => removed.at(path).and_then(|()| sync_directory(path)),
    }
}

/// Syncs the directory that holds `path`, so that a rename or removal lasts.
///
/// # Errors
/// Fails if the directory cannot be opened or synced.
pub fn sync_directory(path: &Path) -> Result<()> {
    let directory = directory_of(path);
    File::open(&directory).and_then(|d| d.sync_all()).at(&directory)
}

fn write(path: &Path, content: &[u8], attributes: &Attributes, lasts: Durability) -> Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).at(path)?;
    // The owner first: a change of owner clears set-id bits.
    if let Some((uid, gid)) = attributes.owner {
        fchown(&file, Some(uid), Some(gid)).at(path)?;
    }
    file.set_permissions(Permissions::from_mode(attributes.mode)).at(path)?;
    file.write_all(content).at(path)?;
    match lasts {
        Durability::PowerCut => file.sync_all().at(path),
        Durability::Kill => Ok(()),
    }
}

/// A name nobody else uses, in the same directory, hidden from `*.cfg` globs.
fn beside(path: &Path) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let unique = COUNT.fetch_add(1, Ordering::Relaxed);
    directory_of(path).join(format!(".{name}.{}-{unique}.tmp", std::process::id()))
}

fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_file_has_the_new_content_and_the_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        replace(&path, b"one", &Attributes::mode(0o600)).unwrap();
        replace(&path, b"two", &Attributes::mode(0o640)).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(Attributes::of(&path).unwrap().mode, 0o640);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file stays");
    }

    #[test]
    fn a_file_becomes_a_link_and_a_file_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        replace(&path, b"one", &Attributes::mode(0o600)).unwrap();
        replace_link(&path, Path::new("/dev/null")).unwrap();
        assert_eq!(fs::read_link(&path).unwrap(), Path::new("/dev/null"));
        replace(&path, b"two", &Attributes::mode(0o600)).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two", "the link is replaced, not what it leads to");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file stays");
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_litter() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("d");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("inside"), "x").unwrap();
        assert!(replace(&path, b"file", &Attributes::mode(0o600)).is_err());
        assert!(path.join("inside").exists());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_full_disk_is_worth_another_try() {
        use model::{Fault, Kind};
        let full = std::io::Error::from_raw_os_error(nix::libc::ENOSPC);
        assert_eq!(Err::<(), _>(full).at(Path::new("f")).unwrap_err().kind(), Kind::Unavailable);
    }
}
