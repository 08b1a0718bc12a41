//! Networks against each other and against reserved ranges.

use model::Finding;

use crate::plan::{Kind, Network, Plan};

/// Every pair that shares addresses; pods and services may if `pods_services`.
pub(crate) fn findings(plan: &Plan, pods_services: bool) -> Vec<Finding> {
    let mut found = Vec::new();
    for (n, network) in plan.networks.iter().enumerate() {
        for other in plan.networks[..n].iter().filter(|other| network.cidr.overlaps(&other.cidr)) {
            let inner = network.is_inner() && other.is_inner();
            if !(inner && pods_services && network.kind != other.kind) {
                found.push(pair(plan, network, other));
            }
        }
        match reserved(plan, network) {
            Some(finding) => found.push(finding),
            None if !network.cidr.is_private() => found.push(public(plan, network)),
            None => {}
        }
    }
    for (path, vip) in plan.vips() {
        for network in plan.networks.iter().filter(|network| network.is_inner() && network.cidr.contains(vip))
        {
            let why = format!("it lies inside {} {}", network.path, network.cidr);
            found.push(plan.fail(&path, "overlap", vip.to_string(), why));
        }
    }
    found
}

fn pair(plan: &Plan, network: &Network, other: &Network) -> Finding {
    let why = format!("it overlaps {} {}", other.path, other.cidr);
    let fix = (network.is_inner() || other.is_inner())
        .then(|| "`net-plan suggest` names a free network".to_owned());
    let current = network.cidr.to_string();
    if network.is_inner() || other.is_inner() {
        return Finding { fix, ..plan.fail(&network.path, "overlap", current, why) };
    }
    // Management controllers on the nodes' network work: whoever breaks into a pod reaches them.
    let reference =
        (network.kind == Kind::Bmcs).then(|| "NSA, CISA: Harden Baseboard Management Controllers".to_owned());
    Finding { reference, ..plan.warn(&network.path, "overlap", current, why) }
}

fn reserved(plan: &Plan, network: &Network) -> Option<Finding> {
    let range = net::reserved().find(|range| range.cidr.overlaps(&network.cidr))?;
    let why = format!("it overlaps {}, which is {}", range.cidr, range.what);
    let current = network.cidr.to_string();
    let finding = if range.bearable {
        plan.warn(&network.path, "reserved", current, why)
    } else {
        plan.fail(&network.path, "reserved", current, why)
    };
    Some(Finding { reference: Some(range.reference.into()), ..finding })
}

fn public(plan: &Plan, network: &Network) -> Finding {
    let why = "it is no private network: whoever owns these addresses cannot be reached from here".to_owned();
    let rfc = match network.cidr.family() {
        net::Family::V4 => ("10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16", "RFC 1918"),
        net::Family::V6 => ("fd00::/8", "RFC 4193"),
    };
    Finding {
        want: Some(format!("a part of {}", rfc.0)),
        reference: Some(rfc.1.into()),
        ..plan.warn(&network.path, "private", network.cidr.to_string(), why)
    }
}
