//! Drills: what was broken on purpose, and what clients saw of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a drill would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "record", rename = "drill-plan")]
pub struct DrillPlan {
    /// The scenario.
    pub scenario: String,
    /// The virtual address.
    pub vip: String,
    /// The nodes that hold it now; null if no nodes were named or one could not be asked.
    pub holders: Option<Vec<String>>,
    /// The node the commands are for; null if they are for none.
    pub node: Option<String>,
    /// The command that comes before all measuring, word by word; null if there is none.
    pub prepare: Option<Vec<String>>,
    /// The command that breaks something, word by word; null if nothing is broken.
    pub inject: Option<Vec<String>>,
    /// The command that puts it right, word by word; null if nothing needs it.
    pub heal: Option<Vec<String>>,
    /// The predicted outage; null if there is no prediction.
    pub predicted_ms: Option<PredictedMs>,
}

/// Bounds of a predicted outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PredictedMs {
    /// The shortest, milliseconds.
    pub min: u32,
    /// The longest, milliseconds; null if it has no end.
    pub max: Option<u32>,
}

/// One run of a drill. Times count from the start of the command that broke something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "record", rename = "drill-run")]
pub struct DrillRun {
    /// The scenario.
    pub scenario: String,
    /// The number of the run, from 1.
    pub run: u32,
    /// The node that was broken; null if the commands are for none.
    pub node: Option<String>,
    /// The largest gap between good answers that ended after the fault, or
    /// had not ended when the run did, milliseconds.
    pub outage_ms: f64,
    /// The same before the fault: what the machine and the pace of the clients account for.
    pub baseline_gap_ms: f64,
    /// When the first client came that got no good answer, milliseconds; null if all did.
    pub first_fail_ms: Option<f64>,
    /// When the first good answer came after the last failure, milliseconds;
    /// null if none failed or none was good again.
    pub recover_ms: Option<f64>,
    /// How many clients came in the whole run.
    pub requests: u64,
    /// How many got no good answer, those before the fault included.
    pub failed: u64,
    /// How many of these gave up or were turned away before the fault: the drill began on broken ground if any.
    pub failed_before: u64,
    /// Why they failed: timeout, refused, reset, eof, unreachable, certificate, tls, garbled, status, local or other.
    pub errors: BTreeMap<String, u64>,
    /// The nodes that held the address before; null if not known.
    pub holders_before: Option<Vec<String>>,
    /// The nodes that held it at the end, before healing; null if not known.
    pub holders_after: Option<Vec<String>>,
    /// How often the address went from one sole holder to another; null if no nodes were named.
    pub moves: Option<u32>,
    /// How long two or more nodes held it, as far as two samples in a row prove, milliseconds;
    /// null if no nodes were named.
    pub duplicate_ms: Option<f64>,
    /// What became of connections that were kept; null if there were none.
    pub long_lived: Option<LongLived>,
    /// The latest a client of this machine came, milliseconds after its moment. Above 20 the figures are in doubt.
    pub client_late_ms_max: f64,
    /// How long the command that broke something took, milliseconds.
    pub inject_ms: f64,
    /// Whether all was well again after healing.
    pub healed: bool,
}

/// What became of connections that were kept through a drill.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LongLived {
    /// How many still answered at the end.
    pub alive: u32,
    /// How many were reset or closed.
    pub reset: u32,
    /// How many waited for an answer at the end.
    pub hung: u32,
    /// When the last of those reset or closed knew it, milliseconds; null if there were none.
    pub notice_ms_max: Option<f64>,
}

/// All runs of a drill together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "record", rename = "drill")]
pub struct Drill {
    /// The scenario.
    pub scenario: String,
    /// How many runs were finished.
    pub runs: u32,
    /// The outage, milliseconds; null if no run was finished.
    pub outage_ms: Option<Spread>,
    /// The failed clients a run; null if no run was finished.
    pub failed: Option<Spread>,
    /// The longest two nodes held the address, milliseconds; null if not known.
    pub duplicate_ms_max: Option<f64>,
    /// The predicted outage; null if there is no prediction.
    pub predicted_ms: Option<PredictedMs>,
    /// Whether the median outage lies within the prediction, give or take the
    /// tolerance; null if either is missing.
    pub prediction_met: Option<bool>,
    /// Whether every run met every objective; null if none was set or no run was finished.
    pub objective_met: Option<bool>,
    /// What went wrong: objective, not-healed, not-settled, not-injected or interrupted; null if nothing did.
    pub error: Option<String>,
}

/// The spread of a figure over several runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Spread {
    /// The smallest.
    pub min: f64,
    /// The one in the middle, or the mean of the two in the middle.
    pub median: f64,
    /// The largest.
    pub max: f64,
}

/// One client of a drill, as `--raw` writes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "record", rename = "drill-request")]
pub struct DrillRequest {
    /// The number of the run, from 1.
    pub run: u32,
    /// When it came, milliseconds after the first.
    pub begun_ms: f64,
    /// How much later that was than it should have been, milliseconds.
    pub late_ms: f64,
    /// From coming to its answer or giving up, milliseconds.
    pub elapsed_ms: f64,
    /// The HTTP status; null if none was read.
    pub status: Option<u16>,
    /// Why it failed, as in `errors` of a run; null if it did not.
    pub error: Option<String>,
}
