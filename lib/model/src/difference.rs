//! Differences between two documents.

use serde::{Deserialize, Serialize};

/// One field in which two platform documents differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "record", rename = "difference")]
pub struct Difference {
    /// The field, such as `network.mtu`; hosts go by name: `hosts[cp1].ip`.
    pub path: String,
    /// Its value in the first document, the items of a list joined by commas; null if it has none.
    pub before: Option<String>,
    /// Its value in the second document, likewise; null if it has none.
    pub after: Option<String>,
}
