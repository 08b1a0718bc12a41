//! Puts rows into a store of keys, the newest of each.
//!
//! Reads one JSON object a line and puts each under its key, unless the store
//! has the same version there or a newer one. The same input again, in part or
//! whole, in any order, changes nothing.
//!
//! ```sh
//! stream-agg … | nosql-put --store redis --url redis://127.0.0.1 --table minutes --pk country --sk window.start --newer-by rev
//! kafka-relay --from topic:P --until end | nosql-put --messages --store redis --url unix:/run/redis.sock --table minutes --pk country
//! ```
//!
//! # Versions
//! `--newer-by FIELD` says which of two rows is newer: a whole number up to
//! 2^64, or a time of RFC 3339. With `--messages` each line is a message of
//! Kafka, as kafka-relay prints it: its value is the row, and its offset the
//! version, unless `--newer-by` says otherwise. A topic that got more partitions
//! may hold a key in two of them: their offsets do not compare.
//!
//! A message without a value is a tombstone: it deletes what its key names, a
//! text, or an object with the fields of `--pk` and `--sk`. The store keeps its
//! version, so that an older row does not come back.
//!
//! # Redis
//! `redis://[USER@]HOST[:PORT][/DATABASE]` or `unix:PATH`. Each key is a string
//! `TABLE:PK` or `TABLE:PK:SK`; a colon in a part is `%3A`, a percent sign
//! `%25`. Its value is JSON: the version in 20 digits and the row as it came.
//! What was deleted has no row:
//!
//! ```sh
//! $ redis-cli GET minutes:DE:2026-01-01T00%3A00%3A00Z
//! {"v":"00000000000000000012","row":{"country":"DE","n":3}}
//! ```
//!
//! Where nothing is a row is put by `SET NX`; where something is a script looks
//! and puts in one step. Nothing is sent in clear to another machine unless
//! `?tls=disable` says so; a cluster's nodes are not followed.
//!
//! # `DynamoDB`
//! `--table` is there already; its key's attributes get the fields of `--pk` and
//! `--sk`, a number where they are numbers. The row's fields are the item's
//! attributes, with all their digits; `_v` is the version. What was deleted has
//! its key, `_v` and `_deleted` alone.
//!
//! ```sh
//! kafka-relay --from topic:P --until end | nosql-put --messages --store dynamodb --table minutes --pk country --sk window.start
//! ```
//!
//! Each row is one conditional put, for writes in batches know no conditions;
//! sixteen are on their way at a time, fewer when the table throttles. An item
//! without `_v` is somebody else's, and ends the run. Rows above 400 KB, numbers
//! of more than 38 digits, and fields called `_v` or `_deleted` are bad rows.
//!
//! # Bad rows
//! A row without a key or a version, or one the store can never take, ends the
//! run with status 2, after all rows before it are put; with `--reject FILE` it
//! is put aside. A run that was killed may put rows aside that the next one puts
//! aside again.
//!
//! # Waiting
//! A store that is loading, busy or throttling is asked again, after 50 ms, 100
//! ms, … up to 5 s, or when it says; after twelve tries without getting on
//! (`DynamoDB`: `--tries`), or `--timeout`, the answer is 3.
//!
//! # Exit status
//! 0 every row is in the store, or something newer, or was put aside; 1 more
//! were rejected than `--max-reject` allows; 2 an argument, the document or,
//! without `--reject`, a row is wrong, the store does not let us in (`auth`),
//! or has no such table (`no_such_table`);
//! 3 a signal came, or the store is not to be had (`network`, `throttled`,
//! `stalled`, `deadline`): run it again.

mod dynamo;
mod item;
mod job;
mod redis;
mod run;
mod store;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use cli::{Answer, Context, Error, Input, Out};
use pipeline::{Secret, Span};
use process::Stop;

use crate::dynamo::Dynamo;
use crate::item::Reading;
use crate::job::Job;
use crate::redis::{Place, Redis};
use crate::run::{Counts, Run};
use crate::store::Store;

