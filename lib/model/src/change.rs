//! Changes: what plan would do and apply did.

use serde::{Deserialize, Serialize};

/// One thing a command would change, or has changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "record", rename = "change")]
pub struct Change {
    /// The host or object concerned.
    pub target: String,
    /// The file concerned; null if the change is not of a file.
    pub path: Option<String>,
    /// What is done to it.
    pub action: Action,
    /// SHA-256 of the content before, in hex; null if there was none.
    pub before_sha256: Option<String>,
    /// SHA-256 of the content after, in hex; null if there will be none.
    pub after_sha256: Option<String>,
    /// Unified diff of a text; null where there is none to show.
    pub diff: Option<String>,
}

/// What is done to the target of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It did not exist.
    Create,
    /// It exists and gets another content, mode or owner.
    Update,
    /// It goes away.
    Delete,
}
