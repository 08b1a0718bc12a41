//! Renders the Spark job of a step of windows.
//!
//! From a step of the pipeline document comes a Python file that computes, with
//! Structured Streaming, what stream-agg(1) computes: the same windows, the
//! same late rows, the same digits. So a step moves to Spark where one machine
//! is not enough, and back, and nobody downstream sees it. The same document
//! always gives the same bytes.
//!
//! ```console
//! $ spark-render --pipeline pipeline.yaml --step w-minutes | sed -n 2p
//! """Windows of event time: shop.w-minutes, as stream-agg(1) computes them.
//! $ spark-render --pipeline pipeline.yaml --step w-minutes --out spark && ls spark
//! shop.w-minutes.py
//! shop.w-minutes.sh
//! shop.w-minutes.yaml
//! ```
//!
//! ```sh
//! sh spark/shop.w-minutes.sh                  # on a cluster that spark-submit knows
//! kubectl apply -f spark/shop.w-minutes.yaml  # on Kubernetes
//! ```
//!
//! # What it does
//! It reads the step's topics, commits every few seconds what it has, and sends
//! each window once, when the watermark has passed it. Bad rows go to
//! V.reject of topic V, with the reason in the header `error`; late rows to the
//! step's topic of late rows, as they came.
//!
//! Spark sends to Kafka at least once: after a crash some messages come again.
//! Each has a header `dedupe` that is the same then: pipeline, step and the
//! row's key, or pipeline, step, topic, partition and offset of a row that is
//! put aside. A row's key, which is the message's too, is its window's start and
//! its own keys, so a compacted topic or an upsert needs nothing else.
//!
//! # Late rows
//! As with stream-agg every row is judged by the rows before it in its partition
//! (`--late row`), and windows close when the partition that is farthest behind
//! has passed them. Spark's own rule is another, `--late batch`: one watermark, of
//! the newest row of all partitions, which moves only between batches. By it
//!
//! - a row that is late by the rows before it in its own batch is counted;
//!   stream-agg calls it late
//! - a row of a partition that is behind the others is late; stream-agg counts it
//! - a session's row is late when its own gap has passed, and not before
//!
//! Spark would drop late rows without a word. The job keeps them by either rule.
//! Of a partition that was silent for `idle` and comes back, rows of closed windows
//! are late as they are; stream-agg sends their windows a second time to the topic
//! of late rows.
//!
//! # Digits
//! Sums, means, minima, maxima and quantiles have the digits of stream-agg's.
//! `distinct` is exact; stream-agg's is so up to 256 and within some percent above.
//!
//! # What it cannot
//! Joins, duplicates within a time, and windows that are sent more than once are
//! stream-agg's alone: status 2.
//!
//! # Checking
//! `--check-run FILE` computes the rows of a file twice, with the job in a Spark
//! of its own (as one batch, on this machine) and with stream-agg's engine,
//! and prints a record for each difference: `before` is stream-agg's answer,
//! `after` is Spark's.
//!
//! ```sh
//! spark-render --pipeline pipeline.yaml --step w-minutes --check-run sample.ndjson --python spark/bin/python
//! ```
//!
//! # Names
//! Whatever stands in the document is data of the job, in one variable at its top,
//! in ASCII: no name becomes code. Secrets are read where the document says,
//! when the job starts; on Kubernetes from a Secret with the job's name, the
//! variable's name its key (`kafka`, if it is a file). Settings have librdkafka's
//! names and are given to the Java client by its own.
//!
//! # Kubernetes
//! There is no operator: a Deployment with one pod, or with `--once` a Job. The
//! pod is the driver; it starts executors through the API, in its namespace, by
//! a service account of its own. The checkpoint must be somewhere all of them
//! can write to, as s3a: or a shared file system.
//!
//! # Exit status
//! 0 rendered, or the answers are the same. 1 they differ. 2 the document is wrong, has no such step, or asks for what
//! the job cannot do. 3 a file could not be written, or Spark failed.

mod check;
mod kubernetes;
mod render;
mod step;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use cli::{Answer, Context, Input, Out};
use files::Attributes;
use model::WantedFile;

use crate::render::Place;
use crate::step::Step;

