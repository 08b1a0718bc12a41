//! Whether Calico runs everywhere, and hands out the platform's addresses.

use kube::IpPool;
use model::{Finding, Severity, Status};
use net::Cidr;
use platform::Platform;

use super::{CLUSTER, Rule, Shown, hosts, joined};
use crate::ask::Seen;

const NODES: Rule =
    Rule::new("calico-ready", Severity::High, "pods of a node without Calico reach nobody on other nodes")
        .fix("kubectl get pods -A -l k8s-app=calico-node -o wide");
const POOL: Rule = Rule::new(
    "calico-pool",
    Severity::High,
    "Calico takes pods' addresses from its pools, whatever CALICO_IPV4POOL_CIDR says after the first start",
)
.fix("a new IPPool, the old one disabled, pods made anew")
.reference("https://docs.tigera.io/calico/latest/networking/ipam/migrate-pools");

pub(super) fn judge(platform: &Platform, seen: &Seen) -> Vec<Finding> {
    if platform.cluster.cni.is_none() {
        let why = "the platform says nothing about a network plugin";
        return vec![NODES.not_applicable(CLUSTER, why), POOL.not_applicable(CLUSTER, why)];
    }
    let nodes = match &seen.calico {
        Err(untold) if untold.missing => NODES.found("calico-node", Status::Fail).is("no such daemon set"),
        Err(untold) => NODES.unknown("calico-node", untold),
        Ok(set) => {
            let (ready, desired) = (set.status.number_ready, set.status.desired_number_scheduled);
            let all = seen.nodes.as_ref().map_or_else(|_| hosts(platform).count(), Vec::len);
            // `desired` may lag behind a node that left: what counts is one on each that is there.
            let finding = NODES.holds("calico-node", usize::try_from(ready).is_ok_and(|ready| ready >= all));
            finding.is(format!("{ready} ready, {desired} wanted")).should_be(format!("{all} ready"))
        }
    };
    let network = &platform.network;
    let mut found = vec![nodes];
    for wanted in [network.pod_cidr, network.pod_cidr6].into_iter().flatten() {
        found.push(match &seen.pools {
            Err(untold) if untold.missing => POOL.unknown_since(CLUSTER, "the API shows no pools"),
            Err(untold) => POOL.unknown(CLUSTER, untold),
            Ok(pools) => pool(wanted, pools),
        });
    }
    found
}

/// The pools of one family: all inside the platform's network, best the network itself.
fn pool(wanted: Cidr, pools: &[IpPool]) -> Finding {
    let enabled = pools.iter().filter(|pool| !pool.spec.disabled);
    let family: Vec<Cidr> = enabled
        .filter_map(|pool| pool.spec.cidr.parse::<Cidr>().ok())
        .filter(|cidr| cidr.family() == wanted.family())
        .collect();
    let status = if family.is_empty() || !family.iter().all(|cidr| wanted.covers(cidr)) {
        Status::Fail
    } else if family.contains(&wanted) {
        Status::Pass
    } else {
        // On purpose perhaps: a pool a rack.
        Status::Warn
    };
    let finding = POOL.found(CLUSTER, status).should_be(wanted);
    if family.is_empty() { finding.is("no pool") } else { finding.is(joined(family)) }
}
