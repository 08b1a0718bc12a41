//! Rules of cleaning: each a mapping with one key.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::str::FromStr;

use document::{Field, Value};

use crate::clean::{Dedupe, FieldPath, Hash, NAMES, Rule, Scalar};
use crate::{defaults, rules};

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
        "require" => Rule::Require(paths(below)?),
        "keep" => Rule::Keep(paths(below)?),
        "drop" => Rule::Drop(paths(below)?),
        "rename" => Rule::Rename(rename(below)?),
        "copy" => Rule::Copy(per_field(below, parsed)?),
        "format" => Rule::Format(per_field(below, parsed)?),
        "cast" => Rule::Cast(per_field(below, parsed)?),
        "default" => Rule::Default(per_field(below, scalar)?),
        "trim" => Rule::Trim(paths(below)?),
        "lower" => Rule::Lower(paths(below)?),
        "upper" => Rule::Upper(paths(below)?),
        "range" => Rule::Range(per_field(below, parsed)?),
        "match" => Rule::Match(per_field(below, pattern)?),
        "one_of" => Rule::OneOf(per_field(below, |f| rules::some(f, scalar))?),
        "mask" => Rule::Mask(per_field(below, |f| f.number(0..=64))?),
        "hash" => Rule::Hash(hash(below)?),
        "discard" => Rule::Discard(per_field(below, |f| rules::some(f, scalar))?),
        "purge" => Rule::Purge(per_field(below, rules::span)?),
        "dedupe" => Rule::Dedupe(dedupe(below)?),
        "jq" => Rule::Jq(expression(below)?),
        "schema" => Rule::Schema(rules::file(below)?),
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

/// A mapping of a row's fields, at least one, none twice.
fn per_field<T>(field: &Field, read: impl Fn(&Field) -> Option<T>) -> Option<BTreeMap<FieldPath, T>> {
    let mut map = BTreeMap::new();
    let entries = field.entries()?;
    for (name, below) in &entries {
        match name.parse::<FieldPath>() {
            Ok(path) if map.contains_key(&path) => below.wrong(format!("`{path}` is there twice")),
            Ok(path) => drop(read(below).map(|value| map.insert(path, value))),
            Err(why) => below.wrong(why),
        }
    }
    if entries.is_empty() {
        field.wrong("at least one field is wanted");
    }
    Some(map)
}

/// Fields of a row, at least one, none twice.
fn paths(field: &Field) -> Option<Vec<FieldPath>> {
    let paths: Vec<FieldPath> = rules::some(field, parsed)?;
    for (n, one) in paths.iter().enumerate() {
        if paths[..n].contains(one) {
            field.wrong(format!("`{one}` is there twice"));
        }
    }
    Some(paths)
}

/// Old names to new ones; which comes first would matter if one lay in another.
fn rename(field: &Field) -> Option<BTreeMap<FieldPath, FieldPath>> {
    let names = per_field(field, parsed)?;
    let news: BTreeSet<&FieldPath> = names.values().collect();
    for side in [names.keys().collect(), news] {
        let inner = side.iter().find_map(|one| {
            let outer = side.iter().find(|other| one != *other && one.is_within(other))?;
            Some((one, outer))
        });
        if let Some((inner, outer)) = inner {
            field.wrong_hint(format!("`{inner}` lies in `{outer}`"), "two rules, one after the other");
        }
    }
    Some(names)
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

/// A jq expression.
fn expression(field: &Field) -> Option<String> {
    let text = field.text()?;
    match jq::Filter::parse(&text) {
        Ok(_) => Some(text),
        Err(why) => {
            field.wrong(why);
            None
        }
    }
}

fn hash(field: &Field) -> Option<Hash> {
    let mut keys = field.keys()?;
    let fields = keys.required("fields", paths);
    let key = keys.optional("key", Field::parse);
    keys.finish();
    Some(Hash { fields: fields?, key })
}

fn dedupe(field: &Field) -> Option<Dedupe> {
    let mut keys = field.keys()?;
    let key = keys.required("key", paths);
    let last = keys.optional("last", |f| f.number(1..=10_000_000));
    let within = keys.optional("within", rules::span);
    let time = keys.optional("time", parsed);
    keys.finish();
    match (last, within, &time) {
        (None, None, _) => {
            field.wrong("how long keys are remembered is wanted: last: N, or within: 10m with time: FIELD");
        }
        (_, Some(_), None) => {
            field.wrong_hint("missing: the field that says when a row happened", "time: FIELD");
        }
        (_, None, Some(_)) => field.wrong("`time` is for within"),
        _ => {}
    }
    Some(Dedupe { key: key?, last: last.unwrap_or_else(defaults::dedupe_last), within, time })
}
