//! Hosts among each other.

use std::collections::HashMap;
use std::net::IpAddr;

use super::Checks;
use crate::model::Role;

impl Checks<'_> {
    /// No two hosts share a name or an address.
    pub(super) fn unique(&self) {
        let mut names: HashMap<&str, usize> = HashMap::new();
        for (n, host) in self.platform.hosts.iter().enumerate().filter(|(_, host)| !host.name.is_empty()) {
            match names.get(host.name.as_str()) {
                Some(first) => {
                    let message = format!("hosts[{first}] is called {} too", host.name);
                    self.wrong(format!("hosts[{n}].name"), message);
                }
                None => drop(names.insert(&host.name, n)),
            }
        }
        let mut seen: HashMap<IpAddr, String> = HashMap::new();
        for (address, path) in self.addresses() {
            match seen.get(&address) {
                Some(first) => self.wrong(path, format!("{address} is {first} too")),
                None => drop(seen.insert(address, path)),
            }
        }
    }

    /// The API's name is the virtual addresses' alone.
    pub(super) fn named(&self) {
        let network = &self.platform.network;
        let Some(name) = &network.api_name else { return };
        let label = match (name.split_once('.'), &network.domain) {
            (None, _) => name.as_str(),
            (Some((label, domain)), Some(own)) if domain == own => label,
            _ => return,
        };
        if let Some(n) = self.platform.hosts.iter().position(|host| host.name == label) {
            self.wrong("network.api_name", format!("hosts[{n}] is called {label} too"));
        }
    }

    /// Every address of every host with its path.
    fn addresses(&self) -> impl Iterator<Item = (IpAddr, String)> {
        self.platform.hosts.iter().enumerate().flat_map(|(n, host)| {
            let ip = host.ip.map(|ip| (IpAddr::V4(ip), format!("hosts[{n}].ip")));
            let ip6 = host.ip6.map(|ip| (IpAddr::V6(ip), format!("hosts[{n}].ip6")));
            let bmc = host.bmc.as_ref().map(|bmc| (bmc.address, format!("hosts[{n}].bmc.address")));
            [ip, ip6, bmc].into_iter().flatten()
        })
    }

    /// Every address lies in one of the networks it should.
    pub(super) fn placed(&self) {
        let network = &self.platform.network;
        for (address, path) in self.addresses() {
            let (cidrs, of) = if path.ends_with(".bmc.address") {
                (&network.bmc_cidrs, "bmc_cidrs")
            } else {
                (&network.node_cidrs, "node_cidrs")
            };
            // Without networks of its own a BMC may be anywhere.
            let known = !cidrs.is_empty() && !self.problems.touch(&format!("network.{of}"));
            if known && !cidrs.iter().any(|cidr| cidr.contains(address)) {
                let list = cidrs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                self.wrong(path, format!("{address} lies in none of network.{of}: {list}"));
            }
        }
    }

    /// Quorums: an even number of members survives no more losses than one fewer.
    pub(super) fn counted(&self) {
        for role in [Role::ControlPlane, Role::Etcd] {
            let count = self.platform.with_role(role).count();
            let name = role.name();
            if count == 0 && role == Role::ControlPlane {
                self.wrong("hosts", "no host has the role control-plane");
            } else if count > 0 && count.is_multiple_of(2) {
                let last = self.platform.hosts.iter().rposition(|host| host.is(role)).unwrap_or_default();
                self.wrong_hint(
                    format!("hosts[{last}].roles"),
                    format!(
                        "{count} hosts have the role {name}: an even number bears no more losses than {}",
                        count - 1
                    ),
                    format!("give the role to {} or {} hosts", count - 1, count + 1),
                );
            }
        }
    }

    /// Every host can be reached.
    pub(super) fn reachable(&self) {
        for (n, _) in self.platform.hosts.iter().enumerate().filter(|(_, h)| h.addresses().next().is_none()) {
            self.wrong(format!("hosts[{n}].ip"), "missing: a host has ip, ip6 or both");
        }
    }
}
