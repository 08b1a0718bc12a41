//! Rows a step could not take.

use serde::Serialize;
use serde_json::value::RawValue;

/// A row that was put aside, whole, with the reason.
///
/// The line stands in `row` if it is JSON other than null, in `row_text` if it
/// is only text, in `row_b64` if it is not even that.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "record", rename = "reject")]
pub struct Reject {
    /// Its line in the input, from 1.
    pub line: u64,
    /// The field that is wrong; null if it is the row as a whole.
    pub field: Option<String>,
    /// The rule it broke; null if it is no row at all.
    pub rule: Option<String>,
    /// What is wrong.
    pub error: String,
    /// The line, byte for byte as it came; null if it is no JSON, or a JSON null.
    #[cfg_attr(feature = "schema", schemars(with = "Option<serde_json::Value>"))]
    pub row: Option<Box<RawValue>>,
    /// The line if it is text but no JSON; null otherwise.
    pub row_text: Option<String>,
    /// The line in base64 if it is not UTF-8; null otherwise.
    pub row_b64: Option<String>,
    /// How long the line is, bytes. More than stands here if it was too long to keep.
    pub row_bytes: u64,
}
