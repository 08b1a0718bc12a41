//! Each thing that can be wrong is found, and nothing else.

use std::time::Duration;

use clap::ValueEnum;
use model::{Finding, Status, VipVerdict};
use serde_json::{Value, json};

use super::samples::{NOW, healthy, node, nodes, platform, seen, server};
use crate::Area;
use crate::ask::{Seen, Untold};
use crate::told::Told;

const SKEW: Duration = Duration::from_secs(2);

fn all(seen: &Seen, told: &Told) -> Vec<Finding> {
    super::findings(&platform(), seen, told, Area::value_variants(), SKEW)
}

/// What does not pass, as `STATUS CHECK TARGET`.
fn bad(seen: &Seen) -> Vec<String> {
    told(seen, &Told::default()).into_iter().filter(|line| !line.starts_with("NotApplicable")).collect()
}

fn told(seen: &Seen, told: &Told) -> Vec<String> {
    let found = all(seen, told).into_iter().filter(|finding| finding.status != Status::Pass);
    found.map(|finding| format!("{:?} {} {}", finding.status, finding.check, finding.target)).collect()
}

/// The example with one node as the closure leaves it.
fn with(name: &str, change: impl Fn(&mut Value)) -> Vec<String> {
    let mut nodes = nodes();
    nodes.iter_mut().filter(|node| node["metadata"]["name"] == name).for_each(change);
    bad(&seen(nodes))
}

#[test]
fn a_cluster_as_the_platform_has_it_passes_everything() {
    assert_eq!(bad(&healthy()), Vec::<String>::new());
    let checks = all(&healthy(), &Told::default());
    assert_eq!(checks.iter().filter(|finding| finding.status == Status::NotApplicable).count(), 2);
}

#[test]
fn nodes_that_are_missing_or_nobody_knows_are_named() {
    let mut others = nodes();
    others.retain(|node| node["metadata"]["name"] != "w2");
    assert_eq!(bad(&seen(others.clone())), ["Fail node-missing w2"]);
    others.push(node("w9", "10.77.0.39", 39));
    assert_eq!(bad(&seen(others)), ["Fail node-missing w2", "Fail node-extra w9"]);
}

#[test]
fn a_node_that_is_not_ready_is_named_and_so_is_its_trouble() {
    let down = |node: &mut Value| {
        node["status"]["conditions"] =
            json!([{"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"}]);
    };
    assert_eq!(with("w1", down), ["Fail node-ready w1", "Unknown node-clock w1"]);
    let full = |node: &mut Value| node["status"]["conditions"][0]["status"] = "True".into();
    assert_eq!(with("w1", full), ["Fail node-pressure w1"]);
    assert_eq!(with("w1", |node| node["spec"]["unschedulable"] = true.into()), ["Warn node-cordoned w1"]);
}

#[test]
fn roles_and_taints_are_those_of_the_platform() {
    assert_eq!(with("cp1", |node| node["spec"]["taints"] = json!([])), ["Fail node-taint cp1"]);
    assert_eq!(with("cp1", |node| node["metadata"]["labels"] = json!({})), ["Fail node-role cp1"]);
}

#[test]
fn versions_are_the_platforms_and_within_the_skew() {
    let runs = |version: &'static str| {
        with("w1", move |node| node["status"]["nodeInfo"]["kubeletVersion"] = version.into())
    };
    assert_eq!(runs("v1.36.2"), ["Fail kubelet-version w1"]);
    assert_eq!(runs("v1.33.9"), ["Fail kubelet-version w1"]);
    assert_eq!(runs("v1.32.9"), ["Fail kubelet-version w1", "Fail kubelet-skew w1"]);
    assert_eq!(runs("v1.37.0"), ["Fail kubelet-version w1", "Fail kubelet-skew w1"]);
    assert_eq!(runs(""), ["Unknown kubelet-version w1"]);
    let mut apart = healthy();
    apart.servers[0].version.as_mut().unwrap().git_version = "v1.34.0".to_owned();
    let found = bad(&apart);
    assert_eq!(found[..2], ["Fail api-version cp1", "Fail api-skew cluster"]);
    assert_eq!(found.len(), 7, "every kubelet is newer than that one: {found:?}");
}

