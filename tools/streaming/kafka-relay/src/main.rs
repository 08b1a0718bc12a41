//! Puts a topic in place of a pipe: standard input to a topic, a topic to
//! standard output, a topic to another.
//!
//! Messages are lines of JSON, one a message, with key, headers and time
//! (schema `message`): any bytes come back as they were. With `--raw` a line is
//! a value and nothing else, so that a topic can stand where a `|` stood:
//!
//! ```sh
//! record-clean --rules rules.yaml < rows | kafka-relay --raw --key country --to topic:V --brokers b1:9092
//! kafka-relay --raw --from topic:V --group agg --brokers b1:9092 | stream-agg --window tumbling:1m …
//! ```
//!
//! From topic to topic, each message exactly once, however often it is killed
//! (outputs and the group's offsets are committed together):
//!
//! ```sh
//! kafka-relay --from topic:V --to topic:W --group copy --eos --txn-id copy-1 --brokers b1:9092,b2:9092
//! ```
//!
//! ```console
//! $ echo row | kafka-relay --raw --to topic:V --brokers 127.0.0.1:1 --timeout 500ms || echo "status $?"
//! kafka-relay: writing topic V: network: 127.0.0.1:1: connection refused
//! status 3
//! ```
//!
//! All there is now, then the end:
//!
//! ```sh
//! kafka-relay --from topic:V --until end --brokers b1:9092
//! ```
//!
//! # Where from, where to
//! `topic:NAME` is a topic, `-` standard input or output. Brokers are named by
//! `--brokers`, or by the pipeline document; `--step` names one of its sources,
//! whose rows go to its topic, keyed as the topic says.
//!
//! # Where it begins
//! With `--group` where the group has come to; where it has no offset yet, and
//! without a group, at `--from-offset`: `earliest`, `latest`, `ts:TIME`.
//! Members of a group share the partitions. An offset that is gone, since its
//! messages were deleted before they were read, ends the run with status 2.
//!
//! # Where it ends
//! Standard input at its end. A topic never, unless `--until` says so: `end` is
//! what is there when the run begins, `N` so many messages, `ts:TIME` messages
//! older than that. A signal ends a run without `--until` with status 0, once
//! what was read is out.
//!
//! # Key, partition, headers
//! `--key a.b` takes the key from fields of the value (of several a list is
//! made), `--key-text` is the same for all. `--partitioner consistent` is what
//! librdkafka does with a key, `murmur2` what the Java client does, `keep` takes
//! the message's own partition, a number that one. `--header name=text` adds a
//! header, `--header name=/field` one from the value.
//!
//! # What is promised
//! A message counts as out when all replicas in sync have it, or standard output
//! took it; only then the group's offset moves on. Killed in between, messages
//! come twice, unless `--eos`: then a topic that is read committed, as this
//! command and stream-agg read it, holds each once. From standard input `--eos`
//! makes one transaction of the whole run: all of it is there, or nothing. Without
//! it, an input that broke off answers 3 `partial`: what was read is there.
//! A second run with the same `--txn-id` takes over from the first, which ends
//! with status 1 `fenced`.
//!
//! # Bad messages
//! Lines that are no message, values without the key's field, and with `--raw`
//! values a line cannot hold (a tombstone, a line feed) end the run with status
//! 2, unless `--reject` takes them: into a file with the reason, or into a topic
//! as they came, the reason in the header `error`. Messages above `--max-bytes`
//! are rejected as well; what brokers take is their `message.max.bytes`, or the
//! topic's `max.message.bytes`.
//!
//! # Exit status
//! 0 done. 1 `fenced`: another one with this id has taken over. 2 an argument,
//! the document or a message is wrong, `no_such_topic`, `auth`, `too_large`.
//! 3 `network`, `no_leader`, `stalled` (messages are there, but none came for
//! `--stall`), `deadline` (`--timeout`), `interrupted`, `partial`: run it again.

mod form;
mod job;
mod lines;
mod progress;
mod rejects;
mod target;
mod topic;

use std::process::ExitCode;

use clap::Parser;
use cli::{Answer, Out};
use pipeline::{Size, Span};

use crate::progress::Ended;

