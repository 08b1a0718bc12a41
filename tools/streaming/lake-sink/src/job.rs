//! What is to be done, from arguments or a step of the pipeline document.

use std::fmt;
use std::str::FromStr;

use cli::{Context, Error};
use lake::Schema;
use pipeline::{Kafka, Partition, Roll, Sink};

use crate::Args;

/// What is to be done.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) url: String,
    pub(crate) folders: Vec<Partition>,
    pub(crate) roll: Roll,
    /// The topic of rows that do not say theirs; none if they do.
    pub(crate) topic: Option<String>,
    /// The topics of the step.
    pub(crate) topics: Vec<String>,
    pub(crate) kafka: Option<Kafka>,
    pub(crate) schema: Option<Schema>,
}

/// Where rows come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum From {
    /// A file, or standard input.
    Input(cli::Input),
    /// Topics; none mean all those of the step.
    Topics(Vec<String>),
}

impl FromStr for From {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(topics) = text.strip_prefix("topic:") else {
            return Ok(match text {
                "topics" => Self::Topics(Vec::new()),
                _ => Self::Input(text.parse().unwrap_or(cli::Input::Stdin)),
            });
        };
        match topics.split(',').find(|topic| !is_name(topic)) {
            Some(bad) => Err(format!("`{bad}` is no name of a topic")),
            None => Ok(Self::Topics(topics.split(',').map(str::to_owned).collect())),
        }
    }
}

impl fmt::Display for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(input) => input.fmt(f),
            Self::Topics(topics) if topics.is_empty() => f.write_str("the topics of the step"),
            Self::Topics(topics) => write!(f, "topic {}", topics.join(", ")),
        }
    }
}

/// Whether a name is one of a topic, and fit for a file.
pub(crate) fn is_name(text: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=200).contains(&text.len()) && text.chars().all(fine) && !text.starts_with('.')
}

/// A name of a topic or an input: a part of a file's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Topic(pub(crate) String);

impl FromStr for Topic {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        is_name(text)
            .then(|| Self(text.to_owned()))
            .ok_or_else(|| "a name is 1 to 200 letters, digits, `.`, `_` and `-`, no `.` first".to_owned())
    }
}

/// A name of an input among those of a topic: no hyphen, which ends the topic's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source(pub(crate) String);

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_');
        let ok = (1..=200).contains(&text.len()) && text.chars().all(fine) && !text.starts_with('.');
        ok.then(|| Self(text.to_owned()))
            .ok_or_else(|| "a name is 1 to 200 letters, digits, `.` and `_`, no `.` first".to_owned())
    }
}

impl Job {
    pub(crate) fn of(args: &Args) -> cli::Result<Self> {
        let (url, folders, roll, topics, kafka) = match (&args.pipeline, &args.step) {
            (Some(file), Some(step)) => step_of(file, step)?,
            _ => (
                args.url.clone().unwrap_or_default(),
                args.partitions.clone(),
                Roll::default(),
                Vec::new(),
                None,
            ),
        };
        let roll =
            Roll { size: args.roll_bytes.unwrap_or(roll.size), age: args.roll_age.unwrap_or(roll.age) };
        let given = args.topic.as_ref().map(|topic| topic.0.clone());
        let reads = !args.check && args.ddl.is_none() && !matches!(args.input, From::Topics(_));
        if args.input == From::Topics(Vec::new()) && topics.is_empty() {
            return Err(Error::invalid("reading arguments", "--in topics wants a step of a pipeline"));
        }
        let topic = match (args.messages || !reads, given, &*topics) {
            (true, _, _) => None,
            (false, Some(topic), _) => Some(topic),
            (false, None, [only]) => Some(only.clone()),
            (false, None, []) => Some("rows".to_owned()),
            (false, None, several) => {
                return Err(Error::invalid("reading arguments", "--topic is needed: the step has several")
                    .hint(format!("there are: {}", several.join(", "))));
            }
        };
        let schema = args.row_schema.as_ref().map(schema).transpose()?;
        Ok(Self { url, folders, roll, topic, topics, kafka, schema })
    }
}

type Step = (String, Vec<Partition>, Roll, Vec<String>, Option<Kafka>);

fn step_of(file: &cli::Input, step: &str) -> cli::Result<Step> {
    let pipeline = file.pipeline()?;
    let kafka = pipeline.kafka;
    let doing = format!("reading {file}");
    let lakes: Vec<_> = pipeline
        .sinks
        .into_iter()
        .filter_map(|sink| match sink {
            Sink::Lake(lake) => Some(lake),
            _ => None,
        })
        .collect();
    let names: Vec<_> = lakes.iter().map(|lake| lake.name.clone()).collect();
    let Some(lake) = lakes.into_iter().find(|lake| lake.name == step) else {
        return Err(Error::invalid(doing, format!("no lake is called {step}"))
            .hint(format!("there are: {}", names.join(", "))));
    };
    let url = match lake.url.strip_prefix("env:") {
        Some(name) => std::env::var(name).invalid(format!("reading the URL of {step} from {}", lake.url))?,
        None => lake.url,
    };
    Ok((url, lake.partition, lake.roll, lake.from, kafka))
}

fn schema(file: &cli::Input) -> cli::Result<Schema> {
    serde_json::from_str(&file.read_text(1 << 20)?).invalid(format!("reading {file}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_fit_for_a_file() {
        for bad in ["", ".x", "a/b", "a b", "é", &"x".repeat(201)] {
            assert!(bad.parse::<Topic>().is_err(), "{bad}");
        }
        assert_eq!("a.B_c-1".parse(), Ok(Topic("a.B_c-1".to_owned())));
    }
}
