//! Rules of cleaning: each a mapping with one key.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use document::{Field, Value};

use super::{field_name, mapping};
use crate::clean::{Dedupe, Hash, NAMES, Rule, Scalar};
use crate::rules;

/// One rule, or a list of them.
pub(crate) fn rules(field: &Field) -> Option<Vec<Rule>> {
    match field.value() {
        Value::Map(_) => rule(field).map(|rule| vec![rule]),
        _ => field.list(rule),
    }
}

pub(super) fn rule(field: &Field) -> Option<Rule> {
    let entries = field.entries()?;
    let [(name, below)] = entries.as_slice() else {
        field.wrong_hint("one rule is wanted here", "each rule is an item of the list: - trim: [name]");
        return None;
    };
    Some(match *name {
        "require" => Rule::Require(rules::names(below)?),
        "keep" => Rule::Keep(rules::names(below)?),
        "drop" => Rule::Drop(rules::names(below)?),
        "rename" => Rule::Rename(per_field(below, rules::name)?),
        "copy" => Rule::Copy(per_field(below, rules::name)?),
        "format" => Rule::Format(per_field(below, parsed)?),
        "cast" => Rule::Cast(per_field(below, parsed)?),
        "default" => Rule::Default(per_field(below, scalar)?),
        "trim" => Rule::Trim(rules::names(below)?),
        "lower" => Rule::Lower(rules::names(below)?),
        "upper" => Rule::Upper(rules::names(below)?),
        "range" => Rule::Range(per_field(below, parsed)?),
        "match" => Rule::Match(per_field(below, pattern)?),
        "one_of" => Rule::OneOf(per_field(below, |f| rules::some(f, scalar))?),
        "mask" => Rule::Mask(per_field(below, |f| f.number(0..=64))?),
        "hash" => Rule::Hash(hash(below)?),
        "discard" => Rule::Discard(per_field(below, |f| rules::some(f, scalar))?),
        "purge" => Rule::Purge(per_field(below, rules::span)?),
        "dedupe" => Rule::Dedupe(dedupe(below)?),
        _ => {
            // The reader of words knows how to say which one was meant.
            let known = NAMES.map(|name| (name, ()));
            let problem = document::Node { line: 0, column: 0, value: Value::Text((*name).to_owned()) };
            let unknown = document::Problems::default();
            Field::root(&problem, &unknown).word(&known);
            match unknown.into_sorted().into_iter().next() {
                Some(document::Problem { message, hint: Some(hint), .. }) => below.wrong_hint(message, hint),
                Some(problem) => below.wrong(problem.message),
                None => below.wrong("unknown rule"),
            }
            return None;
        }
    })
}

/// A mapping of a row's fields, at least one.
fn per_field<T>(field: &Field, read: impl Fn(&Field) -> Option<T>) -> Option<BTreeMap<String, T>> {
    let map = mapping(field, |name, f| Some((field_name(name, f)?, read(f)?)))?;
    if matches!(field.value(), Value::Map(entries) if entries.is_empty()) {
        field.wrong("at least one field is wanted");
    }
    Some(map)
}

/// A value that is written as a text.
fn parsed<T: FromStr<Err: Display>>(field: &Field) -> Option<T> {
    field.parse()
}

/// A value without parts.
fn scalar(field: &Field) -> Option<Scalar> {
    match field.value() {
        Value::Boolean(word) => Some(Scalar::Bool(*word)),
        Value::Number(_) => field.number(i64::MIN..=i64::MAX).map(Scalar::Int),
        Value::Text(text) => Some(Scalar::Text(text.clone())),
        other => {
            field.wrong(format!("text, a whole number or a boolean is wanted here, not {}", other.kind()));
            None
        }
    }
}

/// A regular expression.
fn pattern(field: &Field) -> Option<String> {
    let text = field.text()?;
    match regex::Regex::new(&text) {
        Ok(_) => Some(text),
        Err(error) => {
            let why = error.to_string();
            let why = why.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
            field.wrong(format!("no regular expression: {}", why.trim().trim_start_matches("error: ")));
            None
        }
    }
}

fn hash(field: &Field) -> Option<Hash> {
    let mut keys = field.keys()?;
    let fields = keys.required("fields", rules::names);
    let key = keys.optional("key", Field::parse);
    keys.finish();
    Some(Hash { fields: fields?, key })
}

fn dedupe(field: &Field) -> Option<Dedupe> {
    let mut keys = field.keys()?;
    let key = keys.required("key", rules::names);
    let last = keys.required("last", |f| f.number(1..=10_000_000));
    keys.finish();
    Some(Dedupe { key: key?, last: last? })
}
