//! Free networks for pods and services that are in the way.

use model::Difference;
use net::{Cidr, Family};

use crate::plan::{Kind, Network, Plan};
use crate::route::Route;

/// What to write instead of each network in the way, and the fields for
/// which nothing is free.
pub(crate) fn suggestions(plan: &Plan, routes: &[Route]) -> (Vec<Difference>, Vec<String>) {
    let (inner, outer): (Vec<_>, Vec<_>) = plan.networks.iter().partition(|network| network.is_inner());
    let mut taken: Vec<Cidr> = outer.iter().map(|network| network.cidr).collect();
    taken.extend(routes.iter().filter_map(Route::foreign));
    taken.extend(net::reserved().map(|range| range.cidr));
    let (mut found, mut none) = (Vec::new(), Vec::new());
    for network in inner {
        let free = |cidr: &Cidr| taken.iter().all(|other| !other.overlaps(cidr));
        let kept = if free(&network.cidr) { Some(network.cidr) } else { candidates(network).find(free) };
        match kept {
            None => none.push(network.path.clone()),
            Some(cidr) => {
                taken.push(cidr);
                if cidr != network.cidr {
                    let (before, after) = (Some(network.cidr.to_string()), Some(cidr.to_string()));
                    found.push(Difference { path: network.path.clone(), before, after });
                }
            }
        }
    }
    (found, none)
}

/// Private networks of the same size: the usual place first, then each range in order.
fn candidates(network: &Network) -> impl Iterator<Item = Cidr> {
    let prefix = network.cidr.prefix();
    let usual = match (network.cidr.family(), network.kind) {
        (Family::V4, Kind::Pods) => ["10.244.0.0", "192.168.0.0", "172.20.0.0"],
        (Family::V4, _) => ["10.96.0.0", "10.112.0.0", "172.24.0.0"],
        (Family::V6, Kind::Pods) => ["fd44::", "fd45::", "fd46::"],
        (Family::V6, _) => ["fd96::", "fd97::", "fd98::"],
    };
    let ranges = match network.cidr.family() {
        Family::V4 => ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"],
        Family::V6 => ["fd00::/16", "fd01::/16", "fd02::/16"],
    };
    let usual = usual.into_iter().filter_map(|address| address.parse().ok());
    let usual = usual.filter_map(move |address| Cidr::around(address, prefix)).filter(Cidr::is_private);
    usual.chain(ranges.into_iter().filter_map(|range| range.parse().ok()).flat_map(move |r| parts(r, prefix)))
}

/// How many parts of a range are tried.
const TRIED: u128 = 4096;

/// The parts of a range that have `prefix` bits.
fn parts(range: Cidr, prefix: u8) -> impl Iterator<Item = Cidr> {
    let first = match range.address() {
        std::net::IpAddr::V4(v4) => u128::from(u32::from(v4)),
        std::net::IpAddr::V6(v6) => u128::from(v6),
    };
    let bits = range.family().bits();
    (0..range.subnets(prefix).min(TRIED)).filter_map(move |n| {
        let address = first + (n << (bits - prefix));
        let address = match range.family() {
            Family::V4 => std::net::IpAddr::V4(u32::try_from(address).ok()?.into()),
            Family::V6 => std::net::IpAddr::V6(address.into()),
        };
        Cidr::around(address, prefix)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_into_its_parts_in_order() {
        let all: Vec<_> = parts("172.16.0.0/12".parse().unwrap(), 14).map(|cidr| cidr.to_string()).collect();
        assert_eq!(all, ["172.16.0.0/14", "172.20.0.0/14", "172.24.0.0/14", "172.28.0.0/14"]);
        assert_eq!(parts("10.0.0.0/8".parse().unwrap(), 7).count(), 0);
        assert_eq!(parts("fd00::/16".parse().unwrap(), 112).count(), 4096);
    }
}
