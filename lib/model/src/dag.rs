//! A run of an Airflow DAG.

use serde::{Deserialize, Serialize};

/// A run, or one of its tasks, is in another state than before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "record", rename = "dag-state")]
pub struct DagState {
    /// The DAG.
    pub dag: String,
    /// The run's id.
    pub run: String,
    /// The task; null for the run itself.
    pub task: Option<String>,
    /// What Airflow calls the state, such as running, `up_for_retry`, success, failed; null if it has none yet.
    pub state: Option<String>,
    /// Which try of the task it is, from 1; null for the run, and before the first.
    pub try_number: Option<u32>,
}

/// How watching a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "record", rename = "dag-run")]
pub struct DagRun {
    /// The DAG.
    pub dag: String,
    /// The run's id.
    pub run: String,
    /// The run's last known state; null if none is known.
    pub state: Option<String>,
    /// Why the answer is not yes: `dag_failed`, `deadline`, `interrupted`, `network`; null if it is.
    pub error: Option<String>,
    /// Whether the run was there when watching began.
    pub attached: bool,
    /// How often its failed tasks were cleared, those of earlier watchers counted.
    pub cleared: u32,
    /// How often was asked how it is.
    pub polls: u64,
    /// How many of these questions had no answer.
    pub polls_failed: u64,
    /// How many of these there were in a row, at most.
    pub polls_failed_in_a_row: u64,
    /// How long it was watched, in milliseconds.
    pub elapsed_ms: u64,
}
