//! What kubeadm and Calico take as networks of pods and services.

use crate::{Cidr, Family};

/// A limit that a network breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Its stable name, lower case with hyphens.
    pub name: &'static str,
    /// What is wrong, in one sentence.
    pub why: String,
    /// What to write instead.
    pub fix: String,
    /// Whose limit it is.
    pub reference: &'static str,
}

const KUBEADM: &str = "kubeadm: validation of ClusterConfiguration.networking";
const CALICO: &str = "Calico: IPPool";

/// kubeadm's limits on the services' network.
pub fn services(cidr: &Cidr) -> Option<Limit> {
    let bits = cidr.family().bits();
    // At least 10 addresses, and no more than 20 bits: the API server keeps a bitmap of them.
    let (why, prefix) = match cidr.host_bits() {
        0..=3 => ("fewer than 10 addresses are too few for services", bits - 8),
        4..=20 => return None,
        _ => ("more than 20 bits of addresses are too many for services", bits - 20),
    };
    let fix = format!("take a /{prefix}, such as {}", sized(cidr, prefix));
    Some(Limit { name: "service-size", why: why.into(), fix, reference: KUBEADM })
}

/// kubeadm's limits on the pods' network, cut into one range of `node_mask` bits a node.
pub fn pods(cidr: &Cidr, node_mask: u8) -> Option<Limit> {
    let (why, fix) = if cidr.host_bits() < 4 {
        (
            "fewer than 14 addresses are too few for pods".to_owned(),
            format!("take a /{}", cidr.family().bits() - 16),
        )
    } else {
        match node_mask.checked_sub(cidr.prefix()) {
            None => (
                format!("a node's range of /{node_mask} is larger than the whole network"),
                format!("set the node mask to {} or more", cidr.prefix()),
            ),
            Some(0..=16) => return None,
            Some(bits) => (
                format!("it is cut into 2^{bits} ranges of /{node_mask}; 2^16 at most"),
                format!("set the node mask to {} or less", cidr.prefix() + 16),
            ),
        }
    };
    Some(Limit { name: "pod-size", why, fix, reference: KUBEADM })
}

/// Calico's limits on a pool cut into blocks of `block_size` bits.
pub fn pool(cidr: &Cidr, block_size: u8) -> Option<Limit> {
    (cidr.prefix() > block_size).then(|| Limit {
        name: "pool-size",
        why: format!("a block of /{block_size} is larger than the pool"),
        fix: format!("take a block size from {} on", cidr.prefix()),
        reference: CALICO,
    })
}

/// The bytes an encapsulation adds to a packet between nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overhead {
    /// IP in IP.
    pub ipip: bool,
    /// VXLAN.
    pub vxlan: bool,
    /// Encryption by wireguard.
    pub wireguard: bool,
}

impl Overhead {
    /// How much less than the nodes' MTU is left for pods. The largest
    /// counts: Calico wraps a packet one way or the other.
    pub fn bytes(self, nodes: Family) -> u32 {
        let ip = if nodes == Family::V6 { 20 } else { 0 };
        let each = [(self.ipip, 20), (self.vxlan, 50 + ip), (self.wireguard, 60 + ip)];
        each.into_iter().filter_map(|(on, bytes)| on.then_some(bytes)).max().unwrap_or(0)
    }
}

/// The network of another size at the same place.
fn sized(cidr: &Cidr, prefix: u8) -> String {
    Cidr::around(cidr.address(), prefix).map(|cidr| cidr.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(limit: Option<Limit>) -> &'static str {
        limit.map_or("", |limit| limit.name)
    }

    fn cidr(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    #[test]
    fn services_have_from_4_to_20_bits() {
        for (text, want) in [
            ("10.96.0.0/12", ""),
            ("10.0.0.0/11", "service-size"),
            ("10.96.0.0/28", ""),
            ("10.96.0.0/29", "service-size"),
            ("fd96::/108", ""),
            ("fd96::/107", "service-size"),
        ] {
            assert_eq!(name(services(&cidr(text))), want, "{text}");
        }
        assert_eq!(services(&cidr("10.0.0.0/8")).unwrap().fix, "take a /12, such as 10.0.0.0/12");
    }

    #[test]
    fn a_pod_network_is_cut_into_1_to_65536_ranges() {
        for (text, mask, want) in [
            ("10.244.0.0/16", 24, ""),
            ("10.244.0.0/24", 24, ""),
            ("10.244.0.0/25", 24, "pod-size"),
            ("fd44::/48", 64, ""),
            ("fd44::/47", 64, "pod-size"),
            ("10.244.0.0/29", 30, "pod-size"),
        ] {
            assert_eq!(name(pods(&cidr(text), mask)), want, "{text} {mask}");
        }
    }

    #[test]
    fn a_pool_holds_a_block() {
        assert_eq!(pool(&cidr("10.244.0.0/26"), 26), None);
        assert_eq!(name(pool(&cidr("10.244.0.0/27"), 26)), "pool-size");
    }

    #[test]
    fn the_largest_wrapping_counts() {
        let both = Overhead { vxlan: true, wireguard: true, ..Overhead::default() };
        assert_eq!((both.bytes(Family::V4), both.bytes(Family::V6)), (60, 80));
        assert_eq!(Overhead { ipip: true, ..Overhead::default() }.bytes(Family::V4), 20);
        assert_eq!(Overhead::default().bytes(Family::V6), 0);
    }
}