/// Render the Spark job of a step of windows
#[derive(Parser)]
struct Args {
    /// The pipeline document
    #[arg(long, value_name = "FILE")]
    pipeline: Input,
    /// The step of windows
    #[arg(long, value_name = "NAME")]
    step: String,
    /// Print this file
    #[arg(long, value_name = "KIND", default_value = "job")]
    file: Kind,
    /// Write all files into DIR
    #[arg(long, value_name = "DIR", conflicts_with_all = ["file", "json"])]
    out: Option<PathBuf>,
    /// Print all files as records
    #[arg(long, conflicts_with = "file")]
    json: bool,
    /// Which rows are late
    #[arg(long, value_name = "RULE", default_value = "row")]
    late: Judge,
    /// What numbers in the field of time count, since 1970
    #[arg(long, value_name = "UNIT")]
    time_unit: Option<Unit>,
    /// The version of Spark
    #[arg(long, value_name = "VERSION", default_value = "4.2.0", value_parser = version)]
    spark: String,
    /// Where the job keeps what it has read and what is open [default: below /var/lib/bareplane]
    #[arg(long, value_name = "URL")]
    checkpoint: Option<String>,
    /// The image of driver and executors on Kubernetes [default: apache/spark:VERSION-python3]
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// How many executors there are on Kubernetes
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    executors: u32,
    /// End where the topics end, instead of never
    #[arg(long)]
    once: bool,
    /// Compute the lines of FILE with the job and with stream-agg's engine, and tell what differs
    #[arg(long, value_name = "FILE", conflicts_with_all = ["file", "json", "out"])]
    check_run: Option<PathBuf>,
    /// The Python with Spark in it, for --check-run
    #[arg(long, value_name = "PROGRAM", default_value = "python3", requires = "check_run")]
    python: PathBuf,
    /// How long the job may take then
    #[arg(long, value_name = "TIME", default_value = "10m", requires = "check_run")]
    timeout: cli::Duration,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// The Python file.
    Job,
    /// The shell file that submits it.
    Submit,
    /// The manifest.
    Kubernetes,
}

/// Which rows are late.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Judge {
    /// Those behind the rows before them in their partition, as with stream-agg.
    Row,
    /// Those behind the batches before theirs, as with Spark.
    Batch,
}

impl Judge {
    fn word(self) -> &'static str {
        match self {
            Self::Row => "row",
            Self::Batch => "batch",
        }
    }
}

/// What a number that is a time counts.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Unit {
    /// Seconds.
    S,
    /// Milliseconds.
    Ms,
    /// Microseconds.
    Us,
}

impl Unit {
    fn word(self) -> &'static str {
        match self {
            Self::S => "s",
            Self::Ms => "ms",
            Self::Us => "us",
        }
    }

    /// How many microseconds one is.
    fn us(self) -> i128 {
        match self {
            Self::S => 1_000_000,
            Self::Ms => 1000,
            Self::Us => 1,
        }
    }
}

fn version(text: &str) -> Result<String, String> {
    let parts: Vec<_> = text.split('.').collect();
    let number =
        |part: &&str| (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_one = parts.len() == 3 && parts.iter().all(number) && parts[0] == "4";
    if is_one { Ok(text.to_owned()) } else { Err(format!("`{text}` is no version such as 4.2.0")) }
}

fn main() -> ExitCode {
    cli::main(&cli::tool!(), run)
}

fn run(args: &Args, out: &mut Out) -> cli::Result {
    let document = args.pipeline.pipeline()?;
    let step =
        Step::new(&document, &args.step, args.late, args.time_unit, &format!("reading {}", args.pipeline))?;
    if let Some(sample) = &args.check_run {
        let ours = check::ours(&step, args.time_unit, sample)?;
        let sparks = check::sparks(&step, &render::job(&step), &args.python, sample, *args.timeout)?;
        let told = check::differences(&step, &ours, &sparks);
        told.iter().try_for_each(|difference| out.emit(difference))?;
        return Ok(Answer::from(told.is_empty()));
    }
    let own = format!("file:/var/lib/bareplane/{}", step.name);
    let image = format!("apache/spark:{}-python3", args.spark);
    let place = Place {
        spark: &args.spark,
        checkpoint: args.checkpoint.as_deref().unwrap_or(&own),
        image: args.image.as_deref().unwrap_or(&image),
        executors: args.executors,
        once: args.once,
    };
    let file = |kind: Kind| match kind {
        Kind::Job => ("py", "0755", render::job(&step)),
        Kind::Submit => ("sh", "0755", render::submit(&step, &place)),
        Kind::Kubernetes => ("yaml", "0644", kubernetes::manifest(&step, &place)),
    };
    if args.out.is_none() && !args.json {
        out.write(file(args.file).2.as_bytes())?;
        return Ok(Answer::Yes);
    }
    for (ending, mode, content) in [Kind::Job, Kind::Submit, Kind::Kubernetes].map(file) {
        let name = format!("{}.{ending}", step.name);
        let Some(folder) = &args.out else {
            let sha256 = files::sha256_hex(content.as_bytes());
            let path = format!("/etc/bareplane/spark/{name}");
            out.emit(&WantedFile { node: None, path, mode: mode.to_owned(), sha256, content })?;
            continue;
        };
        let path = folder.join(name);
        let doing = format!("writing {}", path.display());
        std::fs::create_dir_all(folder).doing(&doing)?;
        let mode = u32::from_str_radix(mode, 8).unwrap_or(0o644);
        files::replace(&path, content.as_bytes(), &Attributes::mode(mode)).doing(doing)?;
    }
    Ok(Answer::Yes)
}
