//! The columns of a table: said by somebody, or found in the first rows.

use std::fmt;
use std::str::FromStr;

use ndjson::{Value, time};
use serde::de::Error as _;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::decimal;

/// What a column holds; every one may hold nulls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// `true` or `false`.
    Bool,
    /// Whole numbers of 64 bits.
    Int,
    /// Doubles.
    Double,
    /// Exact numbers.
    Decimal {
        /// Digits in all, up to 38.
        precision: u8,
        /// Digits after the point.
        scale: u8,
    },
    /// Text.
    Text,
    /// Times, in microseconds, in UTC.
    Timestamp,
    /// Days.
    Date,
    /// Any value of JSON, as text.
    Json,
}

const WORDS: [(&str, Type); 7] = [
    ("bool", Type::Bool),
    ("int", Type::Int),
    ("double", Type::Double),
    ("string", Type::Text),
    ("timestamp", Type::Timestamp),
    ("date", Type::Date),
    ("json", Type::Json),
];

impl FromStr for Type {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((_, known)) = WORDS.iter().find(|(word, _)| *word == text) {
            return Ok(*known);
        }
        let inner = text.strip_prefix("decimal(").and_then(|rest| rest.strip_suffix(')'));
        let digits = inner.and_then(|inner| inner.split_once(',')).and_then(|(precision, scale)| {
            Some((precision.trim().parse::<u8>().ok()?, scale.trim().parse::<u8>().ok()?))
        });
        match digits {
            Some((precision @ 1..=38, scale)) if scale <= precision => Ok(Self::Decimal { precision, scale }),
            _ => Err(format!(
                "`{}` is none of: bool, int, double, decimal(P,S) of up to 38 digits, string, timestamp, date, json",
                text.chars().take(64).collect::<String>()
            )),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decimal { precision, scale } => write!(f, "decimal({precision},{scale})"),
            other => f.write_str(WORDS.iter().find(|(_, known)| known == other).map_or("", |(word, _)| word)),
        }
    }
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name: the field's.
    pub name: String,
    /// What it holds.
    pub of: Type,
}

/// The columns of a table, in order; written as a mapping of names to types.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    columns: Vec<Column>,
}

/// More columns than this were not meant.
const COLUMNS: usize = 4096;

impl Schema {
    /// These columns.
    ///
    /// # Errors
    /// Tells what is wrong with them.
    pub fn new(columns: Vec<Column>) -> Result<Self, String> {
        if columns.is_empty() || columns.len() > COLUMNS {
            return Err(format!("{} columns; a table has 1 to {COLUMNS}", columns.len()));
        }
        for (at, column) in columns.iter().enumerate() {
            if column.name.is_empty() || column.name.chars().any(char::is_control) {
                return Err(format!("`{}` is no column's name", column.name.escape_debug()));
            }
            // Athena and Hive do not tell upper and lower case apart.
            let same = |other: &&Column| other.name.to_lowercase() == column.name.to_lowercase();
            if let Some(other) = columns[..at].iter().find(same) {
                return Err(format!("the columns `{}` and `{}` have one name", other.name, column.name));
            }
        }
        Ok(Self { columns })
    }

    /// The columns.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Where the column of that name is.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

impl Serialize for Schema {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.columns.len()))?;
        for column in &self.columns {
            map.serialize_entry(&column.name, &column.of.to_string())?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Schema {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let map = serde_json::Map::deserialize(deserializer)?;
        let column = |(name, of): (String, serde_json::Value)| {
            let of = of.as_str().ok_or_else(|| D::Error::custom(format!("{name}: a type is a text")))?;
            let of = of.parse().map_err(|why| D::Error::custom(format!("{name}: {why}")))?;
            Ok(Column { name, of })
        };
        let columns = map.into_iter().map(column).collect::<Result<_, D::Error>>()?;
        Self::new(columns).map_err(D::Error::custom)
    }
}

/// What the rows of a sample say about their columns.
#[derive(Debug, Default)]
pub struct Sample {
    columns: Vec<(String, Seen)>,
}

/// What was seen of a field.
#[derive(Debug, Default)]
struct Seen {
    kinds: u8,
    /// Digits of the longest numbers, before and after the point.
    whole: usize,
    part: usize,
}

const BOOL: u8 = 1;
const INT: u8 = 2;
const DECIMAL: u8 = 4;
const DOUBLE: u8 = 8;
const TIME: u8 = 16;
const DAY: u8 = 32;
const TEXT: u8 = 64;
const NESTED: u8 = 128;

impl Sample {
    /// Takes another row into account.
    ///
    /// # Errors
    /// Fails if it is not one JSON object; it is then left out.
    pub fn row(&mut self, line: &[u8]) -> Result<(), ndjson::Broken> {
        ndjson::each(line, |_, _| ())?;
        let mut hint = 0;
        ndjson::each(line, |name, value| {
            let name = name.plain();
            let place = match self.columns.get(hint) {
                Some((known, _)) if *known == name => Some(hint),
                _ => self.columns.iter().position(|(known, _)| *known == name),
            };
            let place = place.unwrap_or_else(|| {
                self.columns.push((name.into_owned(), Seen::default()));
                self.columns.len() - 1
            });
            hint = place + 1;
            self.columns[place].1.value(&value);
        })
    }

