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
    /// For change capture, the place in the log; null otherwise.
    #[serde(default)]
    pub log: Option<LogPlace>,
}

/// A place in a database's log of changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LogPlace {
    /// All changes up to here were given: an LSN, or `FILE:POSITION`; null while
    /// the rows that were there before are being read.
    pub at: Option<String>,
    /// The transactions these rows have in them already; null once the log is past them.
    pub saw: Option<String>,
    /// Where in the log the rows were read.
    pub saw_until: Option<String>,
}

/// What happened to a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "record", rename = "row_change")]
pub struct RowChange {
    /// What was done.
    pub op: RowOp,
    /// The row before, as much of it as the log has: often its key alone, and
    /// only where that changed; null if the log has nothing.
    pub before: Option<Value>,
    /// The row after; null where there is none.
    pub after: Option<Value>,
    /// Columns missing in `after`: the change did not touch them, and the log
    /// does not repeat what is kept outside of the row.
    #[serde(default)]
    pub unchanged: Vec<String>,
    /// Where it comes from.
    pub src: ChangeSource,
}

/// What was done to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum RowOp {
    /// It was there when reading began.
    #[serde(rename = "r")]
    Read,
    /// It was inserted.
    #[serde(rename = "c")]
    Create,
    /// It was updated.
    #[serde(rename = "u")]
    Update,
    /// It was deleted.
    #[serde(rename = "d")]
    Delete,
    /// All rows were removed at once.
    #[serde(rename = "t")]
    Truncate,
}

/// Where a change comes from. `lsn` and `seq` together tell changes apart: what
/// comes twice is the same in both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChangeSource {
    /// The database.
    pub db: String,
    /// The table.
    pub table: String,
    /// The place in the log: the commit's LSN, or the change's `FILE:POSITION`;
    /// of rows that were there, where they were read.
    pub lsn: String,
    /// The transaction's number, or its GTID; null for rows that were there, or if unknown.
    pub tx: Option<Value>,
    /// The change's number in its transaction, from 1; null for rows that were there.
    pub seq: Option<u64>,
    /// When it was committed; null for rows that were there.
    pub ts: Option<String>,
}
