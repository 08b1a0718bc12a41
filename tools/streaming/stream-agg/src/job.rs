//! What is to be done, from arguments or a step of the pipeline document.

use std::collections::HashSet;
use std::fmt::Display;
use std::str::FromStr;

use cli::{Context, Error};
use pipeline::{Aggregate, Function, Span};
use window::{Plan, Windows};

use crate::read::{Origin, Place, Reading};
use crate::{Args, Emit};

/// What is to be done.
pub(crate) struct Job {
    pub(crate) plan: Plan,
    pub(crate) reading: Reading,
    /// The names of keys and aggregates in the output, as JSON.
    pub(crate) keys: Vec<String>,
    pub(crate) aggregates: Vec<String>,
    /// How far apart rows of the same identity are duplicates; `None` if all count.
    pub(crate) within_us: Option<i64>,
    /// How far apart rows may be that are joined; `None` if none are.
    pub(crate) join_us: Option<i64>,
    /// How many partitions each topic of messages has; 0 if that is not known.
    pub(crate) partitions: i32,
    /// What another run must have been asked for to be taken up.
    pub(crate) fingerprint: String,
}

/// Something with a name in the output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named<T> {
    pub(crate) name: String,
    pub(crate) what: T,
}

/// The windows, as an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape(Windows);

/// Names every row has of its own.
const OWN: [&str; 4] = ["window_start", "window_end", "rev", "final"];

impl Job {
    pub(crate) fn of(args: &Args) -> cli::Result<Self> {
        if args.at_eof == Some(crate::AtEof::Keep) && args.checkpoint.is_none() && args.until.is_none() {
            return Err(Error::invalid(
                "reading arguments",
                "--at-eof keep without --checkpoint forgets the windows",
            ));
        }
        let asked = match (&args.pipeline, &args.step) {
            (Some(file), Some(step)) => Asked::step(file, step, args)?,
            _ => Asked::args(args)?,
        };
        asked.job(args)
    }
}

/// The same from either side.
struct Asked {
    windows: Windows,
    time: String,
    keys: Vec<Named<String>>,
    aggregates: Vec<Named<Aggregate>>,
    watermark: Span,
    lateness: Span,
    emit: Emit,
    dedupe: Option<Dedupe>,
    join: Option<Join>,
    envelope: bool,
}

/// What makes rows duplicates, as an argument: FIELD[+FIELD]:TIME.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dedupe {
    key: Vec<String>,
    within: Span,
}

/// What is joined, as an argument: TOPIC:FIELD[+FIELD]:TIME.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Join {
    topic: String,
    on: Vec<String>,
    within: Span,
}

impl Asked {
    fn args(args: &Args) -> cli::Result<Self> {
        let missing = || Error::invalid("reading arguments", "--window, --time and --watermark are needed");
        let (Some(Shape(windows)), Some(time), Some(watermark)) =
            (args.window, args.time.clone(), args.watermark)
        else {
            return Err(missing());
        };
        Ok(Self {
            windows,
            time,
            keys: args.keys.clone(),
            aggregates: args.aggregates.clone(),
            watermark,
            lateness: args.lateness,
            emit: args.emit,
            dedupe: args.dedupe.clone(),
            join: args.join.clone(),
            envelope: args.envelope,
        })
    }

    fn step(file: &cli::Input, step: &str, args: &Args) -> cli::Result<Self> {
        let pipeline = file.pipeline()?;
        let doing = format!("reading {file}");
        let Some(found) = pipeline.windows.into_iter().find(|found| found.name == step) else {
            return Err(Error::invalid(doing, format!("no step of windows is called {step}")));
        };
        let windows = match found.window {
            pipeline::Shape::Tumbling(size) => Windows::Tumbling { size_us: us(size) },
            pipeline::Shape::Hop { size, every } => {
                Windows::Hopping { size_us: us(size), every_us: us(every) }
            }
            pipeline::Shape::Session(gap) => Windows::Session { gap_us: us(gap) },
        };
        Ok(Self {
            windows,
            time: found.time.field,
            keys: found.by.into_iter().map(|path| Named { name: last_name(&path), what: path }).collect(),
            aggregates: found.aggregates.into_iter().map(|(name, what)| Named { name, what }).collect(),
            watermark: found.time.watermark,
            lateness: found.time.lateness,
            emit: match found.emit {
                pipeline::Emit::Final => Emit::Final,
                pipeline::Emit::Update => Emit::Update,
                pipeline::Emit::Both => Emit::Both,
            },
            dedupe: found.dedupe.map(|dedupe| Dedupe { key: dedupe.key, within: dedupe.within }),
            join: found.join.map(|join| Join { topic: join.topic, on: join.on, within: join.within }),
            envelope: args.envelope,
        })
    }

