//! `/var/lib/dpkg/status`: which packages are installed, and which are held.

/// A package dpkg knows of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version, as Debian writes it.
    pub version: String,
    /// Whether it is installed.
    pub installed: bool,
    /// Whether upgrades leave it alone (`apt-mark hold`).
    pub held: bool,
}

/// The packages of a status file; what is no stanza is passed over.
pub fn packages(status: &str) -> impl Iterator<Item = Package> {
    status.split("\n\n").filter_map(|stanza| {
        let mut package = Package::default();
        for (name, value) in stanza.lines().filter_map(|line| line.split_once(':')) {
            match name {
                "Package" => value.trim().clone_into(&mut package.name),
                "Version" => value.trim().clone_into(&mut package.version),
                "Status" => {
                    let mut words = value.split_whitespace();
                    package.held = words.next() == Some("hold");
                    package.installed = words.next_back() == Some("installed");
                }
                _ => {}
            }
        }
        (!package.name.is_empty()).then_some(package)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_installed_and_what_is_held_are_two_things() {
        let text = "Package: containerd\nStatus: install ok installed\nVersion: 1.6.20~ds1-1+deb12u3\nDescription: x\n\
                    \x20Version: 9\n\nPackage: kubelet\nStatus: hold ok installed\nVersion: 1.36.3-1.1\n\n\
                    Package: kubectl\nStatus: hold ok config-files\nVersion: 1.35.0-1.1\n";
        let found: Vec<_> = packages(text).map(|p| (p.name, p.version, p.installed, p.held)).collect();
        assert_eq!(
            found,
            [
                ("containerd".into(), "1.6.20~ds1-1+deb12u3".into(), true, false),
                ("kubelet".into(), "1.36.3-1.1".into(), true, true),
                ("kubectl".into(), "1.35.0-1.1".into(), false, true),
            ]
        );
    }
}
