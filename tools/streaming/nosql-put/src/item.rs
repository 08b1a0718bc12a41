//! A row, as a store of keys has it.

use std::borrow::Cow;

use model::Reject;
use ndjson::{Fields, Line, Value, time};

/// Why a row is not put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bad {
    /// The field that is wrong; none if it is the row as a whole.
    pub(crate) field: Option<String>,
    /// The rule it broke: `key`, `version`, `name`, `number` or `size`; none if it is no row at all.
    pub(crate) rule: Option<&'static str>,
    pub(crate) why: String,
}

impl Bad {
    /// What is put aside.
    pub(crate) fn of(self, line: &Line) -> Reject {
        Reject {
            field: self.field,
            rule: self.rule.map(str::to_owned),
            error: self.why,
            ..Reject::of(line.number, line.bytes, line.length_bytes)
        }
    }

    pub(crate) fn whole(why: impl Into<String>) -> Self {
        Self { field: None, rule: None, why: why.into() }
    }

    pub(crate) fn field(field: &str, rule: &'static str, why: impl Into<String>) -> Self {
        Self { field: Some(field.to_owned()), rule: Some(rule), why: why.into() }
    }
}

/// What is put under a key, if the store has nothing newer there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// Its line in the input, from 1.
    pub(crate) line: u64,
    pub(crate) pk: Key,
    pub(crate) sk: Option<Key>,
    pub(crate) version: u64,
    /// The row; none deletes what is there.
    pub(crate) row: Option<Box<[u8]>>,
}

/// A part of a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Key {
    Text(String),
    /// As it was written.
    Number(String),
}

impl Key {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Number(text) => text,
        }
    }
}

/// Where in rows keys and versions stand.
#[derive(Debug)]
pub(crate) struct Reading {
    fields: Fields,
    pk: (String, usize),
    sk: Option<(String, usize)>,
    /// None if a message's offset is the version.
    version: Option<(String, usize)>,
}

impl Reading {
    /// Rows with these fields.
    ///
    /// # Errors
    /// Fails if a path makes no sense.
    pub(crate) fn new(pk: &str, sk: Option<&str>, version: Option<&str>) -> Result<Self, ndjson::PathError> {
        let mut fields = Fields::new();
        let mut want = |path: &str| Ok((path.to_owned(), fields.want(path)?));
        let pk = want(pk)?;
        let sk = sk.map(&mut want).transpose()?;
        let version = version.map(&mut want).transpose()?;
        Ok(Self { fields, pk, sk, version })
    }

    /// The item a row is.
    pub(crate) fn row(&self, line: u64, row: &[u8]) -> Result<Item, Bad> {
        self.item(line, row, None)
    }

    /// The item a message is: its value is the row, and one without deletes by its key.
    pub(crate) fn message(&self, line: u64, text: &[u8]) -> Result<Item, Bad> {
        let message = envelope::read(text).map_err(|wrong| Bad {
            field: wrong.field().map(str::to_owned),
            ..Bad::whole(wrong.to_string())
        })?;
        let offset = message.offset.and_then(|offset| u64::try_from(offset).ok());
        let Some(offset) = offset else {
            return Err(Bad::field("offset", "version", "a message without an offset has no version"));
        };
        if let Some(value) = &message.value {
            return self.item(line, value, Some(offset));
        }
        // What the row was is not known: the message's key has to say it.
        let key = message.key.as_deref().unwrap_or_default();
        let bad = |why: &str| Bad::field("key", "key", why);
        if self.version.is_some() {
            return Err(bad("a tombstone has no field to take the version from"));
        }
        let key = std::str::from_utf8(key).map_err(|_| bad("no text"))?;
        let mut item = if key.starts_with('{') {
            self.item(line, key.as_bytes(), Some(offset)).map_err(|wrong| bad(&wrong.why))?
        } else if self.sk.is_some() {
            return Err(bad("a tombstone's key is an object with both parts of the key"));
        } else {
            let unquoted = serde_json::from_str::<String>(key).unwrap_or_else(|_| key.to_owned());
            let pk = Key::Text(unquoted);
            if pk.text().is_empty() {
                return Err(bad("empty"));
            }
            Item { line, pk, sk: None, version: offset, row: None }
        };
        item.row = None;
        Ok(item)
    }