    fn job(self, args: &Args) -> cli::Result<Job> {
        let doing = "reading arguments";
        let names = self.keys.iter().map(|key| &*key.name);
        let names = OWN.into_iter().chain(names).chain(self.aggregates.iter().map(|agg| &*agg.name));
        let mut seen = HashSet::new();
        for name in names {
            if !seen.insert(name) {
                return Err(Error::invalid(doing, format!("two fields of the output are called {name}"))
                    .hint("give one another name: NAME=…"));
            }
        }
        let plan = Plan {
            windows: self.windows,
            bound_us: us(self.watermark),
            lateness_us: us(self.lateness),
            emit: match self.emit {
                Emit::Final => window::Emit::Final,
                Emit::Update => window::Emit::Updates,
                Emit::Both => window::Emit::Both,
            },
            aggregates: self.aggregates.iter().map(|agg| function(&agg.what)).collect(),
        };
        plan.check().invalid(doing)?;
        let topics = !args.from.is_empty() || args.kafka;
        if self.join.is_some() && !self.envelope && !topics {
            return Err(Error::invalid(doing, "rows of two topics cannot be told from each other")
                .hint("--envelope reads messages as kafka-relay writes them"));
        }
        let joined = self.join.as_ref().map(|join| join.topic.clone());
        let mut wanted =
            Wanted { fields: Default::default(), joined: joined.clone(), envelope: self.envelope };
        let time = wanted.at(0, &self.time)?;
        let time = [time, wanted.at(1, &self.time)?];
        let keys = wanted.all(self.keys.iter().map(|key| &key.what))?;
        let mut inputs: Vec<Origin> = Vec::new();
        for (agg, function) in self.aggregates.iter().zip(&plan.aggregates) {
            let origin = match &agg.what {
                Aggregate::Count => {
                    inputs.push(Origin::Row);
                    continue;
                }
                Aggregate::Of(_, path) | Aggregate::Quantile { field: path, .. } => {
                    let place = wanted.place(path)?;
                    if function.needs_numbers() { Origin::Number(place) } else { Origin::Any(place) }
                }
            };
            let earlier = inputs.iter().position(|known| *known == origin);
            inputs.push(earlier.map_or(origin, Origin::Earlier));
        }
        let identity = wanted.all(self.dedupe.iter().flat_map(|dedupe| &dedupe.key))?;
        let on = self.join.iter().flat_map(|join| &join.on);
        let on = [
            on.clone().map(|path| wanted.at(0, path)).collect::<cli::Result<_>>()?,
            on.map(|path| wanted.at(1, path)).collect::<cli::Result<_>>()?,
        ];
        let envelope =
            if self.envelope { Some([wanted.raw("topic")?, wanted.raw("partition")?]) } else { None };
        let aggregates: Vec<_> =
            self.aggregates.iter().map(|agg| format!("{}={}", agg.name, agg.what)).collect();
        let mut fingerprint = format!("{} {:?} {:?} {aggregates:?}", self.time, args.time_unit, self.keys);
        if self.dedupe.is_some() || self.join.is_some() || self.envelope {
            fingerprint += &format!(" {:?} {:?} {}", self.dedupe, self.join, self.envelope);
        }
        Ok(Job {
            plan,
            reading: Reading {
                fields: wanted.fields,
                time,
                unit: args.time_unit,
                keys,
                inputs,
                identity,
                on,
                envelope,
                joined,
            },
            keys: self.keys.iter().map(|key| json(&key.name)).collect(),
            aggregates: self.aggregates.iter().map(|agg| json(&agg.name)).collect(),
            within_us: self.dedupe.map(|dedupe| us(dedupe.within)),
            join_us: self.join.map(|join| us(join.within)),
            partitions: if args.envelope { args.partitions } else { 0 },
            fingerprint,
        })
    }
}

