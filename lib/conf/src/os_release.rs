//! os-release(5): which operating system a tree holds.

/// The fields of os-release that tell distributions apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OsRelease {
    /// `ID`: lower case, such as `debian`; `linux` if not given.
    pub id: String,
    /// `ID_LIKE`: what it descends from, closest first.
    pub like: Vec<String>,
    /// `VERSION_ID`, such as `12` or `24.04`; null on rolling releases.
    pub version: Option<String>,
    /// `VERSION_CODENAME`, such as `bookworm`.
    pub codename: Option<String>,
}

/// A family of distributions that share a package manager and its habits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Debian, Ubuntu and their kin: apt, dpkg.
    Debian,
    /// RHEL, Fedora, Rocky, Alma and their kin: dnf, rpm.
    RedHat,
    /// Something else.
    Other,
}

impl OsRelease {
    /// Reads the text of `/etc/os-release` (or `/usr/lib/os-release`): shell
    /// assignments, nothing more. A later line wins; what is no assignment is
    /// passed over, as os-release(5) asks of readers.
    pub fn parse(text: &str) -> Self {
        let mut release = Self { id: "linux".into(), ..Self::default() };
        for line in text.lines() {
            let Some((name, value)) = line.trim().split_once('=') else { continue };
            let value = unquoted(value);
            match name {
                "ID" => release.id = value,
                "ID_LIKE" => release.like = value.split_whitespace().map(str::to_owned).collect(),
                "VERSION_ID" => release.version = Some(value).filter(|value| !value.is_empty()),
                "VERSION_CODENAME" => release.codename = Some(value).filter(|value| !value.is_empty()),
                _ => {}
            }
        }
        release
    }

    /// The family it belongs to.
    pub fn family(&self) -> Family {
        let names = || std::iter::once(&self.id).chain(&self.like).map(String::as_str);
        if names().any(|name| matches!(name, "debian" | "ubuntu")) {
            Family::Debian
        } else if names().any(|name| matches!(name, "rhel" | "fedora" | "centos")) {
            Family::RedHat
        } else {
            Family::Other
        }
    }
}

/// A value without its shell quotes and escapes.
fn unquoted(value: &str) -> String {
    let value = value.trim();
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return if quote == '"' { unescaped(inner) } else { inner.to_owned() };
        }
    }
    unescaped(value)
}

fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        plain.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distribution_is_known_by_its_id_and_its_kin() {
        let text = "NAME=\"Rocky Linux\"\nID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.6\"\n";
        let rocky = OsRelease::parse(text);
        assert_eq!((rocky.id.as_str(), rocky.version.as_deref()), ("rocky", Some("9.6")));
        assert_eq!((rocky.family(), rocky.codename), (Family::RedHat, None));
        let mint = OsRelease::parse("ID=linuxmint\nID_LIKE='ubuntu debian'\nVERSION_CODENAME=wilma\n");
        assert_eq!((mint.family(), mint.codename.as_deref()), (Family::Debian, Some("wilma")));
        assert_eq!(OsRelease::parse("ID=arch\n").family(), Family::Other);
    }

    #[test]
    fn quotes_escapes_comments_and_noise_are_read_as_a_shell_would() {
        let text = "# comment\nID=a\\b\n\nnoise\nVERSION_ID=\"1\\\"2\"\nID_LIKE=\n";
        let odd = OsRelease::parse(text);
        assert_eq!((odd.id.as_str(), odd.version.as_deref(), odd.like.len()), ("ab", Some("1\"2"), 0));
    }

    #[test]
    fn nothing_said_means_linux() {
        assert_eq!(OsRelease::parse("").id, "linux");
    }
}
