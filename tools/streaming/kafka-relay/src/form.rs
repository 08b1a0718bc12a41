//! Lines as messages, and messages as lines.

use std::borrow::Cow;

use ndjson::{Fields, Value};

use crate::job::{Chooser, Job, What};

/// How a message stands in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// With key, headers and time.
    Envelope,
    /// The value alone.
    Raw,
    /// As kcat -J writes it.
    Kcat,
}

type Bytes<'a> = Cow<'a, [u8]>;

/// What is to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load<'a> {
    pub(crate) partition: Option<i32>,
    pub(crate) time_ms: Option<i64>,
    pub(crate) key: Option<Bytes<'a>>,
    pub(crate) value: Option<Bytes<'a>>,
    pub(crate) headers: Vec<(Bytes<'a>, Option<Bytes<'a>>)>,
}

/// Why a message cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bad {
    pub(crate) field: Option<String>,
    pub(crate) error: String,
}

impl Bad {
    pub(crate) fn whole(error: impl Into<String>) -> Self {
        Self { field: None, error: error.into() }
    }

    pub(crate) fn field(field: &str, error: impl Into<String>) -> Self {
        Self { field: Some(field.to_owned()), error: error.into() }
    }
}

impl std::fmt::Display for Bad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{field}: {}", self.error),
            None => f.write_str(&self.error),
        }
    }
}

/// What a line says.
pub(crate) fn read(form: Form, line: &[u8]) -> Result<Load<'_>, Bad> {
    let read = match form {
        Form::Raw => return Ok(Load { value: Some(Cow::Borrowed(line)), ..Load::default() }),
        Form::Envelope => envelope::read(line),
        Form::Kcat => envelope::read_kcat(line),
    };
    let message = read.map_err(|wrong| match wrong {
        envelope::Wrong::Field(field, why) => Bad::field(field, why),
        envelope::Wrong::Other => Bad::whole("no record of the type message; --raw takes any line"),
        wrong @ envelope::Wrong::Broken(_) => Bad::whole(wrong.to_string()),
    })?;
    Ok(Load {
        partition: message.partition,
        time_ms: message.time_ms,
        key: message.key,
        value: message.value,
        headers: message.headers,
    })
}

/// A value as a line of its own.
pub(crate) fn raw(value: Option<&[u8]>) -> Result<&[u8], Bad> {
    let value =
        value.ok_or_else(|| Bad::field("value", "a tombstone is no line; without --raw it is one"))?;
    if value.contains(&b'\n') {
        return Err(Bad::field("value", "a line feed in it; without --raw it is one line"));
    }
    Ok(value)
}

/// Gives messages their key, headers and partition.
pub(crate) struct Dress {
    fields: Fields,
    found: Vec<Value<'static>>,
    /// Where the key's fields are found, with their paths.
    keys: Vec<(usize, String)>,
    key_text: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Origin)>,
    chooser: Chooser,
    partitions: usize,
    largest_bytes: usize,
}

enum Origin {
    Text(Vec<u8>),
    Field(usize, String),
}

impl Dress {
    pub(crate) fn of(job: &Job, partitions: usize) -> Self {
        let mut fields = Fields::new();
        // Paths were read once already, when arguments were.
        let mut want = |path: &str| fields.want(path).unwrap_or_default();
        let keys = job.keys.iter().map(|path| (want(path), path.clone())).collect();
        let headers = job.headers.iter().map(|header| {
            let origin = match &header.what {
                What::Text(text) => Origin::Text(text.clone().into_bytes()),
                What::Field(path) => Origin::Field(want(path), path.clone()),
            };
            (header.name.clone().into_bytes(), origin)
        });
        let headers = headers.collect();
        Self {
            found: fields.none(),
            fields,
            keys,
            key_text: job.key_text.clone().map(String::into_bytes),
            headers,
            chooser: job.chooser,
            partitions,
            largest_bytes: job.largest_bytes,
        }
    }

    /// The message as it will be written.
    pub(crate) fn on(&mut self, load: &mut Load) -> Result<(), Bad> {
        if !self.keys.is_empty() || !self.headers.is_empty() {
            self.dress_by_value(load)?;
        }
        if let Some(text) = &self.key_text {
            load.key = Some(Cow::Owned(text.clone()));
        }
        load.partition = match self.chooser {
            Chooser::Key(_) => None,
            Chooser::Keep => Some(
                load.partition
                    .ok_or_else(|| Bad::field("partition", "missing; --partitioner keep takes it"))?,
            ),
            Chooser::Fixed(number) => Some(number),
        };
        if let Some(number) = load.partition
            && !usize::try_from(number).is_ok_and(|number| number < self.partitions)
        {
            return Err(Bad::field("partition", format!("{number}: the topic has {}", self.partitions)));
        }
        let bytes = load.bytes();
        if bytes > self.largest_bytes {
            return Err(Bad::whole(format!("{bytes} bytes are more than --max-bytes")));
        }
        Ok(())
    }