/// The fields that are needed of a row, and of one that is joined to it.
struct Wanted {
    fields: [ndjson::Fields; 2],
    joined: Option<String>,
    envelope: bool,
}

impl Wanted {
    /// `W.amount` and `/W/amount` are fields of the joined row, if W is what is joined.
    fn place(&mut self, path: &str) -> cli::Result<Place> {
        let theirs = self.joined.as_ref().and_then(|topic| match path.strip_prefix('/') {
            Some(pointer) => {
                pointer.strip_prefix(&**topic)?.starts_with('/').then(|| &pointer[topic.len()..])
            }
            None => path.strip_prefix(&**topic)?.strip_prefix('.'),
        });
        match theirs.map(str::to_owned) {
            Some(theirs) => self.at(1, &theirs),
            None => self.at(0, path),
        }
    }

    fn all<'a>(&mut self, paths: impl Iterator<Item = &'a String>) -> cli::Result<Vec<Place>> {
        paths.map(|path| self.place(path)).collect()
    }

    fn at(&mut self, side: usize, path: &str) -> cli::Result<Place> {
        let inside = match (self.envelope, path.starts_with('/')) {
            (false, _) => path.to_owned(),
            (true, true) => format!("/value{path}"),
            (true, false) => format!("value.{path}"),
        };
        let slot = self.fields[side].want(&inside).invalid("reading arguments")?;
        Ok(Place { side, slot, path: path.to_owned() })
    }

    /// A field of the message itself.
    fn raw(&mut self, path: &str) -> cli::Result<Place> {
        let slot = self.fields[0].want(path).invalid("reading arguments")?;
        Ok(Place { side: 0, slot, path: path.to_owned() })
    }
}

/// `A+B:REST`: fields, and what follows the last colon.
fn fields_and_time(text: &str) -> Option<(Vec<String>, Span)> {
    let (fields, within) = text.rsplit_once(':')?;
    let fields: Vec<_> = fields.split('+').map(str::to_owned).collect();
    let known = fields.iter().all(|path| ndjson::Fields::new().want(path).is_ok());
    Some((fields, within.parse().ok()?)).filter(|_| known)
}

impl FromStr for Dedupe {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, within) = fields_and_time(text)
            .ok_or_else(|| format!("`{text}` is no FIELD:TIME such as id:10m or shop+order:1h"))?;
        Ok(Self { key, within })
    }
}

impl FromStr for Join {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once(':').filter(|(topic, _)| !topic.is_empty());
        let parts = parts.and_then(|(topic, rest)| Some((topic, fields_and_time(rest)?)));
        let (topic, (on, within)) =
            parts.ok_or_else(|| format!("`{text}` is no TOPIC:FIELD:TIME such as W:order_id:5m"))?;
        Ok(Self { topic: topic.to_owned(), on, within })
    }
}

