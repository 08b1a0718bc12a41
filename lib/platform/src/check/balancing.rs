//! The balancers and the addresses they share.

use std::collections::HashMap;
use std::net::IpAddr;

use net::Family;

use super::Checks;
use crate::model::{Host, Role};

/// Derived priorities keep a distance of 10 down from 254.
const MOST_BALANCERS: usize = 25;

impl Checks<'_> {
    fn numbered_balancers(&self) -> impl Iterator<Item = (usize, &Host)> {
        self.platform.hosts.iter().enumerate().filter(|(_, host)| host.is(Role::Lb))
    }

    /// The virtual addresses are nobody's own, lie on the nodes' networks,
    /// and are one a family.
    pub(super) fn addressed(&self) {
        let network = &self.platform.network;
        let mut families: Vec<Family> = Vec::new();
        for (n, vip) in network.vips.iter().copied().enumerate() {
            let path = format!("network.vips[{n}]");
            let family = Family::of(vip);
            if families.contains(&family) {
                self.wrong(&path, format!("a second {family} address; one of each family is served"));
            }
            families.push(family);
            if let Some(host) = self.platform.hosts.iter().find(|host| host.addresses().any(|ip| ip == vip)) {
                let message = format!("{vip} is the own address of {}", host.name);
                self.wrong_hint(&path, message, "choose an address no machine has");
            }
            let bmc = |host: &&Host| host.bmc.as_ref().is_some_and(|bmc| bmc.address == vip);
            if let Some(host) = self.platform.hosts.iter().find(bmc) {
                self.wrong(&path, format!("{vip} is the address of the BMC of {}", host.name));
            }
            self.vip_on_network(&path, vip);
        }
    }

    fn vip_on_network(&self, path: &str, vip: IpAddr) {
        let cidrs = &self.platform.network.node_cidrs;
        let Some(home) = cidrs.iter().find(|cidr| cidr.contains(vip)) else {
            if !cidrs.is_empty() && !self.problems.touch("network.node_cidrs") {
                let list = cidrs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                self.wrong(path, format!("{vip} lies in none of network.node_cidrs: {list}"));
            }
            return;
        };
        // With 31 or 32 bits there is no network or broadcast address (RFC 3021).
        let ends = vip == home.address() || (vip == home.last() && vip.is_ipv4());
        if ends && home.host_bits() > 1 {
            self.wrong(path, format!("{vip} is the first or last address of {home}: no host's"));
        }
    }

    /// Balancers have all they need to share the addresses.
    pub(super) fn balanced(&self) {
        let vips = &self.platform.network.vips;
        let balancers = self.numbered_balancers().count();
        match (balancers, vips.is_empty()) {
            (0, true) => return,
            (0, false) => self.wrong_hint(
                "hosts",
                "no host has the role lb, yet there are network.vips",
                "give the role to the hosts that share the address",
            ),
            (_, true) => self.wrong("network.vips", "missing: the balancers share no address"),
            _ => {}
        }
        if balancers > MOST_BALANCERS {
            self.wrong("hosts", format!("{balancers} hosts have the role lb: {MOST_BALANCERS} at most"));
        }
        let Some(balancing) = &self.platform.load_balancing else {
            return self.wrong_hint("load_balancing", "missing", "at least `load_balancing: {vrid: 51}`");
        };
        for (n, host) in self.numbered_balancers() {
            if host.interface.is_none() && balancing.interface.is_none() {
                self.wrong_hint(
                    format!("hosts[{n}].interface"),
                    "missing: on which interface the virtual address goes",
                    "set load_balancing.interface for all balancers",
                );
            }
            for vip in vips.iter().filter(|vip| host.address(Family::of(**vip)).is_none()) {
                let (family, key) = if vip.is_ipv4() { ("IPv4", "ip") } else { ("IPv6", "ip6") };
                self.wrong(
                    format!("hosts[{n}].{key}"),
                    format!("missing: {vip} needs an {family} address on every balancer"),
                );
            }
        }
    }

    /// Priorities are given to all balancers or to none, and decide.
    pub(super) fn priorities(&self) {
        let given = self.numbered_balancers().any(|(_, host)| host.priority.is_some());
        let mut seen: HashMap<u8, &str> = HashMap::new();
        for (n, host) in self.platform.hosts.iter().enumerate().filter(|(_, host)| !host.roles.is_empty()) {
            let path = format!("hosts[{n}].priority");
            match host.priority {
                Some(_) if !host.is(Role::Lb) => self.wrong(path, "only a balancer has a priority"),
                Some(priority) => match seen.get(&priority) {
                    Some(other) => {
                        self.wrong(path, format!("{other} has priority {priority} too: neither would yield"));
                    }
                    None => drop(seen.insert(priority, &host.name)),
                },
                None if given && host.is(Role::Lb) && !self.problems.touch(&path) => self.wrong_hint(
                    path,
                    "missing: another balancer has one",
                    "give one to each balancer, or to none",
                ),
                None => {}
            }
        }
    }

    /// No two listeners of a host share a port.
    pub(super) fn ports(&self) {
        let Some(balancing) = &self.platform.load_balancing else { return };
        if ["network.api_port", "load_balancing.port"].iter().any(|path| self.problems.touch(path)) {
            return;
        }
        let (api, balanced) = (self.platform.network.api_port, self.platform.balanced_port());
        let mut stacked = false;
        for (n, host) in self.numbered_balancers().filter(|(_, host)| host.is(Role::ControlPlane)) {
            stacked = true;
            if api == balanced {
                self.wrong_hint(
                    format!("hosts[{n}].roles"),
                    format!("haproxy and the API server of {} cannot both listen on port {api}", host.name),
                    "set load_balancing.port to another one, such as 8443",
                );
            }
        }
        let health = balancing.health_port;
        if health == balanced || (stacked && health == api) {
            self.wrong("load_balancing.health_port", format!("port {health} is the API's already"));
        }
    }
}
