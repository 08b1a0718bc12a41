//! From a line to an event.

use ndjson::{Fields, Value};
use window::Input;

use crate::time::{self, Unit};

/// Where in a line what stands.
pub(crate) struct Reading {
    pub(crate) fields: Fields,
    /// The time's place among the fields, and its path.
    pub(crate) time: (usize, String),
    pub(crate) unit: Option<Unit>,
    pub(crate) keys: Vec<(usize, String)>,
    /// Where each aggregate takes its values from.
    pub(crate) inputs: Vec<Origin>,
}

/// Where an aggregate takes its values from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It counts rows.
    Row,
    /// A field.
    Field(Source),
    /// The same as that of an earlier aggregate.
    Earlier(usize),
}

/// A field aggregates take values from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) slot: usize,
    pub(crate) numbers: bool,
    pub(crate) path: String,
}

/// Why a line is no event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Bad {
    #[error("longer than {0} bytes")]
    TooLong(usize),
    #[error("{0}")]
    Broken(#[from] ndjson::Broken),
    #[error("{field}: {why}")]
    Field { field: String, why: String },
}

impl Bad {
    fn field(field: &str, why: impl Into<String>) -> Self {
        Self::Field { field: field.to_owned(), why: why.into() }
    }
}

/// Between the parts of a key: JSON holds no control characters.
pub(crate) const BETWEEN: u8 = 0x1e;

impl Reading {
    /// The time of the row that was found.
    #[inline]
    pub(crate) fn time(&self, found: &[Value]) -> Result<i64, Bad> {
        let (slot, path) = &self.time;
        let time = match (found[*slot], self.unit) {
            (Value::Text(text), _) => match text.unescaped() {
                Some(text) => time::of_text(text),
                None => time::of_text(&text.plain()),
            }
            .ok_or_else(|| Bad::field(path, "not a time of RFC 3339 such as 2026-01-31T12:00:00Z"))?,
            (Value::Number(text), Some(unit)) => {
                time::of_number(text, unit).ok_or_else(|| Bad::field(path, "not a time"))?
            }
            (Value::Number(_), None) => {
                return Err(Bad::field(path, "a number, and --time-unit does not say what it counts"));
            }
            (other, _) => {
                return Err(Bad::field(path, format!("a time is needed, this is {}", other.kind())));
            }
        };
        if time::is_sane(time) { Ok(time) } else { Err(Bad::field(path, "not between 1970 and 2199")) }
    }

    /// The key of the row that was found, as JSON.
    #[inline]
    pub(crate) fn key(&self, found: &[Value], key: &mut Vec<u8>) -> Result<(), Bad> {
        key.clear();
        for (at, (slot, path)) in self.keys.iter().enumerate() {
            if at > 0 {
                key.push(BETWEEN);
            }
            match found[*slot] {
                Value::Missing | Value::Null => key.extend_from_slice(b"null"),
                Value::Bool(yes) => key.extend_from_slice(if yes { b"true" } else { b"false" }),
                Value::Number(text) => key.extend_from_slice(text.as_bytes()),
                Value::Text(text) => match text.unescaped() {
                    Some(_) => key.extend_from_slice(text.quoted().as_bytes()),
                    None => key.extend_from_slice(canonical(&text).as_bytes()),
                },
                other @ (Value::Array(_) | Value::Object(_)) => {
                    return Err(Bad::field(path, format!("{} cannot be a key", other.kind())));
                }
            }
        }
        Ok(())
    }

    /// Strings with escapes, written as all others are; most rows have none.
    #[inline]
    pub(crate) fn rewritten(&self, found: &[Value]) -> Vec<Option<String>> {
        let escaped = |from: &Origin| match from {
            Origin::Field(Source { slot, numbers: false, .. }) => match found[*slot] {
                Value::Text(text) if text.unescaped().is_none() => Some(canonical(&text)),
                _ => None,
            },
            _ => None,
        };
        let first = self.inputs.iter().position(|from| escaped(from).is_some());
        if first.is_some() { self.inputs.iter().map(escaped).collect() } else { Vec::new() }
    }

    /// What the row that was found brings for each aggregate.
    #[inline]
    pub(crate) fn values<'a>(
        &self,
        found: &[Value<'a>],
        rewritten: &'a [Option<String>],
        values: &mut Vec<Input<'a>>,
    ) -> Result<(), Bad> {
        for (at, from) in self.inputs.iter().enumerate() {
            values.push(match from {
                Origin::Row => Input::Here,
                Origin::Earlier(at) => values[*at],
                Origin::Field(source) if source.numbers => source.number(found[source.slot])?,
                Origin::Field(source) => match rewritten.get(at) {
                    Some(Some(text)) => Input::Json(text),
                    _ => json(found[source.slot]),
                },
            });
        }
        Ok(())
    }
}

impl Source {
    #[inline]
    fn number<'a>(&self, value: Value) -> Result<Input<'a>, Bad> {
        match value {
            Value::Missing | Value::Null => Ok(Input::Nothing),
            Value::Number(text) => match text.parse() {
                Ok(number) => Ok(Input::Number(number)),
                Err(error) => Err(Bad::field(&self.path, window::NotExact::to_string(&error))),
            },
            other => Err(Bad::field(&self.path, format!("a number is needed, this is {}", other.kind()))),
        }
    }
}

