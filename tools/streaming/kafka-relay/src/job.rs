//! What is to be done, from arguments or a step of the pipeline document.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, Instant};

use cli::{Context, Error};
use kafka::{Connection, Partitioner};
use pipeline::{Size, Span};

use crate::Args;
use crate::form::Form;

/// Where messages come from or go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Standard input or output.
    Pipe,
    /// A topic.
    Topic(String),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Pipe => f.write_str("standard input"),
            Self::Topic(name) => write!(f, "topic {name}"),
        }
    }
}

/// What is to be done.
pub(crate) struct Job {
    pub(crate) from: Place,
    pub(crate) to: Place,
    pub(crate) connection: Connection,
    pub(crate) form: Form,
    pub(crate) group: Option<String>,
    pub(crate) txn_id: Option<String>,
    pub(crate) keys: Vec<String>,
    pub(crate) key_text: Option<String>,
    pub(crate) chooser: Chooser,
    pub(crate) headers: Vec<Header>,
    pub(crate) begin: Begin,
    pub(crate) until: Option<Until>,
    pub(crate) every: Every,
    pub(crate) rate: Option<Rate>,
    pub(crate) stall: Option<Duration>,
    pub(crate) largest_bytes: usize,
    pub(crate) reject: Option<Rejected>,
    pub(crate) deadline: Option<Instant>,
}

impl Job {
    pub(crate) fn of(args: &Args) -> cli::Result<Self> {
        let doing = "reading arguments";
        let document = args.pipeline.as_ref().map(cli::Input::pipeline).transpose()?;
        let (mut from, mut to) = (args.from.clone(), args.to.clone());
        let (mut keys, mut raw) = (args.keys.clone(), args.raw);
        if let (Some(document), Some(step), Some(file)) = (&document, &args.step, &args.pipeline) {
            let source = document.sources.iter().find(|source| source.name == *step);
            let source = source.ok_or_else(|| {
                let known: Vec<_> = document.sources.iter().map(|source| source.name.as_str()).collect();
                Error::invalid(
                    format!("reading {file}"),
                    format!("no source is called {step}; there are: {}", known.join(", ")),
                )
            })?;
            (from, to, raw) = (Place::Pipe, Place::Topic(source.to.clone()), true);
            keys = document.topics.get(&source.to).map(|topic| topic.key.clone()).unwrap_or_default();
        }
        if from == Place::Pipe && to == Place::Pipe {
            return Err(Error::invalid(doing, "a pipe to a pipe needs no relay")
                .hint("--from topic:NAME or --to topic:NAME"));
        }
        let topics = (matches!(from, Place::Topic(_)), matches!(to, Place::Topic(_)));
        let wrong = [
            (!topics.0 && args.group.is_some(), "--group is for reading a topic"),
            (!topics.0 && args.until.is_some(), "--until is for reading a topic"),
            (!topics.0 && args.stall.is_some(), "--stall is for reading a topic"),
            (!topics.1 && args.eos, "--eos is for writing a topic"),
            (
                topics.0 && args.eos && args.group.is_none(),
                "--eos from a topic needs --group: offsets are part of the transaction",
            ),
            (topics.0 && args.kcat, "--kcat is for reading standard input"),
            (topics.0 && topics.1 && args.raw, "--raw is for standard input and output"),
            (!topics.1 && !keys.is_empty(), "--key is for writing a topic"),
            (!topics.1 && args.key_text.is_some(), "--key-text is for writing a topic"),
            (!topics.1 && !args.headers.is_empty(), "--header is for writing a topic"),
            (
                !topics.1 && matches!(args.reject, Some(Rejected::Topic(_))),
                "--reject topic:… is for writing a topic; a file holds them",
            ),
            (from == to, "a topic is not relayed to itself"),
        ];
        if let Some((_, why)) = wrong.iter().find(|(is, _)| *is) {
            return Err(Error::invalid(doing, why));
        }
        let mut fields = ndjson::Fields::new();
        for path in &keys {
            fields.want(path).invalid(doing)?;
        }
        let form = match (raw, args.kcat) {
            (true, _) => Form::Raw,
            (_, true) => Form::Kcat,
            _ => Form::Envelope,
        };
        let kafka = document.as_ref().and_then(|document| document.kafka.as_ref());
        let mut connection = args.brokers.connection(kafka)?;
        if args.eos {
            // From a pipe one transaction takes as long as its input: as long as brokers allow. From a
            // topic it is short, and what a killed process left open holds readers up no longer than that.
            let most_ms = if from == Place::Pipe { "900000" } else { "15000" };
            connection = connection.or_set("transaction.timeout.ms", most_ms).doing(doing)?;
        }
        Ok(Self {
            connection,
            from,
            to,
            form,
            group: args.group.clone(),
            txn_id: args.txn_id.clone(),
            keys,
            key_text: args.key_text.clone(),
            chooser: args.partitioner,
            headers: args.headers.clone(),
            begin: args.from_offset,
            until: args.until,
            every: args.commit_every,
            rate: args.rate,
            stall: args.stall.map(Duration::from),
            largest_bytes: usize::try_from(args.max_bytes.bytes).unwrap_or(usize::MAX).min(1 << 30),
            reject: args.reject.clone(),
            deadline: args.brokers.deadline(),
        })
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "-" => Ok(Self::Pipe),
            Some(("topic", name)) => topic(name).map(Self::Topic),
            _ => Err(format!("`{text}` is neither topic:NAME nor -")),
        }
    }
}