/// Put a topic in place of a pipe
#[derive(Parser)]
struct Args {
    /// Where messages come from: topic:NAME, or - for standard input
    #[arg(long, value_name = "WHERE", default_value = "-")]
    from: job::Place,
    /// Where they go: topic:NAME, or - for standard output
    #[arg(long, value_name = "WHERE", default_value = "-")]
    to: job::Place,
    #[command(flatten)]
    brokers: cli::Brokers,
    /// Take the brokers and their settings from this document
    #[arg(long, value_name = "FILE")]
    pipeline: Option<cli::Input>,
    /// A source of the document: rows go to its topic
    #[arg(long, value_name = "NAME", requires = "pipeline", conflicts_with_all = ["from", "to", "keys", "kcat"])]
    step: Option<String>,
    /// A line is a value and nothing else
    #[arg(long)]
    raw: bool,
    /// Read lines as kcat -J writes them
    #[arg(long, conflicts_with = "raw")]
    kcat: bool,
    /// Read in this group, whose offsets move on with what is out
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// Exactly once: outputs and offsets in transactions
    #[arg(long, requires = "txn_id")]
    eos: bool,
    /// The transactional id: one for each run that works at the same time
    #[arg(long, value_name = "NAME", requires = "eos")]
    txn_id: Option<String>,
    /// Take the key from these fields of the value
    #[arg(long = "key", value_name = "FIELD,…", value_delimiter = ',')]
    keys: Vec<String>,
    /// The key of every message
    #[arg(long, value_name = "TEXT", conflicts_with = "keys")]
    key_text: Option<String>,
    /// Who chooses the partition: consistent, murmur2, keep, or a number
    #[arg(long, value_name = "WHO", default_value = "consistent")]
    partitioner: job::Chooser,
    /// Add a header: NAME=TEXT, or NAME=/FIELD of the value
    #[arg(long = "header", value_name = "NAME=…")]
    headers: Vec<job::Header>,
    /// Where to begin without an offset of the group: earliest, latest, ts:TIME
    #[arg(long, value_name = "WHERE", default_value = "earliest")]
    from_offset: job::Begin,
    /// Where to end: end, a number of messages, ts:TIME
    #[arg(long, value_name = "WHERE")]
    until: Option<job::Until>,
    /// How often offsets or transactions are committed: a number of messages, or a time
    #[arg(long, value_name = "N|TIME", default_value = "1s")]
    commit_every: job::Every,
    /// No more than so many messages or bytes a second: 1000/s, 2MiB/s
    #[arg(long, value_name = "N/s")]
    rate: Option<job::Rate>,
    /// Answer unavailable if messages are there and none comes for so long
    #[arg(long, value_name = "TIME")]
    stall: Option<Span>,
    /// The largest message
    #[arg(long, value_name = "SIZE", default_value = "1000000B")]
    max_bytes: Size,
    /// Put bad messages into a file, or a topic: topic:NAME
    #[arg(long, value_name = "WHERE")]
    reject: Option<job::Rejected>,
    #[command(flatten)]
    metrics: cli::Metrics,
}

fn main() -> ExitCode {
    cli::main(&cli::tool!(), run)
}

fn run(args: &Args, out: &mut Out) -> cli::Result {
    let job = job::Job::of(args)?;
    let mut progress = progress::Progress::default();
    let ended = match &job.from {
        job::Place::Pipe => lines::relay(&job, &mut progress),
        job::Place::Topic(topic) => topic::relay(&job, topic, &mut progress, out),
    };
    progress.say();
    args.metrics.write_series(&progress.metrics())?;
    match ended {
        Ok(()) => Ok(Answer::Yes),
        Err(Ended::Stopped(why)) => {
            let why = why.unwrap_or_else(|| "interrupted".to_owned());
            Err(cli::Error::unavailable(format!("reading {}", job.from), why))
        }
        Err(Ended::Failed(error)) => Err(error),
        Err(Ended::Fenced(doing)) => {
            cli::warn_hint(
                format!("{doing}: fenced: another run with this --txn-id has taken over"),
                "each run that works at the same time needs an id of its own",
            );
            Ok(Answer::No)
        }
    }
}
