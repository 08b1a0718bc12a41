//! Values as `MySQL` sends them and as its log has them, as JSON: the same.

use std::io::Write;

use mysql_async::Value;
use mysql_async::binlog::value::BinlogValue;

use crate::{Error, Result, json, time};

/// How a column's values become JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Int {
        bits: u32,
        unsigned: bool,
    },
    /// Every digit, as many behind the point as the column has.
    Decimal,
    Float,
    Double,
    Bit,
    Text(Charset),
    /// Base64; so many bytes, where the column has a fixed length.
    Bytes(Option<usize>),
    Enum(Vec<String>),
    Set(Vec<String>),
    Date,
    /// With so many digits behind the point.
    DateTime(usize),
    /// The same in UTC.
    Timestamp(usize),
    Time(usize),
    Year,
    Json,
    /// The log has it in a form of its own.
    Other(String),
}

/// How text stands in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charset {
    Utf8,
    Latin1,
    /// Another: the log's bytes are not understood.
    Other,
}

/// What the catalog says of a column.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// In the words of SQL.
    pub(crate) sql_type: String,
    pub(crate) kind: Kind,
    pub(crate) not_null: bool,
}

/// `int(10) unsigned`, and what goes with it.
pub(crate) fn kind(
    data: &str,
    full: &str,
    charset: Option<&str>,
    length: Option<&str>,
    digits: Option<&str>,
) -> Kind {
    let unsigned = full.contains("unsigned") || full.contains("zerofill");
    let digits = digits.and_then(|digits| digits.parse().ok()).unwrap_or(0);
    let bits = match data {
        "tinyint" => 8,
        "smallint" => 16,
        "mediumint" => 24,
        "int" => 32,
        _ => 64,
    };
    match data {
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" => Kind::Int { bits, unsigned },
        "decimal" => Kind::Decimal,
        "float" => Kind::Float,
        "double" => Kind::Double,
        "bit" => Kind::Bit,
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" => Kind::Text(match charset {
            Some("utf8mb4" | "utf8mb3" | "utf8" | "ascii") => Charset::Utf8,
            Some("latin1") => Charset::Latin1,
            _ => Charset::Other,
        }),
        "binary" => Kind::Bytes(length.and_then(|length| length.parse().ok())),
        "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" | "geometry" | "point"
        | "linestring" | "polygon" | "multipoint" | "multilinestring" | "multipolygon"
        | "geometrycollection" => Kind::Bytes(None),
        "enum" => Kind::Enum(labels(full)),
        "set" => Kind::Set(labels(full)),
        "date" => Kind::Date,
        "datetime" => Kind::DateTime(digits),
        "timestamp" => Kind::Timestamp(digits),
        "time" => Kind::Time(digits),
        "year" => Kind::Year,
        "json" => Kind::Json,
        other => Kind::Other(other.to_owned()),
    }
}

/// The labels of `enum('a','it''s')`.
fn labels(full: &str) -> Vec<String> {
    let inner = full.split_once('(').map_or("", |(_, rest)| rest);
    let mut labels = Vec::new();
    let mut rest = inner.chars().peekable();
    while let Some(begin) = rest.next() {
        if begin != '\'' {
            continue;
        }
        let mut label = String::new();
        while let Some(c) = rest.next() {
            if c == '\'' && rest.next_if_eq(&'\'').is_none() {
                break;
            }
            label.push(c);
        }
        labels.push(label);
    }
    labels
}

/// A value as the server sends it in an answer: text.
pub(crate) fn write_sent(kind: &Kind, text: &[u8], out: &mut Vec<u8>) {
    match kind {
        Kind::Int { .. } | Kind::Decimal | Kind::Year => number(text, out),
        Kind::Float | Kind::Double => {
            let parsed = std::str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok());
            match parsed {
                Some(value) => real(kind, value, out),
                None => json::text_or_bytes(text, out),
            }
        }
        Kind::Bit => bits(text, out),
        Kind::Bytes(_) => json::base64(text, out),
        Kind::DateTime(_) => moment(text, "", out),
        Kind::Timestamp(_) => moment(text, "Z", out),
        Kind::Json if serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok() => {
            let blank = |byte: &u8| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte };
            out.extend(text.iter().map(blank));
        }
        _ => json::text_or_bytes(text, out),
    }
}

