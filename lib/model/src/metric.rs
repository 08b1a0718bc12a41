//! Metrics: one number about one thing at one time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One measured value, for whoever stores values: Zabbix, Prometheus, a threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "record", rename = "metric")]
pub struct Metric {
    /// What was measured, lower case with underscores; the same for every target.
    pub name: String,
    /// What it was measured on: a host, or an object of it such as `apiservers/cp1`.
    pub target: String,
    /// The value; null if it is not known.
    pub value: Option<f64>,
    /// Its unit (`s`, `bytes`, `1/s`, `celsius`); null for a count, a state or a ratio.
    pub unit: Option<String>,
    /// What tells series of one name apart, by label.
    pub labels: BTreeMap<String, String>,
    /// When it was measured.
    pub time: String,
}
