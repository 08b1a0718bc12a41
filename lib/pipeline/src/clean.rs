//! The rules of cleaning: what becomes of a row, one rule after the other.
//!
//! A document writes each as a mapping with one key, such as
//! `{trim: [name]}`; commands take the same from their arguments.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use document::{Field, Problem, Problems};
use serde::{Serialize, Serializer};

pub use crate::field_path::FieldPath;
use crate::unit::{Span, shown};
use crate::words::Secret;

/// One rule. A field is one at the top of a row, `name`, or one in an object there,
/// `meta.name` or `/meta/name`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// These fields are there, are not null and not empty text; else the row is rejected.
    Require(Vec<FieldPath>),
    /// Only these fields are kept.
    Keep(Vec<FieldPath>),
    /// These fields are taken out.
    Drop(Vec<FieldPath>),
    /// Fields get other names: old name to new name.
    Rename(BTreeMap<FieldPath, FieldPath>),
    /// A new field is a copy of another: new name to old name.
    Copy(BTreeMap<FieldPath, FieldPath>),
    /// A new field is text made of others: `{first} {last}`.
    Format(BTreeMap<FieldPath, Template>),
    /// Fields become of another type: int, decimal, decimal(12,2), bool, text, timestamp,
    /// timestamp:FORMAT|FORMAT.
    #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<FieldPath, String>"))]
    Cast(BTreeMap<FieldPath, Cast>),
    /// Fields that are missing or null get a value.
    Default(BTreeMap<FieldPath, Scalar>),
    /// Text loses blanks at both ends.
    Trim(Vec<FieldPath>),
    /// Text goes to lower case.
    Lower(Vec<FieldPath>),
    /// Text goes to upper case.
    Upper(Vec<FieldPath>),
    /// Numbers lie within bounds, both included: `0..100`, `0..`, `..100`.
    #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<FieldPath, String>"))]
    Range(BTreeMap<FieldPath, Range>),
    /// Text matches a regular expression.
    Match(BTreeMap<FieldPath, String>),
    /// Values are among these.
    OneOf(BTreeMap<FieldPath, Vec<Scalar>>),
    /// Text is hidden but for so many characters at its end.
    Mask(BTreeMap<FieldPath, u32>),
    /// Values become a keyed hash: HMAC-SHA-256 in hexadecimal.
    Hash(Hash),
    /// Rows whose field has one of these values are taken out.
    Discard(BTreeMap<FieldPath, Vec<Scalar>>),
    /// Rows older than so long are taken out: a field with a time to an age.
    #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<FieldPath, String>"))]
    Purge(BTreeMap<FieldPath, Span>),
    /// Rows whose key was there before are taken out.
    Dedupe(Dedupe),
    /// The row becomes what a jq expression makes of it; it is taken out if that is nothing.
    Jq(String),
    /// The row is valid by the JSON Schema in this file.
    Schema(String),
}

/// The names of all rules, as they are written.
pub(crate) const NAMES: [&str; 21] = [
    "require", "keep", "drop", "rename", "copy", "format", "cast", "default", "trim", "lower", "upper",
    "range", "match", "one_of", "mask", "hash", "discard", "purge", "dedupe", "jq", "schema",
];

/// Reads rules by themselves: one, or a list of them.
///
/// # Errors
/// Everything that is wrong with them.
pub fn parse(text: &str) -> Result<Vec<Rule>, Vec<Problem>> {
    let tree = document::parse(text)?;
    let problems = Problems::default();
    let rules = crate::decode::clean::rules(&Field::root(&tree, &problems));
    match rules {
        Some(rules) if problems.is_empty() => Ok(rules),
        _ => Err(problems.into_sorted()),
    }
}

/// Fields that become a keyed hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Hash {
    /// The fields.
    pub fields: Vec<FieldPath>,
    /// Where the key is found: `env:NAME` or `file:PATH`; null if who runs it says so.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub key: Option<Secret>,
}

/// Rows that were there already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Dedupe {
    /// The fields that make two rows the same.
    pub key: Vec<FieldPath>,
    /// How many keys are remembered at most.
    #[serde(default = "crate::defaults::dedupe_last")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 10_000_000)))]
    pub last: u32,
    /// How far apart in time two rows are the same; null for however far.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub within: Option<Span>,
    /// The field with the time; null if no time matters.
    pub time: Option<FieldPath>,
}

/// A value without parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Scalar {
    /// A whole number.
    Int(i64),
    /// True or false.
    Bool(bool),
    /// Text.
    Text(String),
}