#[test]
fn addresses_are_the_platforms() {
    let at = |address: &'static str| {
        with("w1", move |node| node["status"]["addresses"][0]["address"] = address.into())
    };
    assert_eq!(at("10.77.0.99"), ["Fail node-address w1"]);
    assert_eq!(at("10.77.0.100"), ["Fail node-address w1", "Fail vip-internal-ip w1"]);
    assert_eq!(with("w1", |node| node["status"]["addresses"] = Value::Null), ["Fail node-address w1"]);
    assert_eq!(with("w1", |node| node["spec"]["podCIDRs"] = json!(["10.245.0.0/24"])), ["Fail pod-cidr w1"]);
    assert_eq!(with("w1", |node| node["spec"]["podCIDRs"] = json!(["10.244.0.0/17"])).len(), 4);
    assert_eq!(with("w1", |node| node["spec"]["podCIDRs"] = Value::Null), ["Warn pod-cidr w1"]);
}

#[test]
fn an_api_server_that_fails_is_named_with_what_fails() {
    let mut one = healthy();
    let health = one.servers[1].health.as_mut().unwrap();
    (health.ok, health.failed, health.passed) = (false, vec!["etcd".to_owned()], vec![]);
    assert_eq!(bad(&one), ["Fail api-ready cp2", "Fail etcd-reached cp2"]);
    let found = all(&one, &Told::default());
    let ready = found.iter().find(|finding| finding.check == "api-ready" && finding.target == "cp2").unwrap();
    assert_eq!(ready.current.as_deref(), Some("failed: etcd"));
    let mut gone = healthy();
    let untold = Untold { why: "connection refused".to_owned(), missing: false };
    gone.servers[1].health = Err(untold.clone());
    gone.servers[1].version = Err(untold.clone());
    gone.servers[1].date = None;
    assert_eq!(
        bad(&gone),
        [
            "Unknown api-version cp2",
            "Fail api-ready cp2",
            "Unknown etcd-reached cp2",
            "Unknown api-clock cp2"
        ]
    );
    gone = healthy();
    gone.vips[0].health = Err(untold);
    assert_eq!(bad(&gone), ["Fail vip-api 10.77.0.100"]);
}

fn holders(records: &[(&str, bool, VipVerdict)]) -> Vec<String> {
    let vips = records.iter().map(|(host, local, verdict)| {
        let record =
            json!({"record": "vip", "vip": "10.77.0.100", "verdict": verdict, "local": local, "holders": []});
        (Some((*host).to_owned()), serde_json::from_value(record).unwrap())
    });
    let about = Told { vips: Some(vips.collect()), etcd: None };
    told(&healthy(), &about).into_iter().filter(|line| line.contains("vip-holder")).collect()
}

#[test]
fn exactly_one_balancer_holds_the_address() {
    use VipVerdict as V;
    assert_eq!(holders(&[("lb1", true, V::One), ("lb2", false, V::One)]), Vec::<String>::new());
    let fail = ["Fail vip-holder 10.77.0.100"];
    assert_eq!(holders(&[("lb1", true, V::Duplicate), ("lb2", true, V::Duplicate)]), fail);
    assert_eq!(holders(&[("lb1", true, V::One), ("lb2", true, V::One)]), fail);
    assert_eq!(holders(&[("lb1", false, V::None), ("lb2", false, V::None)]), fail);
    assert_eq!(holders(&[("lb1", true, V::Stale), ("lb2", false, V::One)]), fail);
    assert_eq!(holders(&[("w1", true, V::One)]), fail);
    assert_eq!(holders(&[]), ["Unknown vip-holder 10.77.0.100"]);
}

