//! Which distribution packages come for.

use cli::{Context, Error};
use conf::os_release::{Family, OsRelease};
use node::Machine;
use platform::Host;

/// A distribution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct System {
    pub(crate) family: Family,
    os: OsRelease,
}

impl System {
    /// What `--os` says, else the tree's os-release, else the platform.
    pub(crate) fn of(said: Option<&str>, machine: &Machine, host: &Host) -> cli::Result<Self> {
        let found = machine.os().doing("looking at the machine")?;
        let os = match (said, found.family(), &host.os) {
            (Some(said), ..) => named(said),
            (None, Family::Other, Some(planned)) => named(planned),
            _ => found,
        };
        let family = os.family();
        if family == Family::Other {
            let why = format!("{} has neither apt nor dnf", os.id);
            let hint = "name it with --os, such as debian-12, ubuntu-24.04, rhel-9";
            return Err(Error::invalid("looking for the distribution", why).hint(hint));
        }
        Ok(Self { family, os })
    }

    /// The folder of Docker's packages for it: below `linux/`.
    pub(crate) fn docker(&self) -> &str {
        match self.os.id.as_str() {
            id @ ("debian" | "ubuntu" | "fedora" | "rhel") => id,
            _ if self.family == Family::RedHat => "centos",
            _ if self.os.like.iter().any(|like| like == "ubuntu") => "ubuntu",
            _ => "debian",
        }
    }

    /// The name of its release, which Docker's apt repository goes by.
    pub(crate) fn codename(&self) -> cli::Result<&str> {
        let codename = self.os.codename.as_deref().or_else(|| {
            Some(match (self.os.id.as_str(), self.os.version.as_deref()?) {
                ("debian", "11") => "bullseye",
                ("debian", "12") => "bookworm",
                ("debian", "13") => "trixie",
                ("ubuntu", "20.04") => "focal",
                ("ubuntu", "22.04") => "jammy",
                ("ubuntu", "24.04") => "noble",
                _ => return None,
            })
        });
        codename.ok_or_else(|| {
            let why = format!("the release of {} has no name here", self.os.id);
            Error::invalid("looking for the distribution", why)
        })
    }
}

/// `debian-12`, `rocky-9`.
fn named(text: &str) -> OsRelease {
    let (id, version) = text.split_once('-').map_or((text, None), |(id, version)| (id, Some(version)));
    let like = match id {
        "rocky" | "almalinux" | "ol" => vec!["rhel".to_owned()],
        _ => Vec::new(),
    };
    OsRelease { id: id.to_lowercase(), like, version: version.map(str::to_owned), codename: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system(text: &str) -> System {
        let os = named(text);
        System { family: os.family(), os }
    }

    #[test]
    fn a_distribution_is_known_by_its_name() {
        assert_eq!(system("debian-12").codename().unwrap(), "bookworm");
        assert_eq!((system("ubuntu-24.04").docker(), system("rocky-9").docker()), ("ubuntu", "centos"));
        assert_eq!(system("rhel-9").family, Family::RedHat);
        assert_eq!(system("arch").family, Family::Other);
        assert!(system("debian-99").codename().is_err());
    }
}
