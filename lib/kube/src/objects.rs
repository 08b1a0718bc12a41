//! Objects of the API, with the fields that are read.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::SystemTime;

use serde::Deserialize;

/// An object that may be missing, or null, is its default.
fn or_default<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}

/// What every object has.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Meta {
    /// Its name.
    pub name: String,
    /// Its namespace; empty if it has none.
    pub namespace: String,
    /// What tells it from its successor of the same name.
    pub uid: String,
    /// Its labels.
    #[serde(deserialize_with = "or_default")]
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    #[serde(deserialize_with = "or_default")]
    pub annotations: BTreeMap<String, String>,
    /// Who made it.
    #[serde(deserialize_with = "or_default")]
    pub owner_references: Vec<Owner>,
    /// When it was asked to go, RFC 3339; `None` if nobody did.
    pub deletion_timestamp: Option<String>,
}

impl Meta {
    /// Whoever makes it again when it goes; `None` if nobody does.
    pub fn controller(&self) -> Option<&Owner> {
        self.owner_references.iter().find(|owner| owner.controller)
    }
}

/// Who made an object.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Owner {
    /// The kind, such as `DaemonSet`.
    pub kind: String,
    /// The name.
    pub name: String,
    /// Whether it makes the object again when it goes.
    pub controller: bool,
}

/// A machine of the cluster.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Node {
    /// Its name, its uid.
    pub metadata: Meta,
    /// What it should be.
    pub spec: NodeSpec,
    /// What it is.
    pub status: NodeStatus,
}

/// What a node should be.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeSpec {
    /// Whether it takes no new pods (`kubectl cordon`).
    pub unschedulable: bool,
    /// The networks its pods' addresses come from, as text.
    #[serde(rename = "podCIDRs", deserialize_with = "or_default")]
    pub pod_cidrs: Vec<String>,
    /// What keeps pods away.
    #[serde(deserialize_with = "or_default")]
    pub taints: Vec<Taint>,
}

/// What keeps pods away from a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Taint {
    /// Its key, such as `node-role.kubernetes.io/control-plane`.
    pub key: String,
    /// What it does: `NoSchedule`, `PreferNoSchedule`, `NoExecute`.
    pub effect: String,
}

/// What a node is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeStatus {
    /// `Ready`, and whatever presses it.
    #[serde(deserialize_with = "or_default")]
    pub conditions: Vec<Condition>,
    /// Where it is reached.
    #[serde(deserialize_with = "or_default")]
    pub addresses: Vec<NodeAddress>,
    /// What it runs.
    pub node_info: NodeInfo,
}

