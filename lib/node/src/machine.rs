//! The running machine, or an image tree.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use change::Wanted;
use conf::os_release::OsRelease;
use files::Attributes;

use crate::Result;

/// No file that is looked at is larger.
const FILE_BYTES: u64 = 16 << 20;
/// Where the administrator's units lie.
pub(crate) const UNITS: &str = "/etc/systemd/system";
/// Where units lie, the most important first.
pub(crate) const UNIT_DIRECTORIES: [&str; 4] =
    [UNITS, "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];

/// A machine whose files can be read.
#[derive(Clone, Debug)]
pub struct Machine {
    root: PathBuf,
    running: bool,
}

impl Machine {
    /// The machine this process runs on.
    pub fn running() -> Self {
        Self { root: PathBuf::from("/"), running: true }
    }

    /// A tree that does not run: only what its files say is known.
    pub fn tree(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), running: false }
    }

    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        self.running
    }

    /// Whether it runs as a container, on somebody else's kernel.
    pub(crate) fn is_container(&self) -> bool {
        let marks = ["/run/systemd/container", "/run/.containerenv", "/.dockerenv"];
        self.running && marks.iter().any(|mark| self.exists(mark))
    }

    /// The release of the kernel that runs; `None` for a tree.
    pub(crate) fn kernel(&self) -> Option<String> {
        self.kernel_text("/proc/sys/kernel/osrelease").map(|text| text.trim().to_owned())
    }

    /// A file of /proc, /sys or /run; `None` if the machine does not run or has no such file.
    pub(crate) fn kernel_text(&self, path: &str) -> Option<String> {
        if self.running { fs::read_to_string(path).ok() } else { None }
    }

    /// Whether the kernel has such a file or directory; never true of a tree.
    pub(crate) fn kernel_has(&self, path: &str) -> bool {
        self.running && Path::new(path).exists()
    }

    /// What os-release says.
    pub fn os(&self) -> Result<OsRelease> {
        let text = match self.text("/etc/os-release")? {
            Some(text) => text,
            None => self.text("/usr/lib/os-release")?.unwrap_or_default(),
        };
        Ok(OsRelease::parse(&text))
    }

    /// Where a path of it really is; `None` if its links go round in circles.
    pub fn place(&self, path: &str) -> Option<PathBuf> {
        files::within(&self.root, Path::new(path)).ok()
    }

    /// A file's content; `None` if there is none, or what is there is no file.
    pub fn bytes(&self, path: &str) -> Result<Option<Vec<u8>>> {
        let place = files::within(&self.root, Path::new(path))?;
        match fs::metadata(&place) {
            Ok(found) if found.is_file() => Ok(Some(files::read(&place, FILE_BYTES)?)),
            Ok(_) => Ok(None),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
            Err(source) => Err(files::Error::Io { path: place, source }.into()),
        }
    }

    /// A file's content as text; what is no UTF-8 in it becomes a mark.
    pub fn text(&self, path: &str) -> Result<Option<String>> {
        Ok(self.bytes(path)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Whether something is there, links followed.
    pub fn exists(&self, path: &str) -> bool {
        self.place(path).is_some_and(|place| place.exists())
    }

    /// Where a symbolic link leads; `None` if there is none.
    pub fn link(&self, path: &str) -> Option<PathBuf> {
        let place = files::within_unfollowed(&self.root, Path::new(path)).ok()?;
        fs::read_link(place).ok()
    }

    /// The names in a directory, sorted; none if there is no such directory.
    pub fn list(&self, directory: &str) -> Vec<String> {
        let found = self.place(directory).and_then(|place| fs::read_dir(place).ok());
        let names = found.into_iter().flatten().flatten().map(|entry| entry.file_name());
        let mut names: Vec<String> = names.filter_map(|name| name.into_string().ok()).collect();
        names.sort_unstable();
        names
    }

    /// The names in a directory that end in `.ENDING`, sorted.
    pub fn files(&self, directory: &str, ending: &str) -> Vec<String> {
        let mut names = self.list(directory);
        names.retain(|name| Path::new(name).extension().is_some_and(|found| found == ending));
        names
    }

    /// The first of the unit directories that has this unit.
    pub(crate) fn unit(&self, name: &str) -> Option<String> {
        UNIT_DIRECTORIES.iter().map(|directory| format!("{directory}/{name}")).find(|path| self.exists(path))
    }

    /// Whether somebody wants this unit at boot.
    pub(crate) fn is_enabled(&self, unit: &str) -> bool {
        let mut wants = self.files(UNITS, "wants").into_iter().chain(self.files(UNITS, "requires"));
        !self.is_masked(unit) && wants.any(|wants| self.link(&format!("{UNITS}/{wants}/{unit}")).is_some())
    }

    /// Whether nobody can start this unit.
    pub(crate) fn is_masked(&self, unit: &str) -> bool {
        self.link(&format!("{UNITS}/{unit}")).is_some_and(|target| target == Path::new("/dev/null"))
    }

    /// A file with another content and the mode it has (or 0644).
    pub fn edited(&self, path: &str, content: impl Into<Vec<u8>>) -> Wanted {
        let mode = self.place(path).and_then(|place| Attributes::of(&place).ok());
        Wanted::file(path, content, mode.map_or(0o644, |attributes| attributes.mode))
    }
}

/// A unit nobody can start.
pub(crate) fn mask(unit: &str) -> Wanted {
    Wanted::link(format!("{UNITS}/{unit}"), "/dev/null")
}
