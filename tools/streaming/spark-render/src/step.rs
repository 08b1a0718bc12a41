//! A step of the document as the job has it.

use std::collections::BTreeSet;

use cli::{Context, Error};
use pipeline::{Aggregate, Emit, Function, Pipeline, Shape, Windows};
use serde_json::{Value, json};

use crate::{Judge, Unit};

/// What the job is about.
pub(crate) struct Step {
    /// `PIPELINE.STEP`.
    pub(crate) name: String,
    /// As the document has it.
    pub(crate) windows: Windows,
    /// The names of keys in the output.
    pub(crate) keys: Vec<String>,
    /// Where the client's secret settings are found, if there are any.
    pub(crate) security: Option<pipeline::Secret>,
    /// What the job reads: its one variable.
    pub(crate) value: Value,
}

/// Names every row has of its own.
const OWN: [&str; 4] = ["window_start", "window_end", "rev", "final"];

impl Step {
    pub(crate) fn new(
        document: &Pipeline,
        step: &str,
        judge: Judge,
        unit: Option<Unit>,
        doing: &str,
    ) -> cli::Result<Self> {
        let Some(found) = document.windows.iter().find(|found| found.name == step) else {
            let names: Vec<_> = document.windows.iter().map(|found| found.name.as_str()).collect();
            let error = Error::invalid(doing, format!("no step of windows is called {step}"));
            return Err(error.hint(format!("there are: {}", names.join(", "))));
        };
        let keys = found.by.iter().map(|path| Ok((last_name(path, doing)?, path.clone())));
        let keys = keys.collect::<cli::Result<Vec<_>>>()?;
        let wrong = unable(found, &keys);
        if !wrong.is_empty() {
            return Err(Error::invalid_all(doing, wrong));
        }
        let value = value(document, found, &keys, judge, unit, doing)?;
        Ok(Self {
            name: format!("{}.{}", document.name, found.name),
            windows: found.clone(),
            keys: keys.into_iter().map(|(name, _)| name).collect(),
            security: document.kafka.as_ref().and_then(|kafka| kafka.security.clone()),
            value,
        })
    }
}

/// What the job cannot do.
fn unable(windows: &Windows, keys: &[(String, String)]) -> Vec<String> {
    let name = &windows.name;
    let mut wrong = Vec::new();
    if windows.join.is_some() {
        wrong.push(format!("{name}.join: the Spark job joins no topics; engine: native does"));
    }
    if windows.dedupe.is_some() {
        wrong.push(format!("{name}.dedupe: the Spark job finds no duplicates; engine: native does"));
    }
    if windows.emit != Emit::Final && windows.time.lateness.ms > 0 {
        wrong.push(format!("{name}.emit: the Spark job sends windows once, when they are final"));
    }
    let names = keys.iter().map(|(name, _)| name).chain(windows.aggregates.keys());
    let mut seen: BTreeSet<&str> = OWN.into();
    for field in names {
        if !seen.insert(field) {
            wrong.push(format!("{name}: two fields of the output are called {field}"));
        }
    }
    wrong
}

fn value(
    document: &Pipeline,
    windows: &Windows,
    keys: &[(String, String)],
    judge: Judge,
    unit: Option<Unit>,
    doing: &str,
) -> cli::Result<Value> {
    let path = |field: &str| ndjson::names(field).invalid(doing);
    let mut inputs: Vec<(&str, bool)> = Vec::new();
    let mut input = |field, number| {
        inputs.iter().position(|known| *known == (field, number)).unwrap_or_else(|| {
            inputs.push((field, number));
            inputs.len() - 1
        })
    };
    let mut aggregates = Vec::new();
    for (name, aggregate) in &windows.aggregates {
        let (function, at, per_mille) = match aggregate {
            Aggregate::Count => ("count", None, None),
            Aggregate::Quantile { field, per_mille } => {
                ("quantile", Some(input(field, true)), Some(per_mille))
            }
            Aggregate::Of(function, field) => {
                let (word, number) = word(*function);
                (word, Some(input(field, number)), None)
            }
        };
        aggregates.push(json!({"name": name, "function": function, "input": at, "per_mille": per_mille}));
    }
    let inputs = inputs
        .iter()
        .map(|(field, number)| Ok(json!({"field": field, "path": path(field)?, "number": number})))
        .collect::<cli::Result<Vec<_>>>()?;
    let keys = keys
        .iter()
        .map(|(name, field)| Ok(json!({"name": name, "field": field, "path": path(field)?})))
        .collect::<cli::Result<Vec<_>>>()?;
    let partitions = |topic: &String| document.topics.get(topic).map_or(1, |topic| topic.partitions);
    let topics: Vec<_> =
        windows.from.iter().map(|topic| json!({"name": topic, "partitions": partitions(topic)})).collect();
    let (size, every, gap) = match windows.window {
        Shape::Tumbling(size) => (Some(size), Some(size), None),
        Shape::Hop { size, every } => (Some(size), Some(every), None),
        Shape::Session(gap) => (None, None, Some(gap)),
    };
    let us = |span: pipeline::Span| span.ms.saturating_mul(1000);
    let kafka = document.kafka.as_ref();
    Ok(json!({
        "pipeline": document.name,
        "name": windows.name,
        "topics": topics,
        "to": windows.to,
        "late": windows.time.late,
        "reject": true,
        "sample": false,
        "judge": judge.word(),
        "time": {"field": windows.time.field, "path": path(&windows.time.field)?},
        "unit": unit.map(Unit::word),
        "bound_us": us(windows.time.watermark),
        "lateness_us": us(windows.time.lateness),
        "idle_ms": windows.time.idle.map(|span| span.ms),
        "size_us": size.map(us),
        "every_us": every.map(us),
        "gap_us": gap.map(us),
        "keys": keys,
        "inputs": inputs,
        "aggregates": aggregates,
        "brokers": kafka.map_or(String::new(), |kafka| kafka.brokers.join(",")),
        "security": kafka.and_then(|kafka| kafka.security.as_ref()).map(ToString::to_string),
        "config": kafka.map(|kafka| &kafka.config),
    }))
}

/// A function's name, and whether it is about numbers.
fn word(function: Function) -> (&'static str, bool) {
    match function {
        Function::Sum => ("sum", true),
        Function::Min => ("min", true),
        Function::Max => ("max", true),
        Function::Avg => ("avg", true),
        Function::First => ("first", false),
        Function::Last => ("last", false),
        Function::Distinct => ("distinct", false),
    }
}

/// `country` of `meta.country` and of `/meta/country`.
fn last_name(path: &str, doing: &str) -> cli::Result<String> {
    Ok(ndjson::names(path).invalid(doing)?.pop().unwrap_or_else(|| path.to_owned()))
}
