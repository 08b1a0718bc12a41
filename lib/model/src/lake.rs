//! Files of a lake.

use serde::{Deserialize, Serialize};

/// A file that became part of a lake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "record", rename = "lake-file")]
pub struct LakeFile {
    /// Its name below the lake.
    pub file: String,
    /// How many rows it has.
    pub rows: u64,
    /// How large it is.
    pub bytes: u64,
    /// The topic its rows are of.
    pub topic: String,
    /// The partition of the topic, or the name of the input.
    pub partition: String,
    /// The offset of the first row of its commit.
    pub first_offset: u64,
    /// The offset of the last one.
    pub last_offset: u64,
    /// The number of its commit.
    pub commit: u64,
}