impl Rule {
    /// Its name, as it is written.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Require(_) => "require",
            Self::Keep(_) => "keep",
            Self::Drop(_) => "drop",
            Self::Rename(_) => "rename",
            Self::Copy(_) => "copy",
            Self::Format(_) => "format",
            Self::Cast(_) => "cast",
            Self::Default(_) => "default",
            Self::Trim(_) => "trim",
            Self::Lower(_) => "lower",
            Self::Upper(_) => "upper",
            Self::Range(_) => "range",
            Self::Match(_) => "match",
            Self::OneOf(_) => "one_of",
            Self::Mask(_) => "mask",
            Self::Hash(_) => "hash",
            Self::Discard(_) => "discard",
            Self::Purge(_) => "purge",
            Self::Dedupe(_) => "dedupe",
            Self::Jq(_) => "jq",
            Self::Schema(_) => "schema",
        }
    }
}

impl Scalar {
    /// As JSON writes it.
    pub fn json(&self) -> String {
        match self {
            Self::Int(number) => number.to_string(),
            Self::Bool(word) => word.to_string(),
            Self::Text(text) => serde_json::Value::from(text.as_str()).to_string(),
        }
    }
}

/// Text with fields in braces; `{{` and `}}` are braces.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Template(#[cfg_attr(feature = "schema", schemars(with = "String"))] pub Vec<Part>);

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Text as it is.
    Text(String),
    /// A field's value.
    Field(FieldPath),
}

impl FromStr for Template {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{}`: a field stands in braces, and a brace is written twice", shown(text));
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                plain.push_str(brace);
                rest = after;
                continue;
            }
            let (field, after) = rest.split_once('}').filter(|_| brace == "{").ok_or_else(wrong)?;
            if field.contains('{') {
                return Err(wrong());
            }
            let field = field.parse()?;
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Field(field));
            rest = after;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self(parts))
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(&text.replace('{', "{{").replace('}', "}}")),
            Part::Field(field) => write!(f, "{{{field}}}"),
        })
    }
}

/// What a field becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cast {
    /// A whole number.
    Int,
    /// An exact decimal number; with digits in all and digits after the point, if bounded.
    Decimal(Option<(u8, u8)>),
    /// True or false.
    Bool,
    /// Text.
    Text,
    /// A time, RFC 3339 in UTC, from the first of these formats that fits; from RFC 3339
    /// if there are none.
    Timestamp(Vec<String>),
}

impl FromStr for Cast {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{}` is none of: int, decimal, decimal(12,2), bool, text, timestamp, timestamp:FORMAT|FORMAT",
                shown(text)
            )
        };
        let formats = text.strip_prefix("timestamp:");
        let decimal = text.strip_prefix("decimal(").and_then(|text| text.strip_suffix(')'));
        match (text, decimal, formats) {
            ("int", ..) => Ok(Self::Int),
            ("decimal", ..) => Ok(Self::Decimal(None)),
            ("bool", ..) => Ok(Self::Bool),
            ("text", ..) => Ok(Self::Text),
            ("timestamp", ..) => Ok(Self::Timestamp(Vec::new())),
            (_, Some(digits), _) => {
                let (all, after) = digits.split_once(',').ok_or_else(wrong)?;
                let all: u8 = all.trim().parse().map_err(|_| wrong())?;
                let after: u8 = after.trim().parse().map_err(|_| wrong())?;
                if all == 0 || all > 38 || after > all {
                    return Err("a decimal has 1 to 38 digits, and no more after the point".to_owned());
                }
                Ok(Self::Decimal(Some((all, after))))
            }
            (_, _, Some(formats)) if formats.split('|').all(|format| !format.is_empty()) => {
                Ok(Self::Timestamp(formats.split('|').map(str::to_owned).collect()))
            }
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Cast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int => f.write_str("int"),
            Self::Decimal(None) => f.write_str("decimal"),
            Self::Decimal(Some((all, after))) => write!(f, "decimal({all},{after})"),
            Self::Bool => f.write_str("bool"),
            Self::Text => f.write_str("text"),
            Self::Timestamp(formats) if formats.is_empty() => f.write_str("timestamp"),
            Self::Timestamp(formats) => write!(f, "timestamp:{}", formats.join("|")),
        }
    }
}

/// Bounds of a number, both included, as they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// The least.
    pub from: Option<Decimal>,
    /// The greatest.
    pub to: Option<Decimal>,
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{}` is no range such as 0..100, 0.. or ..99.5", shown(text));
        let (from, to) = text.split_once("..").ok_or_else(wrong)?;
        let bound = |text: &str| match text {
            "" => Ok(None),
            text => Decimal::parse(text).map(Some).ok_or_else(wrong),
        };
        let range = Self { from: bound(from)?, to: bound(to)? };
        match (&range.from, &range.to) {
            (None, None) => Err(wrong()),
            (Some(from), Some(to)) if from > to => {
                Err(format!("nothing lies in the range `{}`", shown(text)))
            }
            _ => Ok(range),
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = |bound: &Option<Decimal>| bound.as_ref().map(ToString::to_string).unwrap_or_default();
        write!(f, "{}..{}", bound(&self.from), bound(&self.to))
    }
}

macro_rules! as_text {
    ($($kind:ty),*) => {
        $(impl Serialize for $kind {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        })*
    };
}
as_text!(Template, Cast, Range);

pub use crate::decimal::Decimal;
