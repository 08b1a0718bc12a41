//! From a message to a line.

use data_encoding::BASE64;
use ndjson::Value;

/// A message, borrowed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parts<'a> {
    /// The topic.
    pub topic: Option<&'a str>,
    /// The partition.
    pub partition: Option<i32>,
    /// The offset.
    pub offset: Option<i64>,
    /// The time, milliseconds since 1970.
    pub time_ms: Option<i64>,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
}

/// Writes messages; remembers what two that follow one another share.
#[derive(Debug, Default)]
pub struct Writer {
    second: Option<i64>,
    /// That second up to its point.
    written: String,
}

/// Beyond the year 9999 a time is a number.
const LAST_MS: i64 = 253_402_300_799_999;

impl Writer {
    /// Puts the message's line behind `line`, without its end.
    pub fn write<'h>(
        &mut self,
        message: &Parts,
        headers: impl IntoIterator<Item = (&'h [u8], Option<&'h [u8]>)>,
        line: &mut Vec<u8>,
    ) {
        line.extend_from_slice(b"{\"record\":\"message\",\"topic\":");
        match message.topic {
            Some(topic) => quoted(topic, line),
            None => line.extend_from_slice(b"null"),
        }
        line.extend_from_slice(b",\"partition\":");
        number(message.partition.map(i64::from), line);
        line.extend_from_slice(b",\"offset\":");
        number(message.offset, line);
        line.extend_from_slice(b",\"ts\":");
        self.time(message.time_ms, line);
        match message.key.map(std::str::from_utf8) {
            None => line.extend_from_slice(b",\"key\":null"),
            Some(Ok(key)) => {
                line.extend_from_slice(b",\"key\":");
                quoted(key, line);
            }
            Some(Err(_)) => {
                line.extend_from_slice(b",\"key_b64\":");
                base64(message.key.unwrap_or_default(), line);
            }
        }
        line.extend_from_slice(b",\"headers\":[");
        let mut first = true;
        for (name, value) in headers {
            line.extend_from_slice(if first { b"[" } else { b",[" });
            first = false;
            either(name, line);
            line.push(b',');
            match value {
                None => line.extend_from_slice(b"null"),
                Some(value) => either(value, line),
            }
            line.push(b']');
        }
        line.push(b']');
        match message.value {
            None => line.extend_from_slice(b",\"value\":null}"),
            Some(value) => payload(value, line),
        }
    }

    fn time(&mut self, time_ms: Option<i64>, line: &mut Vec<u8>) {
        let Some(time_ms) = time_ms.filter(|time_ms| (0..=LAST_MS).contains(time_ms)) else {
            return number(time_ms, line);
        };
        let (second, rest) = (time_ms / 1000, time_ms % 1000);
        if self.second != Some(second) {
            self.second = Some(second);
            self.written.clear();
            ndjson::time::write(second * 1_000_000, &mut self.written);
            self.written.pop();
        }
        line.push(b'"');
        line.extend_from_slice(self.written.as_bytes());
        let digit = |value: i64| b'0' + u8::try_from(value % 10).unwrap_or_default();
        line.extend_from_slice(&[b'.', digit(rest / 100), digit(rest / 10), digit(rest), b'Z', b'"']);
    }
}

/// The value and the end of the line. Whether it is JSON is asked of who will
/// read it: in the line, where its field stands.
fn payload(value: &[u8], line: &mut Vec<u8>) {
    let comma = line.len();
    if looks_like_json(value) && is_one_line(value) {
        line.extend_from_slice(b",\"value\":");
        line.extend_from_slice(value);
        line.push(b'}');
        line[comma] = b'{';
        let mut whole = false;
        let fine = ndjson::each(&line[comma..], |name, found| {
            whole = name.quoted() == "\"value\"" && raw(&found) == Some(value.len());
        });
        if fine.is_ok() && whole {
            line[comma] = b',';
            return;
        }
        line.truncate(comma);
    }
    if let Ok(text) = std::str::from_utf8(value) {
        line.extend_from_slice(b",\"value_text\":");
        quoted(text, line);
    } else {
        line.extend_from_slice(b",\"value_b64\":");
        base64(value, line);
    }
    line.push(b'}');
}

/// Without a line's end in it.
fn is_one_line(value: &[u8]) -> bool {
    !value.iter().any(|byte| matches!(byte, b'\n' | b'\r'))
}

/// Most of what is no JSON shows it at once.
fn looks_like_json(value: &[u8]) -> bool {
    match (value.first(), value.last()) {
        (Some(b'{'), Some(b'}'))
        | (Some(b'['), Some(b']'))
        | (Some(b'"'), Some(b'"'))
        | (Some(b'-' | b'0'..=b'9'), Some(b'0'..=b'9')) => true,
        _ => matches!(value, b"true" | b"false"),
    }
}

/// How long the value is as it stands in the line.
fn raw(value: &Value) -> Option<usize> {
    match value {
        Value::Missing | Value::Null => None,
        Value::Bool(yes) => Some(if *yes { 4 } else { 5 }),
        Value::Number(text) | Value::Array(text) | Value::Object(text) => Some(text.len()),
        Value::Text(text) => Some(text.quoted().len()),
    }
}

fn number(number: Option<i64>, line: &mut Vec<u8>) {
    let Some(number) = number else { return line.extend_from_slice(b"null") };
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = number.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        at -= 1;
        digits[at] = b'-';
    }
    line.extend_from_slice(&digits[at..]);
}

/// A string, or `{"b64":…}`.
fn either(bytes: &[u8], line: &mut Vec<u8>) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        quoted(text, line);
    } else {
        line.extend_from_slice(b"{\"b64\":");
        base64(bytes, line);
        line.push(b'}');
    }
}

fn base64(bytes: &[u8], line: &mut Vec<u8>) {
    line.push(b'"');
    let start = line.len();
    line.resize(start + BASE64.encode_len(bytes.len()), 0);
    BASE64.encode_mut(bytes, &mut line[start..]);
    line.push(b'"');
}

/// A JSON string.
fn quoted(text: &str, line: &mut Vec<u8>) {
    line.push(b'"');
    let bytes = text.as_bytes();
    let mut start = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let escape = match byte {
            b'"' => b'"',
            b'\\' => b'\\',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0..0x20 => b'u',
            _ => continue,
        };
        line.extend_from_slice(&bytes[start..at]);
        start = at + 1;
        line.extend_from_slice(&[b'\\', escape]);
        if escape == b'u' {
            let hex = b"0123456789abcdef";
            line.extend_from_slice(&[b'0', b'0', hex[usize::from(byte >> 4)], hex[usize::from(byte & 15)]]);
        }
    }
    line.extend_from_slice(&bytes[start..]);
    line.push(b'"');
}
