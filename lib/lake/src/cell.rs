//! From a value of JSON to what a column holds.

use std::borrow::Cow;

use ndjson::{Value, time};

use crate::decimal;
use crate::schema::Type;

/// A value as its column holds it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell<'a> {
    Null,
    Bool(bool),
    /// Whole numbers, times, days.
    Int(i64),
    Double(f64),
    Decimal(i128),
    Text(Cow<'a, str>),
}

impl<'a> Cell<'a> {
    /// The value in a column of that type; why it does not fit.
    #[inline]
    pub(crate) fn of(value: Value<'a>, of: Type) -> Result<Self, String> {
        if matches!(value, Value::Missing | Value::Null) {
            return Ok(Self::Null);
        }
        match (of, value) {
            (Type::Bool, Value::Bool(yes)) => Ok(Self::Bool(yes)),
            (Type::Int, Value::Number(text)) => int(text).map(Self::Int),
            (Type::Double, Value::Number(text)) => {
                text.parse().map(Self::Double).map_err(|_| "not a number".to_owned())
            }
            (Type::Decimal { precision, scale }, Value::Number(text)) => {
                decimal::unscaled(text, precision, scale)
                    .map(Self::Decimal)
                    .ok_or_else(|| format!("does not fit into {of}"))
            }
            (Type::Text, Value::Text(text)) => Ok(Self::Text(text.plain())),
            (Type::Timestamp, Value::Text(text)) => match text.unescaped() {
                Some(text) => micros(text).map(Self::Int),
                None => micros(&text.plain()).map(Self::Int),
            },
            (Type::Date, Value::Text(text)) => time::days_of_text(&text.plain())
                .map(|days| Self::Int(i64::from(days)))
                .ok_or_else(|| "not a day such as 2026-01-31".to_owned()),
            (Type::Json, value) => Ok(Self::Text(Cow::Borrowed(match value {
                Value::Number(text) | Value::Array(text) | Value::Object(text) => text,
                Value::Text(text) => text.quoted(),
                Value::Bool(true) => "true",
                Value::Bool(false) => "false",
                Value::Missing | Value::Null => "null",
            }))),
            (of, value) => Err(format!("the column holds {of}, this is {}", value.kind())),
        }
    }
}

/// A whole number, even if it is written with a point or an exponent.
fn int(text: &str) -> Result<i64, String> {
    text.parse().or_else(|_| {
        let whole = decimal::unscaled(text, 38, 0).and_then(|whole| i64::try_from(whole).ok());
        whole.ok_or_else(|| "no whole number of 64 bits".to_owned())
    })
}

/// A time, if no digit of it is lost.
pub(crate) fn micros(text: &str) -> Result<i64, String> {
    let Some(micros) = time::of_text(text) else {
        return Err("not a time of RFC 3339 such as 2026-01-31T12:00:00Z".to_owned());
    };
    let finer = text.as_bytes().get(26..).unwrap_or_default();
    let finer = finer.iter().take_while(|byte| byte.is_ascii_digit()).any(|byte| *byte != b'0');
    // Without a point there are no digits in that place.
    if text.as_bytes()[19] == b'.' && finer {
        return Err("finer than a microsecond".to_owned());
    }
    Ok(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(json: &str, of: &str) -> Result<String, String> {
        let line = format!("{{\"a\":{json}}}");
        let mut told = None;
        ndjson::each(line.as_bytes(), |_, value| {
            told = Some(Cell::of(value, of.parse().unwrap()).map(|cell| format!("{cell:?}")));
        })
        .unwrap();
        told.unwrap()
    }

    #[test]
    fn values_become_what_their_column_holds() {
        for (json, of, want) in [
            ("null", "int", "Null"),
            ("-7", "int", "Int(-7)"),
            ("1e3", "int", "Int(1000)"),
            ("1.0", "int", "Int(1)"),
            ("0.1", "double", "Double(0.1)"),
            ("12.5", "decimal(10,2)", "Decimal(1250)"),
            (r#""a\u0062""#, "string", r#"Text("ab")"#),
            (r#""1970-01-01T00:00:00.000001Z""#, "timestamp", "Int(1)"),
            (r#""1970-01-01T00:00:01.0000010Z""#, "timestamp", "Int(1000001)"),
            (r#""1970-01-02""#, "date", "Int(1)"),
            ("[1, 2]", "json", r#"Text("[1, 2]")"#),
            (r#""x""#, "json", r#"Text("\"x\"")"#),
            ("true", "bool", "Bool(true)"),
        ] {
            assert_eq!(cell(json, of).as_deref(), Ok(want), "{json}");
        }
    }

    #[test]
    fn what_does_not_fit_is_told() {
        for (json, of, why) in [
            (r#""1""#, "int", "the column holds int, this is a string"),
            ("1.5", "int", "no whole number of 64 bits"),
            ("9223372036854775808", "int", "no whole number of 64 bits"),
            ("1.005", "decimal(10,2)", "does not fit into decimal(10,2)"),
            ("1", "bool", "the column holds bool, this is a number"),
            (r#""2026-01-01T00:00:00.1234567Z""#, "timestamp", "finer than a microsecond"),
            (r#""yesterday""#, "timestamp", "not a time of RFC 3339 such as 2026-01-31T12:00:00Z"),
            (r#""2026-1-1""#, "date", "not a day such as 2026-01-31"),
            ("{}", "string", "the column holds string, this is an object"),
        ] {
            assert_eq!(cell(json, of).unwrap_err(), why, "{json}");
        }
    }
}