    fn item(&self, line: u64, row: &[u8], offset: Option<u64>) -> Result<Item, Bad> {
        let mut found = self.fields.none();
        self.fields.find(row, &mut found).map_err(|broken| Bad::whole(broken.to_string()))?;
        let pk = key(&self.pk.0, found[self.pk.1])?;
        let sk = self.sk.as_ref().map(|(name, at)| key(name, found[*at])).transpose()?;
        let version = match (&self.version, offset) {
            (Some((name, at)), _) => version(found[*at]).map_err(|why| Bad::field(name, "version", why))?,
            (None, Some(offset)) => offset,
            (None, None) => return Err(Bad::whole("no version")),
        };
        Ok(Item { line, pk, sk, version, row: Some(row.into()) })
    }
}

fn key(name: &str, value: Value) -> Result<Key, Bad> {
    match value {
        Value::Text(text) => match text.plain() {
            text if text.is_empty() => Err(Bad::field(name, "key", "empty")),
            text => Ok(Key::Text(text.into_owned())),
        },
        Value::Number(text) => Ok(Key::Number(text.to_owned())),
        other => {
            Err(Bad::field(name, "key", format!("a key is a text or a number, this is {}", other.kind())))
        }
    }
}

/// A number that grows: a whole number, or a time.
fn version(value: Value) -> Result<u64, String> {
    let text = match value {
        Value::Number(text) => Cow::Borrowed(text),
        Value::Text(text) => text.plain(),
        other => return Err(format!("a version is a whole number or a time, this is {}", other.kind())),
    };
    let time = || time::of_text(&text).and_then(|micros| u64::try_from(micros).ok());
    text.parse()
        .ok()
        .or_else(time)
        .ok_or_else(|| "no whole number up to 2^64, and no time since 1970".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Told = (Option<String>, String);

    fn item(row: &str) -> Result<(Key, Option<Key>, u64), Told> {
        let reading = Reading::new("a.id", Some("at"), Some("v")).unwrap();
        let item = reading.row(1, row.as_bytes());
        item.map(|item| (item.pk, item.sk, item.version)).map_err(|bad| (bad.field, bad.why))
    }

    #[test]
    fn a_row_has_a_key_and_a_version() {
        let text = |text: &str| Key::Text(text.to_owned());
        assert_eq!(
            item(r#"{"a":{"id":"x:\u0041"},"at":1.50,"v":7}"#),
            Ok((text("x:A"), Some(Key::Number("1.50".into())), 7))
        );
        assert_eq!(
            item(r#"{"a":{"id":"x"},"at":"t","v":"1970-01-01T00:00:01Z"}"#),
            Ok((text("x"), Some(text("t")), 1_000_000))
        );
    }

    #[test]
    fn a_row_without_is_told_by_field() {
        for (row, field, why) in [
            (r#"{"a":{"id":""},"at":1,"v":7}"#, "a.id", "empty"),
            (r#"{"a":{"id":[]},"at":1,"v":7}"#, "a.id", "a key is a text or a number, this is a list"),
            (r#"{"a":{"id":1},"v":7}"#, "at", "a key is a text or a number, this is missing"),
            (r#"{"a":{"id":1},"at":1,"v":-1}"#, "v", "no whole number up to 2^64, and no time since 1970"),
            (r#"{"a":{"id":1},"at":1,"v":1.5}"#, "v", "no whole number up to 2^64, and no time since 1970"),
        ] {
            assert_eq!(item(row), Err((Some(field.to_owned()), why.to_owned())), "{row}");
        }
    }

    #[test]
    fn a_message_has_its_offset_as_version_and_without_a_value_it_deletes() {
        let reading = Reading::new("id", None, None).unwrap();
        let read = |text: &str| reading.message(1, text.as_bytes());
        let put =
            read(r#"{"record":"message","topic":"P","partition":0,"offset":12,"value":{"id":"x"}}"#).unwrap();
        assert_eq!((put.version, put.row.as_deref()), (12, Some(&br#"{"id":"x"}"#[..])));
        for key in [r#""x""#, r#""\"x\"""#, r#""{\"id\":\"x\"}""#] {
            let text = format!(
                r#"{{"record":"message","topic":"P","partition":0,"offset":13,"key":{key},"value":null}}"#
            );
            let gone = read(&text).unwrap();
            assert_eq!((gone.pk, gone.version, gone.row), (Key::Text("x".into()), 13, None), "{key}");
        }
        assert!(read(r#"{"record":"message","value":{"id":"x"}}"#).is_err());
        assert!(read(r#"{"record":"message","offset":1,"value":null}"#).is_err());
    }
}
