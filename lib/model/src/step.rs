//! Steps: what a command that works in stages has done so far.

use serde::{Deserialize, Serialize};

/// One finished step of a longer job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "record", rename = "step")]
pub struct Step {
    /// The step's name, a lower-case word.
    pub step: String,
    /// Whether it did what it should.
    pub ok: bool,
    /// How long it took, milliseconds.
    pub elapsed_ms: u64,
    /// What went wrong; null if nothing did.
    pub error: Option<String>,
}

/// What is left for somebody to do, elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "record", rename = "next-step")]
pub struct NextStep {
    /// Where: a host, or any one of a kind, such as `a control plane`.
    pub on: String,
    /// The command.
    pub command: String,
    /// What it is for.
    pub why: String,
}
