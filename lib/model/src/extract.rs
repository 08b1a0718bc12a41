//! How far a table was extracted.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How far a table was extracted: what the state file of `db-extract` holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "record", rename = "checkpoint")]
pub struct Checkpoint {
    /// What is extracted, in words; never with a password.
    pub of: String,
    /// The columns, each with its type.
    pub columns: Vec<String>,
    /// How many rows were given since this state was begun.
    pub rows: u64,
    /// How many bytes they are, line feeds included: a reader that keeps them
    /// in a file cuts it to this length before it goes on.
    pub bytes: u64,
    /// Whether a snapshot is complete.
    pub done: bool,
    /// The values of the last row's cursor and key; null at the beginning.
    pub position: Option<Vec<Value>>,
    /// Rows in the overlap that were given: the cursor's time in microseconds
    /// since 1970, and the hash of the line.
    #[serde(default)]
    pub seen: Vec<(i64, String)>,
}
