//! How much room the networks have.

use model::NetworkSize;

use crate::limits::{block_size, node_mask, pod_mtu};
use crate::plan::{Kind, Network, Plan};

/// Every network of the document.
pub(crate) fn sizes(plan: &Plan) -> Vec<NetworkSize> {
    plan.networks.iter().map(|network| size(plan, network)).collect()
}

fn size(plan: &Plan, network: &Network) -> NetworkSize {
    let cidr = &network.cidr;
    let pods = network.kind == Kind::Pods;
    let blocks = block_size(plan, cidr.family()).filter(|_| pods).map(|size| cidr.subnets(size));
    let ranges = pods.then(|| cidr.subnets(node_mask(plan, cidr.family())));
    // Both the controller manager and Calico hand out ranges: the scarcer counts.
    let nodes = ranges.map(|ranges| blocks.map_or(ranges, |blocks| ranges.min(blocks)));
    NetworkSize {
        network: network.path.clone(),
        cidr: cidr.to_string(),
        addresses: number(cidr.addresses()),
        taken: taken(plan, network),
        blocks: blocks.and_then(number),
        most_nodes: nodes.and_then(number),
        pods_per_node: nodes.and_then(|nodes| cidr.addresses().checked_div(nodes)).and_then(number),
        pod_mtu_bytes: pods.then(|| pod_mtu(plan)),
    }
}

/// Addresses of this network that the document names.
fn taken(plan: &Plan, network: &Network) -> Option<u64> {
    let hosts = &plan.platform.hosts;
    let within = |address: &std::net::IpAddr| network.cidr.contains(*address);
    let count = match network.kind {
        Kind::Nodes => {
            let vips = plan.platform.network.vips.iter().copied();
            hosts.iter().flat_map(platform::Host::addresses).chain(vips).filter(within).count()
        }
        Kind::Bmcs => {
            hosts.iter().filter_map(|host| host.bmc.as_ref().map(|bmc| bmc.address)).filter(within).count()
        }
        Kind::Pods | Kind::Services => return None,
    };
    Some(count as u64)
}

fn number(n: u128) -> Option<u64> {
    u64::try_from(n).ok().filter(|n| i64::try_from(*n).is_ok())
}
