//! Hosts: the machines of a platform, for whatever works on each of them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// One machine of the platform document, with every default filled in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "record", rename = "host")]
pub struct HostEntry {
    /// The cluster it belongs to.
    pub cluster: String,
    /// Its name.
    pub name: String,
    /// What it does: lb, control-plane, etcd, worker.
    pub roles: Vec<String>,
    /// Its IPv4 address; null if it has none.
    pub ip: Option<Ipv4Addr>,
    /// Its IPv6 address; null if it has none.
    pub ip6: Option<Ipv6Addr>,
    /// The network interface that carries its addresses; null if unknown.
    pub interface: Option<String>,
    /// A balancer's VRRP priority; null on other hosts.
    pub priority: Option<u8>,
    /// Its management controller; null if it has none.
    pub bmc: Option<BmcEntry>,
    /// Free words to select it by.
    pub labels: BTreeMap<String, String>,
    /// Its operating system; null if unknown.
    pub os: Option<String>,
    /// The Kubernetes version it runs.
    pub kubernetes: String,
    /// How to log in.
    pub ssh: SshEntry,
}

/// A management controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BmcEntry {
    /// Its address.
    pub address: IpAddr,
    /// The protocol it speaks: redfish or ipmi.
    pub kind: String,
}

/// How to log in to a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SshEntry {
    /// The user; null for whoever runs the command.
    pub user: Option<String>,
    /// The port.
    pub port: u16,
    /// The file of the private key; null for ssh's own choice.
    pub key: Option<String>,
}
