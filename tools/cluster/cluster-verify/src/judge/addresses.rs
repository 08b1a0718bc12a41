//! Whether nodes and pods have the addresses the platform gives them.

use std::net::IpAddr;

use kube::Node;
use model::{Finding, Severity, Status};
use net::{Cidr, Family};
use platform::{Host, Platform};

use super::{CLUSTER, Rule, Shown, hosts, joined};

const ADDRESS: Rule = Rule::new(
    "node-address",
    Severity::High,
    "the other nodes reach it at its InternalIP; a kubelet left to choose may take another",
)
.fix("set node-ip for its kubelet (/var/lib/kubelet/kubeadm-flags.env), restart it")
.reference("https://github.com/kubernetes/kubernetes/issues/33618");
const VIP: Rule = Rule::new(
    "vip-internal-ip",
    Severity::Critical,
    "a node that takes the virtual address for its own moves when the address does",
)
.fix("set node-ip for its kubelet to the host's own address, restart it")
.reference("https://github.com/projectcalico/calico/issues/5094");
const POD_CIDR: Rule = Rule::new(
    "pod-cidr",
    Severity::High,
    "pods with addresses outside the platform's pod network are routed by nobody",
)
.fix("cluster-cidr of kube-controller-manager; a node keeps its network until it is deleted");
const OVERLAP: Rule =
    Rule::new("pod-cidr-overlap", Severity::Critical, "two pods with one address reach nobody")
        .fix("delete one of the nodes, let it join again");

pub(super) fn judge(platform: &Platform, nodes: &[Node]) -> Vec<Finding> {
    let mut found = Vec::new();
    for host in hosts(platform) {
        if let Some(node) = nodes.iter().find(|node| node.metadata.name == host.name) {
            found.push(address(platform, host, node));
            found.push(pod_cidr(platform, node));
        }
    }
    if !nodes.is_empty() {
        found.extend(vips(platform, nodes));
        found.extend(overlap(nodes));
    }
    found
}

/// The address of each family the pods have is the platform's, and there is no other.
fn address(platform: &Platform, host: &Host, node: &Node) -> Finding {
    let network = &platform.network;
    let families = [(Family::V4, network.pod_cidr), (Family::V6, network.pod_cidr6)];
    let needed = families.iter().filter(|(_, cidr)| cidr.is_some());
    let needed: Vec<IpAddr> = needed.filter_map(|(family, _)| host.address(*family)).collect();
    let is: Vec<IpAddr> = node.internal_ips().collect();
    let own = |address: &IpAddr| host.addresses().any(|own| own == *address);
    let right = !is.is_empty() && needed.iter().all(|address| is.contains(address)) && is.iter().all(own);
    let finding = ADDRESS.holds(&host.name, right).should_be(joined(needed));
    if is.is_empty() { finding } else { finding.is(joined(is)) }
}

fn vips(platform: &Platform, nodes: &[Node]) -> Vec<Finding> {
    let vips = &platform.network.vips;
    if vips.is_empty() {
        return vec![VIP.not_applicable(CLUSTER, "the platform has no virtual address")];
    }
    let takers: Vec<_> = nodes
        .iter()
        .flat_map(|node| node.internal_ips().map(move |address| (node, address)))
        .filter(|(_, address)| vips.contains(address))
        .map(|(node, address)| VIP.found(&node.metadata.name, Status::Fail).is(address))
        .collect();
    if takers.is_empty() { vec![VIP.found(CLUSTER, Status::Pass)] } else { takers }
}

fn pod_cidr(platform: &Platform, node: &Node) -> Finding {
    let network = &platform.network;
    let wanted: Vec<Cidr> = [network.pod_cidr, network.pod_cidr6].into_iter().flatten().collect();
    let inside = |text: &String| {
        text.parse::<Cidr>().is_ok_and(|own| wanted.iter().any(|network| network.covers(&own)))
    };
    let is = &node.spec.pod_cidrs;
    let name = &node.metadata.name;
    let finding = match is.as_slice() {
        // Calico has networks of its own; kubenet and flannel have not.
        [] => Finding {
            why: "nobody gave the node a network for its pods".to_owned(),
            ..POD_CIDR.found(name, Status::Warn)
        },
        is => POD_CIDR.holds(name, is.iter().all(inside)).is(joined(is)),
    };
    finding.should_be(format!("inside {}", joined(wanted)))
}

fn overlap(nodes: &[Node]) -> Vec<Finding> {
    let all: Vec<(&str, Cidr)> = nodes
        .iter()
        .flat_map(|node| node.spec.pod_cidrs.iter().map(move |text| (node.metadata.name.as_str(), text)))
        .filter_map(|(name, text)| Some((name, text.parse().ok()?)))
        .collect();
    let mut found = Vec::new();
    for (place, (name, own)) in all.iter().enumerate() {
        for (other, theirs) in &all[place + 1..] {
            if own.overlaps(theirs) {
                let shown = format!("{own}, and {theirs} of {other}");
                found.push(OVERLAP.found(name, Status::Fail).is(shown));
            }
        }
    }
    if found.is_empty() { vec![OVERLAP.found(CLUSTER, Status::Pass)] } else { found }
}
