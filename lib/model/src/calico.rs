//! Calico: what its manifest says.

use serde::{Deserialize, Serialize};

/// One setting of a Calico manifest that is about addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "record", rename = "calico-setting")]
pub struct CalicoSetting {
    /// The manifest.
    pub file: String,
    /// The line that says it, from 1; null if none does.
    pub line: Option<u32>,
    /// The object it is part of, such as `DaemonSet kube-system/calico-node`.
    pub object: String,
    /// The variable, or the path in the object.
    pub field: String,
    /// What it is about: `cidr`, `network` (flannel's), `encap`, `block-size`,
    /// `autodetect`, `mtu`, `backend`.
    pub setting: String,
    /// `ipv4` or `ipv6`; null if it is about both.
    pub family: Option<String>,
    /// Whether it counts.
    pub state: CalicoState,
    /// What is written there, ways to wrap and to find an address in the words
    /// of the platform document; null if nothing is, or it lies elsewhere.
    pub value: Option<String>,
    /// What Calico goes by: the value if it counts, else its default; null if
    /// that depends on the cluster.
    pub effective: Option<String>,
}

/// Whether a setting counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum CalicoState {
    /// It does.
    Active,
    /// It is there as a comment.
    Commented,
    /// Its name or its value is a comment or missing, the other is not.
    Half,
    /// It is not there.
    Absent,
}