    /// Whether no row had a field.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// The columns these rows fit into.
    ///
    /// # Errors
    /// Tells why rows like these make no table.
    pub fn schema(&self) -> Result<Schema, String> {
        let column = |(name, seen): &(String, Seen)| Column { name: name.clone(), of: seen.of() };
        Schema::new(self.columns.iter().map(column).collect())
    }
}

impl Seen {
    fn value(&mut self, value: &Value) {
        self.kinds |= match value {
            Value::Missing | Value::Null => 0,
            Value::Bool(_) => BOOL,
            Value::Array(_) | Value::Object(_) => NESTED,
            Value::Number(text) => self.number(text),
            Value::Text(text) => {
                let text = text.plain();
                if time::days_of_text(&text).is_some() {
                    DAY
                } else if crate::cell::micros(&text).is_ok() && text.as_bytes()[10] == b'T' {
                    TIME
                } else {
                    TEXT
                }
            }
        }
    }

    fn number(&mut self, text: &str) -> u8 {
        if text.contains(['e', 'E']) {
            return DOUBLE;
        }
        let (whole, part) = decimal::digits(text);
        (self.whole, self.part) = (self.whole.max(whole), self.part.max(part));
        if part > 0 {
            DECIMAL
        } else if text.parse::<i64>().is_ok() {
            INT
        } else {
            // Too large for 64 bits.
            DECIMAL
        }
    }

    fn of(&self) -> Type {
        match self.kinds {
            BOOL => Type::Bool,
            INT => Type::Int,
            TIME => Type::Timestamp,
            DAY => Type::Date,
            kinds if kinds & !(TIME | DAY | TEXT) == 0 && kinds != 0 => Type::Text,
            kinds if kinds & !(INT | DECIMAL | DOUBLE) == 0 && kinds != 0 => self.decimal(),
            _ => Type::Json,
        }
    }

    /// Decimals while they look like somebody's: with up to 12 digits after the point.
    fn decimal(&self) -> Type {
        let scale = u8::try_from(self.part).unwrap_or(u8::MAX);
        match self.whole + self.part {
            _ if self.kinds & DOUBLE != 0 || scale > 12 => Type::Double,
            // Somebody computed them: the next ones have other digits.
            0..=26 if scale > 4 => Type::Decimal { precision: 38, scale: 12 },
            // Room for numbers a thousand times larger, in 64 bits.
            0..=15 => Type::Decimal { precision: 18, scale },
            16..=38 => Type::Decimal { precision: 38, scale },
            _ => Type::Double,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(rows: &[&str]) -> String {
        let mut sample = Sample::default();
        rows.iter().for_each(|row| sample.row(row.as_bytes()).unwrap());
        serde_json::to_string(&sample.schema().unwrap()).unwrap()
    }

    #[test]
    fn a_sample_says_what_its_columns_hold() {
        assert_eq!(
            found(&[r#"{"a":true,"b":1,"c":"x","d":"2026-01-01T00:00:00Z","e":"2026-01-31"}"#]),
            r#"{"a":"bool","b":"int","c":"string","d":"timestamp","e":"date"}"#
        );
        assert_eq!(found(&[r#"{"a":1.25}"#, r#"{"a":100}"#]), r#"{"a":"decimal(18,2)"}"#);
        assert_eq!(found(&[r#"{"a":123456789012345678901}"#]), r#"{"a":"decimal(38,0)"}"#);
        assert_eq!(found(&[r#"{"a":1234.56789}"#]), r#"{"a":"decimal(38,12)"}"#);
        assert_eq!(found(&[r#"{"a":1e5}"#, r#"{"a":0.1}"#]), r#"{"a":"double"}"#);
        assert_eq!(found(&[r#"{"a":0.30000000000000004}"#]), r#"{"a":"double"}"#);
        assert_eq!(found(&[r#"{"a":null}"#, r#"{"b":{}}"#]), r#"{"a":"json","b":"json"}"#);
        assert_eq!(found(&[r#"{"a":null}"#, r#"{"a":1}"#]), r#"{"a":"int"}"#);
    }

    #[test]
    fn what_is_now_this_now_that_is_text_or_json() {
        assert_eq!(found(&[r#"{"a":"2026-01-01"}"#, r#"{"a":"x"}"#]), r#"{"a":"string"}"#);
        assert_eq!(found(&[r#"{"a":"1"}"#, r#"{"a":1}"#]), r#"{"a":"json"}"#);
        assert_eq!(found(&[r#"{"a":"2026-01-01T00:00:00.0000001Z"}"#]), r#"{"a":"string"}"#);
    }

    #[test]
    fn a_schema_is_written_as_it_is_read() {
        let text = r#"{"b":"decimal(38,10)","a":"timestamp"}"#;
        let schema: Schema = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&schema).unwrap(), text);
        for bad in [
            "{}",
            r#"{"a":1}"#,
            r#"{"a":"float"}"#,
            r#"{"a":"decimal(39,2)"}"#,
            r#"{"a":"decimal(2,3)"}"#,
            r#"{"a":"int","A":"int"}"#,
            r#"{"":"int"}"#,
        ] {
            assert!(serde_json::from_str::<Schema>(bad).is_err(), "{bad}");
        }
    }
}
