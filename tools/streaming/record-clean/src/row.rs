//! A row: fields in the order they came, values as they were written.

use std::borrow::Cow;
use std::fmt;

use pipeline::clean::FieldPath;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::Wrong;
use crate::nested::{self, Blocked};

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

    /// The value there, as JSON.
    pub(crate) fn get(&self, path: &FieldPath) -> Result<Option<&str>, Wrong> {
        let Some(field) = self.named(path.first()) else { return Ok(None) };
        if path.below().is_empty() {
            return Ok(Some(&field.json));
        }
        let at = nested::find(&field.json, path.below()).map_err(|blocked| blocked_at(path, blocked))?;
        Ok(at.map(|at| &field.json[at]))
    }

    /// The value there, unless it is null.
    pub(crate) fn valued(&self, path: &FieldPath) -> Result<Option<&str>, Wrong> {
        Ok(self.get(path)?.filter(|json| kind(json) != Kind::Null))
    }

    /// Changes a value that is there and not null: to what `change` makes of it, if it
    /// makes something else.
    pub(crate) fn change(
        &mut self,
        path: &FieldPath,
        change: impl FnOnce(&str) -> Result<Option<String>, String>,
    ) -> Result<(), Wrong> {
        let wrong = |error| Wrong::field(path, error);
        let Some(field) = self.fields.iter_mut().find(|field| field.name == path.first()) else {
            return Ok(());
        };
        if path.below().is_empty() {
            if kind(&field.json) != Kind::Null
                && let Some(json) = change(&field.json).map_err(wrong)?
            {
                field.json = Cow::Owned(json);
            }
            return Ok(());
        }
        let at = nested::find(&field.json, path.below()).map_err(|blocked| blocked_at(path, blocked))?;
        let Some(at) = at.filter(|at| kind(&field.json[at.clone()]) != Kind::Null) else { return Ok(()) };
        if let Some(json) = change(&field.json[at.clone()]).map_err(wrong)? {
            field.json.to_mut().replace_range(at, &json);
        }
        Ok(())
    }

    /// Sets a field, in its place if it is there and at the end if not.
    pub(crate) fn set(&mut self, path: &FieldPath, json: Cow<'a, str>) -> Result<(), Wrong> {
        let below = path.below();
        match self.fields.iter_mut().find(|field| field.name == path.first()) {
            Some(field) if below.is_empty() => field.json = json,
            Some(field) => {
                let whole = nested::set(&field.json, below, &json);
                field.json = Cow::Owned(whole.map_err(|blocked| blocked_at(path, blocked))?);
            }
            None => {
                let json = if below.is_empty() { json } else { Cow::Owned(nested::made(below, &json)) };
                self.fields.push(Field { name: Cow::Owned(path.first().to_owned()), json });
            }
        }
        Ok(())
    }

    /// Takes a field out.
    pub(crate) fn take(&mut self, path: &FieldPath) -> Result<Option<Cow<'a, str>>, Wrong> {
        let Some(n) = self.fields.iter().position(|field| field.name == path.first()) else {
            return Ok(None);
        };
        if path.below().is_empty() {
            return Ok(Some(self.fields.remove(n).json));
        }
        let taken = self.get(path)?.map(|json| Cow::Owned(json.to_owned()));
        let field = &mut self.fields[n];
        let left = nested::without(&field.json, path.below()).map_err(|blocked| blocked_at(path, blocked))?;
        if let Some(left) = left {
            field.json = Cow::Owned(left);
        }
        Ok(taken)
    }

    /// Keeps these fields alone; an object of which nothing is kept goes too.
    pub(crate) fn keep(&mut self, paths: &[FieldPath]) -> Result<(), Wrong> {
        let mut fault = None;
        self.fields.retain_mut(|field| {
            let mut below = paths.iter().filter(|path| path.first() == field.name).peekable();
            if below.peek().is_none_or(|path| path.below().is_empty()) {
                return below.peek().is_some();
            }
            let below: Vec<_> = below.map(FieldPath::below).collect();
            match nested::only(&field.json, &below) {
                Ok(left) => {
                    let some = left.is_some();
                    field.json = left.map_or(Cow::Borrowed("null"), Cow::Owned);
                    some
                }
                Err(blocked) => {
                    fault = paths.first().map(|path| blocked_at(path, blocked));
                    true
                }
            }
        });
        fault.map_or(Ok(()), Err)
    }

    #[inline]
    fn named(&self, name: &str) -> Option<&Field<'a>> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The same with nothing borrowed.
    pub(crate) fn owned(self) -> Row<'static> {
        let own = |field: Field| Field {
            name: Cow::Owned(field.name.into_owned()),
            json: Cow::Owned(field.json.into_owned()),
        };
        Row { fields: self.fields.into_iter().map(own).collect() }
    }

    /// As one line of JSON.
    pub(crate) fn write(&self, line: &mut Vec<u8>) {
        line.push(b'{');
        for (n, field) in self.fields.iter().enumerate() {
            if n > 0 {
                line.push(b',');
            }
            match &field.name {
                // It stood in quotes and without an escape: so it does again.
                Cow::Borrowed(name) => plain(name, line),
                Cow::Owned(name) => quote(name, line),
            }
            line.push(b':');
            line.extend_from_slice(field.json.as_bytes());
        }
        line.extend_from_slice(b"}\n");
    }
}