/// Put rows into a store of keys, the newest of each
#[derive(Parser)]
struct Args {
    /// The kind of store
    #[arg(long, value_name = "KIND", required_unless_present = "pipeline")]
    store: Option<Kind>,
    /// Where it is, such as `redis://127.0.0.1`, or where its URL is found: `env:NAME`, `file:PATH`
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Where the password is found: `env:NAME` or `file:PATH`
    #[arg(long, value_name = "WHERE")]
    password: Option<Secret>,
    /// The table
    #[arg(long, value_name = "NAME", required_unless_present = "pipeline")]
    table: Option<String>,
    /// The field that is the key
    #[arg(long, value_name = "FIELD", required_unless_present = "pipeline")]
    pk: Option<String>,
    /// The field that is the second part of the key
    #[arg(long, value_name = "FIELD")]
    sk: Option<String>,
    /// The field that says which of two rows is newer
    #[arg(long, value_name = "FIELD")]
    newer_by: Option<String>,
    /// Take all of this from a sink of this document
    #[arg(long, value_name = "FILE", requires = "step",
        conflicts_with_all = ["store", "url", "table", "pk", "sk"])]
    pipeline: Option<Input>,
    /// The sink's name
    #[arg(long, value_name = "NAME", requires = "pipeline")]
    step: Option<String>,
    /// The rows: a file, or standard input if `-`
    #[arg(long = "in", value_name = "FILE", default_value = "-")]
    input: Input,
    /// Each line is a message of Kafka
    #[arg(long)]
    messages: bool,
    /// Add bad rows to FILE, with the reason
    #[arg(long, value_name = "FILE")]
    reject: Option<PathBuf>,
    /// Answer no if more rows are rejected
    #[arg(long, value_name = "N", requires = "reject")]
    max_reject: Option<u64>,
    /// Give up after so long
    #[arg(long, value_name = "TIME")]
    timeout: Option<Span>,
    #[command(flatten)]
    aws: cli::Aws,
    #[command(flatten)]
    metrics: cli::Metrics,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// `DynamoDB`, or what speaks like it.
    Dynamodb,
    /// Redis 4 or later, or what speaks like it.
    #[default]
    Redis,
}

fn main() -> ExitCode {
    cli::main(&cli::tool!(), run)
}

fn run(args: &Args, _: &mut Out) -> cli::Result {
    let job = Job::of(args)?;
    let reading =
        Reading::new(&job.pk, job.sk.as_deref(), job.newer_by.as_deref()).invalid("reading arguments")?;
    let limit = args.timeout.map(|limit| Instant::now() + Duration::from(limit));
    let stop = Stop::on_signals().and_then(|stop| stop.at(limit)).doing("catching signals")?;
    let stop = Arc::new(stop);
    let mut store = open(&job, args, &stop)?;
    let rejects = args.reject.as_deref().map(cli::Rejects::append).transpose()?;
    let mut run = Run {
        doing: format!("reading {}", args.input),
        reading,
        messages: args.messages,
        store: &mut *store,
        rejects,
        batch: Vec::new(),
        counts: Counts::default(),
    };
    let went = run.all(&args.input, &stop);
    let counts = run.counts;
    counts.say();
    args.metrics.write(&counts.metrics())?;
    went?;
    match args.max_reject.filter(|most| counts.rejected > *most) {
        None => Ok(Answer::Yes),
        Some(most) => {
            cli::warn(format!("{} rows were rejected, more than {most}", counts.rejected));
            Ok(Answer::No)
        }
    }
}

fn open(job: &Job, args: &Args, stop: &Arc<Stop>) -> cli::Result<Box<dyn Store>> {
    match job.kind {
        Kind::Dynamodb => Ok(Box::new(Dynamo::open(job, args.aws.access("DYNAMODB")?, stop)?)),
        Kind::Redis => {
            let doing = "reading the store's URL";
            let url = job.url.as_deref().ok_or_else(|| {
                Error::invalid(doing, "where Redis is is not said").hint("--url redis://127.0.0.1")
            })?;
            let place = Place::of(url, job.password.clone()).map_err(|why| Error::invalid(doing, why))?;
            Ok(Box::new(Redis::open(place, &job.table, stop)?))
        }
    }
}