fn us(span: Span) -> i64 {
    i64::try_from(span.ms).unwrap_or(i64::MAX).saturating_mul(1000)
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn function(what: &Aggregate) -> window::Aggregate {
    match what {
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

/// `country` of `meta.country` and of `/meta/country`.
fn last_name(path: &str) -> String {
    let name = match path.strip_prefix('/') {
        Some(pointer) => pointer.rsplit('/').next().unwrap_or(pointer).replace("~1", "/").replace("~0", "~"),
        None => path.rsplit('.').next().unwrap_or(path).to_owned(),
    };
    if name.is_empty() { path.to_owned() } else { name }
}

/// `NAME=REST`, if there is a name.
fn split_name(text: &str) -> (Option<&str>, &str) {
    match text.split_once('=') {
        Some((name, rest)) if !name.is_empty() => (Some(name), rest),
        _ => (None, text),
    }
}

impl FromStr for Named<String> {
    type Err = ndjson::PathError;

    fn from_str(text: &str) -> Result<Self, ndjson::PathError> {
        let (name, path) = split_name(text);
        ndjson::Fields::new().want(path)?;
        Ok(Self { name: name.map_or_else(|| last_name(path), str::to_owned), what: path.to_owned() })
    }
}

impl FromStr for Named<Aggregate> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is no aggregate such as count, sum:amount, n=count, p99:amount; there are: count, sum, min, max, avg, first, last, distinct, p50, p99, p999"
            )
        };
        let (name, rest) = split_name(text);
        let Some((function, field)) = rest.split_once(':') else {
            let what = rest.parse::<Aggregate>().ok().filter(|what| *what == Aggregate::Count);
            let name = name.unwrap_or("count").to_owned();
            return what.map(|what| Self { name, what }).ok_or_else(wrong);
        };
        ndjson::Fields::new().want(field).map_err(|error| error.to_string())?;
        let quantile = function.strip_prefix('p').filter(|digits| digits.parse::<u16>().is_ok());
        let said = match quantile {
            Some(digits) => format!("quantile({field},0.{digits})"),
            None => format!("{function}({field})"),
        };
        let what = said.parse().map_err(|_| wrong())?;
        let name = name.map_or_else(|| format!("{function}_{}", last_name(field)), str::to_owned);
        Ok(Self { name, what })
    }
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &dyn Display| {
            format!("`{text}` is no window such as tumbling:1m, hop:10m,1m, session:15m{why}")
        };
        let length = |text: &str| text.parse::<Span>().map(us).map_err(|error| wrong(&format!(": {error}")));
        let (kind, lengths) = text.split_once(':').ok_or_else(|| wrong(&""))?;
        Ok(Self(match (kind, lengths.split_once(',')) {
            ("tumbling", None) => Windows::Tumbling { size_us: length(lengths)? },
            ("session", None) => Windows::Session { gap_us: length(lengths)? },
            ("hop", Some((size, every))) => {
                Windows::Hopping { size_us: length(size)?, every_us: length(every)? }
            }
            _ => return Err(wrong(&"")),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aggregates_have_the_name_they_are_given_or_one_of_their_own() {
        let name =
            |text: &str| text.parse::<Named<Aggregate>>().map(|agg| format!("{}: {}", agg.name, agg.what));
        assert_eq!(name("count").as_deref(), Ok("count: count"));
        assert_eq!(name("n=count").as_deref(), Ok("n: count"));
        assert_eq!(name("sum:meta.amount").as_deref(), Ok("sum_amount: sum(meta.amount)"));
        assert_eq!(name("p999:a").as_deref(), Ok("p999_a: quantile(a,0.999)"));
        for bad in ["", "sum", "count:a", "total:a", "sum:", "sum:a..b", "p0:a", "p1000000:a", "=count"] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn windows_are_one_of_three_kinds() {
        let shape = |text: &str| text.parse::<Shape>().map(|Shape(windows)| windows);
        assert_eq!(shape("tumbling:1m"), Ok(Windows::Tumbling { size_us: 60_000_000 }));
        assert_eq!(shape("hop:10s,1s"), Ok(Windows::Hopping { size_us: 10_000_000, every_us: 1_000_000 }));
        assert_eq!(shape("session:250ms"), Ok(Windows::Session { gap_us: 250_000 }));
        for bad in
            ["", "tumbling", "tumbling:", "tumbling:1m,1m", "hop:1m", "sliding:1m", "tumbling:1 minute"]
        {
            assert!(shape(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_key_has_the_last_name_of_its_path() {
        let name = |text: &str| text.parse::<Named<String>>().unwrap().name;
        assert_eq!(name("meta.country"), "country");
        assert_eq!(name("/meta/a~1b"), "a/b");
        assert_eq!(name("c=meta.country"), "c");
    }
}
