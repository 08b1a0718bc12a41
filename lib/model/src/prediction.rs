//! Predictions: how long clients will miss the address when something breaks.

use serde::{Deserialize, Serialize};

/// The outage one fault will cause, computed before it happens.
///
/// It is the time until another balancer holds the address; a client sees
/// its own connection set-up on top.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "record", rename = "prediction")]
pub struct Prediction {
    /// What breaks on the balancer that holds the address: `keepalived-stopped`,
    /// `keepalived-killed`, `haproxy-killed`, `haproxy-hung`, `carrier`, `partition`,
    /// `failback`, `reload`, `api-killed`, `api-silent`, `api-500`; and the two ways
    /// VRRP moves an address, `graceful` and `silent`.
    pub case: String,
    /// The shortest outage, milliseconds.
    pub min_ms: u32,
    /// The longest outage, milliseconds; null if it has no end.
    pub max_ms: Option<u32>,
    /// How both are computed, with the numbers of this set-up.
    pub formula: String,
    /// Where the time goes, in one sentence.
    pub why: String,
}
