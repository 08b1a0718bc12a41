//! How far a group of readers is behind.

use serde::{Deserialize, Serialize};

/// A group in one partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "record", rename = "lag")]
pub struct Lag {
    /// When it was looked at.
    pub at: String,
    /// The group.
    pub group: String,
    /// The topic.
    pub topic: String,
    /// The partition, from 0.
    pub partition: i32,
    /// The offset the group reads next; null if it has none here.
    pub committed: Option<i64>,
    /// The offset of the first message that is still there.
    pub begin: i64,
    /// The end for readers of what is committed: the last stable offset.
    pub end: i64,
    /// How many offsets lie between them, those of markers and of messages of aborted
    /// transactions too; 0 if no message is left to read; null if the group has no
    /// offset here, or one beyond the end.
    pub lag: Option<i64>,
    /// How long ago the oldest message the group has not read was written, in milliseconds; null
    /// if there is none, or it has no time.
    pub age_ms: Option<u64>,
    /// How long ago the newest message of the partition was written, in milliseconds; null if
    /// nobody asked, or there is none.
    pub newest_age_ms: Option<u64>,
    /// What that comes to.
    pub state: LagState,
}

/// Where a group stands in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LagState {
    /// No message is left to read.
    CaughtUp,
    /// Messages are.
    Behind,
    /// The group has no offset here.
    Uncommitted,
    /// Messages were deleted before the group read them.
    Expired,
    /// The group's offset is beyond the end: the topic was made anew.
    Ahead,
}
