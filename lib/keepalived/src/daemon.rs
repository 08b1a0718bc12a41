//! Whether a keepalived lives, and which.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::{Error, Instance, Result, dump};

/// A keepalived that was alive when it was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Daemon {
    pid: i32,
}

impl Daemon {
    /// The keepalived of a pid file; `None` if there is no such file, or its
    /// process is gone, a zombie, or (the number being used again) another program.
    pub fn of_pid_file(path: &Path) -> Result<Option<Self>> {
        let content = match files::read(path, 64) {
            Err(files::Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            content => content?,
        };
        let text = String::from_utf8_lossy(&content);
        let pid: i32 = text.trim().parse().map_err(|_| Error::NoPid(path.to_owned()))?;
        let daemon = Self { pid };
        Ok(daemon.is_alive().then_some(daemon))
    }

    /// Every keepalived of this machine that shares this process's network
    /// namespace, without their children.
    pub fn all() -> Result<Vec<Self>> {
        let ours = fs::read_link("/proc/self/ns/net")?;
        let mut found: Vec<(i32, i32)> = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let same = || fs::read_link(format!("/proc/{pid}/ns/net")).is_ok_and(|net| net == ours);
            if let Some(parent) = parent_of_keepalived(pid)
                && same()
            {
                found.push((pid, parent));
            }
        }
        found.sort_unstable();
        let is_child = |parent: i32| found.iter().any(|(pid, _)| *pid == parent);
        Ok(found.iter().filter(|(_, parent)| !is_child(*parent)).map(|(pid, _)| Self { pid: *pid }).collect())
    }

    /// Its process number.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Whether it is (still) there.
    pub fn is_alive(&self) -> bool {
        parent_of_keepalived(self.pid).is_some()
    }

    /// What it says of its VRRP instances, by its JSON dump or, if it was
    /// built without, its text dump.
    ///
    /// # Errors
    /// Fails if it cannot be signalled or does not answer in time.
    pub fn instances(&self, timeout: Duration) -> Result<Vec<Instance>> {
        dump::instances(self, timeout)
    }

    /// A file of its own `/proc` directory.
    pub(crate) fn proc(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.pid))
    }
}

fn parent_of_keepalived(pid: i32) -> Option<i32> {
    parent(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The parent of a living keepalived, by its `/proc/PID/stat`: `17 (keepalived) S 1 …`.
fn parent(stat: &str) -> Option<i32> {
    let (_, rest) = stat.split_once(" (")?;
    // A program may have brackets in its name.
    let (name, rest) = rest.rsplit_once(") ")?;
    let mut words = rest.split(' ');
    let state = words.next()?;
    // The children are keepalived_vrrp where the build names them so.
    let ours = name == "keepalived" || name.starts_with("keepalived_");
    if ours && !matches!(state, "Z" | "X") { words.next()?.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_living_keepalived_has_a_parent_here() {
        assert_eq!(parent("17 (keepalived) S 1 17 17 0"), Some(1));
        assert_eq!(parent("18 (keepalived_vrrp) R 17 17 17 0"), Some(17));
        assert_eq!(parent("17 (keepalived) Z 1 17 17 0"), None);
        assert_eq!(parent("17 (keepalived-exporter) S 1 17"), None);
        assert_eq!(parent("17 (a) S (keepalived) S 1 17"), None);
        assert_eq!(parent("17 (keepalived"), None);
    }

    #[test]
    fn a_pid_file_of_another_program_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        assert_eq!(Daemon::of_pid_file(&path).unwrap(), None, "no file");
        fs::write(&path, format!("{}\n", std::process::id())).unwrap();
        assert_eq!(Daemon::of_pid_file(&path).unwrap(), None, "this test");
        fs::write(&path, "keepalived\n").unwrap();
        assert!(matches!(Daemon::of_pid_file(&path), Err(Error::NoPid(_))));
    }
}
