//! Rows on their way into a warehouse.

use serde::{Deserialize, Serialize};

/// A load that was made, or was made before.
///
/// `rows` = `inserted` + `updated` + `unchanged` + `superseded` + `rejected`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "record", rename = "load")]
pub struct Load {
    /// The table, with its schema.
    pub target: String,
    /// What tells the load from others into this table.
    pub load_id: String,
    /// Where its rows come from.
    pub source: String,
    /// SHA-256 of what was read, in hex.
    pub sha256: String,
    /// Whether it was made before: nothing was done now, and the counts are those of then.
    pub already: bool,
    /// How many rows were read.
    pub rows: u64,
    /// Those that were new.
    pub inserted: u64,
    /// Those that took the place of another row of their key.
    pub updated: u64,
    /// Those that were there already, with the same values.
    pub unchanged: u64,
    /// Those that a later row of the load with the same key took the place of.
    pub superseded: u64,
    /// Those that were put aside.
    pub rejected: u64,
}

/// A load that would be made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "record", rename = "load-plan")]
pub struct LoadPlan {
    /// The table, with its schema.
    pub target: String,
    /// What tells the load from others into this table.
    pub load_id: String,
    /// Where its rows come from.
    pub source: String,
    /// How many rows it has.
    pub rows: u64,
    /// How many of them would be put aside.
    pub rejected: u64,
    /// What the database would be asked to do, in one transaction.
    pub sql: Vec<String>,
}
