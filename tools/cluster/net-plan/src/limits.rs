//! The limits of kubeadm and Calico, and what encapsulation leaves.

use model::Finding;
use net::limits::{self, Limit, Overhead};
use net::{Cidr, Family};
use platform::Encap;

use crate::plan::{Kind, Network, Plan};

/// Calico gives a node at most so many blocks (its IPAM's `maxBlocksPerHost`).
const BLOCKS_PER_HOST: u64 = 20;

/// IPv6 needs this much of every link (RFC 8200, section 5).
const IPV6_MTU: u32 = 1280;

/// Every limit that a network of pods or services breaks.
pub(crate) fn findings(plan: &Plan) -> Vec<Finding> {
    let mut found = Vec::new();
    for network in &plan.networks {
        let current = network.cidr.to_string();
        let limit = match network.kind {
            Kind::Services => limits::services(&network.cidr),
            Kind::Pods => limits::pods(&network.cidr, node_mask(plan, network.cidr.family())),
            Kind::Nodes | Kind::Bmcs => None,
        };
        found.extend(limit.map(|limit| broken(plan, &network.path, current, limit)));
        if network.kind == Kind::Pods {
            found.extend(pool(plan, network));
            found.extend(wrapping(plan, network));
        }
    }
    found
}

fn broken(plan: &Plan, path: &str, current: String, limit: Limit) -> Finding {
    Finding {
        fix: Some(limit.fix),
        reference: Some(limit.reference.into()),
        ..plan.fail(path, limit.name, current, limit.why)
    }
}

/// The prefix length of a node's range of pods.
pub(crate) fn node_mask(plan: &Plan, family: Family) -> u8 {
    let network = &plan.platform.network;
    if family == Family::V4 { network.node_mask } else { network.node_mask6 }
}

/// The prefix length of Calico's blocks; none without Calico.
pub(crate) fn block_size(plan: &Plan, family: Family) -> Option<u8> {
    let cni = plan.platform.cluster.cni.as_ref()?;
    Some(if family == Family::V4 { cni.block_size } else { cni.block_size6 })
}

/// Whether the pool has room for the nodes and their pods.
fn pool(plan: &Plan, network: &Network) -> Vec<Finding> {
    let (cidr, family) = (&network.cidr, network.cidr.family());
    let current = cidr.to_string();
    let Some(block_size) = block_size(plan, family) else { return Vec::new() };
    if let Some(limit) = limits::pool(cidr, block_size) {
        return vec![broken(plan, &network.path, current, limit)];
    }
    let (nodes, pods) = (plan.nodes(), u64::from(plan.platform.cluster.max_pods));
    let mut found = Vec::new();
    let ranges = cidr.subnets(node_mask(plan, family)).min(cidr.subnets(block_size));
    if u128::from(nodes) > ranges {
        let why = format!("nodes it has room for: {ranges}, and there are {nodes}");
        let fix = Some("take a larger network, or smaller ranges a node".to_owned());
        found.push(Finding { fix, ..plan.fail(&network.path, "pool-room", current.clone(), why) });
    } else if cidr.addresses() < u128::from(nodes) * u128::from(pods) {
        let why = format!("{} addresses do not do for {nodes} nodes of {pods} pods", cidr.addresses());
        let fix = Some("take a larger network, or lower cluster.max_pods".to_owned());
        found.push(Finding { fix, ..plan.warn(&network.path, "pool-room", current.clone(), why) });
    }
    let block = Cidr::around(cidr.address(), block_size).map_or(0, |block| block.addresses());
    if block * u128::from(BLOCKS_PER_HOST) < u128::from(pods) {
        let why = format!("{BLOCKS_PER_HOST} blocks of /{block_size} do not do for {pods} pods on a node");
        let fix =
            Some("lower cluster.cni.block_size before Calico is installed, or cluster.max_pods".to_owned());
        let reference = Some("Calico: IPAMConfig maxBlocksPerHost".to_owned());
        found.push(Finding { fix, reference, ..plan.warn(&network.path, "blocks", current, why) });
    }
    found
}

/// What wrapping leaves of the nodes' MTU, and whether it can be done.
fn wrapping(plan: &Plan, network: &Network) -> Vec<Finding> {
    let Some(cni) = &plan.platform.cluster.cni else { return Vec::new() };
    let mut found = Vec::new();
    let ipip = matches!(cni.encap, Encap::Ipip | Encap::IpipCrossSubnet);
    if ipip && network.cidr.family() == Family::V6 {
        let why = "Calico wraps IPv6 pods in VXLAN only, not IP in IP".to_owned();
        let want = Some("vxlan, vxlan-cross-subnet or none".to_owned());
        let finding = plan.fail("cluster.cni.encap", "encap", "ipip".into(), why);
        found.push(Finding { want, reference: Some("Calico: IPPool ipipMode".into()), ..finding });
    }
    let left = pod_mtu(plan);
    if left < IPV6_MTU && network.cidr.family() == Family::V6 {
        let why = format!("{left} bytes are left for pods, and IPv6 needs {IPV6_MTU}");
        let finding = plan.fail("network.mtu", "mtu", plan.platform.network.mtu.to_string(), why);
        found.push(Finding { reference: Some("RFC 8200".into()), ..finding });
    }
    found
}

/// The MTU left for pods.
pub(crate) fn pod_mtu(plan: &Plan) -> u32 {
    let overhead = plan.platform.cluster.cni.as_ref().map_or(Overhead::default(), |cni| Overhead {
        ipip: matches!(cni.encap, Encap::Ipip | Encap::IpipCrossSubnet),
        vxlan: matches!(cni.encap, Encap::Vxlan | Encap::VxlanCrossSubnet),
        wireguard: cni.wireguard,
    });
    let only_v6 = plan.platform.hosts.iter().all(|host| host.ip.is_none());
    let family = if only_v6 { Family::V6 } else { Family::V4 };
    plan.platform.network.mtu.saturating_sub(overhead.bytes(family))
}
