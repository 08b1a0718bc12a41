//! Rows a step could not take.

use data_encoding::BASE64;
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

impl Reject {
    /// A line of the input, or what was kept of it: `row_bytes` is its whole length. What is wrong
    /// with it is not said yet.
    pub fn of(line: u64, bytes: &[u8], row_bytes: u64) -> Self {
        let text = std::str::from_utf8(bytes).ok();
        let whole = bytes.len() as u64 == row_bytes;
        // A null here would be no row at all.
        let row = text.filter(|text| whole && text.trim() != "null");
        let row = row.and_then(|text| serde_json::from_str::<&RawValue>(text).ok()).map(ToOwned::to_owned);
        Self {
            line,
            field: None,
            rule: None,
            error: String::new(),
            row_text: if row.is_none() { text.map(str::to_owned) } else { None },
            row_b64: if text.is_none() { Some(BASE64.encode(bytes)) } else { None },
            row,
            row_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_stands_as_json_as_text_or_in_base64() {
        let told = |bytes: &[u8], length| serde_json::to_value(Reject::of(7, bytes, length)).unwrap();
        let json = told(b"{\"a\":1.10}\r", 11);
        assert_eq!(
            (&json["row"]["a"], &json["row_text"]),
            (&serde_json::json!(1.1), &serde_json::Value::Null)
        );
        assert_eq!(told(b"\xff", 1)["row_b64"], "/w==");
        assert_eq!(told(b"x", 1)["row_text"], "x");
        assert_eq!(told(b"null", 4)["row_text"], "null");
        let cut = told(b"1", 2_000_000);
        assert_eq!(
            (&cut["row"], &cut["row_text"], &cut["row_bytes"]),
            (&serde_json::Value::Null, &"1".into(), &2_000_000.into())
        );
    }
}
