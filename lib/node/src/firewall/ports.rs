//! The ports a host's roles need, and who may use them.

use std::net::IpAddr;

use net::{Cidr, Family};
use platform::{Encap, Host, Platform, Role};

use crate::Want;

/// What a packet has to be to come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proto {
    Tcp,
    Udp,
    /// A protocol of its own, with its number and its name in firewalls.
    Other(u8, &'static str),
}

impl Proto {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Other(_, name) => name,
        }
    }
}

/// One thing that has to come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// What it is for.
    pub(crate) name: &'static str,
    pub(crate) proto: Proto,
    /// First and last port; none for protocols without ports.
    pub(crate) ports: Option<(u16, u16)>,
    /// From where; empty for everywhere.
    pub(crate) from: Vec<Cidr>,
}

impl Rule {
    /// The sources of one family; `None` if nothing of this family may come in.
    pub(crate) fn sources(&self, family: Family) -> Option<Vec<&Cidr>> {
        let of_family: Vec<_> = self.from.iter().filter(|cidr| cidr.family() == family).collect();
        (self.from.is_empty() || !of_family.is_empty()).then_some(of_family)
    }

    /// `6443`, or `30000-32767` with another dash.
    pub(crate) fn range(&self, dash: &str) -> Option<String> {
        let (first, last) = self.ports?;
        Some(if first == last { first.to_string() } else { format!("{first}{dash}{last}") })
    }
}

/// The networks of the pods.
pub(crate) fn pods(platform: &Platform) -> Vec<Cidr> {
    [platform.network.pod_cidr, platform.network.pod_cidr6].into_iter().flatten().collect()
}

/// Everything that has to come in (kubernetes.io, "Ports and Protocols"; docs.tigera.io,
/// "Network requirements"); ssh always, or nobody could mend anything.
pub(crate) fn rules(want: &Want) -> Vec<Rule> {
    let Want { platform, host, .. } = want;
    let everywhere = Vec::new;
    let nodes = || platform.network.node_cidrs.clone();
    // Some pods ask nodes directly, with their own address where it is not masked.
    let cluster = || [nodes(), pods(platform)].concat();
    let one = |name, proto, port, from| Rule { name, proto, ports: Some((port, port)), from };
    let mut rules = vec![one("ssh", Proto::Tcp, host.ssh.port, everywhere())];
    if host.is(Role::ControlPlane) {
        let balanced = platform.balancers().next().is_some();
        let from = if balanced { cluster() } else { everywhere() };
        rules.push(one("API server", Proto::Tcp, platform.network.api_port, from));
        rules.push(one("controller manager", Proto::Tcp, 10257, cluster()));
        rules.push(one("scheduler", Proto::Tcp, 10259, cluster()));
    }
    if host.is(Role::Etcd) {
        let members = |host: &&Host| host.is(Role::Etcd) || host.is(Role::ControlPlane);
        let from = alone(platform.hosts.iter().filter(members));
        rules.push(Rule { name: "etcd", proto: Proto::Tcp, ports: Some((2379, 2380)), from });
    }
    if want.is_node() {
        rules.push(one("kubelet", Proto::Tcp, 10250, cluster()));
        rules.push(one("kube-proxy", Proto::Tcp, 10256, cluster()));
        let ports = Some((30000, 32767));
        rules.push(Rule { name: "NodePort", proto: Proto::Tcp, ports, from: everywhere() });
        rules.push(Rule { name: "NodePort", proto: Proto::Udp, ports, from: everywhere() });
        rules.extend(calico(platform));
    }
    if host.is(Role::Lb) {
        rules.push(one("balanced API", Proto::Tcp, platform.balanced_port(), everywhere()));
        let mut peers = alone(platform.balancers().filter(|peer| peer.name != host.name));
        // VRRP over IPv6 speaks from link-local addresses (RFC 9568, section 5.1.2.1).
        if peers.iter().any(|peer| peer.family() == Family::V6) {
            peers.retain(|peer| peer.family() == Family::V4);
            peers.extend("fe80::/10".parse::<Cidr>().ok());
        }
        rules.push(Rule { name: "VRRP", proto: Proto::Other(112, "vrrp"), ports: None, from: peers });
    }
    rules
}

fn calico(platform: &Platform) -> Vec<Rule> {
    let Some(cni) = &platform.cluster.cni else { return Vec::new() };
    let nodes = || platform.network.node_cidrs.clone();
    let one = |name, proto, port| Rule { name, proto, ports: Some((port, port)), from: nodes() };
    let mut rules = vec![one("Calico Typha", Proto::Tcp, 5473)];
    if matches!(cni.encap, Encap::None | Encap::Ipip | Encap::IpipCrossSubnet) {
        rules.push(one("Calico BGP", Proto::Tcp, 179));
    }
    match cni.encap {
        Encap::None => {}
        Encap::Ipip | Encap::IpipCrossSubnet => {
            let proto = Proto::Other(4, "ipencap");
            rules.push(Rule { name: "Calico IPIP", proto, ports: None, from: nodes() });
        }
        Encap::Vxlan | Encap::VxlanCrossSubnet => rules.push(one("Calico VXLAN", Proto::Udp, 4789)),
    }
    if cni.wireguard {
        let ports = Some((51820, 51821));
        rules.push(Rule { name: "Calico WireGuard", proto: Proto::Udp, ports, from: nodes() });
    }
    rules
}

/// The addresses of hosts, each a network of its own.
fn alone<'a>(hosts: impl Iterator<Item = &'a Host>) -> Vec<Cidr> {
    let addresses: Vec<IpAddr> = hosts.flat_map(Host::addresses).collect();
    addresses.into_iter().filter_map(|address| Cidr::around(address, Family::of(address).bits())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;

    const EXAMPLE: &str = include_str!("../../../../tests/fixtures/examples/platform.yaml");

    /// Name, ports and number of sources.
    type Seen = (&'static str, Option<(u16, u16)>, usize);

    fn of(host: &str, text: &str) -> Vec<Seen> {
        let platform = platform::parse(text).unwrap();
        let want =
            Want { platform: &platform, host: platform.host(host).unwrap(), options: Options::default() };
        rules(&want).into_iter().map(|rule| (rule.name, rule.ports, rule.from.len())).collect()
    }

    #[test]
    fn a_balancer_takes_the_api_from_everywhere_and_vrrp_from_its_peer() {
        let expected =
            [("ssh", Some((22, 22)), 0), ("balanced API", Some((6443, 6443)), 0), ("VRRP", None, 1)];
        assert_eq!(of("lb1", EXAMPLE), expected);
    }

    #[test]
    fn etcd_is_for_its_members_alone() {
        let rules = of("cp1", EXAMPLE);
        assert!(rules.contains(&("etcd", Some((2379, 2380)), 3)), "{rules:?}");
        assert!(!of("w1", EXAMPLE).iter().any(|(name, ..)| *name == "etcd" || *name == "API server"));
    }

    #[test]
    fn calico_s_ports_follow_its_encapsulation() {
        let calico = |encap: &str| {
            let text = EXAMPLE.replace("vxlan-cross-subnet", encap);
            of("w1", &text)
                .into_iter()
                .filter_map(|(name, ..)| name.strip_prefix("Calico "))
                .collect::<Vec<_>>()
        };
        assert_eq!(calico("vxlan"), ["Typha", "VXLAN"]);
        assert_eq!(calico("ipip"), ["Typha", "BGP", "IPIP"]);
        assert_eq!(calico("none, wireguard: true"), ["Typha", "BGP", "WireGuard"]);
    }
}
