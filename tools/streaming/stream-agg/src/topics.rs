//! Topics, from arguments or a step of the pipeline document.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, Instant};

use cli::{Context, Error};
use kafka::Connection;

use crate::{Args, AtEof};

/// What is read and written, and as who.
pub(crate) struct Topics {
    pub(crate) from: Vec<String>,
    pub(crate) to: String,
    pub(crate) late: Option<String>,
    pub(crate) reject: Rejects,
    pub(crate) group: String,
    pub(crate) transactional_id: String,
    /// Whether that is known after a crash.
    pub(crate) is_named: bool,
    pub(crate) commit_every: Duration,
    /// How many messages go into a transaction at most.
    pub(crate) commit_rows: u64,
    pub(crate) idle: Option<Duration>,
    /// When the whole run has to be over.
    pub(crate) deadline: Option<Instant>,
    /// Whether it ends where the topics end now.
    pub(crate) until_end: bool,
    /// Whether windows close there.
    pub(crate) flush: bool,
}

/// Where bad rows go.
pub(crate) enum Rejects {
    /// Nowhere: they end the run.
    Nowhere,
    /// Those of all topics to this one.
    Topic(String),
    /// Those of a topic to the one called NAME.reject.
    Beside,
}

impl Rejects {
    pub(crate) fn of(&self, topic: &str) -> Option<String> {
        match self {
            Self::Nowhere => None,
            Self::Topic(name) => Some(name.clone()),
            Self::Beside => Some(format!("{topic}.reject")),
        }
    }
}

/// A topic, as an argument: topic:NAME.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Topic(pub(crate) String);

/// Where rows are put aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Aside {
    File(PathBuf),
    Topic(String),
}

impl FromStr for Topic {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("topic:") {
            Some(name) if !name.is_empty() => Ok(Self(name.to_owned())),
            _ => Err(format!("`{text}` is not topic:NAME")),
        }
    }
}

impl FromStr for Aside {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text.parse::<Topic>() {
            Ok(Topic(name)) => Self::Topic(name),
            Err(_) => Self::File(text.into()),
        })
    }
}

impl Aside {
    pub(crate) fn file(aside: Option<&Self>) -> Option<&PathBuf> {
        match aside {
            Some(Self::File(path)) => Some(path),
            _ => None,
        }
    }
}

impl Topics {
    /// The topics that are asked for, with the brokers; `None` if files are.
    pub(crate) fn of(args: &Args) -> cli::Result<Option<(Self, Connection)>> {
        let wrong = |why: &str| Error::invalid("reading arguments", why);
        let document = match (&args.pipeline, args.kafka) {
            (Some(file), true) => Some(file.pipeline()?),
            _ => None,
        };
        let step = document.iter().flat_map(|document| &document.windows);
        let step = step.into_iter().find(|step| Some(&step.name) == args.step.as_ref());
        let named = |aside: &Option<Aside>| match aside {
            Some(Aside::Topic(name)) => Ok(Some(name.clone())),
            Some(Aside::File(path)) => {
                Err(wrong(&format!("{} is a file; topics go with topics", path.display())))
            }
            None => Ok(None),
        };
        let (from, to) = match step {
            Some(step) => (step.from.clone(), Some(step.to.clone())),
            None => (
                args.from.iter().map(|Topic(name)| name.clone()).collect(),
                args.to.as_ref().map(|Topic(name)| name.clone()),
            ),
        };
        let Some(to) = to.filter(|_: &String| !Vec::is_empty(&from)) else {
            let asides = [&args.late, &args.reject];
            if asides.iter().any(|aside| matches!(aside, Some(Aside::Topic(_)))) {
                return Err(wrong("a topic for rows that are put aside goes with --from and --to"));
            }
            return Ok(None);
        };
        let late = named(&args.late)?.or_else(|| step.and_then(|step| step.time.late.clone()));
        let of_step =
            document.as_ref().zip(step).map(|(document, step)| format!("{}.{}", document.name, step.name));
        let group = args.group.clone().or(of_step).ok_or_else(|| wrong("--from needs a --group"))?;
        // Nobody else has this one; who wants to be known after a crash gives one.
        let own = || {
            format!(
                "{group}.{}.{}",
                std::process::id(),
                files::sha256_hex(format!("{:?}", std::time::SystemTime::now()).as_bytes())
                    .get(..8)
                    .unwrap_or_default()
            )
        };
        let connection =
            args.brokers.connection(document.as_ref().and_then(|document| document.kafka.as_ref()))?;
        let connection = connection.or_set("transaction.timeout.ms", "15000").doing("reading arguments")?;
        let topics = Self {
            late,
            reject: match named(&args.reject)? {
                Some(name) => Rejects::Topic(name),
                None if args.kafka => Rejects::Beside,
                None => Rejects::Nowhere,
            },
            is_named: args.transactional_id.is_some(),
            transactional_id: args.transactional_id.clone().unwrap_or_else(own),
            commit_every: *args.commit_every,
            commit_rows: args.commit_rows,
            idle: args
                .idle
                .map(|span| Duration::from_millis(span.ms))
                .or_else(|| step.and_then(|step| step.time.idle).map(|span| Duration::from_millis(span.ms))),
            deadline: args.brokers.deadline(),
            until_end: args.until.is_some(),
            flush: args.at_eof == Some(AtEof::Flush) && args.until.is_some(),
            from,
            to,
            group,
        };
        Ok(Some((topics, connection)))
    }
}
