//! From a line to a message.

use std::borrow::Cow;

use data_encoding::BASE64;
use ndjson::{Text, Value};

/// The bytes of a name, key or value: the line's own where nothing was escaped.
pub type Name<'a> = Cow<'a, [u8]>;

/// What a line says; what it does not say is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message<'a> {
    /// The topic it came from.
    pub topic: Option<Cow<'a, str>>,
    /// The partition it came from.
    pub partition: Option<i32>,
    /// The offset it had there.
    pub offset: Option<i64>,
    /// Its time, milliseconds since 1970.
    pub time_ms: Option<i64>,
    /// Its key.
    pub key: Option<Name<'a>>,
    /// Its headers, in their order.
    pub headers: Vec<(Name<'a>, Option<Name<'a>>)>,
    /// Its value; `None` is a tombstone.
    pub value: Option<Name<'a>>,
}

/// Why a line is no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// It is no JSON object.
    #[error("{0}")]
    Broken(#[from] ndjson::Broken),
    /// It is another record, or a user's row.
    #[error("no record of the type message")]
    Other,
    /// A field says something it cannot say.
    #[error("{0}: {1}")]
    Field(&'static str, &'static str),
}

impl Wrong {
    /// The field that is wrong; `None` if it is the line as a whole.
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::Field(field, _) => Some(field),
            _ => None,
        }
    }
}

/// Reads a line; unknown fields are passed over.
///
/// # Errors
/// Fails if the line is no message.
pub fn read(line: &[u8]) -> Result<Message<'_>, Wrong> {
    let mut message = Message::default();
    let mut record = false;
    let mut value: Option<Option<Name>> = None;
    let mut wrong = None;
    ndjson::each(line, |name, found| {
        let done = name.unescaped().map_or(Ok(()), |name| match name {
            "record" => {
                record = found.text().as_deref() == Some("message");
                Ok(())
            }
            "value" | "value_text" | "value_b64" if value.is_some() => {
                Err(Wrong::Field("value", "it stands twice: only one of value, value_text, value_b64 may"))
            }
            "value" => {
                value = Some(json(&found));
                Ok(())
            }
            "value_text" => text("value_text", &found).map(|text| value = Some(Some(text))),
            "value_b64" => base64("value_b64", &found).map(|bytes| value = Some(Some(bytes))),
            _ => field(&mut message, name, &found),
        });
        if let Err(error) = done {
            wrong.get_or_insert(error);
        }
    })?;
    if !record {
        return Err(Wrong::Other);
    }
    if let Some(wrong) = wrong {
        return Err(wrong);
    }
    message.value =
        value.ok_or(Wrong::Field("value", "missing; a message that deletes its key says null"))?;
    Ok(message)
}

fn field<'a>(message: &mut Message<'a>, name: &str, found: &Value<'a>) -> Result<(), Wrong> {
    match name {
        "topic" => message.topic = optional(found, Value::text, ("topic", "a string or null"))?,
        "partition" => {
            message.partition = optional(found, integer, ("partition", "a whole number or null"))?;
        }
        "offset" => message.offset = optional(found, integer, ("offset", "a whole number or null"))?,
        "ts" => message.time_ms = optional(found, time, ("ts", "a time as RFC 3339 writes it, or null"))?,
        "key" => message.key = optional(found, |found| text("key", found).ok(), ("key", "a string or null"))?,
        "key_b64" => message.key = Some(base64("key_b64", found)?),
        "headers" => message.headers = headers(found)?,
        _ => {}
    }
    Ok(())
}

fn optional<'a, T>(
    found: &Value<'a>,
    read: impl FnOnce(&Value<'a>) -> Option<T>,
    (name, what): (&'static str, &'static str),
) -> Result<Option<T>, Wrong> {
    match found {
        Value::Null => Ok(None),
        found => read(found).map(Some).ok_or(Wrong::Field(name, what)),
    }
}

fn integer<T: std::str::FromStr>(found: &Value) -> Option<T> {
    match found {
        Value::Number(digits) => digits.parse().ok(),
        _ => None,
    }
}

fn time(found: &Value) -> Option<i64> {
    let time_ms = match found {
        Value::Text(text) => ndjson::time::of_text(&text.plain())?.div_euclid(1000),
        found => integer(found)?,
    };
    (time_ms >= 0).then_some(time_ms)
}