/// Digits without the zeros ZEROFILL puts before them.
fn number(text: &[u8], out: &mut Vec<u8>) {
    let (sign, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (&b"-"[..], digits),
        None => (&b""[..], text),
    };
    if digits.is_empty() || !digits.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.') {
        return json::text_or_bytes(text, out);
    }
    let zeros = digits.iter().take_while(|byte| **byte == b'0').count();
    let digits = &digits[zeros..];
    out.extend_from_slice(sign);
    if digits.is_empty() || digits[0] == b'.' {
        out.push(b'0');
    }
    out.extend_from_slice(digits);
}

fn real(kind: &Kind, value: f64, out: &mut Vec<u8>) {
    if *kind == Kind::Float {
        #[expect(clippy::cast_possible_truncation, reason = "it was one before the server made it a double")]
        let _ = serde_json::to_writer(out, &(value as f32));
    } else {
        json::real(value, out);
    }
}

fn bits(bytes: &[u8], out: &mut Vec<u8>) {
    let value = bytes.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    let _ = write!(out, "{value}");
}

/// `2026-01-01 12:00:00` with a T; a zero date stays what it is.
fn moment(text: &[u8], zone: &str, out: &mut Vec<u8>) {
    if text.starts_with(b"0000-00-00") || text.get(10) != Some(&b' ') {
        return json::text_or_bytes(text, out);
    }
    out.push(b'"');
    let start = out.len();
    json::inner(text, out);
    out[start + 10] = b'T';
    out.extend_from_slice(zone.as_bytes());
    out.push(b'"');
}

/// A value as the log has it.
pub(crate) fn write_logged(kind: &Kind, value: &BinlogValue, out: &mut Vec<u8>) -> Result<()> {
    let value = match value {
        BinlogValue::Value(Value::NULL) => {
            out.extend_from_slice(b"null");
            return Ok(());
        }
        BinlogValue::Value(value) => value,
        BinlogValue::Jsonb(value) => {
            let value = serde_json::Value::try_from(value.clone());
            let value = value.map_err(|error| Error::invalid(error.to_string()))?;
            let _ = serde_json::to_writer(out, &value);
            return Ok(());
        }
        BinlogValue::JsonDiff(_) => {
            return Err(Error::invalid("the log has parts of JSON values alone")
                .hint("SET GLOBAL binlog_row_value_options = ''"));
        }
    };
    let strange = || Error::invalid(format!("the log has {value:?} for a {kind:?}")).word("schema_changed");
    match (kind, value) {
        (Kind::Int { bits, unsigned: true }, Value::Int(number)) if *number < 0 => {
            let _ = write!(out, "{}", i128::from(*number) + (1_i128 << bits));
        }
        (Kind::Int { .. }, Value::Int(number)) => {
            let _ = write!(out, "{number}");
        }
        (Kind::Int { .. }, Value::UInt(number)) => {
            let _ = write!(out, "{number}");
        }
        (Kind::Float, Value::Float(value)) => {
            let _ = serde_json::to_writer(out, value);
        }
        (Kind::Double, Value::Double(value)) => json::real(*value, out),
        (Kind::Bit, Value::Bytes(bytes)) => bits(bytes, out),
        (Kind::Year, Value::Bytes(text)) if text == b"1900" => out.push(b'0'),
        (Kind::Decimal | Kind::Year, Value::Bytes(text)) => number(text, out),
        (Kind::Text(Charset::Utf8), Value::Bytes(text)) => json::text_or_bytes(text, out),
        (Kind::Text(Charset::Latin1), Value::Bytes(text)) => {
            let text: String = text.iter().map(|byte| latin1(*byte)).collect();
            json::text(text.as_bytes(), out);
        }
        (Kind::Bytes(length), Value::Bytes(bytes)) => {
            let mut bytes = bytes.clone();
            bytes.resize(length.unwrap_or(bytes.len()).max(bytes.len()), 0);
            json::base64(&bytes, out);
        }
        (Kind::Enum(labels), Value::Int(number)) => {
            let nth = usize::try_from(*number).map_err(|_| strange())?;
            let label = if nth == 0 { "" } else { labels.get(nth - 1).ok_or_else(strange)? };
            json::text(label.as_bytes(), out);
        }
        (Kind::Set(labels), Value::Bytes(bytes)) => {
            let is_in = |nth: usize| bytes.get(nth / 8).is_some_and(|byte| byte >> (nth % 8) & 1 == 1);
            let chosen: Vec<_> = labels
                .iter()
                .enumerate()
                .filter(|(nth, _)| is_in(*nth))
                .map(|(_, label)| label.as_str())
                .collect();
            json::text(chosen.join(",").as_bytes(), out);
        }
        (Kind::Date, Value::Date(year, month, day, ..)) => {
            let _ = write!(out, "\"{year:04}-{month:02}-{day:02}\"");
        }
        (Kind::DateTime(digits), Value::Date(year, month, day, hour, minute, second, us)) => {
            let text = format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}");
            moment(fraction(text, *us, *digits).as_bytes(), "", out);
        }
        (Kind::Timestamp(digits), Value::Bytes(text)) => {
            let text = std::str::from_utf8(text).map_err(|_| strange())?;
            let (seconds, us) = text.split_once('.').unwrap_or((text, "0"));
            let (seconds, us): (i64, u32) = seconds.parse().ok().zip(us.parse().ok()).ok_or_else(strange)?;
            timestamp(seconds, us, *digits, out);
        }
        (Kind::Timestamp(digits), Value::Int(seconds)) => timestamp(*seconds, 0, *digits, out),
        (Kind::Time(digits), Value::Time(negative, days, hours, minutes, seconds, us)) => {
            let sign = if *negative { "-" } else { "" };
            let hours = days * 24 + u32::from(*hours);
            let text = fraction(format!("{sign}{hours:02}:{minutes:02}:{seconds:02}"), *us, *digits);
            json::text(text.as_bytes(), out);
        }
        _ => return Err(strange()),
    }
    Ok(())
}

