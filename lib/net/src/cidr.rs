//! One network in CIDR notation.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use model::{Fault, Kind};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a text is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no prefix length.
    #[error("{text} lacks a prefix length, such as {text}/{}", if text.contains(':') { 64 } else { 24 })]
    NoPrefix {
        /// The text.
        text: String,
    },
    /// It is not an address and a prefix length that fits.
    #[error("{text:?} is no network in CIDR notation, such as 10.0.0.0/24 or fd00::/64")]
    Syntax {
        /// The text.
        text: String,
    },
    /// Bits behind the prefix are set.
    #[error("{text} has host bits set: the network is {meant}")]
    HostBits {
        /// The text.
        text: String,
        /// The network the address lies in.
        meant: Cidr,
    },
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }
}

/// The family of an address or a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of an address.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// How many bits an address has.
    pub fn bits(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// The families among some addresses, IPv4 first, each once.
pub fn families(addresses: impl IntoIterator<Item = IpAddr>) -> Vec<Family> {
    let mut families: Vec<_> = addresses.into_iter().map(Family::of).collect();
    families.sort_unstable();
    families.dedup();
    families
}

/// A network: an address whose host bits are all zero, and a prefix length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cidr(IpNet);

impl Cidr {
    /// The network of `prefix` bits an address lies in; none if there are fewer bits.
    pub fn around(address: IpAddr, prefix: u8) -> Option<Self> {
        IpNet::new(address, prefix).ok().map(|net| Self(net.trunc()))
    }

    /// Its first address.
    pub fn address(&self) -> IpAddr {
        self.0.network()
    }

    /// Its last address; the broadcast address of an IPv4 network.
    pub fn last(&self) -> IpAddr {
        self.0.broadcast()
    }

    /// Its prefix length, bits.
    pub fn prefix(&self) -> u8 {
        self.0.prefix_len()
    }

    /// Its family.
    pub fn family(&self) -> Family {
        Family::of(self.address())
    }

    /// How many bits are left for hosts.
    pub fn host_bits(&self) -> u8 {
        self.family().bits() - self.prefix()
    }

    /// How many addresses it holds, with the first and last; `u128::MAX` for `::/0`.
    pub fn addresses(&self) -> u128 {
        1_u128.checked_shl(self.host_bits().into()).unwrap_or(u128::MAX)
    }

    /// How many networks of `prefix` bits it holds; 0 if such a network is larger.
    pub fn subnets(&self, prefix: u8) -> u128 {
        match prefix.checked_sub(self.prefix()) {
            Some(bits) if prefix <= self.family().bits() => {
                1_u128.checked_shl(bits.into()).unwrap_or(u128::MAX)
            }
            _ => 0,
        }
    }

    /// Whether an address lies in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }

    /// Whether another network lies in it as a whole.
    pub fn covers(&self, other: &Self) -> bool {
        self.0.contains(&other.0)
    }

    /// Whether they share an address. Networks nest or are disjoint; they never cross.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.covers(other) || other.covers(self)
    }

    /// Whether it lies in the ranges nobody routes on the internet: RFC 1918 and RFC 4193.
    pub fn is_private(&self) -> bool {
        ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"]
            .iter()
            .filter_map(|range| range.parse::<Self>().ok())
            .any(|range| range.covers(self))
    }
}

impl FromStr for Cidr {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let net = text.parse::<IpNet>().map_err(|_| match text.parse::<IpAddr>() {
            Ok(_) => Error::NoPrefix { text: text.to_owned() },
            Err(_) => Error::Syntax { text: text.chars().take(64).collect() },
        })?;
        let meant = Self(net.trunc());
        if meant.0 == net { Ok(meant) } else { Err(Error::HostBits { text: text.to_owned(), meant }) }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Cidr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cidr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cidr(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    #[test]
    fn host_bits_are_refused_with_the_network_that_was_meant() {
        let error = "10.0.0.1/24".parse::<Cidr>().unwrap_err();
        assert_eq!(error, Error::HostBits { text: "10.0.0.1/24".into(), meant: cidr("10.0.0.0/24") });
        assert!("fd00::1/64".parse::<Cidr>().is_err());
        assert_eq!(cidr("10.0.0.1/32").addresses(), 1);
    }

    #[test]
    fn an_address_alone_is_no_network() {
        assert_eq!(
            "10.0.0.0".parse::<Cidr>().unwrap_err().to_string(),
            "10.0.0.0 lacks a prefix length, such as 10.0.0.0/24"
        );
        for text in ["", "/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0/24", "a/24", "fd00::/129", " 10.0.0.0/8"]
        {
            assert!(matches!(text.parse::<Cidr>(), Err(Error::Syntax { .. })), "{text}");
        }
    }

    #[test]
    fn networks_of_different_families_never_overlap() {
        assert!(!cidr("0.0.0.0/0").overlaps(&cidr("::/0")));
    }

    #[test]
    fn sizes_hold_at_the_edges() {
        assert_eq!(cidr("0.0.0.0/0").addresses(), 1 << 32);
        assert_eq!(cidr("::/0").addresses(), u128::MAX);
        assert_eq!(cidr("10.244.0.0/16").subnets(26), 1024);
        assert_eq!(cidr("10.244.0.0/24").subnets(16), 0);
        assert_eq!(cidr("10.244.0.0/24").subnets(33), 0);
        assert_eq!(cidr("::/0").subnets(128), u128::MAX);
    }

    #[test]
    fn private_is_what_lies_wholly_in_a_private_range() {
        assert!(cidr("172.31.0.0/16").is_private());
        assert!(cidr("fd00:1::/48").is_private());
        assert!(!cidr("172.0.0.0/8").is_private());
        assert!(!cidr("172.168.0.0/12".replace("168", "160").as_str()).is_private());
    }

    proptest! {
        #[test]
        fn overlap_is_what_comparing_the_ends_says(a: u32, pa in 0_u8..=32, b: u32, pb in 0_u8..=32) {
            let a = Cidr::around(IpAddr::V4(a.into()), pa).unwrap();
            let b = Cidr::around(IpAddr::V4(b.into()), pb).unwrap();
            let by_ends = a.address() <= b.last() && b.address() <= a.last();
            prop_assert_eq!(a.overlaps(&b), by_ends);
            prop_assert_eq!(a.to_string().parse::<Cidr>().unwrap(), a);
        }

        #[test]
        fn no_text_panics(text in ".{0,60}") {
            let _ = text.parse::<Cidr>();
        }
    }
}
