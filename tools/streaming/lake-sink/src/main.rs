//! Writes rows as Parquet files of a lake.
//!
//! Reads one JSON object a line, puts the rows into Parquet files in folders
//! by partition, and makes them known by an entry of the lake's log. Prints a
//! record for each file that became part of the lake.
//!
//! ```console
//! $ lake-sink --topic payments --url file:lake --partition 'dt=day(ts)' --in payments.ndjson
//! {"record":"lake-file","file":"dt=2026-01-01/payments-0-0-4.parquet","rows":5,"bytes":[..],"topic":"payments","partition":"0","first_offset":0,"last_offset":4,"commit":1}
//! ```
//!
//! The same input again adds nothing: the lake knows what it holds.
//!
//! ```console
//! $ lake-sink -v --topic payments --url file:lake --partition 'dt=day(ts)' --in payments.ndjson
//! lake-sink: 5 in = 0 written + 5 held already + 0 rejected
//! ```
//!
//! A step of the pipeline document says the same:
//!
//! ```sh
//! stream-agg … | lake-sink --pipeline pipeline.yaml --step lake --topic P
//! ```
//!
//! # Offsets
//! The rows of an input are numbered from 0: that is their offset. Killed at
//! any moment and started again with the same input, it goes on where the lake
//! ends, and nothing is there twice. `--source` names the input; another one
//! under the same name is refused, unless `--append` says that its rows come
//! after those that are there.
//!
//! With `--messages` each line is a message of Kafka, as kafka-relay prints it:
//! topic, partition and offset are the message's own, its value is the row.
//!
//! `--in topic:P` reads the topic itself, from where the lake ends, and only
//! what transactions have committed. No consumer group is needed: offsets and
//! rows are in one commit. It runs until a signal comes, or, with
//! `--until end`, until it has what was there when it began.
//!
//! # Columns
//! `--row-schema FILE` says them, a JSON object of names and types: bool, int,
//! double, decimal(P,S), string, timestamp, date, json. Without it they are
//! those of the lake, and if it has none they are found in the first 10000
//! rows and then stay. What is now a number, now a text, what is nested, and
//! what was null in all of those rows, is kept as JSON. Numbers with up to 12
//! digits after the point are decimals. Rows that do not fit are rejected, rows
//! with a field that is no column too: nothing is dropped silently. A field that
//! is missing is null.
//!
//! # Folders
//! `--partition` names one, outermost first: `topic`, `FIELD`, `NAME=FIELD`,
//! `NAME=day(FIELD)`, `NAME=hour(FIELD)`, in UTC, as Hive writes them.
//!
//! # Files
//! A commit is made when its files have `--roll-bytes`, when its first row has
//! waited for `--roll-age`, when there are more than 64 folders, at the input's
//! end, and when a signal comes. A file is
//! `TOPIC-PARTITION-FIRST-LAST.parquet` by the offsets of its commit. It is put
//! where nothing stands yet; then `_log/NUMBER.json` is, and only with that it
//! is part of the lake. A commit that a crash broke off between the two is made
//! again by the next run, of the same rows: its files are those that are there.
//!
//! # The log
//! Each entry of `_log` says which files it adds, the offsets they hold, and,
//! with those before it, the offsets, columns and folders of every topic. Who
//! wants whole commits reads the files the entries name; who reads folders may
//! see the files of a commit a moment before the others. `--check` holds the
//! log and the files against each other; `--ddl athena` prints a table for each
//! topic with all its folders.
//!
//! # Buckets
//! Credentials come from the environment or a file, never from the URL. What a
//! busy or broken server leaves undone is tried again. Parts of a large file
//! that a killed run has put are not seen, but paid for: give the bucket a
//! lifecycle rule that aborts incomplete uploads.
//!
//! # Bounds
//! 32 MiB of rows wait at a time, as many again are being encoded; 64 files are
//! open for each partition of a topic. A line is at most 16 MiB long. A late row
//! makes a small file in its folder, once a commit.
//!
//! # Exit status
//! 0 all rows are in the lake, were already, or were put aside; 1 more were
//! rejected than `--max-reject` allows, or somebody else has committed the same
//! rows meanwhile; 2 an argument, the document, the lake
//! or, without `--reject`, a row is wrong; 3 a signal came, somebody else is at
//! it, or the disk is full: run it again.

mod check;
mod ddl;
mod job;
mod lines;
mod place;
mod run;
mod topics;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use cli::{Answer, Context, Out};
use pipeline::{Partition, Size, Span};
use process::Stop;