/// The bytes of a JSON value as they stand in the line.
fn json<'a>(found: &Value<'a>) -> Option<Name<'a>> {
    let text = match found {
        Value::Missing | Value::Null => return None,
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        Value::Number(text) | Value::Array(text) | Value::Object(text) => text,
        Value::Text(text) => text.quoted(),
    };
    Some(Cow::Borrowed(text.as_bytes()))
}

fn bytes(text: Text<'_>) -> Name<'_> {
    match text.plain() {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

fn text<'a>(name: &'static str, found: &Value<'a>) -> Result<Name<'a>, Wrong> {
    match found {
        Value::Text(text) => Ok(bytes(*text)),
        _ => Err(Wrong::Field(name, "not a string")),
    }
}

fn base64<'a>(name: &'static str, found: &Value<'a>) -> Result<Name<'a>, Wrong> {
    let text = text(name, found)?;
    BASE64.decode(&text).map(Cow::Owned).map_err(|_| Wrong::Field(name, "not base64"))
}

/// `[["name","value"],["name",{"b64":"…"}],["name",null]]`.
fn headers<'a>(found: &Value<'a>) -> Result<Vec<(Name<'a>, Option<Name<'a>>)>, Wrong> {
    let list = match found {
        Value::Null | Value::Array("[]") => return Ok(Vec::new()),
        Value::Array(list) => list,
        _ => return Err(Wrong::Field("headers", "not a list")),
    };
    let shape = Wrong::Field("headers", "each is a name and a value: [\"name\",\"value\"]");
    let list: Vec<(serde_json::Value, serde_json::Value)> =
        serde_json::from_str(list).map_err(|_| shape.clone())?;
    let read = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => Ok(Cow::Owned(text.into_bytes())),
        serde_json::Value::Object(object) => {
            let text = object.get("b64").and_then(serde_json::Value::as_str).ok_or_else(|| shape.clone())?;
            let bytes = BASE64.decode(text.as_bytes());
            bytes.map(Cow::Owned).map_err(|_| Wrong::Field("headers", "not base64"))
        }
        _ => Err(shape.clone()),
    };
    let header = |(name, value): (serde_json::Value, serde_json::Value)| {
        let name: Name = read(name)?;
        // Kafka's clients end a name there.
        if name.contains(&0) {
            return Err(Wrong::Field("headers", "a name with a zero byte"));
        }
        Ok((name, if value.is_null() { None } else { Some(read(value)?) }))
    };
    list.into_iter().map(header).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_keeps_its_bytes_and_text_is_told_from_a_json_string() {
        let value = |line: &str| {
            let line = format!("{{\"record\":\"message\",{line}}}");
            read(line.as_bytes())
                .map(|message| message.value.map(|value| String::from_utf8_lossy(&value).into_owned()))
        };
        assert_eq!(value(r#""value": {"a": 1.50} "#), Ok(Some(r#"{"a": 1.50}"#.into())));
        assert_eq!(value(r#""value":"a\u0062""#), Ok(Some(r#""a\u0062""#.into())));
        assert_eq!(value(r#""value_text":"a\u0062""#), Ok(Some("ab".into())));
        assert_eq!(value(r#""value_b64":"AGE=""#), Ok(Some("\0a".into())));
        assert_eq!(value(r#""value":null"#), Ok(None));
        assert_eq!(value(r#""value_text":"null""#), Ok(Some("null".into())));
    }

    #[test]
    fn what_is_no_message_says_why() {
        let told = |line: &str| read(line.as_bytes()).unwrap_err().to_string();
        assert_eq!(told(r#"{"a":1}"#), "no record of the type message");
        assert_eq!(
            told(r#"{"record":"message"}"#),
            "value: missing; a message that deletes its key says null"
        );
        assert_eq!(told(r#"{"record":"message","value":1,"key":2}"#), "key: a string or null");
        assert_eq!(told(r#"{"record":"message","value_b64":"*"}"#), "value_b64: not base64");
        assert_eq!(
            told(r#"{"record":"message","value":1,"ts":"soon"}"#),
            "ts: a time as RFC 3339 writes it, or null"
        );
        assert!(told(r#"{"record":"message","value":1,"value_text":""}"#).contains("twice"));
        assert!(told(r#"{"record":"message","value":1,"headers":[["a"]]}"#).starts_with("headers: "));
    }
}
