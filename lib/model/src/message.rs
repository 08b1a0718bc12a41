//! Messages of topics.

use serde::Serialize;
use serde_json::value::RawValue;

/// A message of a topic, byte for byte; the crate `envelope` writes and reads it.
///
/// Of the three fields with the value one stands in the record, and of the two
/// with the key.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "record", rename = "message")]
pub struct Message {
    /// The topic it came from; null or missing if it is yet to be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// The partition it came from, from 0; null or missing if it is yet to be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<i32>,
    /// Its offset there; null or missing if it is yet to be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<i64>,
    /// Its time, to the millisecond; a number of milliseconds since 1970 beyond
    /// the year 9999. Null if it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ts: Option<String>,
    /// Its key if that is text; null if it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Its key in base64 if it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_b64: Option<String>,
    /// Its headers in their order, each a name and a value. Both are text, or
    /// `{"b64":"…"}` where they are not UTF-8; the value may be null.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<(serde_json::Value, serde_json::Value)>"))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<Box<RawValue>>,
    /// Its value if that is JSON, as it stands; null if it is a tombstone, which deletes its key.
    #[cfg_attr(feature = "schema", schemars(with = "Option<serde_json::Value>"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Box<RawValue>>,
    /// Its value if that is text but no JSON on one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_text: Option<String>,
    /// Its value in base64 if it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_b64: Option<String>,
}
