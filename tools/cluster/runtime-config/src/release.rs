//! Which containerd it is, and which configuration it reads.

use std::process::Command;
use std::str::FromStr;
use std::time::Duration;

use cli::{Context, Error};
use node::Machine;
use platform::Platform;
use process::Limits;

/// A version of containerd, as far as its configuration goes by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Release {
    pub(crate) major: u32,
    pub(crate) minor: u32,
}

impl Release {
    /// The newest version of the configuration it reads.
    pub(crate) fn newest_config(self) -> i64 {
        match self {
            Self { major: 0 | 1, .. } => 2,
            Self { major: 2, minor: 0..=2 } => 3,
            _ => 4,
        }
    }
}

impl std::fmt::Display for Release {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// `2.3`, `v2.1.4`, or what a package is versioned: `1:1.6.20~ds1-1+deb12u3`.
impl FromStr for Release {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bare = text.rsplit(':').next().unwrap_or(text).trim_start_matches('v');
        let mut parts = bare.split(|c: char| !c.is_ascii_digit());
        match (parts.next().map(str::parse), parts.next().map(str::parse)) {
            (Some(Ok(major)), Some(Ok(minor))) => Ok(Self { major, minor }),
            _ => Err("a version such as 2.3 is wanted".into()),
        }
    }
}

/// The containerd of a machine: what the program says of itself, else what
/// dpkg installed, else what the platform plans.
pub(crate) fn of(machine: &Machine, live: bool, platform: &Platform) -> cli::Result<Release> {
    if live && let Some(release) = running()? {
        return Ok(release);
    }
    let status = machine.text("/var/lib/dpkg/status").doing("looking at the machine")?;
    if let Some(release) = installed(&status.unwrap_or_default()) {
        return Ok(release);
    }
    let planned = platform.cluster.runtime.as_ref().and_then(|runtime| runtime.containerd.parse().ok());
    planned.ok_or_else(|| {
        let why = "neither the machine nor the platform says which version it is";
        Error::invalid("looking for containerd", why).hint("say it with --containerd-version")
    })
}

/// What `containerd --version` says; none if there is no such program.
pub(crate) fn running() -> cli::Result<Option<Release>> {
    let limits = Limits::within(Duration::from_secs(10));
    let Ok(done) = process::run(Command::new("containerd").arg("--version"), &limits) else {
        return Ok(None);
    };
    let said = String::from_utf8_lossy(&done.stdout);
    match said.split_whitespace().nth(2).map(str::parse) {
        Some(Ok(release)) if done.end.success() => Ok(Some(release)),
        _ => {
            Err(Error::unavailable("asking containerd for its version", format!("it said {:?}", said.trim())))
        }
    }
}

fn installed(status: &str) -> Option<Release> {
    let mut packages = conf::dpkg::packages(status).filter(|package| package.installed);
    packages.find(|p| matches!(p.name.as_str(), "containerd" | "containerd.io"))?.version.parse().ok()
}

/// The pause image kubeadm of this minor takes (its constants.go); none where that is not known yet.
pub(crate) fn pause(minor: u32) -> Option<String> {
    let tag = match minor {
        25 => "3.8",
        26..=30 => "3.9",
        31..=33 => "3.10",
        34 | 35 => "3.10.1",
        36 => "3.10.2",
        _ => return None,
    };
    Some(format!("registry.k8s.io/pause:{tag}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_however_it_is_written() {
        for (text, want) in
            [("2.3", (2, 3)), ("v2.1.4", (2, 1)), ("1.6.20~ds1", (1, 6)), ("1:1.7.27-1", (1, 7))]
        {
            let release: Release = text.parse().unwrap();
            assert_eq!((release.major, release.minor), want);
        }
        assert!("two".parse::<Release>().is_err());
        assert!("2".parse::<Release>().is_err());
    }

    #[test]
    fn each_release_reads_its_own_configuration() {
        for (text, want) in [("1.6", 2), ("1.7", 2), ("2.0", 3), ("2.2", 3), ("2.3", 4), ("3.0", 4)] {
            assert_eq!(text.parse::<Release>().unwrap().newest_config(), want, "{text}");
        }
    }

    #[test]
    fn a_package_that_is_removed_is_not_installed() {
        let text = "Package: containerd\nStatus: deinstall ok config-files\nVersion: 1.6.20\n\n\
                    Package: containerd.io\nStatus: install ok installed\nVersion: 1.7.27-1\n";
        assert_eq!(installed(text), Some(Release { major: 1, minor: 7 }));
        assert_eq!(installed(""), None);
    }
}
