//! Virtual addresses: who holds one, and what VRRP says about it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Where a virtual address lives, as one machine sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "record", rename = "vip")]
pub struct Vip {
    /// The virtual address.
    pub vip: IpAddr,
    /// What it all comes to.
    pub verdict: VipVerdict,
    /// Whether this machine carries it.
    pub local: bool,
    /// The interface that carries it here, else the one asked on; null if there is none.
    pub interface: Option<String>,
    /// Who answers for it, this machine included; empty if nobody does.
    pub holders: Vec<VipHolder>,
    /// What the living keepalived says its state is; null if none lives here, has this
    /// address, or answers.
    pub state: Option<VrrpState>,
    /// Whether that state agrees with this machine's addresses; null if there is nothing to compare.
    pub agrees: Option<bool>,
    /// The keepalived instance that has this address; null if none does or it is not known.
    pub instance: Option<String>,
    /// Its effective priority; null as `state`.
    pub priority: Option<u8>,
    /// When it came into this state, RFC 3339; null as `state`.
    pub since: Option<String>,
    /// How often it changed its state within the last hour; null if nobody kept count.
    pub transitions_1h: Option<u32>,
    /// The check's track file; null if none is watched.
    pub check_file: Option<CheckFile>,
}

/// What a virtual address's holders come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum VipVerdict {
    /// Exactly one machine holds it.
    One,
    /// Nobody holds it.
    None,
    /// More than one machine holds it.
    Duplicate,
    /// This machine alone holds it, but no living keepalived wants it to.
    Stale,
}

/// A machine that answers for an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VipHolder {
    /// Its hardware address.
    pub mac: String,
    /// Its name; null if it is none of the known peers.
    pub node: Option<String>,
}

/// A keepalived track file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CheckFile {
    /// The number in it, 0 for healthy; null if there is no file or no number in it.
    pub value: Option<i64>,
    /// The time since it was last written, milliseconds; null if there is no file.
    pub age_ms: Option<u64>,
}

/// The state of a VRRP instance or group, or of a server behind LVS, and what
/// else keepalived reports in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum VrrpState {
    /// Starting.
    Init,
    /// Ready to take over.
    Backup,
    /// Holds the addresses.
    Master,
    /// An interface or check is broken.
    Fault,
    /// keepalived is stopping.
    Stop,
    /// Removed from the configuration.
    Deleted,
    /// Still master; another master of lower priority was heard.
    MasterRxLowerPri,
    /// Still master; its priority changed.
    MasterPriority,
    /// Still backup; its priority changed.
    BackupPriority,
    /// A server behind LVS works.
    Up,
    /// A server behind LVS does not.
    Down,
}

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum VrrpScope {
    /// A VRRP instance.
    Instance,
    /// A sync group of instances.
    Group,
    /// A virtual server of LVS.
    VirtualServer,
    /// A real server of LVS.
    RealServer,
}

/// Something keepalived reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "record", rename = "vrrp-event")]
pub struct VrrpEvent {
    /// When it was read, RFC 3339.
    pub time: String,
    /// What it is about.
    pub scope: VrrpScope,
    /// Its name.
    pub name: String,
    /// Its state before; null if it was not known.
    pub from: Option<VrrpState>,
    /// What was reported.
    pub to: VrrpState,
    /// An instance's priority; null for groups and for servers of LVS.
    pub priority: Option<u8>,
    /// Whether it changed too often of late.
    pub flap: bool,
}

/// What is known of every instance and group: the state file of `ha-notify`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "record", rename = "vrrp-states")]
pub struct VrrpStates {
    /// One entry an instance, group or server, in order of first appearance.
    pub entries: Vec<VrrpEntry>,
}

/// What is known of one instance, group or server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VrrpEntry {
    /// What it is.
    pub scope: VrrpScope,
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: VrrpState,
    /// An instance's priority; null for groups and for servers of LVS.
    pub priority: Option<u8>,
    /// When it came into this state, RFC 3339.
    pub since: String,
    /// When it changed its state within the last hour, RFC 3339, oldest first.
    pub transitions: Vec<String>,
}
