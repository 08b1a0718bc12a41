//! Differences between two documents, or two answers.

use serde::{Deserialize, Serialize};

/// One field in which two documents differ, or two answers to one question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "record", rename = "difference")]
pub struct Difference {
    /// The field, such as `network.mtu`; hosts go by name: `hosts[cp1].ip`.
    /// Of an answer its topic, its row and the field, or the line of the sample.
    pub path: String,
    /// Its value in the first document, the items of a list joined by commas; null if it has none.
    pub before: Option<String>,
    /// Its value in the second document, likewise; null if it has none.
    pub after: Option<String>,
}
