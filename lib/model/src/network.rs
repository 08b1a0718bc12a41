//! Networks: how much room they have.

use serde::{Deserialize, Serialize};

/// How large a network is, and how much of it is taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "record", rename = "network-size")]
pub struct NetworkSize {
    /// The field of the platform document, such as `network.pod_cidr`.
    pub network: String,
    /// The network itself.
    pub cidr: String,
    /// How many addresses it holds; null if more than fit 63 bits.
    pub addresses: Option<u64>,
    /// How many of them the document names; null if that says nothing (pods, services).
    pub taken: Option<u64>,
    /// How many blocks Calico cuts it into; null if it is no pool.
    pub blocks: Option<u64>,
    /// How many nodes it has room for; null if it is no pool.
    pub most_nodes: Option<u64>,
    /// How many addresses a node has when all nodes have as many; null if it is no pool.
    pub pods_per_node: Option<u64>,
    /// The MTU left for pods, bytes; null if it is no pool.
    pub pod_mtu_bytes: Option<u32>,
}
