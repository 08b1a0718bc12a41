//! A cluster as it should be, for tests to break.

use std::time::{Duration, SystemTime};

use kube::{Health, Version};
use platform::Platform;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::ask::{Seen, Server, Told};

pub(super) const NOW: SystemTime = SystemTime::UNIX_EPOCH;

pub(super) fn platform() -> Platform {
    const TEXT: &str =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/fixtures/examples/platform.yaml"));
    platform::parse(TEXT).unwrap()
}

fn typed<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// What the API says about a host of the example.
pub(super) fn node(name: &str, address: &str, number: u8) -> Value {
    let control = name.starts_with("cp");
    json!({
        "metadata": {"name": name, "labels": if control { json!({"node-role.kubernetes.io/control-plane": ""}) } else { json!({}) }},
        "spec": {"podCIDRs": [format!("10.244.{number}.0/24")], "taints": if control {
            json!([{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]) } else { json!([]) }},
        "status": {
            "conditions": [{"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": "True"}],
            "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
            "nodeInfo": {"kubeletVersion": "v1.36.3"}}})
}

pub(super) fn nodes() -> Vec<Value> {
    let all = [("cp1", 21), ("cp2", 22), ("cp3", 23), ("w1", 31), ("w2", 32)];
    all.iter().map(|(name, number)| node(name, &format!("10.77.0.{number}"), *number)).collect()
}

pub(super) fn server(name: &str) -> Server {
    let passed = vec!["ping".to_owned(), "etcd".to_owned(), "etcd-readiness".to_owned()];
    Server {
        name: name.to_owned(),
        url: format!("https://{name}:6443"),
        health: Ok(Health { ok: true, status: 200, passed, failed: vec![] }),
        version: Ok(Version { git_version: "v1.36.3".to_owned() }),
        date: Some((NOW + Duration::from_secs(100), NOW + Duration::from_millis(100_500))),
    }
}

pub(super) fn healthy() -> Seen {
    seen(nodes())
}

pub(super) fn seen(nodes: Vec<Value>) -> Seen {
    let leases = nodes.iter().map(|node| {
        json!({"metadata": {"name": node["metadata"]["name"]},
            "spec": {"leaseDurationSeconds": 40, "renewTime": "1970-01-01T00:01:35.000000Z"}})
    });
    Seen {
        leases: typed::<Vec<_>>(leases.collect()).told(),
        nodes: typed::<Vec<_>>(nodes.into()).told(),
        coredns: typed::<kube::Deployment>(json!({"spec": {"replicas": 2}, "status": {"readyReplicas": 2}}))
            .told(),
        dns_service: typed::<kube::Service>(json!({"spec": {"clusterIPs": ["10.96.0.10"]}})).told(),
        dns_endpoints: typed::<Vec<_>>(json!([{"endpoints": [{"addresses": ["10.244.31.2"]}]}])).told(),
        calico: typed::<kube::DaemonSet>(json!({"status": {"desiredNumberScheduled": 5, "numberReady": 5}}))
            .told(),
        pools: typed::<Vec<_>>(json!([{"spec": {"cidr": "10.244.0.0/16"}}])).told(),
        servers: ["cp1", "cp2", "cp3"].map(server).to_vec(),
        vips: vec![server("10.77.0.100")],
        now: NOW + Duration::from_secs(100),
    }
}

trait Say: Sized {
    fn told(self) -> Told<Self> {
        Ok(self)
    }
}

impl<T> Say for T {}