/// What Kafka takes for a topic's name.
fn topic(name: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name.len() > 249 || !name.chars().all(fits) || name == "." || name == ".." {
        return Err(format!(
            "no topic can be called `{name}`: letters, digits, dot, underscore, hyphen, at most 249"
        ));
    }
    Ok(name.to_owned())
}

/// Who chooses the partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chooser {
    /// By the key.
    Key(Partitioner),
    /// The message's own.
    Keep,
    /// This one.
    Fixed(i32),
}

impl FromStr for Chooser {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "consistent" => Ok(Self::Key(Partitioner::Consistent)),
            "murmur2" => Ok(Self::Key(Partitioner::Murmur2)),
            "keep" => Ok(Self::Keep),
            _ => text.parse().ok().filter(|number| *number >= 0).map(Self::Fixed).ok_or_else(|| {
                format!("`{text}` is none of consistent, murmur2, keep, or a partition's number")
            }),
        }
    }
}

/// A header that is added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) name: String,
    pub(crate) what: What,
}

/// What a header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// This.
    Text(String),
    /// What the value says at this path.
    Field(String),
}

impl FromStr for Header {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, what) = text
            .split_once('=')
            .filter(|(name, _)| !name.is_empty())
            .ok_or_else(|| format!("`{text}` is neither NAME=TEXT nor NAME=/FIELD"))?;
        let what = if what.starts_with('/') {
            ndjson::Fields::new().want(what).map_err(|error| error.to_string())?;
            What::Field(what.to_owned())
        } else {
            What::Text(what.to_owned())
        };
        Ok(Self { name: name.to_owned(), what })
    }
}

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    Earliest,
    Latest,
    /// Milliseconds since 1970.
    Since(i64),
}

impl FromStr for Begin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "earliest" => Ok(Self::Earliest),
            "latest" => Ok(Self::Latest),
            _ => time(text)
                .map(Self::Since)
                .ok_or_else(|| format!("`{text}` is none of earliest, latest, ts:2026-01-01T00:00:00Z")),
        }
    }
}

/// `ts:` and a time, in milliseconds since 1970.
fn time(text: &str) -> Option<i64> {
    let text = text.strip_prefix("ts:")?;
    let time_ms = ndjson::time::of_text(text).map(|us| us.div_euclid(1000)).or_else(|| text.parse().ok());
    time_ms.filter(|time_ms| *time_ms >= 0)
}

/// Where to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// What is there at the beginning.
    End,
    /// So many messages.
    Count(u64),
    /// What is older, milliseconds since 1970.
    Since(i64),
}

impl FromStr for Until {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let count = || text.parse().ok().map(Self::Count);
        match text {
            "end" => Ok(Self::End),
            _ => time(text).map(Self::Since).or_else(count).ok_or_else(|| {
                format!("`{text}` is none of end, a number of messages, ts:2026-01-01T00:00:00Z")
            }),
        }
    }
}

/// How often something is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Every {
    Messages(u64),
    Time(Duration),
}

impl FromStr for Every {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<u64>() {
            Ok(0) => Err("after every 0 messages is never".to_owned()),
            Ok(count) => Ok(Self::Messages(count)),
            Err(_) => text.parse::<Span>().map(|span| Self::Time(span.into())),
        }
    }
}

/// How fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) per_second: u64,
    /// Bytes rather than messages.
    pub(crate) bytes: bool,
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no rate such as 1000/s or 2MiB/s");
        let amount = text.strip_suffix("/s").ok_or_else(wrong)?;
        let rate = match amount.parse() {
            Ok(per_second) => Self { per_second, bytes: false },
            Err(_) => Self { per_second: amount.parse::<Size>().map_err(|_| wrong())?.bytes, bytes: true },
        };
        if rate.per_second == 0 { Err(wrong()) } else { Ok(rate) }
    }
}

/// Where bad messages go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rejected {
    File(PathBuf),
    Topic(String),
}

impl FromStr for Rejected {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("topic:") {
            Some(name) => topic(name).map(Self::Topic),
            None => Ok(Self::File(text.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_topic_or_a_pipe() {
        assert_eq!("-".parse(), Ok(Place::Pipe));
        assert_eq!("topic:V.1".parse(), Ok(Place::Topic("V.1".into())));
        for bad in ["V", "topic:", "topic:a b", "topic:..", "file:x"] {
            assert!(bad.parse::<Place>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_end_is_the_end_a_number_or_a_time() {
        assert_eq!("end".parse(), Ok(Until::End));
        assert_eq!("12".parse(), Ok(Until::Count(12)));
        assert_eq!("ts:1970-01-01T00:00:01Z".parse(), Ok(Until::Since(1000)));
        assert_eq!("ts:1000".parse(), Ok(Until::Since(1000)));
        for bad in ["", "-1", "ts:", "ts:tomorrow", "soon"] {
            assert!(bad.parse::<Until>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_rate_counts_messages_or_bytes() {
        assert_eq!("1000/s".parse(), Ok(Rate { per_second: 1000, bytes: false }));
        assert_eq!("2KiB/s".parse(), Ok(Rate { per_second: 2048, bytes: true }));
        for bad in ["", "1000", "0/s", "x/s"] {
            assert!(bad.parse::<Rate>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_header_is_text_or_a_field() {
        assert_eq!("a=b=c".parse(), Ok(Header { name: "a".into(), what: What::Text("b=c".into()) }));
        assert_eq!("a=/m/x".parse(), Ok(Header { name: "a".into(), what: What::Field("/m/x".into()) }));
        assert!("a".parse::<Header>().is_err() && "=b".parse::<Header>().is_err());
    }
}
