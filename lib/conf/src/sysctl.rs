//! sysctl.d(5): kernel parameters in files, and which of them wins.
//!
//! Two programs read them, not quite alike. systemd-sysctl, at boot: the files
//! of four directories sorted by name, a name in an earlier directory hiding
//! the same name in a later one, the last assignment winning, except that a
//! pattern never overrides a plain key. procps `sysctl --system`, by hand: the
//! same, and then `/etc/sysctl.conf`.

use std::collections::BTreeMap;

/// The directories of systemd-sysctl and procps, the most important first.
pub const DIRECTORIES: [&str; 5] =
    ["/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d"];

/// What procps reads last, and systemd only through a link in `/etc/sysctl.d`.
pub const LAST: &str = "/etc/sysctl.conf";

/// One line that sets a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The path of its file.
    pub file: String,
    /// Its line, from 1.
    pub line: u32,
    /// The parameter below `/proc/sys`, such as `net/ipv4/ip_forward`; may be a pattern.
    pub key: String,
    /// The value; none for a line that keeps patterns off this parameter.
    pub value: Option<String>,
}

/// Which program reads the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// systemd-sysctl, at boot.
    Systemd,
    /// `sysctl --system`, by hand.
    Procps,
}

/// The files in the order they are read: given what the directories hold (path
/// and name of each file), those that are hidden left out.
pub fn order(files: impl IntoIterator<Item = (usize, String)>) -> Vec<String> {
    let mut by_name: BTreeMap<String, usize> = BTreeMap::new();
    for (directory, name) in files {
        if name.strip_suffix(".conf").is_some() {
            let first = by_name.entry(name).or_insert(directory);
            *first = (*first).min(directory);
        }
    }
    by_name.into_iter().map(|(name, directory)| format!("{}/{name}", DIRECTORIES[directory])).collect()
}

/// The assignments of one file.
pub fn parse(file: &str, text: &str) -> Vec<Assignment> {
    (1..).zip(text.lines()).filter_map(|(line, written)| assignment(file, line, written)).collect()
}

fn assignment(file: &str, line: u32, written: &str) -> Option<Assignment> {
    let written = written.trim();
    if written.is_empty() || written.starts_with(['#', ';']) {
        return None;
    }
    let (key, value) = match written.split_once('=') {
        Some((key, value)) => (key.trim(), Some(value.trim().to_owned())),
        // Only `-key` means something without a value.
        None => (written.starts_with('-').then_some(written)?, None),
    };
    let key = normal(key.strip_prefix('-').unwrap_or(key).trim());
    (!key.is_empty()).then(|| Assignment { file: file.to_owned(), line, key, value })
}

/// `net.ipv4.conf.eth0/1.x` and `net/ipv4/conf/eth0.1/x` are the same: whichever
/// separator comes first is one, the other stands for itself (sysctl.d(5)).
pub fn normal(key: &str) -> String {
    match key.find(['.', '/']).map(|at| key.as_bytes()[at]) {
        Some(b'.') => key
            .chars()
            .map(|c| {
                if c == '.' {
                    '/'
                } else if c == '/' {
                    '.'
                } else {
                    c
                }
            })
            .collect(),
        _ => key.to_owned(),
    }
}

/// The assignment that counts for a parameter, given all in the order they are
/// read; none if nobody sets it.
pub fn winner<'a>(assignments: &'a [Assignment], key: &str, reader: Reader) -> Option<&'a Assignment> {
    let plain = assignments.iter().rfind(|one| one.key == key && one.value.is_some());
    let kept_off = assignments.iter().any(|one| one.key == key && one.value.is_none());
    let pattern = || {
        let matching =
            |one: &&Assignment| one.value.is_some() && is_pattern(&one.key) && matches(&one.key, key);
        assignments.iter().rfind(matching)
    };
    match (reader, plain) {
        (Reader::Systemd, Some(plain)) => Some(plain),
        (Reader::Systemd, None) if kept_off => None,
        (Reader::Systemd, None) => pattern(),
        // procps goes through the lines, patterns or not, and the last one stays.
        (Reader::Procps, _) => {
            let sets = |one: &&Assignment| one.value.is_some() && (one.key == key || matches(&one.key, key));
            assignments.iter().rfind(sets)
        }
    }
}

fn is_pattern(key: &str) -> bool {
    key.contains(['*', '?', '['])
}

