//! How far kubeadm has come on a machine, told by its files.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use files::{Attributes, Lock};

use crate::{Error, Result};

/// Where the marks of runs that were begun lie.
const MARKS: &str = "var/lib/bareplane/kubeadm";

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `kubeadm init`
    Init,
    /// `kubeadm join`
    Join,
}

impl Verb {
    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Join => "join",
        }
    }
}

/// How far kubeadm has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nobody has begun.
    Bare,
    /// One of our runs was begun and not finished; `registered` if the kubelet
    /// has its own credentials already.
    Begun {
        /// Which one.
        verb: Verb,
        /// Whether /etc/kubernetes/kubelet.conf is there.
        registered: bool,
    },
    /// It is a control plane.
    ControlPlane,
    /// It is a worker.
    Worker,
    /// Something is there that is neither: a reset or an init somebody broke off.
    Litter,
}

/// A machine, or its tree of files.
#[derive(Clone, Debug)]
pub struct Site {
    root: PathBuf,
}

impl Site {
    /// The machine whose files lie below `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// How far kubeadm has come here.
    ///
    /// # Errors
    /// Fails if its directories cannot be read.
    pub fn stage(&self) -> Result<Stage> {
        let registered = self.has("etc/kubernetes/kubelet.conf")?;
        for verb in [Verb::Init, Verb::Join] {
            if self.has(&mark(verb))? {
                return Ok(Stage::Begun { verb, registered });
            }
        }
        let serves = self.has("etc/kubernetes/manifests/kube-apiserver.yaml")?;
        let governs = self.has("etc/kubernetes/admin.conf")?;
        Ok(match (registered, serves && governs) {
            (true, true) => Stage::ControlPlane,
            (true, false) if !serves && !governs => Stage::Worker,
            (false, false) if !serves && !governs => Stage::Bare,
            _ => Stage::Litter,
        })
    }

    /// Where a path of the machine is.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// Marks a run as begun, and keeps others away until the lock is dropped.
    ///
    /// # Errors
    /// Fails if somebody else is at it, or the mark cannot be written.
    pub fn begin(&self, verb: Verb) -> Result<Lock> {
        let marks = self.root.join(MARKS);
        fs::create_dir_all(&marks).map_err(|source| at(&marks, source))?;
        let lock = Lock::acquire(&marks.join("lock"))?;
        files::replace(&self.root.join(mark(verb)), b"", &Attributes::mode(0o600))?;
        Ok(lock)
    }

    /// Takes the mark away: the run has done all it should.
    ///
    /// # Errors
    /// Fails if it cannot be removed.
    pub fn end(&self, verb: Verb) -> Result<()> {
        Ok(files::remove(&self.root.join(mark(verb)))?)
    }

    fn has(&self, path: &str) -> Result<bool> {
        let path = self.root.join(path);
        match fs::symlink_metadata(&path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(source) => Err(at(&path, source)),
        }
    }
}

fn mark(verb: Verb) -> String {
    format!("{MARKS}/{}", verb.name())
}

fn at(path: &Path, source: std::io::Error) -> Error {
    files::Error::Io { path: path.to_owned(), source }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(paths: &[&str]) -> Stage {
        let dir = tempfile::tempdir().unwrap();
        for path in paths {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        Site::new(dir.path()).stage().unwrap()
    }

    const KUBELET: &str = "etc/kubernetes/kubelet.conf";
    const ADMIN: &str = "etc/kubernetes/admin.conf";
    const API: &str = "etc/kubernetes/manifests/kube-apiserver.yaml";

    #[test]
    fn the_files_say_what_a_machine_is() {
        assert_eq!(stage(&[]), Stage::Bare);
        assert_eq!(stage(&["etc/kubernetes/pki/ca.crt"]), Stage::Bare, "a CA of one's own comes first");
        assert_eq!(stage(&[KUBELET]), Stage::Worker);
        assert_eq!(stage(&[KUBELET, ADMIN, API]), Stage::ControlPlane);
        for some in [&[ADMIN][..], &[API], &[KUBELET, ADMIN], &[KUBELET, API], &[ADMIN, API]] {
            assert_eq!(stage(some), Stage::Litter, "{some:?}");
        }
    }

    #[test]
    fn a_mark_says_that_a_run_was_begun_until_it_is_taken_away() {
        let dir = tempfile::tempdir().unwrap();
        let site = Site::new(dir.path());
        let lock = site.begin(Verb::Join).unwrap();
        assert_eq!(site.stage().unwrap(), Stage::Begun { verb: Verb::Join, registered: false });
        assert!(site.begin(Verb::Join).is_err(), "two at once");
        drop(lock);
        site.end(Verb::Join).unwrap();
        assert_eq!(site.stage().unwrap(), Stage::Bare);
    }
}
