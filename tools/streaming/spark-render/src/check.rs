//! The answers of the job and of lib/window on a sample, side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use cli::{Context, Error};
use model::Difference;
use ndjson::{Fields, Value};
use pipeline::{Aggregate, Function, Shape, Windows};
use process::{End, Limits};
use serde::Deserialize;
use window::{Engine, Fate, Input, Plan};

use crate::Unit;
use crate::step::Step;

/// What comes of a sample.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Answers {
    /// Rows of output: what makes one another's, and its other fields.
    rows: BTreeMap<String, Vec<(String, String)>>,
    /// The lines that are late.
    late: BTreeSet<u64>,
    /// The lines that are no rows.
    rejected: BTreeSet<u64>,
}

/// A line of the job's.
#[derive(Deserialize)]
struct Told {
    kind: String,
    line: Option<u64>,
    row: Option<String>,
}

/// The longest line that is a row, as in the job.
const LINE_BYTES: usize = 1 << 20;
/// A sample is no more.
const SAMPLE_BYTES: u64 = 256 << 20;
/// The most the job may print.
const OUTPUT_BYTES: usize = 256 << 20;
/// Above so many stream-agg estimates how many different values there are, within some percent.
const EXACT: i128 = 256;

/// What the job makes of the sample, in a Spark of its own.
pub(crate) fn sparks(
    step: &Step,
    job: &str,
    python: &Path,
    sample: &Path,
    timeout: Duration,
) -> cli::Result<Answers> {
    let folder = tempfile::tempdir().doing("making a folder")?;
    let file = folder.path().join("job.py");
    std::fs::write(&file, job).doing(format!("writing {}", file.display()))?;
    let doing = format!("running the job with {}", python.display());
    let mut command = Command::new(python);
    command.arg(&file).arg("--sample").arg(sample).env("PYSPARK_PYTHON", python);
    let limits = Limits { output_bytes: OUTPUT_BYTES, ..Limits::within(timeout) };
    let done = process::run(&mut command, &limits).doing(&doing)?;
    let said = String::from_utf8_lossy(&done.stderr);
    match done.end {
        End::Code(0) if !done.truncated => {}
        End::Code(0) => return Err(Error::invalid(doing, "it prints too much: take a smaller sample")),
        End::TimedOut => return Err(Error::unavailable(doing, format!("not done within {timeout:?}"))),
        _ if said.contains("No module named 'pyspark'") => {
            return Err(
                Error::invalid(doing, "it has no PySpark").hint("--python names a Python that has it")
            );
        }
        _ => {
            let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it failed");
            return Err(Error::unavailable(doing, last.trim()));
        }
    }
    let mut answers = Answers::default();
    for line in done.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let told: Told = serde_json::from_slice(line).invalid(&doing)?;
        match (told.kind.as_str(), told.line, told.row) {
            ("late", Some(line), _) => drop(answers.late.insert(line)),
            ("reject", Some(line), _) => drop(answers.rejected.insert(line)),
            (_, _, Some(row)) => answers.put(step, &row).invalid(&doing)?,
            _ => return Err(Error::invalid(doing, "it printed what is no answer")),
        }
    }
    Ok(answers)
}

impl Answers {
    fn put(&mut self, step: &Step, row: &str) -> Result<(), ndjson::Broken> {
        let mut fields = Vec::new();
        ndjson::each(row.as_bytes(), |name, value| {
            fields.push((name.plain().into_owned(), written(&value)));
        })?;
        let rest = fields.split_off((2 + step.keys.len()).min(fields.len()));
        let identity: Vec<_> =
            fields.iter().map(|(name, value)| format!("{}:{value}", literal::yaml_text(name))).collect();
        self.rows.insert(format!("{{{}}}", identity.join(",")), rest);
        Ok(())
    }
}