/// A shell pattern against a key; `*` and `?` do not match a slash. Classes
/// (`[…]`), which nobody writes there, match any one character.
fn matches(pattern: &str, key: &str) -> bool {
    let (mut pattern_parts, mut key_parts) = (pattern.split('/'), key.split('/'));
    loop {
        match (pattern_parts.next(), key_parts.next()) {
            (None, None) => return true,
            (Some(pattern), Some(part)) if part_matches(pattern.as_bytes(), part.as_bytes()) => {}
            _ => return false,
        }
    }
}

/// Greedy with one step back, so linear in practice and never exponential.
fn part_matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        let class = pattern[p.min(pattern.len())..].first().and_then(|first| match first {
            b'[' => pattern[p..].iter().position(|byte| *byte == b']').map(|end| end + 1),
            b'?' => Some(1),
            byte if *byte == text[t] && *byte != b'*' => Some(1),
            _ => None,
        });
        if let Some(length) = class {
            (p, t) = (p + length, t + 1);
        } else if pattern.get(p) == Some(&b'*') {
            star = Some((p, t));
            p += 1;
        } else if let Some((at, from)) = star {
            (p, t) = (at + 1, from + 1);
            star = Some((at, from + 1));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FORWARD: &str = "net/ipv4/ip_forward";

    #[test]
    fn a_name_in_an_earlier_directory_hides_the_same_name_in_a_later_one() {
        let files = [(3, "50-a.conf"), (0, "99-b.conf"), (1, "50-a.conf"), (3, "10-c.conf"), (0, "README")];
        let order = order(files.map(|(directory, name)| (directory, name.to_owned())));
        assert_eq!(
            order,
            ["/usr/lib/sysctl.d/10-c.conf", "/run/sysctl.d/50-a.conf", "/etc/sysctl.d/99-b.conf"]
        );
    }

    #[test]
    fn lines_are_read_as_sysctl_d_says() {
        let text = "# a\n; b\nnet.ipv4.ip_forward=0\n-kernel.panic = 10 \n-net.ipv4.conf.eth0.rp_filter\nnoise\n=1\nkernel/domainname=a.b\n";
        let keys: Vec<_> = parse("f", text).into_iter().map(|one| (one.line, one.key, one.value)).collect();
        let expected = [
            (3, FORWARD.to_owned(), Some("0".to_owned())),
            (4, "kernel/panic".into(), Some("10".into())),
            (5, "net/ipv4/conf/eth0/rp_filter".into(), None),
            (8, "kernel/domainname".into(), Some("a.b".into())),
        ];
        assert_eq!(keys, expected);
        assert_eq!(normal("net.ipv4.conf.eth0/1.x"), normal("net/ipv4/conf/eth0.1/x"));
    }

    #[test]
    fn the_last_assignment_wins_but_a_pattern_never_beats_a_plain_key_at_boot() {
        let key = "net/ipv4/conf/eth0/rp_filter";
        let all = parse("f", "net.ipv4.conf.eth0.rp_filter=1\nnet.ipv4.conf.*.rp_filter=2\n");
        let value = |reader| winner(&all, key, reader).unwrap().value.clone().unwrap();
        assert_eq!((value(Reader::Systemd), value(Reader::Procps)), ("1".into(), "2".into()));
        let other = winner(&all, "net/ipv4/conf/eth1/rp_filter", Reader::Systemd).unwrap();
        assert_eq!(other.line, 2);
        let off = parse("f", "net.ipv4.conf.*.rp_filter=2\n-net.ipv4.conf.eth0.rp_filter\n");
        assert_eq!(winner(&off, key, Reader::Systemd), None);
    }

    #[test]
    fn patterns_stay_within_their_level() {
        assert!(matches("net/*/conf/e*0/x", "net/ipv4/conf/eth0/x"));
        assert!(!matches("net/*", "net/ipv4/ip_forward"));
        assert!(matches("a?[bc]", "axb") && !matches("a?", "a") && matches("*a*b", "xaybxb"));
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in any::<String>(), pattern in "[ab*?\\[\\]/]{0,12}", key in "[ab/]{0,12}") {
            for one in parse("f", &text) {
                prop_assert!(!one.key.is_empty());
            }
            let _ = matches(&pattern, &key);
        }

        #[test]
        fn a_key_matches_itself_and_a_star_at_each_level(key in "[a-z]{1,4}(/[a-z]{1,4}){0,3}") {
            prop_assert!(matches(&key, &key));
            let stars = key.split('/').map(|_| "*").collect::<Vec<_>>().join("/");
            prop_assert!(matches(&stars, &key));
        }
    }
}