    fn dress_by_value(&mut self, load: &mut Load) -> Result<(), Bad> {
        let needed =
            !self.keys.is_empty() || self.headers.iter().any(|(_, what)| matches!(what, Origin::Field(..)));
        let mut found = ndjson::emptied(std::mem::take(&mut self.found));
        let done = (|| {
            if needed {
                let value =
                    load.value.as_deref().ok_or_else(|| Bad::field("value", "a tombstone has no fields"))?;
                self.fields
                    .find(value, &mut found)
                    .map_err(|broken| Bad::field("value", broken.to_string()))?;
            }
            let key = self.key(&found)?;
            let mut headers = Vec::with_capacity(self.headers.len());
            for (name, origin) in &self.headers {
                let value = match origin {
                    Origin::Text(text) => Some(text.clone()),
                    Origin::Field(slot, path) => text(&found[*slot], path)?,
                };
                headers.push((Cow::Owned(name.clone()), value.map(Cow::Owned)));
            }
            Ok((key, headers))
        })();
        self.found = ndjson::emptied(found);
        let (key, headers) = done?;
        if !self.keys.is_empty() {
            load.key = key.map(Cow::Owned);
        }
        load.headers.extend(headers);
        Ok(())
    }

    /// Of one field what it says; of several a list.
    fn key(&self, found: &[Value]) -> Result<Option<Vec<u8>>, Bad> {
        match &self.keys[..] {
            [] => Ok(None),
            [(slot, path)] => text(&found[*slot], path),
            several => {
                let mut list = String::from("[");
                for (slot, path) in several {
                    if list.len() > 1 {
                        list.push(',');
                    }
                    list.push_str(json(&found[*slot], path)?);
                }
                list.push(']');
                Ok(Some(list.into_bytes()))
            }
        }
    }
}

impl Load<'_> {
    /// What the brokers count of it.
    fn bytes(&self) -> usize {
        let length = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, |bytes| bytes.len());
        let headers = self.headers.iter().map(|(name, value)| name.len() + length(value));
        length(&self.key) + length(&self.value) + headers.sum::<usize>()
    }
}

/// What a field says, without quotes; nothing if it is null.
fn text(found: &Value, path: &str) -> Result<Option<Vec<u8>>, Bad> {
    Ok(match found {
        Value::Null => None,
        Value::Text(text) => Some(text.plain().into_owned().into_bytes()),
        found => Some(json(found, path)?.as_bytes().to_vec()),
    })
}

/// A field as it stands in the value.
fn json<'a>(found: &Value<'a>, path: &str) -> Result<&'a str, Bad> {
    Ok(match found {
        Value::Missing => return Err(Bad::field(path, "missing in the value")),
        Value::Null => "null",
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        Value::Number(text) | Value::Array(text) | Value::Object(text) => text,
        Value::Text(text) => text.quoted(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dress(keys: &[&str]) -> Dress {
        let mut fields = Fields::new();
        let keys = keys.iter().map(|path| (fields.want(path).unwrap(), (*path).to_owned())).collect();
        Dress {
            found: fields.none(),
            fields,
            keys,
            key_text: None,
            headers: Vec::new(),
            chooser: Chooser::Key(kafka::Partitioner::Consistent),
            partitions: 4,
            largest_bytes: 100,
        }
    }

    fn load(value: &str) -> Load<'_> {
        Load { value: Some(Cow::Borrowed(value.as_bytes())), ..Load::default() }
    }

    fn key(keys: &[&str], value: &str) -> Result<Option<String>, String> {
        let mut load = load(value);
        dress(keys).on(&mut load).map_err(|bad| bad.to_string())?;
        Ok(load.key.map(|key| String::from_utf8(key.into_owned()).unwrap()))
    }

    #[test]
    fn a_key_is_what_the_field_says_and_of_several_a_list() {
        assert_eq!(key(&["a"], r#"{"a":"x"}"#), Ok(Some("x".into())));
        assert_eq!(key(&["m.a"], r#"{"m":{"a":1.50}}"#), Ok(Some("1.50".into())));
        assert_eq!(key(&["a"], r#"{"a":null}"#), Ok(None));
        assert_eq!(key(&["a", "b"], r#"{"b":2,"a":"x\n"}"#), Ok(Some(r#"["x\n",2]"#.into())));
        assert_eq!(key(&["a"], r#"{"b":2}"#), Err("a: missing in the value".into()));
        assert!(key(&["a"], "no json").unwrap_err().starts_with("value: "));
    }

    #[test]
    fn a_partition_is_one_the_topic_has() {
        let mut dress = dress(&[]);
        dress.chooser = Chooser::Keep;
        assert!(dress.on(&mut load("x")).unwrap_err().to_string().starts_with("partition: missing"));
        let at = |partition| Load { partition: Some(partition), ..load("x") };
        assert_eq!(dress.on(&mut at(3)), Ok(()));
        assert_eq!(dress.on(&mut at(4)).unwrap_err().to_string(), "partition: 4: the topic has 4");
        assert!(dress.on(&mut at(-1)).is_err());
    }

    #[test]
    fn what_is_too_large_is_told_with_its_size() {
        let long = "x".repeat(101);
        let bad = dress(&[]).on(&mut load(&long)).unwrap_err();
        assert_eq!(bad.to_string(), "101 bytes are more than --max-bytes");
    }

    #[test]
    fn a_raw_line_holds_neither_a_tombstone_nor_a_line_feed() {
        assert_eq!(raw(Some(b"a")), Ok(&b"a"[..]));
        assert!(raw(None).is_err() && raw(Some(b"a\nb")).is_err());
    }
}
