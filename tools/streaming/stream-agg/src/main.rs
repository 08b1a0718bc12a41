//! Aggregates a stream of JSON lines over windows of event time.
//!
//! Reads one JSON object a line, and prints one for each window and key once
//! the window is over: when a row has come that is later than its end by the
//! watermark, or at the input's end. Time is the rows' own: the same input
//! gives the same output whenever it is read. Rows that come when all their
//! windows are over are late: `--late` keeps them, and they are counted.
//!
//! ```console
//! $ stream-agg --window tumbling:1m --time ts --key country --agg n=count,sum:amount,avg:amount --watermark 5s payments.ndjson
//! {"window_start":"2026-01-01T00:00:00Z","window_end":"2026-01-01T00:01:00Z","country":"DE","n":1,"sum_amount":7.25,"avg_amount":7.25,"rev":0,"final":true}
//! {"window_start":"2026-01-01T00:00:00Z","window_end":"2026-01-01T00:01:00Z","country":"SE","n":2,"sum_amount":0.3,"avg_amount":0.15,"rev":0,"final":true}
//! {"window_start":"2026-01-01T00:01:00Z","window_end":"2026-01-01T00:02:00Z","country":"SE","n":1,"sum_amount":12.5,"avg_amount":12.5,"rev":0,"final":true}
//! stream-agg: 5 in = 4 aggregated + 1 late + 0 rejected
//! hint: late rows were dropped; --late FILE keeps them
//! ```
//!
//! Killed and started again, it goes on where it was, and the output is what
//! one run would have made:
//!
//! ```sh
//! stream-agg --pipeline pipeline.yaml --step v-minutes --checkpoint v.cp --out v.out V.ndjson
//! ```
//!
//! # Windows
//! - `tumbling:1m`: one after the other, from 1970 on
//! - `hop:10m,1m`: ten minutes long, a new one every minute
//! - `session:15m`: one a key; a gap of fifteen minutes ends it
//!
//! # Aggregates
//! A list of `FUNCTION:FIELD` or `NAME=FUNCTION:FIELD`. Rows where the field
//! is null or missing are passed over.
//!
//! - `count`: how many rows there are; it takes no field
//! - `sum`, `min`, `max`: exact, with 24 digits before and after the point
//! - `avg`: to 12 digits after the point
//! - `first`, `last`: the value of the earliest and the latest row, whatever it is
//! - `distinct`: how many values; exact up to 256, then within some percent
//! - `p50`, `p99`, `p999`: quantiles, within a percent of the value
//!
//! # Fields
//! `meta.country` is a field of an object. Where a name itself holds a dot
//! write `/a.b/c` (RFC 6901). A key may be given another name:
//! `--key c=meta.country`. Rows without the field have the key null.
//!
//! # Time
//! A string in the form of RFC 3339, or, with `--time-unit`, a number of
//! seconds, milliseconds or microseconds since 1970. Times before 1970 and
//! from 2200 on are rejected: one such row would close every window.
//!
//! # Late rows
//! With `--lateness` windows take rows for so long after their end. By
//! `--emit`, rows come out once (`final`), at the window's end and with each
//! late row again (`update`), or both; `rev` counts them, and `final` is true
//! on the one that nothing follows. Sessions come out once.
//!
//! # Bad rows
//! What is no JSON object, has no time, or has something other than a number
//! where one is needed ends the run with status 2, unless `--reject FILE`
//! takes it. Lines above one mebibyte are rejected too, their first kilobyte
//! kept.
//!
//! # Checkpoints
//! `--checkpoint FILE` keeps the state, with how far the input was read and
//! the outputs written. It wants an input that can be read again from any
//! place, and `--out`: what was written after the last checkpoint is cut off
//! when a killed run is taken up. `--at-eof keep` leaves windows open at the
//! input's end for the next run, which reads what was added since; the
//! unfinished last line is then left, too.
//!
//! # Exit status
//! 0 done; a run that was complete already changes nothing. 1 more rows were
//! late or rejected than `--max-late` or `--max-reject` allow, or another one
//! with the same `--txn-id` has taken over. 2 an argument, the document, a row
//! or the checkpoint is wrong, or there is no such topic. 3 interrupted, or
//! another run holds the checkpoint, or the disk is full, or no broker answers:
//! run it again.
//!
//! # Duplicates and joins
//! With `--dedupe id:10m` rows with the same `id` count once, if they are less
//! than ten minutes apart. With `--join W:order:5m` every row is put beside
//! those of topic W that have the same `order` and are at most five minutes
//! apart; each pair is a row, its time the later of the two, and `W.amount` is
//! a field of the second. A row without a partner comes to nothing. Both sides
//! have their time in the same field.
//!
//! # Partitions
//! Of several partitions each has a watermark of its own, which judges whether
//! its rows are late; windows close when the last of them has passed. So it
//! does not matter in which order partitions are read. `--envelope` reads them
//! from messages as kafka-relay(1) writes them.
//!
//! # Topics
//! `--from topic:V --to topic:P` reads and writes Kafka's topics; with
//! `--pipeline FILE --step NAME --kafka` they are the step's. The rows, how far
//! was read, and what windows hold are committed in one transaction: a reader of
//! what is committed sees each row once, whatever was killed. All processes with
//! one `--group` share the partitions; keep as many as there are processors.
//!
//! ```sh
//! stream-agg --pipeline pipeline.yaml --step v-minutes --kafka --txn-id orders-1
//! ```
//!
//! With `--kafka` bad rows of topic V go to V.reject, with the reason in the
//! header `error`.
//!
//! A row's key is its window's start and its own keys, so that a compacted topic
//! keeps the last revision. What windows hold goes through the topic
//! `GROUP.parts`, which is made at the first run and is nobody else's. From a
//! partition that is silent for `--idle` the watermark does not wait; rows that
//! come from it later, into windows that are closed, come out a second time as
//! rows of their own in the topic of late rows. With `--txn-id` a process that
//! was killed is known when it comes back, and goes on at once; two with the
//! same are one too many: the first is fenced and answers no. Duplicates are
//! found, and pairs made, within partitions of the same number: write rows that
//! meet with the same key.
//!
//! It runs until it is told to stop; `--until end` ends it where the topics end
//! now, and `--at-eof flush` closes all windows there.
//!
//! # Notes
//! What was asked for cannot change within a group: another question is another
//! group.
//!
//! Windows are in memory, unless `--max-state` bounds it: then parts of them go
//! into a temporary file, and are merged when the windows close. That is for
//! lines, and for windows that come out once. With a checkpoint the file is
//! FILE.spool beside it, and stays as long as the checkpoint.