/// A value as JSON.
fn written(value: &Value) -> String {
    match value {
        Value::Missing | Value::Null => "null".to_owned(),
        Value::Bool(yes) => yes.to_string(),
        Value::Number(text) | Value::Array(text) | Value::Object(text) => (*text).to_owned(),
        Value::Text(text) => serde_json::Value::from(text.plain()).to_string(),
    }
}

/// What lib/window makes of the sample, which is stream-agg's engine.
pub(crate) fn ours(step: &Step, unit: Option<Unit>, sample: &Path) -> cli::Result<Answers> {
    let doing = format!("reading {}", sample.display());
    let mut reader = Reader::new(&step.windows, unit).invalid(&doing)?;
    let mut engine = Engine::new(plan(&step.windows)).invalid(&doing)?;
    let mut answers = Answers::default();
    let mut rows = Vec::new();
    let content = files::read(sample, SAMPLE_BYTES).doing(&doing)?;
    for (number, line) in (1..).zip(content.split(|byte| *byte == b'\n')) {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let read = if line.len() > LINE_BYTES { None } else { reader.row(line) };
        let Some((time_us, key, values)) = read else {
            answers.rejected.insert(number);
            continue;
        };
        let inputs: Vec<_> = values.iter().map(Held::input).collect();
        let row = &mut |row: &window::Row| rows.push(text(step, row));
        if engine.push(0, time_us, key.as_bytes(), &inputs, row) == Fate::Late {
            answers.late.insert(number);
        }
    }
    engine.finish(&mut |row| rows.push(text(step, row)));
    rows.iter().try_for_each(|row| answers.put(step, row)).invalid(doing)?;
    Ok(answers)
}

/// A row of output as stream-agg writes it.
fn text(step: &Step, row: &window::Row) -> String {
    let mut text = String::from("{\"window_start\":\"");
    ndjson::time::write(row.start_us, &mut text);
    text.push_str("\",\"window_end\":\"");
    ndjson::time::write(row.end_us, &mut text);
    text.push('"');
    let key = String::from_utf8_lossy(row.key);
    let keys = step.keys.iter().zip(key.split(BETWEEN).map(str::to_owned));
    let names = step.windows.aggregates.keys();
    for (name, value) in keys.chain(names.zip(row.values())) {
        text += &format!(",{}:{value}", serde_json::Value::from(name.as_str()));
    }
    text + ",\"rev\":0,\"final\":true}"
}

fn plan(windows: &Windows) -> Plan {
    let us = |span: pipeline::Span| i64::try_from(span.ms).unwrap_or(i64::MAX).saturating_mul(1000);
    Plan {
        windows: match windows.window {
            Shape::Tumbling(size) => window::Windows::Tumbling { size_us: us(size) },
            Shape::Hop { size, every } => window::Windows::Hopping { size_us: us(size), every_us: us(every) },
            Shape::Session(gap) => window::Windows::Session { gap_us: us(gap) },
        },
        bound_us: us(windows.time.watermark),
        lateness_us: us(windows.time.lateness),
        emit: window::Emit::Final,
        aggregates: windows.aggregates.values().map(function).collect(),
    }
}

fn function(aggregate: &Aggregate) -> window::Aggregate {
    match aggregate {
        Aggregate::Count => window::Aggregate::Count,
        Aggregate::Quantile { per_mille, .. } => window::Aggregate::Quantile(*per_mille),
        Aggregate::Of(function, _) => match function {
            Function::Sum => window::Aggregate::Sum,
            Function::Min => window::Aggregate::Min,
            Function::Max => window::Aggregate::Max,
            Function::Avg => window::Aggregate::Average,
            Function::First => window::Aggregate::First,
            Function::Last => window::Aggregate::Last,
            Function::Distinct => window::Aggregate::Distinct,
        },
    }
}

const BETWEEN: char = '\u{1e}';

/// Finds in a line what the step needs.
struct Reader {
    fields: Fields,
    unit: Option<Unit>,
    time: usize,
    keys: Vec<usize>,
    /// Where each aggregate's value is, and whether it is a number; none counts rows.
    values: Vec<Option<(usize, bool)>>,
}

