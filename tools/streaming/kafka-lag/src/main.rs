//! Tells how far groups are behind in their topics.
//!
//! A record for each partition: where the group is, where the partition ends, how
//! many offsets lie between, and how long the oldest message that waits has been
//! there.
//!
//! ```sh
//! kafka-lag --group shop.v-minutes --brokers b1:9092
//! kafka-lag --pipeline pipeline.yaml || page somebody
//! ```
//!
//! The end is the last stable offset: messages of a transaction that is under way are
//! not there yet. Offsets of markers and of aborted messages count as lag while
//! messages lie among them; where nothing is left to read, and only they lie before
//! the end, lag is 0 and the state `caught_up`: the command looks at what is there.
//!
//! Where nobody answers the last record carries the word:
//!
//! ```console
//! $ kafka-lag --group shop.v-minutes --brokers 127.0.0.1:1 --timeout 500ms || echo "status $?"
//! {"record":"step","step":"ask","ok":false,"elapsed_ms":[..],"error":"network"}
//! kafka-lag: asking the brokers: 127.0.0.1:1: connection refused
//! status 3
//! ```
//!
//! # States
//!
//! `caught_up`; `behind`; `uncommitted`, no offset of the group here; `expired`,
//! messages were deleted before the group read them; `ahead`, the group's offset is
//! beyond the end, since the topic was made anew. The last two are a no whatever the
//! limits are, and are told.
//!
//! # Limits
//!
//! `--max` is what a group may be behind in all its partitions together; where it has
//! no offset all that is there counts. `--max-age` is how long a message may wait to
//! be read, `--freshness` how old the newest message of a topic may be. With `--for` a
//! limit has to be passed at every look for so long: the run ends with yes as soon as
//! it is not. `--watch` looks again and again, and ends with no when a limit was passed
//! for so long, with yes when a signal comes.
//!
//! With `--pipeline` the groups are those of its steps (`PIPELINE.STEP`), or of the one
//! step, and the limits `watch.lag_max`, `watch.lag_for` and `watch.freshness`, where
//! no argument says otherwise.
//!
//! # Exit status
//!
//! 0 within the limits; 1 not; 2 there is no such group (`no_such_group`), no such
//! topic (`no_such_topic`), or no right (`auth`); 3 the brokers do not answer
//! (`network`). A step record carries the word. With `--watch` brokers that are away
//! for a while are told and waited for.
//!
//! # Notes
//!
//! To see what waits, one message of each partition that is behind is fetched; nothing
//! is committed, and no group is joined.

mod ask;
mod judge;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use cli::{Answer, Brokers, Context, Error, Input, Out, Steps};
use kafka::Connection;
use pipeline::{Engine, Pipeline};
use process::Stop;

use crate::ask::Question;
use crate::judge::Limits;

/// Tell how far groups are behind in their topics
#[derive(Parser)]
#[command(group(clap::ArgGroup::new("whose").required(true).multiple(true)))]
struct Args {
    /// This group; may be repeated
    #[arg(long = "group", value_name = "GROUP", group = "whose")]
    groups: Vec<String>,
    /// Every group there is
    #[arg(long, group = "whose", conflicts_with_all = ["groups", "step"])]
    all: bool,
    /// The groups and limits of this pipeline document
    #[arg(long, value_name = "FILE", group = "whose")]
    pipeline: Option<Input>,
    /// This step's group alone
    #[arg(long, value_name = "NAME", requires = "pipeline", conflicts_with = "groups")]
    step: Option<String>,
    /// In this topic alone; may be repeated
    #[arg(long = "topic", value_name = "TOPIC")]
    topics: Vec<String>,
    /// Answer no if a group is further behind
    #[arg(long, value_name = "N")]
    max: Option<u64>,
    /// Answer no if a message waits for longer
    #[arg(long, value_name = "TIME")]
    max_age: Option<cli::Duration>,
    /// Answer no if a topic's newest message is older
    #[arg(long, value_name = "TIME")]
    freshness: Option<cli::Duration>,
    /// Only if it stays so for this long
    #[arg(long = "for", value_name = "TIME")]
    lasting: Option<cli::Duration>,
    /// Look again and again, this often
    #[arg(long, value_name = "TIME")]
    watch: Option<cli::Duration>,
    #[command(flatten)]
    brokers: Brokers,
}

