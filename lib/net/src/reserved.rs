//! Ranges with a meaning of their own.

use crate::Cidr;

/// A range that is not free for a cluster's use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// The range.
    pub cidr: Cidr,
    /// What it is, in a few words.
    pub what: &'static str,
    /// Whether a cluster can live with an overlap.
    pub bearable: bool,
    /// Who says so.
    pub reference: &'static str,
}

const RANGES: [(&str, &str, bool, &str); 10] = [
    ("0.0.0.0/8", "this host", false, "RFC 6890"),
    ("127.0.0.0/8", "loopback", false, "RFC 6890"),
    ("169.254.0.0/16", "link-local", false, "RFC 3927"),
    ("224.0.0.0/3", "multicast and reserved", false, "RFC 6890"),
    // Docker gives this to docker0 where it is installed.
    ("172.17.0.0/16", "docker0", true, "dockerd: default bridge network"),
    ("192.0.2.0/24", "documentation", true, "RFC 5737"),
    ("::/127", "nobody and loopback", false, "RFC 4291"),
    ("fe80::/10", "link-local", false, "RFC 4291"),
    ("ff00::/8", "multicast", false, "RFC 4291"),
    ("2001:db8::/32", "documentation", true, "RFC 3849"),
];

/// The ranges that are not free.
pub fn reserved() -> impl Iterator<Item = Reserved> {
    RANGES.into_iter().filter_map(|(range, what, bearable, reference)| {
        Some(Reserved { cidr: range.parse().ok()?, what, bearable, reference })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_range_is_a_network() {
        assert_eq!(reserved().count(), RANGES.len());
    }
}
