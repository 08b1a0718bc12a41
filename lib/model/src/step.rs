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