fn main() -> ExitCode {
    cli::main(&cli::tool!(), run)
}

fn run(args: &Args, out: &mut Out) -> cli::Result {
    let document = args.pipeline.as_ref().map(Input::pipeline).transpose()?;
    let connection =
        args.brokers.connection(document.as_ref().and_then(|document| document.kafka.as_ref()))?;
    let watch = document.as_ref().map(|document| document.watch.clone()).unwrap_or_default();
    let limits = Limits {
        max: args.max.or(watch.lag_max),
        max_age: args.max_age.map(Duration::from),
        freshness: args.freshness.map(Duration::from).or(watch.freshness.map(Duration::from)),
    };
    let of_document = limits.max.is_some() && args.max.is_none();
    let lasting = args.lasting.map(Duration::from);
    let lasting = lasting.or(of_document.then_some(watch.lag_for.into())).unwrap_or_default();
    let groups = groups(args, document.as_ref())?;
    let question = Question { groups, topics: args.topics.clone(), newest: limits.freshness.is_some() };
    let stop = Stop::on_signals().and_then(|stop| stop.at(args.brokers.deadline()));
    let stop = stop.unavailable("catching signals")?;
    let looks = Looks { question, limits, lasting, every: args.watch.map(Duration::from), stop };
    looks.run(&connection, out)
}

/// Whose lag is asked for; none for everybody's.
fn groups(args: &Args, document: Option<&Pipeline>) -> cli::Result<Vec<String>> {
    let Some(document) = document.filter(|_| args.groups.is_empty() && !args.all) else {
        return Ok(args.groups.clone());
    };
    let steps = || document.windows.iter().filter(|step| step.engine == Engine::Native);
    let named = steps().filter(|step| args.step.as_ref().is_none_or(|name| *name == step.name));
    let groups: Vec<_> = named.map(|step| document.group(step)).collect();
    if groups.is_empty() {
        let there: Vec<_> = steps().map(|step| step.name.as_str()).collect();
        let error = Error::invalid("reading the pipeline document", "no such step reads topics as a group");
        return Err(match there.as_slice() {
            [] => error.hint("--group NAME"),
            steps => error.hint(format!("there are: {}", steps.join(", "))),
        });
    }
    Ok(groups)
}

/// One look, or many.
struct Looks {
    question: Question,
    limits: Limits,
    lasting: Duration,
    every: Option<Duration>,
    stop: Stop,
}

impl Looks {
    fn run(&self, connection: &Connection, out: &mut Out) -> cli::Result {
        let mut since = None;
        loop {
            let mut steps = Steps::new(out);
            let records = match self.question.ask(connection) {
                Ok(records) => records,
                Err(error) if self.every.is_some() && error.word() == "network" => {
                    cli::warn(format!("asking the brokers: {error}"));
                    if self.rest(out) {
                        return self.ended();
                    }
                    continue;
                }
                Err(error) => {
                    steps.failed("ask", error.word())?;
                    return Err(error).doing("asking the brokers");
                }
            };
            records.iter().try_for_each(|record| out.emit(record))?;
            out.flush()?;
            let lost = judge::lost(&records);
            let over = judge::over(&records, self.limits);
            let began = *since.get_or_insert_with(Instant::now);
            if over.is_empty() {
                since = None;
            }
            let lasted = !over.is_empty() && began.elapsed() >= self.lasting;
            if lasted || !lost.is_empty() {
                lost.iter().chain(over.iter().filter(|_| lasted)).for_each(cli::warn);
                return Ok(Answer::No);
            }
            if over.is_empty() && self.every.is_none() {
                return Ok(Answer::Yes);
            }
            if self.rest(out) {
                return self.ended();
            }
        }
    }

    /// A signal ends a watch; whether something lasts is not known then.
    fn ended(&self) -> cli::Result {
        match self.every {
            Some(_) if !self.stop.is_over() => Ok(Answer::Yes),
            _ => Err(Error::unavailable("watching", self.stop.why())),
        }
    }

    /// Waits for the next look; true if there is none.
    fn rest(&self, out: &Out) -> bool {
        // So often that the limit's time is met to a twentieth.
        let often = (self.lasting / 20).clamp(Duration::from_millis(100), Duration::from_secs(10));
        self.stop.sleep(self.every.unwrap_or(often)) || out.is_closed()
    }
}
