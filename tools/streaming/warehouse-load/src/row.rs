//! Rows as COPY reads them.

use std::borrow::Cow;

use data_encoding::BASE64;
use database::load::{Column, Holds};
use model::Reject;
use ndjson::{Line, Value, time};

/// Why a row is not loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bad {
    /// The field that is wrong; none if it is the row as a whole.
    pub(crate) field: Option<String>,
    /// The rule it broke: `column`, `type`, `null` or `key`; none if it is no row at all.
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
}

/// Puts rows into the columns of a table.
#[derive(Debug)]
pub(crate) struct Rows {
    columns: Vec<Column>,
    is_key: Vec<bool>,
    /// Where the fields of the last row went: most rows are like the one before.
    places: Vec<usize>,
    found: Vec<Value<'static>>,
}

/// Copied text has this as null.
const NULL: &[u8] = b"\\N";

impl Rows {
    pub(crate) fn new(columns: Vec<Column>, key: &[String]) -> Self {
        let is_key = columns.iter().map(|column| key.contains(&column.name)).collect();
        Self { columns, is_key, places: Vec::new(), found: Vec::new() }
    }

    /// Writes a row without its end; what was written of a bad one means nothing.
    pub(crate) fn write(&mut self, line: &[u8], out: &mut Vec<u8>) -> Result<(), Bad> {
        let mut found = ndjson::emptied(std::mem::take(&mut self.found));
        found.clear();
        found.resize(self.columns.len(), Value::Missing);
        let wrote = self.fields(line, &mut found).and_then(|()| self.columns(&found, out));
        self.found = ndjson::emptied(found);
        wrote
    }

    fn fields<'a>(&mut self, line: &'a [u8], found: &mut [Value<'a>]) -> Result<(), Bad> {
        let Self { columns, places, .. } = self;
        let (mut at, mut unknown) = (0, None);
        let went = ndjson::each(line, |name, value| {
            let name = match name.unescaped() {
                Some(name) => Cow::Borrowed(name),
                None => name.plain(),
            };
            let place = match places.get(at) {
                Some(place) if columns[*place].name == name => Some(*place),
                _ => columns.iter().position(|column| column.name == name),
            };
            if let Some(place) = place {
                if places.len() <= at {
                    places.resize(at + 1, 0);
                }
                places[at] = place;
                found[place] = value;
            } else if unknown.is_none() {
                unknown = Some(name.into_owned());
            }
            at += 1;
        });
        went.map_err(|broken| Bad { field: None, rule: None, why: broken.to_string() })?;
        match unknown {
            None => Ok(()),
            Some(field) => Err(Bad {
                field: Some(field),
                rule: Some("column"),
                why: "schema_changed: the table has no such column to load".to_owned(),
            }),
        }
    }

    fn columns(&self, found: &[Value], out: &mut Vec<u8>) -> Result<(), Bad> {
        for (at, (column, value)) in self.columns.iter().zip(found).enumerate() {
            if at > 0 {
                out.push(b'\t');
            }
            let bad = |rule, why: String| Bad { field: Some(column.name.clone()), rule: Some(rule), why };
            if matches!(value, Value::Missing | Value::Null) {
                if self.is_key[at] {
                    return Err(bad("key", "the key is null".to_owned()));
                }
                if column.not_null {
                    return Err(bad("null", "the column holds no nulls".to_owned()));
                }
                out.extend_from_slice(NULL);
                continue;
            }
            write(column, *value, out).map_err(|why| bad("type", why))?;
        }
        Ok(())
    }
}

