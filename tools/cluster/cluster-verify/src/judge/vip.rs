//! Whether the API answers at the virtual addresses, and one balancer holds each.

use std::net::IpAddr;

use model::{Finding, Severity, Status, Vip, VipVerdict};
use platform::Platform;

use super::{CLUSTER, Rule, Shown, api, joined};
use crate::ask::Server;

const API: Rule =
    Rule::new("vip-api", Severity::Critical, "kubelets and kubectl reach the API at the virtual address")
        .fix("vip-status and lb-stats on the balancers");
const HOLDER: Rule = Rule::new(
    "vip-holder",
    Severity::Critical,
    "one balancer holds the address: with none nobody answers, with two whoever is asked",
)
.fix("vip-status on the balancers");

pub(super) fn judge(
    platform: &Platform,
    servers: &[Server],
    told: Option<&[(Option<String>, Vip)]>,
) -> Vec<Finding> {
    if platform.network.vips.is_empty() {
        let why = "the platform has no virtual address";
        return vec![API.not_applicable(CLUSTER, why), HOLDER.not_applicable(CLUSTER, why)];
    }
    let mut found: Vec<_> = servers.iter().map(|server| api::ready(&API, server)).collect();
    found.extend(platform.network.vips.iter().map(|vip| holder(platform, *vip, told)));
    found
}

fn holder(platform: &Platform, vip: IpAddr, told: Option<&[(Option<String>, Vip)]>) -> Finding {
    let target = vip.to_string();
    let Some(told) = told else {
        let why = "the balancers were not asked: --vip takes what vip-status printed there";
        return HOLDER.not_applicable(&target, why);
    };
    let about: Vec<_> = told.iter().filter(|(_, record)| record.vip == vip).collect();
    let name = |host: &Option<String>| host.clone().unwrap_or_else(|| "a balancer".to_owned());
    let holders: Vec<_> = about.iter().filter(|(_, r)| r.local).map(|(host, _)| name(host)).collect();
    let silent: Vec<_> = platform
        .balancers()
        .filter(|host| !about.iter().any(|(who, _)| who.as_ref() == Some(&host.name)))
        .map(|host| host.name.as_str())
        .collect();
    let any = |verdict| about.iter().any(|(_, record)| record.verdict == verdict);
    let strangers: Vec<_> = holders
        .iter()
        .filter(|name| platform.host(name).is_some_and(|host| !host.is(platform::Role::Lb)))
        .collect();
    let fail = || HOLDER.found(&target, Status::Fail);
    let finding = if about.is_empty() {
        HOLDER.unknown_since(&target, "no record is about it")
    } else if any(VipVerdict::Duplicate) || holders.len() > 1 {
        fail().is(if holders.is_empty() { "several hold it".to_owned() } else { joined(&holders) })
    } else if any(VipVerdict::Stale) {
        fail().is(format!("{}, whose keepalived does not want it", joined(&holders)))
    } else if !strangers.is_empty() {
        fail().is(format!("{}, no balancer", joined(strangers)))
    } else if any(VipVerdict::One) {
        let who =
            if holders.is_empty() { "one machine that was not asked".to_owned() } else { joined(&holders) };
        HOLDER.found(&target, Status::Pass).is(who)
    } else if silent.is_empty() || any(VipVerdict::None) {
        fail().is("nobody")
    } else {
        HOLDER.unknown_since(&target, &format!("{} told nothing", joined(silent)))
    };
    finding.should_be("one balancer")
}
