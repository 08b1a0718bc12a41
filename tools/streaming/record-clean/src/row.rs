//! A row: fields in the order they came, values as they were written.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::Wrong;

/// More fields than any table has.
const FIELDS: usize = 4096;

/// A row. No value is touched that no rule names: not a digit is lost.
#[derive(Debug, Default)]
pub(crate) struct Row<'a> {
    pub(crate) fields: Vec<Field<'a>>,
}

/// A field at the top of a row.
#[derive(Clone, Debug)]
pub(crate) struct Field<'a> {
    pub(crate) name: Cow<'a, str>,
    /// Its value as JSON.
    pub(crate) json: Cow<'a, str>,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Bool,
    Number,
    Text,
    Nested,
}

impl Kind {
    /// With its article.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Number => "a number",
            Self::Text => "text",
            Self::Nested => "a list or an object",
        }
    }
}

impl<'a> Row<'a> {
    /// Reads a line: one JSON object, no field twice.
    pub(crate) fn parse(line: &'a [u8]) -> Result<Self, Wrong> {
        let row: Self = serde_json::from_slice(line).map_err(|error| {
            // There is one line: its number would mislead.
            let text = error.to_string();
            let text = text.replacen(" at line 1 column ", " at byte ", 1);
            Wrong::row(if line.trim_ascii_start().starts_with(b"{") {
                text
            } else {
                format!("no JSON object: {text}")
            })
        })?;
        Ok(row)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Field<'a>> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// A field with a value: one that is null is none.
    pub(crate) fn valued(&mut self, name: &str) -> Option<&mut Field<'a>> {
        self.fields.iter_mut().find(|field| field.name == name && field.kind() != Kind::Null)
    }

    /// Sets a field, in its place if it is there and at the end if not.
    pub(crate) fn set(&mut self, name: &str, json: Cow<'a, str>) {
        match self.fields.iter_mut().find(|field| field.name == name) {
            Some(field) => field.json = json,
            None => self.fields.push(Field { name: Cow::Owned(name.to_owned()), json }),
        }
    }

    /// As one line of JSON.
    pub(crate) fn write(&self, line: &mut Vec<u8>) {
        line.push(b'{');
        for (n, field) in self.fields.iter().enumerate() {
            if n > 0 {
                line.push(b',');
            }
            quote(&field.name, line);
            line.push(b':');
            line.extend_from_slice(field.json.as_bytes());
        }
        line.extend_from_slice(b"}\n");
    }
}

impl Field<'_> {
    pub(crate) fn kind(&self) -> Kind {
        kind(&self.json)
    }

    /// Its text without quotes and escapes; of other values what is written.
    pub(crate) fn text(&self) -> Result<Cow<'_, str>, Wrong> {
        text(&self.json).ok_or_else(|| self.wrong("an escape in its text stands for no character"))
    }

    pub(crate) fn wrong(&self, error: impl Into<String>) -> Wrong {
        Wrong::field(&self.name, error)
    }

    /// Makes it a text.
    pub(crate) fn set_text(&mut self, text: &str) {
        self.json = Cow::Owned(quoted(text));
    }
}

/// What a value written as JSON is.
pub(crate) fn kind(json: &str) -> Kind {
    match json.as_bytes().first() {
        Some(b'"') => Kind::Text,
        Some(b'{' | b'[') => Kind::Nested,
        Some(b't' | b'f') => Kind::Bool,
        Some(b'n') => Kind::Null,
        _ => Kind::Number,
    }
}

/// The text of a value; none if its escapes make no sense.
pub(crate) fn text(json: &str) -> Option<Cow<'_, str>> {
    match json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) if !inner.contains('\\') => Some(Cow::Borrowed(inner)),
        Some(_) => serde_json::from_str(json).ok().map(Cow::Owned),
        None => Some(Cow::Borrowed(json)),
    }
}

/// Text as JSON.
pub(crate) fn quoted(text: &str) -> String {
    let mut json = Vec::with_capacity(text.len() + 2);
    quote(text, &mut json);
    String::from_utf8(json).unwrap_or_default()
}

fn quote(text: &str, into: &mut Vec<u8>) {
    if text.bytes().any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
        // Writing into memory does not fail.
        let _ = serde_json::to_writer(into, text);
    } else {
        into.push(b'"');
        into.extend_from_slice(text.as_bytes());
        into.push(b'"');
    }
}

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Row<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Row<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row<'de>, A::Error> {
                let mut row = Row { fields: Vec::with_capacity(16) };
                while let Some((Name(name), value)) = map.next_entry::<Name, &RawValue>()? {
                    if row.get(&name).is_some() {
                        return Err(A::Error::custom(format!("the field `{name}` is there twice")));
                    }
                    if row.fields.len() == FIELDS {
                        return Err(A::Error::custom(format!("more than {FIELDS} fields")));
                    }
                    row.fields.push(Field { name, json: Cow::Borrowed(value.get()) });
                }
                Ok(row)
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(line: &str) -> String {
        let mut out = Vec::new();
        Row::parse(line.as_bytes()).unwrap().write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn values_nobody_touches_stay_byte_for_byte() {
        let line =
            r#"{"big":123456789012345678901234567890.10,"e":1E5,"text":"a\u0041\/","n":{"x": [1, 2]}}"#;
        assert_eq!(again(line), format!("{line}\n"));
    }

    #[test]
    fn what_is_no_row_is_refused() {
        for (line, why) in [
            ("[1]", "no JSON object"),
            ("1", "no JSON object"),
            ("null", "no JSON object"),
            ("", "no JSON object"),
            ("{\"a\":1,\"a\":2}", "`a` is there twice"),
            ("{\"a\":1,\"\\u0061\":2}", "`a` is there twice"),
            ("{\"a\":NaN}", "at byte"),
            ("{\"a\":01}", "at byte"),
            ("{\"a\":1} {}", "at byte"),
            ("{\"a\":\"\x01\"}", "at byte"),
        ] {
            let wrong = Row::parse(line.as_bytes()).unwrap_err();
            assert!(wrong.error.contains(why), "{line}: {}", wrong.error);
        }
        assert!(Row::parse(b"{\"a\":\"\xff\"}").is_err());
    }

    #[test]
    fn a_hostile_row_takes_no_quadratic_time() {
        let fields: Vec<_> = (0..=FIELDS).map(|n| format!("\"{n}\":0")).collect();
        let line = format!("{{{}}}", fields.join(","));
        assert!(Row::parse(line.as_bytes()).unwrap_err().error.contains("more than 4096"));
    }
}