/// A value, beside its line.
enum Held {
    Nothing,
    Here,
    Number(window::Decimal),
    Json(String),
}

impl Held {
    fn input(&self) -> Input<'_> {
        match self {
            Self::Nothing => Input::Nothing,
            Self::Here => Input::Here,
            Self::Number(number) => Input::Number(*number),
            Self::Json(text) => Input::Json(text),
        }
    }
}

impl Reader {
    fn new(windows: &Windows, unit: Option<Unit>) -> Result<Self, ndjson::PathError> {
        let mut fields = Fields::new();
        let time = fields.want(&windows.time.field)?;
        let keys = windows.by.iter().map(|path| fields.want(path)).collect::<Result<_, _>>()?;
        let mut value = |aggregate: &Aggregate| match aggregate {
            Aggregate::Count => Ok(None),
            Aggregate::Quantile { field, .. } | Aggregate::Of(_, field) => {
                Ok(Some((fields.want(field)?, function(aggregate).needs_numbers())))
            }
        };
        let values = windows.aggregates.values().map(&mut value).collect::<Result<_, _>>()?;
        Ok(Self { fields, unit, time, keys, values })
    }

    /// Time, key and values of a row; `None` if it is none.
    fn row(&mut self, line: &[u8]) -> Option<(i64, String, Vec<Held>)> {
        let mut found = self.fields.none();
        self.fields.find(line, &mut found).ok()?;
        let time_us = match (&found[self.time], self.unit) {
            (Value::Text(text), _) => ndjson::time::of_text(&text.plain()),
            (Value::Number(text), Some(unit)) => {
                let number: window::Decimal = text.parse().ok()?;
                number.times(unit.us()).and_then(|us| i64::try_from(us).ok())
            }
            _ => None,
        };
        let time_us = time_us.filter(|us| (0..END_US).contains(us))?;
        let key = |slot: &usize| match &found[*slot] {
            Value::Array(_) | Value::Object(_) => None,
            value => Some(written(value)),
        };
        let keys = self.keys.iter().map(key).collect::<Option<Vec<_>>>()?;
        let value = |wanted: &Option<(usize, bool)>| {
            let Some((slot, number)) = wanted else { return Some(Held::Here) };
            match (&found[*slot], number) {
                (Value::Missing | Value::Null, _) => Some(Held::Nothing),
                (Value::Number(text), true) => text.parse().ok().map(Held::Number),
                (_, true) => None,
                (value, false) => Some(Held::Json(written(value))),
            }
        };
        let values = self.values.iter().map(value).collect::<Option<_>>()?;
        Some((time_us, keys.join(&BETWEEN.to_string()), values))
    }
}

/// 2200-01-01, in microseconds since 1970.
const END_US: i64 = 84_006 * ndjson::time::DAY_US;

/// What differs: `before` is stream-agg's, `after` is Spark's.
pub(crate) fn differences(step: &Step, ours: &Answers, sparks: &Answers) -> Vec<Difference> {
    let to = &step.windows.to;
    let mut told = Vec::new();
    let mut tell = |path: String, before: Option<String>, after: Option<String>| {
        told.push(Difference { path, before, after });
    };
    let whole = |fields: &Vec<(String, String)>| {
        fields.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",")
    };
    let identities: BTreeSet<_> = ours.rows.keys().chain(sparks.rows.keys()).collect();
    for identity in identities {
        match (ours.rows.get(identity), sparks.rows.get(identity)) {
            (Some(ours), Some(sparks)) => {
                for ((name, before), (_, after)) in ours.iter().zip(sparks) {
                    if before != after && !is_estimate(&step.windows, name, before, after) {
                        tell(format!("{to}{identity}.{name}"), Some(before.clone()), Some(after.clone()));
                    }
                }
            }
            (ours, sparks) => tell(format!("{to}{identity}"), ours.map(whole), sparks.map(whole)),
        }
    }
    for (what, ours, sparks) in
        [("late", &ours.late, &sparks.late), ("rejected", &ours.rejected, &sparks.rejected)]
    {
        for line in ours.symmetric_difference(sparks) {
            let said = |lines: &BTreeSet<u64>| lines.contains(line).then(|| what.to_owned());
            tell(format!("line {line}"), said(ours), said(sparks));
        }
    }
    told
}