/// One thing that holds of an object, or does not.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Condition {
    /// What it is about.
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False`, or `Unknown` once nobody reports any more.
    pub status: String,
    /// A word for why.
    pub reason: String,
    /// A sentence for why.
    pub message: String,
}

/// Where a node is reached.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct NodeAddress {
    /// `InternalIP`, `Hostname`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// The address.
    pub address: String,
}

/// What a node runs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeInfo {
    /// Such as `v1.36.3`; empty until the kubelet has reported.
    pub kubelet_version: String,
}

impl Node {
    /// Its path in the API.
    pub fn path(name: &str) -> String {
        format!("/api/v1/nodes/{name}")
    }

    /// The condition `Ready`; `None` until the kubelet has reported.
    pub fn ready(&self) -> Option<&Condition> {
        self.status.conditions.iter().find(|condition| condition.kind == "Ready")
    }

    /// Whether it is ready.
    pub fn is_ready(&self) -> bool {
        self.ready().is_some_and(|ready| ready.status == "True")
    }

    /// Whether nobody has heard of its kubelet for a while.
    pub fn is_silent(&self) -> bool {
        self.ready().is_none_or(|ready| ready.status == "Unknown")
    }

    /// Where the other nodes reach it.
    pub fn internal_ips(&self) -> impl Iterator<Item = IpAddr> {
        let internal = self.status.addresses.iter().filter(|address| address.kind == "InternalIP");
        internal.filter_map(|address| address.address.parse().ok())
    }

    /// Whether it is labelled as a control plane.
    pub fn is_control_plane(&self) -> bool {
        self.metadata.labels.contains_key("node-role.kubernetes.io/control-plane")
    }
}

/// A pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Pod {
    /// Its name, its namespace, its owners.
    pub metadata: Meta,
    /// What it should be.
    pub spec: PodSpec,
    /// What it is.
    pub status: PodStatus,
}

/// What a pod should be.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PodSpec {
    /// The node it runs on; empty if none yet.
    pub node_name: String,
    /// What it keeps files in.
    #[serde(deserialize_with = "or_default")]
    pub volumes: Vec<Volume>,
}

/// Where a pod keeps files.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Volume {
    /// Files of the node that go when the pod does; `None` for other volumes.
    pub empty_dir: Option<serde_json::Value>,
}

/// What a pod is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct PodStatus {
    /// `Pending`, `Running`, `Succeeded`, `Failed`, `Unknown`.
    pub phase: String,
}

impl Pod {
    /// Its path in the API.
    pub fn path(&self) -> String {
        format!("/api/v1/namespaces/{}/pods/{}", self.metadata.namespace, self.metadata.name)
    }

    /// Its namespace and name.
    pub fn name(&self) -> String {
        format!("{}/{}", self.metadata.namespace, self.metadata.name)
    }

    /// Whether it shows a pod the kubelet runs from a file.
    pub fn is_mirror(&self) -> bool {
        self.metadata.annotations.contains_key("kubernetes.io/config.mirror")
    }

    /// Whether a `DaemonSet` wants it on this very node.
    pub fn is_of_daemon_set(&self) -> bool {
        self.metadata.controller().is_some_and(|owner| owner.kind == "DaemonSet")
    }

    /// Whether it has run to its end.
    pub fn is_finished(&self) -> bool {
        matches!(self.status.phase.as_str(), "Succeeded" | "Failed")
    }
}

/// A deployment.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Deployment {
    /// Its name.
    pub metadata: Meta,
    /// What it should be.
    pub spec: DeploymentSpec,
    /// What it is.
    pub status: DeploymentStatus,
}

/// What a deployment should be.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct DeploymentSpec {
    /// So many pods; 1 if it does not say.
    pub replicas: Option<u32>,
}

/// What a deployment is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct DeploymentStatus {
    /// So many pods are ready.
    pub ready_replicas: u32,
}

/// A daemon set.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct DaemonSet {
    /// Its name.
    pub metadata: Meta,
    /// What it is.
    pub status: DaemonSetStatus,
}

/// What a daemon set is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct DaemonSetStatus {
    /// On so many nodes it should run.
    pub desired_number_scheduled: u32,
    /// On so many it is ready.
    pub number_ready: u32,
}

/// A service.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Service {
    /// Its name.
    pub metadata: Meta,
    /// What it should be.
    pub spec: ServiceSpec,
}

/// What a service should be.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ServiceSpec {
    /// Its addresses, as text; `None` stands for a service without one.
    #[serde(rename = "clusterIPs", deserialize_with = "or_default")]
    pub cluster_ips: Vec<String>,
}

/// Some of the addresses behind a service.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct EndpointSlice {
    /// Its name.
    pub metadata: Meta,
    /// The addresses.
    #[serde(deserialize_with = "or_default")]
    pub endpoints: Vec<Endpoint>,
}

/// One pod behind a service.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Endpoint {
    /// Its addresses; they mean the same pod.
    #[serde(deserialize_with = "or_default")]
    pub addresses: Vec<String>,
    /// Whether it serves.
    #[serde(deserialize_with = "or_default")]
    pub conditions: EndpointConditions,
}

/// Whether an endpoint serves.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct EndpointConditions {
    /// Whether it is ready; what is not known counts as ready (the API's own rule).
    pub ready: Option<bool>,
}

impl EndpointSlice {
    /// How many endpoints are ready.
    pub fn ready(&self) -> usize {
        self.endpoints.iter().filter(|endpoint| endpoint.conditions.ready.unwrap_or(true)).count()
    }
}

/// How a kubelet says that it is alive.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Lease {
    /// The node's name.
    pub metadata: Meta,
    /// When it said so last.
    pub spec: LeaseSpec,
}

/// When somebody said last that he is alive.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct LeaseSpec {
    /// By his own clock, RFC 3339.
    pub renew_time: Option<String>,
    /// How long that holds, seconds; a kubelet renews it four times as often.
    pub lease_duration_seconds: Option<u32>,
}

impl Lease {
    /// When it was renewed, by the clock of whoever did.
    pub fn renewed(&self) -> Option<SystemTime> {
        humantime::parse_rfc3339(self.spec.renew_time.as_deref()?).ok()
    }
}

/// Calico's pool of addresses.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct IpPool {
    /// Its name.
    pub metadata: Meta,
    /// What it holds.
    pub spec: IpPoolSpec,
}

/// What a pool holds.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct IpPoolSpec {
    /// The network, as text.
    pub cidr: String,
    /// Whether no new address is taken from it.
    pub disabled: bool,
}

/// Which version a server is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Version {
    /// Such as `v1.36.3`.
    pub git_version: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_node_nobody_has_heard_of_is_silent_and_one_that_complains_is_not() {
        let node = |ready: &str| -> Node {
            serde_json::from_value(json!({"metadata": {"name": "w1", "labels": null}, "spec": {"taints": null},
                "status": {"conditions": [{"type": "Ready", "status": ready}],
                "addresses": [{"type": "Hostname", "address": "w1"}, {"type": "InternalIP", "address": "10.77.0.31"}]}}))
            .unwrap()
        };
        assert!(node("True").is_ready() && !node("True").is_silent());
        assert!(!node("False").is_ready() && !node("False").is_silent());
        assert!(node("Unknown").is_silent() && Node::default().is_silent());
        assert_eq!(
            node("True").internal_ips().collect::<Vec<_>>(),
            ["10.77.0.31".parse::<IpAddr>().unwrap()]
        );
    }

    #[test]
    fn pods_that_stay_are_told_from_those_that_go() {
        let pod = |owner: &str, annotation: &str| -> Pod {
            serde_json::from_value(
                json!({"metadata": {"name": "p", "namespace": "n", "annotations": {annotation: "x"},
                "ownerReferences": [{"kind": owner, "name": "o", "controller": true}]}}),
            )
            .unwrap()
        };
        assert!(pod("DaemonSet", "a").is_of_daemon_set() && !pod("ReplicaSet", "a").is_of_daemon_set());
        assert!(pod("Node", "kubernetes.io/config.mirror").is_mirror());
        assert_eq!(pod("ReplicaSet", "a").path(), "/api/v1/namespaces/n/pods/p");
    }

    #[test]
    fn an_endpoint_that_does_not_say_is_ready() {
        let slice: EndpointSlice = serde_json::from_value(json!({"endpoints": [
            {"addresses": ["a"]}, {"addresses": ["b"], "conditions": {"ready": false}},
            {"addresses": ["c"], "conditions": {"ready": true}}]}))
        .unwrap();
        assert_eq!(slice.ready(), 2);
        let none: EndpointSlice = serde_json::from_value(json!({"endpoints": null})).unwrap();
        assert_eq!(none.ready(), 0);
    }

    #[test]
    fn a_lease_knows_when_it_was_renewed_to_the_microsecond() {
        let lease: Lease =
            serde_json::from_value(json!({"spec": {"renewTime": "1970-01-01T00:00:01.500000Z"}})).unwrap();
        assert_eq!(lease.renewed(), Some(SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(1500)));
        assert_eq!(Lease::default().renewed(), None);
    }
}