/// Write rows as Parquet files of a lake
#[derive(Parser)]
#[expect(clippy::struct_excessive_bools, reason = "options")]
struct Args {
    /// Hold the log and the files against each other
    #[arg(long, conflicts_with_all = ["messages", "append", "reject", "row_schema", "ddl"])]
    check: bool,
    /// Print what makes the lake known to this engine
    #[arg(long, value_name = "ENGINE", conflicts_with_all = ["messages", "append", "reject", "row_schema"])]
    ddl: Option<Engine>,
    /// The database of the tables
    #[arg(long, value_name = "NAME", default_value = "default", requires = "ddl")]
    database: String,
    /// The rows: a file, standard input if `-`, topic:NAME,…, or topics for those of the step
    #[arg(long = "in", value_name = "WHERE", default_value = "-")]
    input: job::From,
    /// The lake: `file:PATH` or `s3://BUCKET/PREFIX`
    #[arg(long, value_name = "URL", required_unless_present = "pipeline")]
    url: Option<String>,
    /// The topic the rows are of
    #[arg(long, value_name = "NAME")]
    topic: Option<job::Topic>,
    /// A folder, outermost first: topic, FIELD, NAME=day(FIELD), …
    #[arg(long = "partition", value_name = "FOLDER", value_delimiter = ',')]
    partitions: Vec<Partition>,
    /// Take the lake and its folders from this document
    #[arg(long, value_name = "FILE", requires = "step", conflicts_with_all = ["url", "partitions"])]
    pipeline: Option<cli::Input>,
    /// The step of the document
    #[arg(long, value_name = "NAME", requires = "pipeline")]
    step: Option<String>,
    /// Which input this is, among those of the topic
    #[arg(long, value_name = "NAME", default_value = "0")]
    source: job::Source,
    /// These rows come after those the lake holds
    #[arg(long)]
    append: bool,
    /// Each line is a message of Kafka
    #[arg(long, conflicts_with_all = ["topic", "source", "append"])]
    messages: bool,
    /// The columns and their types
    #[arg(long, value_name = "FILE")]
    row_schema: Option<cli::Input>,
    /// Commit when the files have this size [default: 128MiB]
    #[arg(long, value_name = "SIZE")]
    roll_bytes: Option<Size>,
    /// Commit when the first row has waited for so long [default: 5m]
    #[arg(long, value_name = "TIME")]
    roll_age: Option<Span>,
    /// Add bad rows to FILE, with the reason
    #[arg(long, value_name = "FILE")]
    reject: Option<PathBuf>,
    /// Answer no if more rows are rejected
    #[arg(long, value_name = "N", requires = "reject")]
    max_reject: Option<u64>,
    /// Where to end topics; without it there is no end
    #[arg(long, value_name = "WHERE")]
    until: Option<Until>,
    /// Go on where messages were deleted before they were read
    #[arg(long)]
    accept_gap: bool,
    /// Give up when nothing comes for so long although there is something
    #[arg(long, value_name = "TIME", default_value = "60s")]
    stall: Span,
    #[command(flatten)]
    brokers: cli::Brokers,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    metrics: cli::Metrics,
}

/// How a bucket is reached.
#[derive(clap::Args)]
#[command(next_help_heading = "Of buckets")]
struct Place {
    #[command(flatten)]
    aws: cli::Aws,
    /// Put files together in DIR [default: $TMPDIR, or /tmp]
    #[arg(long, value_name = "DIR")]
    spool: Option<PathBuf>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Until {
    /// What is there when the run begins.
    End,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Engine {
    Athena,
}

fn main() -> ExitCode {
    cli::main(&cli::tool!(), run)
}

fn run(args: &Args, out: &mut Out) -> cli::Result {
    let job = job::Job::of(args)?;
    let stop = Stop::on_signals().and_then(|stop| stop.at(args.brokers.deadline()));
    let stop = Arc::new(stop.doing("catching signals")?);
    let lake = place::open(&job.url, &args.place, &stop, args.check)?;
    if args.check {
        return check::check(&lake, &job.url, out);
    }
    if let Some(Engine::Athena) = args.ddl {
        let topic = args.topic.as_ref().map(|topic| &*topic.0);
        ddl::athena(&lake, &job.url, &args.database, topic, out)?;
        return Ok(Answer::Yes);
    }
    let run::End::Done(counts) = run::run(&job, lake, args, &stop, out)? else { return Ok(Answer::No) };
    args.metrics.write(&counts.metrics())?;
    counts.say();
    match args.max_reject.filter(|most| counts.rejected > *most) {
        None => Ok(Answer::Yes),
        Some(most) => {
            cli::warn(format!("{} rows were rejected, more than {most}", counts.rejected));
            Ok(Answer::No)
        }
    }
}