/// Whether it is how many different values there are, and stream-agg is as near as it says.
fn is_estimate(windows: &Windows, name: &str, before: &str, after: &str) -> bool {
    let distinct = matches!(windows.aggregates.get(name), Some(Aggregate::Of(Function::Distinct, _)));
    match (before.parse::<i128>(), after.parse::<i128>()) {
        (Ok(ours), Ok(exact)) if distinct => exact > EXACT && (ours - exact).abs() * 100 <= exact * 8,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Judge;

    const DOCUMENT: &str = "
version: 1
name: shop
topics: {V: {}, P: {}}
windows:
  - {name: w, from: [V], to: P, time: {field: ts, watermark: 5s}, window: {tumbling: 1m}, by: [c],
     aggregates: {n: count, sum: sum(a), d: distinct(a)}}
";

    fn step() -> Step {
        let document = pipeline::parse(DOCUMENT).unwrap();
        Step::new(&document, "w", Judge::Row, None, "reading it").unwrap()
    }

    fn of(step: &Step, rows: &[&str]) -> Answers {
        let mut answers = Answers::default();
        rows.iter().for_each(|row| answers.put(step, row).unwrap());
        answers
    }

    #[test]
    fn a_sample_is_computed_as_stream_agg_does() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let rows = "{\"ts\":\"2026-01-01T00:00:00Z\",\"c\":\"DE\",\"a\":0.1}\n\n{\"ts\":\"2026-01-01T00:01:30Z\",\"a\":2}\n\
                    {\"ts\":\"2026-01-01T00:00:01Z\"}\nbroken\n{\"ts\":\"2026-01-01T00:01:31Z\",\"a\":\"2\"}";
        std::fs::write(file.path(), rows).unwrap();
        let step = step();
        let got = ours(&step, None, file.path()).unwrap();
        let row = |minute, c, sum, d| {
            format!(
                "{{\"window_start\":\"2026-01-01T00:0{minute}:00Z\",\"window_end\":\"2026-01-01T00:0{}:00Z\",\"c\":{c},\"d\":{d},\"n\":1,\"sum\":{sum},\"rev\":0,\"final\":true}}",
                minute + 1
            )
        };
        let mut want = of(&step, &[&row(0, "\"DE\"", "0.1", 1), &row(1, "null", "2", 1)]);
        (want.late, want.rejected) = ([4].into(), [5, 6].into());
        assert_eq!(got, want);
    }

    #[test]
    fn what_differs_is_told_by_row_and_field_and_line() {
        let step = step();
        let head = "{\"window_start\":\"s\",\"window_end\":\"e\",\"c\"";
        let one =
            of(&step, &[&format!("{head}:1,\"d\":300,\"n\":2,\"sum\":3}}"), &format!("{head}:2,\"n\":1}}")]);
        let mut other = of(&step, &[&format!("{head}:1,\"d\":310,\"n\":2,\"sum\":3.0}}")]);
        other.late.insert(7);
        let told = differences(&step, &one, &other);
        let told: Vec<_> =
            told.iter().map(|d| (d.path.as_str(), d.before.as_deref(), d.after.as_deref())).collect();
        let row = |c| format!("P{{\"window_start\":\"s\",\"window_end\":\"e\",\"c\":{c}}}");
        assert_eq!(
            told,
            [
                (&*format!("{}.sum", row(1)), Some("3"), Some("3.0")),
                (&*row(2), Some("n=1"), None),
                ("line 7", None, Some("late"))
            ]
        );
        assert_eq!(differences(&step, &one, &one), []);
    }
}