fn json(value: Value) -> Input {
    match value {
        Value::Missing | Value::Null => Input::Nothing,
        Value::Text(text) => Input::Json(text.quoted()),
        Value::Number(text) | Value::Array(text) | Value::Object(text) => Input::Json(text),
        Value::Bool(yes) => Input::Json(if yes { "true" } else { "false" }),
    }
}

/// A string with escapes, with only those it needs.
fn canonical(text: &ndjson::Text) -> String {
    serde_json::Value::from(text.plain()).to_string()
}

/// A line of `--reject`: the row as it came, with the reason.
pub(crate) fn reject(line: &ndjson::Line, bad: &Bad) -> Vec<u8> {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let null = || "null".to_owned();
    let (field, rule, error) = match bad {
        Bad::Field { field, why } => (text(field), text("type"), text(why)),
        Bad::Broken(broken) => (null(), null(), text(&broken.to_string())),
        Bad::TooLong(_) => (null(), text("length"), text(&bad.to_string())),
    };
    let (row, row_text, row_b64) = match (std::str::from_utf8(line.bytes), bad) {
        (Ok(json), Bad::Field { .. }) => (json.trim().to_owned(), null(), null()),
        (Ok(plain), _) => (null(), text(plain), null()),
        (Err(_), _) => (null(), null(), text(&data_encoding::BASE64.encode(line.bytes))),
    };
    format!(
        "{{\"record\":\"reject\",\"line\":{},\"field\":{field},\"rule\":{rule},\"error\":{error},\"row\":{row},\"row_text\":{row_text},\"row_b64\":{row_b64},\"row_bytes\":{}}}\n",
        line.number, line.length_bytes
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(keys: &[&str], numbers: &[&str], other: &[&str]) -> Reading {
        let mut fields = Fields::new();
        let time = (fields.want("ts").unwrap(), "ts".to_owned());
        let keys = keys.iter().map(|path| (fields.want(path).unwrap(), (*path).to_owned())).collect();
        let all = numbers.iter().map(|path| (path, true)).chain(other.iter().map(|path| (path, false)));
        let inputs = all.map(|(path, numbers)| {
            Origin::Field(Source { slot: fields.want(path).unwrap(), numbers, path: (*path).to_owned() })
        });
        let inputs = inputs.collect();
        Reading { fields, time, unit: None, keys, inputs }
    }

    fn key_of(line: &str) -> Result<String, Bad> {
        let reading = reading(&["a", "b"], &[], &[]);
        let mut found = reading.fields.none();
        reading.fields.find(line.as_bytes(), &mut found).unwrap();
        let mut key = Vec::new();
        reading.key(&found, &mut key)?;
        Ok(String::from_utf8(key).unwrap())
    }

    #[test]
    fn a_key_is_the_same_however_its_text_was_escaped() {
        let expected = Ok("\"é/\\n\"\u{1e}null".to_owned());
        assert_eq!(key_of(r#"{"a":"é/\n"}"#), expected);
        assert_eq!(key_of(r#"{"a":"\u00e9\/\u000a","b":null}"#), expected);
    }

    #[test]
    fn a_list_or_an_object_is_no_key() {
        assert_eq!(key_of(r#"{"a":[1]}"#).unwrap_err().to_string(), "a: a list cannot be a key");
        assert_eq!(key_of(r#"{"b":{}}"#).unwrap_err().to_string(), "b: an object cannot be a key");
    }

    #[test]
    fn what_is_no_number_is_told_where_one_is_needed() {
        let reading = reading(&[], &["n"], &["any"]);
        let told = |line: &str| {
            let mut found = reading.fields.none();
            reading.fields.find(line.as_bytes(), &mut found).unwrap();
            let rewritten = reading.rewritten(&found);
            let mut values = Vec::new();
            reading.values(&found, &rewritten, &mut values).map(|()| format!("{values:?}"))
        };
        assert_eq!(told(r#"{"n":null}"#).as_deref(), Ok("[Nothing, Nothing]"));
        assert_eq!(told(r#"{"n":null,"any":"\u0041"}"#).as_deref(), Ok(r#"[Nothing, Json("\"A\"")]"#));
        assert_eq!(told(r#"{"n":"1"}"#).unwrap_err().to_string(), "n: a number is needed, this is a string");
        assert!(told(r#"{"n":1e99}"#).unwrap_err().to_string().contains("more than 24 digits"));
    }

    #[test]
    fn a_rejected_row_stands_as_json_as_text_or_in_base64() {
        let line = |bytes| ndjson::Line { bytes, number: 7, offset: 0, length_bytes: 9 };
        let bad = Bad::field("ts", "why");
        let text = |line: &ndjson::Line, bad: &Bad| String::from_utf8(reject(line, bad)).unwrap();
        assert!(text(&line(b"{\"a\":1}\r"), &bad).contains("\"row\":{\"a\":1},\"row_text\":null"));
        let broken = Bad::Broken(ndjson::Broken { column: 1, why: ndjson::Why::NotUtf8 });
        assert!(text(&line(b"\xff"), &broken).contains("\"row_b64\":\"/w==\",\"row_bytes\":9}"));
        assert!(text(&line(b"x"), &broken).contains("\"row_text\":\"x\""));
    }
}