fn blocked_at(path: &FieldPath, blocked: Blocked) -> Wrong {
    Wrong::field(path, blocked.why())
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

/// The same, or why not.
pub(crate) fn sound(json: &str) -> Result<Cow<'_, str>, String> {
    text(json).ok_or_else(|| "an escape in its text stands for no character".to_owned())
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
        plain(text, into);
    }
}

fn plain(text: &str, into: &mut Vec<u8>) {
    into.push(b'"');
    into.extend_from_slice(text.as_bytes());
    into.push(b'"');
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
                    if row.named(&name).is_some() {
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
    use proptest::prelude::*;
    use serde_json::Value;

    /// What may be JSON, nearly.
    fn nearly() -> impl Strategy<Value = String> {
        let part = prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"a\"",
            "\"b\"",
            "\"",
            "\\u00e9",
            "\\ud83d\\ude00",
            "\\",
            "1",
            "-0.5e3",
            "null",
            "true",
            " ",
            "é",
            "\n",
        ]);
        let value = prop::sample::select(vec!["1", "1.50", "\"x\\n\"", "[1, {}]", "null", "{\"a\":1}"]);
        let fields = prop::collection::vec(("[a-e\"\\\\é]{1,3}", value), 0..5);
        let whole = fields.prop_map(|fields| {
            let fields = fields.iter().map(|(name, value)| format!("{}: {value}", quoted(name)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(" ,"))
        });
        prop_oneof![whole, prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())]
    }

    proptest! {
        #[test]
        fn a_row_is_what_serde_json_calls_an_object_and_says_the_same_when_written(line in nearly()) {
            let whole = serde_json::from_str::<serde_json::Map<String, Value>>(&line);
            match Row::parse(line.as_bytes()) {
                Ok(row) => {
                    let mut out = Vec::new();
                    row.write(&mut out);
                    prop_assert_eq!(serde_json::from_slice::<serde_json::Map<String, Value>>(&out).ok(), whole.ok());
                    for field in &row.fields {
                        let value: Value = serde_json::from_str(&field.json).unwrap();
                        prop_assert_eq!(kind(&field.json) == Kind::Text, value.is_string());
                        let plain = text(&field.json).filter(|_| value.is_string());
                        prop_assert_eq!(value.as_str(), plain.as_deref());
                    }
                }
                Err(wrong) => prop_assert!(whole.is_err() || wrong.error.contains("twice"), "{}", wrong.error),
            }
        }

        #[test]
        fn no_bytes_make_it_panic(line: Vec<u8>) {
            let _ = Row::parse(&line);
        }
    }

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
