//! What the documents have in common.

use std::net::IpAddr;

use net::Family;
use platform::{Host, Platform};
use serde_json::{Map, Value, json};

use crate::error::value;
use crate::{Result, yaml};

/// The version of kubeadm's configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Api {
    /// kubeadm 1.22 to 1.35 or so.
    V1Beta3,
    /// kubeadm 1.31 and later.
    #[default]
    V1Beta4,
}

impl Api {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::V1Beta3 => "kubeadm.k8s.io/v1beta3",
            Self::V1Beta4 => "kubeadm.k8s.io/v1beta4",
        }
    }

    /// Arguments of a component: a list since v1beta4, a map before.
    pub(crate) fn arguments(self, arguments: &[(&str, String)]) -> Value {
        match self {
            Self::V1Beta3 => arguments
                .iter()
                .map(|(name, value)| ((*name).to_owned(), json!(value)))
                .collect::<Map<_, _>>()
                .into(),
            Self::V1Beta4 => {
                arguments.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
            }
        }
    }
}

/// Fields of a map that are there, in their order.
pub(crate) fn map<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect::<Map<_, _>>()
        .into()
}

/// Several documents in one file.
pub(crate) fn documents(values: &[Value]) -> String {
    values.iter().map(yaml::document).collect::<Vec<_>>().join("---\n")
}

/// The family a node's API server and kubelet speak first: that of the
/// services' first network.
pub(crate) fn family(platform: &Platform) -> Family {
    if platform.network.service_cidr.is_some() { Family::V4 } else { Family::V6 }
}

/// The address a host's API server advertises and its kubelet registers.
pub(crate) fn address(platform: &Platform, host: &Host) -> Result<IpAddr> {
    let family = family(platform);
    let Some(address) = host.address(family) else {
        return value(format!("{} has no {family} address for the cluster's services", host.name));
    };
    if platform.network.vips.contains(&address) {
        return value(format!("{}: {address} is a virtual address, which moves", host.name));
    }
    Ok(address)
}

/// `nodeRegistration`: the name, the runtime's socket, and the node's addresses.
///
/// Without node-ip the kubelet takes the address of the default route, which
/// may be the virtual one.
pub(crate) fn registration(platform: &Platform, host: &Host, socket: &str, api: Api) -> Result<Value> {
    let first = address(platform, host)?;
    let dual = platform.network.service_cidr.is_some() && platform.network.service_cidr6.is_some();
    let second = host.addresses().find(|other| dual && Family::of(*other) != Family::of(first));
    let node_ip =
        [Some(first), second].into_iter().flatten().map(|ip| ip.to_string()).collect::<Vec<_>>().join(",");
    let is_worker_too = host.is(platform::Role::ControlPlane) && host.is(platform::Role::Worker);
    Ok(map([
        ("name", Some(json!(host.name))),
        ("criSocket", Some(json!(socket))),
        // kubeadm taints control planes unless told there is no taint.
        ("taints", is_worker_too.then(|| json!([]))),
        ("kubeletExtraArgs", Some(api.arguments(&[("node-ip", node_ip)]))),
    ]))
}

/// HOST:PORT, with brackets where they belong.
pub(crate) fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}