/// A value that is not null.
fn write(column: &Column, value: Value, out: &mut Vec<u8>) -> Result<(), String> {
    match (column.holds, value) {
        (Holds::Bool, Value::Bool(yes)) => out.push(if yes { b't' } else { b'f' }),
        (Holds::Int(bytes), Value::Number(text)) => return int(text, bytes, out),
        // What is of a kind of its own the database alone can judge.
        (Holds::Real | Holds::Other, Value::Number(text)) => out.extend_from_slice(text.as_bytes()),
        (Holds::Decimal(digits), Value::Number(text)) => return decimal(text, digits, out),
        // Numbers JSON has no form for, and numbers that were kept as text for their digits.
        (Holds::Int(_) | Holds::Real | Holds::Decimal(_), Value::Text(text)) => {
            let text = text.plain();
            return match (column.holds, &*text) {
                (Holds::Real, "NaN" | "Infinity" | "-Infinity") | (Holds::Decimal(_), "NaN") => {
                    out.extend_from_slice(text.as_bytes());
                    Ok(())
                }
                (_, digits) if !is_number(digits) => Err(wrong(column, "a string")),
                (Holds::Int(bytes), _) => int(&text, bytes, out),
                (Holds::Decimal(digits), _) => decimal(&text, digits, out),
                _ => {
                    out.extend_from_slice(text.as_bytes());
                    Ok(())
                }
            };
        }
        (Holds::Text(most), Value::Text(text)) => {
            let text = text.plain();
            if let Some(most) = most
                && text.len() > most as usize
                && text.trim_end_matches(' ').chars().count() > most as usize
            {
                return Err(format!("longer than {}", column.sql_type));
            }
            return escape(&text, out);
        }
        (Holds::Json, value) => return json(value, out),
        (Holds::Instant, Value::Text(text)) => return instant(&text.plain(), false, out),
        (Holds::LocalTime, Value::Text(text)) => return instant(&text.plain(), true, out),
        (Holds::Day, Value::Text(text)) => {
            let text = text.plain();
            if time::days_of_text(&text).is_none() {
                return Err("not a day such as 2026-01-31".to_owned());
            }
            out.extend_from_slice(text.as_bytes());
        }
        (Holds::Bytes, Value::Text(text)) => {
            let bytes =
                BASE64.decode(text.plain().as_bytes()).map_err(|_| "not bytes in base64".to_owned())?;
            out.extend_from_slice(b"\\\\x");
            out.extend_from_slice(data_encoding::HEXLOWER.encode(&bytes).as_bytes());
        }
        (Holds::Uuid, Value::Text(text)) => {
            let text = text.plain();
            let digits = text.bytes().filter(u8::is_ascii_hexdigit).count();
            if digits != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') {
                return Err("not a UUID".to_owned());
            }
            out.extend_from_slice(text.as_bytes());
        }
        (Holds::Other, Value::Text(text)) => return escape(&text.plain(), out),
        (_, value) => return Err(wrong(column, value.kind())),
    }
    Ok(())
}

fn wrong(column: &Column, kind: &str) -> String {
    format!("the column holds {}, this is {kind}", column.sql_type)
}

/// Whether a text is a number as JSON writes it.
fn is_number(text: &str) -> bool {
    text.starts_with(|first: char| first == '-' || first.is_ascii_digit())
        && serde_json::from_str::<serde_json::Number>(text).is_ok()
}

fn int(text: &str, bytes: u8, out: &mut Vec<u8>) -> Result<(), String> {
    let fits = match text.parse::<i64>() {
        Ok(number) => match bytes {
            2 => i16::try_from(number).is_ok(),
            4 => i32::try_from(number).is_ok(),
            _ => true,
        },
        Err(_) => false,
    };
    if !fits {
        return Err(format!("no whole number of {} bits", u32::from(bytes) * 8));
    }
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// A number the database would not round.
fn decimal(text: &str, digits: Option<(u16, u16)>, out: &mut Vec<u8>) -> Result<(), String> {
    if let Some((precision, scale)) = digits
        && !fits(text, i64::from(precision), i64::from(scale))
    {
        return Err(format!("does not fit into numeric({precision},{scale})"));
    }
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

fn fits(text: &str, precision: i64, scale: i64) -> bool {
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse().unwrap_or(i64::MAX / 2)),
        None => (text, 0),
    };
    let (whole, part) = number.trim_start_matches('-').split_once('.').unwrap_or((number, ""));
    let whole = whole.trim_start_matches(['-', '0']);
    let length = |digits: &str| i64::try_from(digits.len()).unwrap_or(i64::MAX / 2);
    let part = part.trim_end_matches('0');
    if whole.is_empty() && part.is_empty() {
        return true;
    }
    // Digits before the point, and after it, once the exponent has moved it.
    let (before, after) = if part.is_empty() {
        (length(whole), length(whole.trim_end_matches('0')) - length(whole))
    } else if whole.is_empty() {
        (length(part.trim_start_matches('0')) - length(part), length(part))
    } else {
        (length(whole), length(part))
    };
    before.saturating_add(exponent) <= precision - scale && after.saturating_sub(exponent) <= scale
}