fn timestamp(seconds: i64, us: u32, digits: usize, out: &mut Vec<u8>) {
    if seconds == 0 && us == 0 {
        return json::text(fraction("0000-00-00 00:00:00".to_owned(), 0, digits).as_bytes(), out);
    }
    let text = time::rfc3339(seconds.saturating_mul(1_000_000));
    let text = fraction(text.get(..19).unwrap_or_default().to_owned(), us, digits);
    json::text(format!("{text}Z").as_bytes(), out);
}

/// With so many digits behind the point.
fn fraction(text: String, us: u32, digits: usize) -> String {
    match digits {
        0 => text,
        digits => format!("{text}.{}", &format!("{us:06}")[..digits.min(6)]),
    }
}

/// What `MySQL` calls latin1 is Windows-1252.
fn latin1(byte: u8) -> char {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
        '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9f => HIGH[usize::from(byte - 0x80)],
        byte => char::from(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(kind: &Kind, text: &str) -> String {
        let mut out = Vec::new();
        write_sent(kind, text.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    fn logged(kind: &Kind, value: Value) -> String {
        let mut out = Vec::new();
        write_logged(kind, &BinlogValue::Value(value), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_keep_their_digits_and_lose_the_zeros_before_them() {
        for (text, number) in [
            ("00042", "42"),
            ("0", "0"),
            ("-0.10", "-0.10"),
            ("000.50", "0.50"),
            ("18446744073709551615", "18446744073709551615"),
        ] {
            assert_eq!(sent(&Kind::Decimal, text), number);
        }
        assert_eq!(sent(&Kind::Float, "0.10000000149011612"), "0.1");
    }

    #[test]
    fn what_is_sent_and_what_is_logged_is_the_same() {
        let bytes = |text: &str| Value::Bytes(text.as_bytes().to_vec());
        for (kind, text, value) in [
            (Kind::Int { bits: 64, unsigned: true }, "18446744073709551615", Value::Int(-1)),
            (Kind::Int { bits: 8, unsigned: true }, "255", Value::Int(-1)),
            (Kind::DateTime(3), "2026-01-02 03:04:05.600", Value::Date(2026, 1, 2, 3, 4, 5, 600_000)),
            (Kind::DateTime(0), "0000-00-00 00:00:00", Value::Date(0, 0, 0, 0, 0, 0, 0)),
            (Kind::Timestamp(0), "2026-01-01 00:00:00", bytes("1767225600")),
            (Kind::Timestamp(1), "2026-01-01 00:00:00.5", bytes("1767225600.500000")),
            (Kind::Timestamp(0), "0000-00-00 00:00:00", bytes("0")),
            (Kind::Time(0), "-838:59:59", Value::Time(true, 34, 22, 59, 59, 0)),
            (Kind::Year, "0000", bytes("1900")),
            (Kind::Enum(labels("enum('a','it''s')")), "it's", Value::Int(2)),
            (Kind::Set(labels("set('a','b','c')")), "a,c", Value::Bytes(vec![5])),
            (Kind::Text(Charset::Latin1), "ä€", Value::Bytes(vec![0xe4, 0x80])),
            (Kind::Double, "1e22", Value::Double(1e22)),
        ] {
            assert_eq!(sent(&kind, text), logged(&kind, value), "{kind:?}");
        }
        assert_eq!(logged(&Kind::Bytes(Some(3)), Value::Bytes(vec![1])), "\"AQAA\"");
    }
}
