//! Health checks: one verdict, and what it rests on.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Whether this node can serve its clients.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "record", rename = "vip-check")]
pub struct VipCheck {
    /// When it was found out.
    pub time: String,
    /// The verdict.
    pub ok: bool,
    /// The check that decided and the stage in which it failed, such as `local:connect`; null if all is well.
    pub reason: Option<String>,
    /// What happened there, a lower-case word such as `refused`; null if all is well.
    pub error: Option<String>,
    /// The virtual address asked about; null if none was.
    pub vip: Option<CheckedVip>,
    /// The checks, in the order in which they count.
    pub checks: Vec<Check>,
    /// How long all of it took, milliseconds.
    pub elapsed_ms: f64,
}

/// A virtual address and whether it is here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CheckedVip {
    /// The address.
    pub addr: IpAddr,
    /// Whether an interface of this node carries it.
    pub local: bool,
}

/// One check of a [`VipCheck`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Check {
    /// `local`, `url-2`, `vip`, `haproxy`, `process`, `maintenance`, `track-file`, `self` (could not ask at all).
    pub name: String,
    /// The URL asked; null if the check asks none.
    pub url: Option<String>,
    /// Whether it went well.
    pub ok: bool,
    /// Where it ended: `connect`, `tls`, `http` or `body` of a URL, `connect`,
    /// `answer` or `servers` of a balancer; null for the others.
    pub phase: Option<String>,
    /// The HTTP status; null if none was read.
    pub http_status: Option<u16>,
    /// How many servers the balancer gives sessions to; null if it was not asked or did not say.
    pub servers_up: Option<u32>,
    /// How long it took, milliseconds.
    pub elapsed_ms: f64,
    /// What happened, a lower-case word such as `refused`; null if it went well.
    pub error: Option<String>,
    /// The same in the words of whoever noticed; null if there are none.
    pub error_text: Option<String>,
    /// Whole days until the server's certificate expires, negative afterwards; null if none was seen.
    pub cert_days_left: Option<i64>,
}
