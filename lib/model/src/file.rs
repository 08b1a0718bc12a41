//! Files: what a renderer wants on a node.

use serde::{Deserialize, Serialize};

/// One file as it should be on one node, whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "record", rename = "file")]
pub struct WantedFile {
    /// The node it is for; null if it is for whoever reads it.
    pub node: Option<String>,
    /// Where it goes: an absolute path on the node.
    pub path: String,
    /// Its permission bits in octal: `0644`.
    pub mode: String,
    /// SHA-256 of the content, in hex.
    pub sha256: String,
    /// The content, UTF-8.
    pub content: String,
}
