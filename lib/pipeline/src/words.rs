//! Values that are written as one word.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::unit::shown;

/// Where a secret is found: the document itself holds none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    /// In an environment variable: `env:NAME`.
    Env(String),
    /// In a file: `file:PATH`.
    File(String),
}

impl FromStr for Secret {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        match text.split_once(':') {
            Some(("env", word)) if !word.is_empty() && word.chars().all(name) => {
                Ok(Self::Env(word.to_owned()))
            }
            Some(("file", path)) if !path.is_empty() && !path.chars().any(char::is_control) => {
                Ok(Self::File(path.to_owned()))
            }
            // What somebody wrote in its place may be the secret: it is not repeated.
            _ => Err("a secret is env:NAME or file:PATH; it stands not here itself".to_owned()),
        }
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{path}"),
        }
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What is made of the rows of a window: `count`, `sum(amount)`, `quantile(amount,0.99)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aggregate {
    /// How many rows.
    Count,
    /// A function of a field.
    Of(Function, String),
    /// A field's value below which so many per thousand of the rows lie.
    Quantile {
        /// The field.
        field: String,
        /// 1 to 999.
        per_mille: u16,
    },
}

/// A function of a field over the rows of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// The sum.
    Sum,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// The mean.
    Avg,
    /// The earliest by event time.
    First,
    /// The latest by event time.
    Last,
    /// How many different ones, estimated.
    Distinct,
}

const FUNCTIONS: [(&str, Function); 7] = [
    ("sum", Function::Sum),
    ("min", Function::Min),
    ("max", Function::Max),
    ("avg", Function::Avg),
    ("first", Function::First),
    ("last", Function::Last),
    ("distinct", Function::Distinct),
];

impl FromStr for Aggregate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            let known = FUNCTIONS.map(|(name, _)| format!("{name}(FIELD)")).join(", ");
            format!("`{}` is none of: count, {known}, quantile(FIELD,0.99)", shown(text))
        };
        if text == "count" {
            return Ok(Self::Count);
        }
        let inner = text.strip_suffix(')').and_then(|text| text.split_once('('));
        let (name, inner) = inner.ok_or_else(wrong)?;
        if name == "quantile" {
            let (field, at) = inner.rsplit_once(',').ok_or_else(wrong)?;
            let digits = at.trim().strip_prefix("0.").filter(|digits| (1..=3).contains(&digits.len()));
            let digits = digits.filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
            let per_mille = digits.and_then(|digits| format!("{digits:0<3}").parse().ok());
            let per_mille = per_mille.filter(|n| (1..=999).contains(n)).ok_or_else(wrong)?;
            let field = crate::rules::is_field(field).then(|| field.to_owned()).ok_or_else(wrong)?;
            return Ok(Self::Quantile { field, per_mille });
        }
        let function = FUNCTIONS.iter().find(|(known, _)| *known == name).map(|(_, function)| *function);
        match function {
            Some(function) if crate::rules::is_field(inner) => Ok(Self::Of(function, inner.to_owned())),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count => f.write_str("count"),
            Self::Of(function, field) => {
                let name = FUNCTIONS.iter().find(|(_, known)| known == function).map_or("", |(name, _)| name);
                write!(f, "{name}({field})")
            }
            Self::Quantile { field, per_mille } => {
                let digits = format!("{per_mille:03}");
                write!(f, "quantile({field},0.{})", digits.trim_end_matches('0'))
            }
        }
    }
}

impl Serialize for Aggregate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A folder of a lake: `topic`, `country`, `c=country`, `dt=day(ts)`, `h=hour(ts)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// What stands before the `=` of the folder's name.
    pub name: String,
    /// Where the rest comes from.
    pub of: PartitionOf,
}

/// What says into which folder a row goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartitionOf {
    /// The topic it is of.
    Topic,
    /// A field.
    Field(String),
    /// The day, in UTC, of a field that is a time.
    Day(String),
    /// The hour of it, `2026-01-31-23`.
    Hour(String),
}

impl FromStr for Partition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{}` is none of: topic, FIELD, NAME=FIELD, NAME=day(FIELD), NAME=hour(FIELD)",
                shown(text)
            )
        };
        let (name, rest) = match text.split_once('=') {
            Some((name, rest)) => (Some(name), rest),
            None => (None, text),
        };
        let of = match rest.strip_suffix(')').and_then(|rest| rest.split_once('(')) {
            Some(("day", field)) => PartitionOf::Day(field.to_owned()),
            Some(("hour", field)) => PartitionOf::Hour(field.to_owned()),
            Some(_) => return Err(wrong()),
            None if rest == "topic" => PartitionOf::Topic,
            None if rest.contains(['(', ')']) => return Err(wrong()),
            None => PartitionOf::Field(rest.to_owned()),
        };
        let field = match &of {
            PartitionOf::Topic => "topic",
            PartitionOf::Field(field) => field,
            PartitionOf::Day(field) | PartitionOf::Hour(field) if name.is_some() => field,
            PartitionOf::Day(_) | PartitionOf::Hour(_) => return Err(wrong()),
        };
        if !crate::rules::is_field(field) {
            return Err(wrong());
        }
        let name = name.unwrap_or(rest);
        let fine = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !(1..=128).contains(&name.len()) || !name.chars().all(fine) {
            return Err(format!(
                "`{}`: a folder's name is 1 to 128 letters, digits and `_`: NAME={}",
                shown(name),
                shown(rest)
            ));
        }
        Ok(Self { name: name.to_owned(), of })
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.of {
            PartitionOf::Topic if name == "topic" => f.write_str("topic"),
            PartitionOf::Topic => write!(f, "{name}=topic"),
            PartitionOf::Field(field) if field == name => f.write_str(field),
            PartitionOf::Field(field) => write!(f, "{name}={field}"),
            PartitionOf::Day(field) => write!(f, "{name}=day({field})"),
            PartitionOf::Hour(field) => write!(f, "{name}=hour({field})"),
        }
    }
}

impl Serialize for Partition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aggregates_are_written_as_they_are_read() {
        for text in ["count", "sum(amount)", "distinct(user)", "quantile(amount,0.99)", "quantile(a,0.005)"] {
            assert_eq!(text.parse::<Aggregate>().unwrap().to_string(), text);
        }
        for bad in
            ["", "sum", "sum()", "count(x)", "total(x)", "quantile(x)", "quantile(x,1)", "quantile(x,0.0)"]
        {
            assert!(bad.parse::<Aggregate>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_folder_is_written_as_it_is_read() {
        for text in ["topic", "t=topic", "country", "c=country", "dt=day(window_start)", "h=hour(ts)"] {
            assert_eq!(text.parse::<Partition>().unwrap().to_string(), text);
        }
        for bad in ["", "=", "day(ts)", "dt=day()", "dt=week(ts)", "dt=day(ts", "a-b", "a/b=c", "x="] {
            assert!(bad.parse::<Partition>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_secret_written_out_is_refused_without_repeating_it() {
        let error = "hunter2".parse::<Secret>().unwrap_err();
        assert!(!error.contains("hunter2"));
        assert_eq!("file:/run/key".parse::<Secret>().unwrap().to_string(), "file:/run/key");
        for bad in ["env:", "env:A B", "file:", "ENV:A"] {
            assert!(bad.parse::<Secret>().is_err(), "{bad}");
        }
    }
}