mod checkpoint;
mod crew;
mod ends;
mod flow;
mod job;
mod read;
mod run;
mod spill;
mod stage;
mod time;
mod topics;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use cli::{Answer, Out};
use pipeline::{Size, Span};

/// Aggregate a stream over windows of event time
#[derive(Parser)]
struct Args {
    /// The windows: tumbling:1m, hop:10m,1m or session:15m
    #[arg(long, value_name = "WINDOWS", required_unless_present = "pipeline")]
    window: Option<job::Shape>,
    /// The field with a row's time
    #[arg(long, value_name = "FIELD", required_unless_present = "pipeline")]
    time: Option<String>,
    /// What numbers in it count, since 1970
    #[arg(long, value_name = "UNIT")]
    time_unit: Option<time::Unit>,
    /// The fields rows are grouped by
    #[arg(long = "key", value_name = "[NAME=]FIELD", value_delimiter = ',')]
    keys: Vec<job::Named<String>>,
    /// What is computed, such as n=count,sum:amount,p99:amount
    #[arg(
        long = "agg",
        value_name = "[NAME=]FUNCTION[:FIELD]",
        value_delimiter = ',',
        required_unless_present = "pipeline"
    )]
    aggregates: Vec<job::Named<pipeline::Aggregate>>,
    /// How much later than the newest row one may come and still be in time
    #[arg(long, value_name = "TIME", required_unless_present = "pipeline")]
    watermark: Option<Span>,
    /// How long after its end a window still takes rows
    #[arg(long, value_name = "TIME", default_value = "0s")]
    lateness: Span,
    /// When rows come out
    #[arg(long, value_name = "WHEN", default_value = "final")]
    emit: Emit,
    /// Of rows with the same values, at most so far apart, the first counts
    #[arg(long, value_name = "FIELD[+FIELD]:TIME")]
    dedupe: Option<job::Dedupe>,
    /// Put rows of another topic beside those with the same values, at most so far apart
    #[arg(long, value_name = "TOPIC:FIELD[+FIELD]:TIME")]
    join: Option<job::Join>,
    /// Take windows, time, keys and aggregates from this document
    #[arg(long, value_name = "FILE", requires = "step",
        conflicts_with_all = ["window", "time", "keys", "aggregates", "watermark", "lateness", "emit", "dedupe", "join"])]
    pipeline: Option<cli::Input>,
    /// The step of the document
    #[arg(long, value_name = "NAME", requires = "pipeline")]
    step: Option<String>,
    /// Read these topics instead of a file
    #[arg(long, value_name = "topic:NAME", value_delimiter = ',', requires_all = ["to", "group"])]
    from: Vec<topics::Topic>,
    /// Write to this topic
    #[arg(long, value_name = "topic:NAME", requires = "from")]
    to: Option<topics::Topic>,
    /// Read and write the step's topics instead of files
    #[arg(long, requires = "pipeline")]
    kafka: bool,
    #[command(flatten)]
    brokers: cli::Brokers,
    /// Who shares the work
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// What this process is known by to the brokers, after a crash too; no other one may have it
    #[arg(long = "txn-id", value_name = "ID")]
    transactional_id: Option<String>,
    /// How often what was read and written is committed
    #[arg(long, value_name = "TIME", default_value = "1s")]
    commit_every: cli::Duration,
    /// How many messages go into a transaction at most
    #[arg(long, value_name = "N", default_value_t = 500_000)]
    commit_rows: u64,
    /// How long nothing may come from a partition before the watermark goes on without it
    #[arg(long, value_name = "TIME")]
    idle: Option<Span>,
    /// Stop where the topics end now
    #[arg(long, value_name = "end")]
    until: Option<Until>,
    /// Lines are messages as kafka-relay writes them: rows are their values
    #[arg(long, conflicts_with_all = ["from", "kafka"])]
    envelope: bool,
    /// How many partitions each topic of the messages has: the watermark waits for all of them
    #[arg(long, value_name = "N", default_value_t = 0, requires = "envelope", value_parser = clap::value_parser!(i32).range(0..=100_000))]
    partitions: i32,
    /// How many read lines
    #[arg(long, value_name = "N", default_value_t = threads())]
    threads: NonZeroUsize,
    /// Write to FILE instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write late rows there, as they came
    #[arg(long, value_name = "FILE|topic:NAME")]
    late: Option<topics::Aside>,
    /// Write bad rows there, with the reason
    #[arg(long, value_name = "FILE|topic:NAME")]
    reject: Option<topics::Aside>,
    /// Answer no if more rows are late
    #[arg(long, value_name = "N")]
    max_late: Option<u64>,
    /// Answer no if more rows are rejected
    #[arg(long, value_name = "N")]
    max_reject: Option<u64>,
    /// Keep the state in FILE, and go on from it
    #[arg(long, value_name = "FILE", requires = "out")]
    checkpoint: Option<PathBuf>,
    /// How much memory windows may take; what is more goes into a file
    #[arg(long, value_name = "SIZE", conflicts_with_all = ["from", "kafka"])]
    max_state: Option<Size>,
    /// Where that file is [default: $TMPDIR, or /tmp]
    #[arg(long, value_name = "DIR", requires = "max_state", conflicts_with = "checkpoint")]
    spool: Option<PathBuf>,
    /// How often the state is kept
    #[arg(long, value_name = "TIME", default_value = "5s")]
    checkpoint_every: Span,
    /// What becomes of open windows at the input's end; a file's are over, a topic's stay open
    #[arg(long, value_name = "WHAT")]
    at_eof: Option<AtEof>,
    #[command(flatten)]
    metrics: cli::Metrics,
    /// The rows; standard input if `-`
    #[arg(value_name = "FILE", default_value = "-")]
    input: cli::Input,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Emit {
    /// Once, when nothing can change them any more.
    Final,
    /// At the window's end, and again with each late row.
    Update,
    /// Both.
    Both,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AtEof {
    /// They are over.
    Flush,
    /// They stay open for the next run.
    Keep,
}

/// One for each processor, as long as the other work can keep up with them.
fn threads() -> NonZeroUsize {
    let most = const { NonZeroUsize::new(4).unwrap() };
    std::thread::available_parallelism().map_or(NonZeroUsize::MIN, |processors| processors.min(most))
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Until {
    /// The topics' ends.
    End,
}

fn main() -> ExitCode {
    cli::main(&cli::tool!(), run)
}

fn run(args: &Args, out: &mut Out) -> cli::Result {
    let job = job::Job::of(args)?;
    let topics = topics::Topics::of(args)?;
    let (counts, answer) = match &topics {
        Some((topics, connection)) => flow::run(&job, topics, connection)?,
        None => (run::run(&job, args, out)?, Answer::Yes),
    };
    args.metrics.write(&counts.metrics())?;
    counts.say(args.late.is_some() || topics.is_some_and(|(topics, _)| topics.late.is_some()));
    if answer == Answer::No {
        return Ok(answer);
    }
    let over = |count: u64, most: Option<u64>| most.is_some_and(|most| count > most);
    Ok(Answer::from(!over(counts.late, args.max_late) && !over(counts.rejected, args.max_reject)))
}
