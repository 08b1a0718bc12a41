//! The lines `kcat -J` writes.
//!
//! They have no base64: bytes that are no UTF-8 stand in them as they are. So
//! strings are read as bytes here, and such a line comes back whole.

use std::borrow::Cow;

use ndjson::Value;

use crate::{Message, Name, Wrong};

/// Bytes above 127 are read as characters from here on, which nobody writes.
const ASIDE: u32 = 0x0010_ff00;

/// Reads a line of `kcat -J`.
///
/// # Errors
/// Fails if it is none.
pub fn read(line: &[u8]) -> Result<Message<'static>, Wrong> {
    if line.is_ascii() {
        return of(line);
    }
    let aside = |byte: u8| char::from_u32(ASIDE + u32::from(byte)).filter(|_| byte >= 0x80);
    let text: String = line.iter().map(|&byte| aside(byte).unwrap_or(char::from(byte))).collect();
    of(text.as_bytes())
}

fn of(line: &[u8]) -> Result<Message<'static>, Wrong> {
    let mut message = Message::default();
    let mut payload = None;
    let mut wrong = None;
    ndjson::each(line, |name, found| {
        let mut set = || -> Result<(), Wrong> {
            match name.unescaped() {
                Some("topic") => message.topic = found.text().map(|text| Cow::Owned(text.into_owned())),
                Some("partition") => message.partition = integer("partition", &found)?,
                Some("offset") => message.offset = integer("offset", &found)?,
                Some("ts") => message.time_ms = integer("ts", &found)?.filter(|time_ms| *time_ms >= 0),
                Some("key") => message.key = bytes("key", &found)?,
                Some("payload") => payload = Some(bytes("payload", &found)?),
                Some("headers") => message.headers = headers(&found)?,
                _ => {}
            }
            Ok(())
        };
        if let Err(error) = set() {
            wrong.get_or_insert(error);
        }
    })?;
    if let Some(wrong) = wrong {
        return Err(wrong);
    }
    message.value = payload.ok_or(Wrong::Field("payload", "missing: no line of kcat -J"))?;
    Ok(message)
}

fn integer<T: std::str::FromStr>(name: &'static str, found: &Value) -> Result<Option<T>, Wrong> {
    match found {
        Value::Number(digits) => {
            digits.parse().map(Some).map_err(|_| Wrong::Field(name, "not a whole number"))
        }
        _ => Err(Wrong::Field(name, "not a whole number")),
    }
}

fn bytes(name: &'static str, found: &Value) -> Result<Option<Name<'static>>, Wrong> {
    match found {
        Value::Null => Ok(None),
        Value::Text(text) => Ok(Some(narrow(&text.plain()))),
        _ => Err(Wrong::Field(name, "neither a string nor null")),
    }
}

/// The bytes that stood in the line.
fn narrow(text: &str) -> Name<'static> {
    let mut bytes = Vec::with_capacity(text.len());
    for char in text.chars() {
        match u32::from(char).checked_sub(ASIDE).and_then(|byte| u8::try_from(byte).ok()) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Cow::Owned(bytes)
}

/// `["name","value","name",null]`.
fn headers(found: &Value) -> Result<Vec<(Name<'static>, Option<Name<'static>>)>, Wrong> {
    let wrong = Wrong::Field("headers", "not names and values in turn");
    let Value::Array(list) = found else { return Err(wrong) };
    let list: Vec<Option<String>> = serde_json::from_str(list).map_err(|_| wrong.clone())?;
    let pairs = list.chunks(2).map(|pair| match pair {
        [Some(name), value] => Ok((narrow(name), value.as_deref().map(narrow))),
        _ => Err(wrong.clone()),
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_kcat_comes_back_with_bytes_that_are_no_text() {
        let mut line = br#"{"topic":"V","partition":1,"offset":7,"tstype":"create","ts":5,"broker":1,"headers":["h","1","h",null],"key":""#.to_vec();
        line.extend_from_slice(b"\xff\xc3\xa9\\u0000\",\"payload\":null}");
        let read = read(&line).unwrap();
        assert_eq!(read.key.as_deref(), Some(&b"\xff\xc3\xa9\0"[..]));
        assert_eq!((read.partition, read.offset, read.time_ms), (Some(1), Some(7), Some(5)));
        assert_eq!(read.headers.len(), 2);
        assert_eq!((read.headers[1].0.as_ref(), read.headers[1].1.as_deref()), (&b"h"[..], None));
        assert_eq!(read.value, None);
    }

    #[test]
    fn an_escaped_letter_is_that_letter_beside_bytes_that_are_none() {
        let read = read(b"{\"payload\":\"\xff\\u00e9\"}").unwrap();
        assert_eq!(read.value.as_deref(), Some(&b"\xff\xc3\xa9"[..]));
    }
}