/// A time; one of no zone must not say another than UTC, which the database would pass over.
fn instant(text: &str, local: bool, out: &mut Vec<u8>) -> Result<(), String> {
    let without_zone = || text.len() >= 19 && time::of_text(&format!("{text}Z")).is_some();
    let is_time = matches!(text, "infinity" | "-infinity") || time::of_text(text).is_some() || without_zone();
    if !is_time {
        return Err("not a time such as 2026-01-31T12:00:00Z".to_owned());
    }
    let zoned = text.get(19..).is_some_and(|rest| rest.contains(['+', '-']));
    if local && zoned && !text.ends_with("+00:00") {
        return Err("the column knows no zones, and this is not UTC".to_owned());
    }
    let digits = text.get(20..).unwrap_or_default().bytes().take_while(u8::is_ascii_digit);
    if digits.skip(6).any(|digit| digit != b'0') {
        return Err("finer than a microsecond".to_owned());
    }
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

fn json(value: Value, out: &mut Vec<u8>) -> Result<(), String> {
    match value {
        Value::Number(text) | Value::Array(text) | Value::Object(text) => escape(text, out),
        Value::Text(text) => escape(text.quoted(), out),
        Value::Bool(yes) => escape(if yes { "true" } else { "false" }, out),
        Value::Missing | Value::Null => {
            out.extend_from_slice(NULL);
            Ok(())
        }
    }
}

/// Text in the text format of COPY.
fn escape(text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let bytes = text.as_bytes();
    if !bytes.iter().any(|byte| matches!(byte, b'\\' | b'\n' | b'\r' | b'\t' | 0)) {
        out.extend_from_slice(bytes);
        return Ok(());
    }
    for byte in bytes {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0 => return Err("has a zero byte, which the database cannot keep".to_owned()),
            byte => out.push(*byte),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(columns: &[(&str, &str, Holds)]) -> Rows {
        let column = |(name, sql_type, holds): &(&str, &str, Holds)| Column {
            name: (*name).to_owned(),
            sql_type: (*sql_type).to_owned(),
            holds: *holds,
            not_null: *name == "must",
            has_default: false,
            is_generated: false,
        };
        Rows::new(columns.iter().map(column).collect(), &["id".to_owned()])
    }

    fn written(holds: Holds, json: &str) -> Result<String, String> {
        let mut out = Vec::new();
        rows(&[("a", "of the kind", holds)])
            .write(format!("{{\"a\":{json}}}").as_bytes(), &mut out)
            .map(|()| String::from_utf8(out).unwrap())
            .map_err(|bad| bad.why)
    }

    #[test]
    fn values_are_written_as_copy_reads_them() {
        for (holds, json, want) in [
            (Holds::Bool, "true", "t"),
            (Holds::Int(8), "9223372036854775807", "9223372036854775807"),
            (Holds::Int(4), "\"-7\"", "-7"),
            (Holds::Real, "1e-7", "1e-7"),
            (Holds::Real, "\"NaN\"", "NaN"),
            (Holds::Decimal(Some((5, 2))), "123.450", "123.450"),
            (Holds::Text(None), r#""a\tb\\c\nd""#, r"a\tb\\c\nd"),
            (Holds::Text(Some(2)), "\"é é\"", "!"),
            (Holds::Text(Some(2)), "\"éé  \"", "éé  "),
            (Holds::Json, r#"{"a": "x\ny"}"#, r#"{"a": "x\\ny"}"#),
            (Holds::Json, "\"x\"", "\"x\""),
            (Holds::Instant, "\"2026-01-01T00:00:00.5+02:00\"", "2026-01-01T00:00:00.5+02:00"),
            (Holds::LocalTime, "\"2026-01-01 00:00:00\"", "2026-01-01 00:00:00"),
            (Holds::Day, "\"2026-01-31\"", "2026-01-31"),
            (Holds::Bytes, "\"AP8=\"", r"\\x00ff"),
            (Holds::Other, "\"(1,2)\"", "(1,2)"),
            (Holds::Text(None), "null", r"\N"),
            (Holds::Text(None), r#""\\N""#, r"\\N"),
        ] {
            let got = written(holds, json).unwrap_or_else(|_| "!".to_owned());
            assert_eq!(got, want, "{json}");
        }
    }

    #[test]
    fn what_does_not_fit_is_told_and_nothing_is_rounded() {
        for (holds, json, why) in [
            (Holds::Int(2), "32768", "no whole number of 16 bits"),
            (Holds::Int(8), "1.5", "no whole number of 64 bits"),
            (Holds::Int(8), "\"x\"", "the column holds of the kind, this is a string"),
            (Holds::Text(None), "1", "the column holds of the kind, this is a number"),
            (Holds::Decimal(Some((5, 2))), "1.005", "does not fit into numeric(5,2)"),
            (Holds::Decimal(Some((5, 2))), "1000", "does not fit into numeric(5,2)"),
            (Holds::Instant, "\"yesterday\"", "not a time such as 2026-01-31T12:00:00Z"),
            (
                Holds::LocalTime,
                "\"2026-01-01T00:00:00+02:00\"",
                "the column knows no zones, and this is not UTC",
            ),
            (Holds::Instant, "\"2026-01-01T00:00:00.1234567Z\"", "finer than a microsecond"),
            (Holds::Text(None), r#""\u0000""#, "has a zero byte, which the database cannot keep"),
            (Holds::Other, "[1]", "the column holds of the kind, this is a list"),
        ] {
            assert_eq!(written(holds, json).unwrap_err(), why, "{json}");
        }
    }

    #[test]
    fn a_number_fits_by_its_value_not_by_how_it_is_written() {
        for (text, fine) in [
            ("0.001e2", true),
            ("12345e-2", true),
            ("12345e-3", false),
            ("1e3", false),
            ("999.99", true),
            ("0.004", false),
            ("-999.990", true),
            ("0", true),
            ("-0.000", true),
            ("100", true),
            ("000.5", true),
            ("1e999999999999999999999", false),
        ] {
            assert_eq!(fits(text, 5, 2), fine, "{text}");
        }
    }

    #[test]
    fn fields_may_come_in_any_order_and_one_too_many_is_told() {
        let mut rows = rows(&[
            ("id", "bigint", Holds::Int(8)),
            ("x", "text", Holds::Text(None)),
            ("must", "text", Holds::Text(None)),
        ]);
        let mut put = |line: &str| {
            let mut out = Vec::new();
            rows.write(line.as_bytes(), &mut out)
                .map(|()| String::from_utf8(out).unwrap())
                .map_err(|bad| (bad.field.unwrap_or_default(), bad.rule))
        };
        assert_eq!(put(r#"{"id":1,"x":"a","must":"m"}"#).as_deref(), Ok("1\ta\tm"));
        assert_eq!(put(r#"{"must":"m","id":2}"#).as_deref(), Ok("2\t\\N\tm"));
        assert_eq!(put(r#"{"\u0069d":3,"must":"m"}"#).as_deref(), Ok("3\t\\N\tm"));
        assert_eq!(put(r#"{"id":4,"y":1,"must":"m"}"#), Err(("y".to_owned(), Some("column"))));
        assert_eq!(put(r#"{"must":"m"}"#), Err(("id".to_owned(), Some("key"))));
        assert_eq!(put(r#"{"id":5}"#), Err(("must".to_owned(), Some("null"))));
        assert_eq!(put(r#"{"id":5"#), Err((String::new(), None)));
    }
}