#[test]
fn what_etcd_check_found_is_passed_on() {
    let quorum = |status: &str| -> Finding {
        serde_json::from_value(
            json!({"record": "finding", "tool": "etcd-check", "target": "cluster", "check": "quorum",
            "status": status, "severity": "critical", "why": "w", "current": "2 of 3 voters answer"}),
        )
        .unwrap()
    };
    let lines = |findings: Vec<Finding>| {
        told(&healthy(), &Told { vips: None, etcd: Some((vec![], findings)) })
            .into_iter()
            .filter(|line| line.contains("etcd"))
            .collect::<Vec<_>>()
    };
    assert_eq!(lines(vec![quorum("pass")]), Vec::<String>::new());
    assert_eq!(lines(vec![quorum("fail")]), ["Fail etcd-quorum cluster"]);
    let stale = Finding { check: "stale-member".to_owned(), target: "cp9".to_owned(), ..quorum("fail") };
    assert_eq!(lines(vec![quorum("pass"), stale]), ["Fail etcd-found cp9"]);
    assert_eq!(lines(vec![]), ["Unknown etcd-quorum cluster"]);
}

#[test]
fn names_need_coredns_its_service_and_endpoints() {
    let mut less = healthy();
    less.coredns.as_mut().unwrap().status.ready_replicas = 1;
    assert_eq!(bad(&less), ["Fail coredns-ready kube-system/coredns"]);
    less.coredns.as_mut().unwrap().spec.replicas = None;
    assert_eq!(bad(&less), ["Warn coredns-ready kube-system/coredns"]);
    let mut none = healthy();
    none.dns_endpoints = Ok(vec![]);
    assert_eq!(bad(&none), ["Fail dns-endpoints kube-system/kube-dns"]);
    let mut elsewhere = healthy();
    elsewhere.dns_service.as_mut().unwrap().spec.cluster_ips = vec!["10.97.0.10".to_owned()];
    assert_eq!(bad(&elsewhere), ["Fail dns-service kube-system/kube-dns"]);
    elsewhere.dns_service = Err(Untold { why: "answered 404".to_owned(), missing: true });
    assert_eq!(bad(&elsewhere), ["Fail dns-service kube-system/kube-dns"]);
}

#[test]
fn calico_hands_out_the_platforms_addresses() {
    let pools = |cidrs: &[&str]| {
        let mut seen = healthy();
        let pools = cidrs.iter().map(|cidr| json!({"spec": {"cidr": cidr}}));
        seen.pools = Ok(serde_json::from_value(pools.collect()).unwrap());
        bad(&seen)
    };
    assert_eq!(pools(&["10.244.0.0/16", "fd00::/48"]), Vec::<String>::new());
    assert_eq!(pools(&["10.244.0.0/17", "10.244.128.0/17"]), ["Warn calico-pool cluster"]);
    for wrong in [&["192.168.0.0/16"][..], &[], &["10.244.0.0/16", "192.168.0.0/16"], &["10.0.0.0/8"]] {
        assert_eq!(pools(wrong), ["Fail calico-pool cluster"], "{wrong:?}");
    }
    let mut some = healthy();
    some.calico.as_mut().unwrap().status.number_ready = 4;
    assert_eq!(bad(&some), ["Fail calico-ready calico-node"]);
    let mut none = healthy();
    none.pools = Err(Untold { why: "answered 404".to_owned(), missing: true });
    assert_eq!(bad(&none), ["Unknown calico-pool cluster"]);
}

#[test]
fn clocks_that_are_off_are_named() {
    let mut off = healthy();
    off.servers[2] = server("cp3");
    off.servers[2].date = Some((NOW + Duration::from_secs(104), NOW + Duration::from_secs(100)));
    assert_eq!(bad(&off), ["Fail api-clock cp3"]);
    let renewed = |text: &str| {
        let mut seen = healthy();
        seen.leases.as_mut().unwrap()[3].spec.renew_time = Some(text.to_owned());
        bad(&seen)
    };
    assert_eq!(renewed("1970-01-01T00:01:41Z"), Vec::<String>::new());
    assert_eq!(renewed("1970-01-01T00:01:43Z"), ["Fail node-clock w1"]);
    assert_eq!(renewed("1970-01-01T00:01:19Z"), Vec::<String>::new());
    assert_eq!(renewed("1970-01-01T00:01:17Z"), ["Fail node-clock w1"]);
    assert_eq!(renewed("nonsense"), ["Unknown node-clock w1"]);
}

#[test]
fn without_the_list_of_nodes_that_is_said_once() {
    let mut blind = healthy();
    blind.nodes = Err(Untold { why: "no answer in time".to_owned(), missing: false });
    assert_eq!(bad(&blind), ["Unknown nodes cluster"]);
}
