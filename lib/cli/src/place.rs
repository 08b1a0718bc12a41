//! Which machine's files a command is about.

use std::path::{Path, PathBuf};

use change::Tree;
use platform::{Host, Platform};

use crate::{Context, Error, Out, Result};

/// The machine whose files a command reads or changes: this one, or an image tree.
#[derive(clap::Args, Clone, Debug)]
pub struct Place {
    /// Work on the tree below DIR instead of this machine
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub root: PathBuf,
    /// Keep the journals in DIR, a path of the tree [default: below /var/lib/bareplane/undo]
    #[arg(long, value_name = "DIR")]
    pub journal: Option<PathBuf>,
    /// The host of the platform this is [default: its hostname]
    #[arg(long, value_name = "NAME")]
    pub host: Option<String>,
}

/// How far back an apply can be undone.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct Keep {
    /// Keep the journals of so many changes
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub keep: usize,
}

/// Which apply is undone, and where.
#[derive(clap::Args, Clone, Debug)]
pub struct Undo {
    /// The machine.
    #[command(flatten)]
    pub place: Place,
    /// The journal's number [default: the newest]
    pub id: Option<u64>,
}

impl Undo {
    /// Puts back what an apply of `tool` replaced.
    ///
    /// # Errors
    /// As [`undo`](crate::undo).
    pub fn run(&self, tool: &str, out: &mut Out) -> Result {
        crate::undo(&self.place.tree(tool, &self.place.host()?)?, self.id, out)
    }
}

/// No hostname is longer (hostname(7): 64, with a domain 253).
const NAME_BYTES: u64 = 4096;

impl Place {
    /// Whether this is the machine the command runs on, rather than an image tree.
    pub fn is_live(&self) -> bool {
        self.root == Path::new("/")
    }

    /// What the machine calls itself: `--host`, else what its /etc/hostname
    /// says (an image tree) or its kernel (this machine).
    ///
    /// # Errors
    /// Fails if nothing says so.
    pub fn host(&self) -> Result<String> {
        if let Some(name) = &self.host {
            return Ok(name.clone());
        }
        let hint = "name it with --host";
        if self.is_live() {
            let name = nix::unistd::gethostname().unavailable("asking for the hostname")?;
            return Ok(name.to_string_lossy().into_owned());
        }
        let path = self.path(Path::new("/etc/hostname"))?;
        let text = files::read(&path, NAME_BYTES)
            .doing("looking for the hostname")
            .map_err(|error| error.hint(hint))?;
        let text = String::from_utf8_lossy(&text);
        let name = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
        name.map(str::to_owned).ok_or_else(|| {
            Error::invalid("looking for the hostname", format!("{} is empty", path.display())).hint(hint)
        })
    }

    /// The host of the platform this machine is; a hostname with a domain
    /// matches by its first label.
    ///
    /// # Errors
    /// Fails if the platform has no such host.
    pub fn host_of<'a>(&self, platform: &'a Platform) -> Result<&'a Host> {
        let name = self.host()?;
        let label = name.split('.').next().unwrap_or_default().to_lowercase();
        platform.host(&name).or_else(|| platform.host(&label)).ok_or_else(|| {
            let names: Vec<_> = platform.hosts.iter().map(|host| host.name.as_str()).collect();
            Error::invalid("looking for this host", format!("{name} is no host of the platform"))
                .hint(format!("name it with --host; the platform has {}", names.join(", ")))
        })
    }

    /// The machine's files, changed by `tool`; `host` names it in change records.
    ///
    /// # Errors
    /// Fails if the root cannot be opened.
    pub fn tree(&self, tool: &str, host: &str) -> Result<Tree> {
        let root = self.root.canonicalize().doing(format!("opening {}", self.root.display()))?;
        let tree = Tree::new(root, tool, host);
        Ok(match &self.journal {
            Some(journal) => tree.journals_in(journal),
            None => tree,
        })
    }

    /// Where a path of the machine really is, links followed as from inside.
    ///
    /// # Errors
    /// Fails if its links go round in circles.
    pub fn path(&self, path: &Path) -> Result<PathBuf> {
        files::within(&self.root, path).doing(format!("reading {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const PLATFORM: &str =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/examples/platform.yaml"));

    fn tree(hostname: &str) -> (tempfile::TempDir, Place) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("etc")).unwrap();
        fs::write(dir.path().join("etc/hostname"), hostname).unwrap();
        let place = Place { root: dir.path().to_owned(), journal: None, host: None };
        (dir, place)
    }

    #[test]
    fn an_image_says_its_own_name_and_a_domain_does_not_matter() {
        let platform = platform::parse(PLATFORM).unwrap();
        for name in ["cp1\n", "# ours\nCP1.example.org\n"] {
            let (_dir, place) = tree(name);
            assert_eq!(place.host_of(&platform).unwrap().name, "cp1");
        }
    }

    #[test]
    fn a_machine_the_platform_does_not_know_is_refused_with_the_names_it_knows() {
        let platform = platform::parse(PLATFORM).unwrap();
        let (_dir, place) = tree("debian\n");
        let error = place.host_of(&platform).unwrap_err();
        assert_eq!(error.status(), 2);
        assert!(error.known_hint().unwrap().contains("lb1, lb2, cp1"), "{error:?}");
    }

    #[test]
    fn a_tree_without_a_name_asks_for_one() {
        for name in ["", "\n# nothing\n"] {
            let (_dir, place) = tree(name);
            assert_eq!(place.host().unwrap_err().known_hint(), Some("name it with --host"));
        }
    }
}
