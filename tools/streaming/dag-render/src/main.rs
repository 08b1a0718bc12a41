//! Renders the Airflow DAG of a pipeline.
//!
//! From the pipeline document comes one Python file for Airflow 3: a task for
//! each source (extract, clean, into its topic), for each step of windows, for
//! each sink, and for what is checked before and after. A task comes after those
//! that write the topics it reads. The same document always gives the same bytes.
//!
//! ```console
//! $ dag-render --out shop.py pipeline.yaml && sed -n 1p shop.py
//! """The pipeline shop, for Airflow 3.
//! $ dag-render --check shop.py pipeline.yaml && echo the same
//! the same
//! $ grep -c '"id": ' shop.py
//! 12
//! ```
//!
//! # What is tried again
//! Status 3 and signals are, after `delay`, then `backoff` times as long, and
//! so on, up to `retries` times (Airflow adds up to as much again, by chance).
//! Statuses 1 and 2 are answers, and 126 and 127 mean that there is no such
//! program: the task fails with its first try. What Spark answers says
//! nothing of that kind: it is tried again. A task that takes longer than
//! `timeout` is ended, first politely.
//!
//! # One at a time
//! A task holds a lock in the folder of its state, and so do its programs: one
//! that outlives its worker is not started a second time beside itself. They
//! are told to end when their worker dies. Sources and windows have a
//! transactional id of their own, so that of two on different machines the
//! older one is fenced.
//!
//! # Schedule
//! The document's `cron` in its `timezone`. When a DAG is unpaused Airflow runs the
//! latest time since `--start` that has passed, also without `catchup`.
//!
//! # Nothing lost
//! A source that reads incrementally has moved on only when its rows are in the
//! topic: if one of its programs fails, the next try begins where this one did,
//! and rows that were sent come again. `dedupe` of a step of windows counts them
//! once. Change capture has no end, so it is no task: run it as a service.
//! What checks a lake fails until the lake holds a first file.
//!
//! # On the workers
//! The commands are on the PATH, the document is at `--document`, and what the
//! document takes from variables is in their environment. The file holds no
//! secret, and none of what the document says becomes code, or a template of
//! Airflow's: it is data in three variables, in ASCII. Importing it asks neither
//! a database nor the network.
//!
//! A step with `engine: spark` runs what spark-render(1) wrote into `--spark`.
//!
//! # Exit status
//! 0 rendered, or the file is the same; 1 it is another; 2 the document is wrong, or has what no schedule can run; 3 the
//! file could not be written.

mod steps;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use cli::{Answer, Context, Error, Input, Out};
use files::Attributes;
use model::WantedFile;
use pipeline::{Mode, Pipeline};
use serde_json::{Value, json};

use crate::steps::{Place, Step};

/// Render the Airflow DAG of a pipeline
#[derive(Parser)]
struct Args {
    /// The pipeline document
    #[arg(value_name = "FILE", default_value = "-")]
    pipeline: Input,
    /// Write to FILE instead of standard output
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    out: Option<PathBuf>,
    /// Print the file as a record
    #[arg(long)]
    json: bool,
    /// Answer no if FILE is not what would be written
    #[arg(long, value_name = "FILE", conflicts_with_all = ["out", "json"])]
    check: Option<PathBuf>,
    /// Where the document is on the workers [default: /etc/bareplane/PIPELINE.yaml]
    #[arg(long, value_name = "FILE")]
    document: Option<String>,
    /// Where tasks keep what they keep, on the workers [default: /var/lib/bareplane/PIPELINE]
    #[arg(long, value_name = "DIR")]
    state: Option<String>,
    /// Where spark-render's files are, on the workers
    #[arg(long, value_name = "DIR", default_value = "/etc/bareplane/spark")]
    spark: String,
    /// The first day; runs that were missed since are made up for if the document says catchup
    #[arg(long, value_name = "DATE", default_value = "2026-01-01", value_parser = date)]
    start: String,
}

/// The DAG, beneath its variables.
const DAG: &str = include_str!("../templates/dag.py");

/// A DAG is no longer.
const LIMIT_BYTES: u64 = 16 << 20;

fn date(text: &str) -> Result<String, String> {
    let shape = text.bytes().map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
    let (month, day) = (text.get(5..7).unwrap_or_default(), text.get(8..10).unwrap_or_default());
    let is_one = shape.eq(*b"0000-00-00") && ("01"..="12").contains(&month) && ("01"..="28").contains(&day);
    if is_one {
        Ok(text.to_owned())
    } else {
        Err(format!("`{text}` is no day such as 2026-01-28; days go up to 28"))
    }
}

fn main() -> ExitCode {
    cli::main(&cli::tool!(), run)
}

fn run(args: &Args, out: &mut Out) -> cli::Result {
    let pipeline = args.pipeline.pipeline()?;
    let wrong = steps::unable(&pipeline);
    if !wrong.is_empty() {
        return Err(Error::invalid_all(format!("reading {}", args.pipeline), wrong));
    }
    for source in pipeline.sources.iter().filter(|source| source.mode == Mode::Cdc) {
        cli::warn(format!(
            "{} captures changes without end: it is no task; run it as a service",
            source.name
        ));
    }
    let name = &pipeline.name;
    let (document, state) = (format!("/etc/bareplane/{name}.yaml"), format!("/var/lib/bareplane/{name}"));
    let place = Place {
        document: args.document.as_deref().unwrap_or(&document),
        state: args.state.as_deref().unwrap_or(&state),
        spark: &args.spark,
    };
    let content = render(&pipeline, &steps::steps(&pipeline, &place), place.state, &args.start);
    if let Some(path) = &args.check {
        let there = files::read(path, LIMIT_BYTES).doing(format!("reading {}", path.display()))?;
        return Ok(Answer::from(there == content.as_bytes()));
    }
    match &args.out {
        Some(path) => {
            let doing = format!("writing {}", path.display());
            files::replace(path, content.as_bytes(), &Attributes::mode(0o644)).doing(doing)?;
        }
        None if args.json => {
            let (path, sha256) =
                (format!("/etc/bareplane/dags/{name}.py"), files::sha256_hex(content.as_bytes()));
            out.emit(&WantedFile { node: None, path, mode: "0644".to_owned(), sha256, content })?;
        }
        None => out.write(content.as_bytes())?,
    }
    Ok(Answer::Yes)
}

fn render(pipeline: &Pipeline, steps: &[Step], state: &str, start: &str) -> String {
    let name = &pipeline.name;
    let variable = |value: &Value| literal::python(value, 0);
    let schedule = variable(&schedule(pipeline, start));
    let steps = variable(&steps.iter().map(Step::value).collect());
    let (text, state) = (literal::python_text(name), literal::python_text(state));
    format!(
        "\"\"\"The pipeline {name}, for Airflow 3.\n\nRendered by dag-render: change the document, not this file. \
         What the document says stands in\nthese variables alone; below them all DAGs are the same.\n\"\"\"\n\n\
         NAME = {text}\nSTATE = {state}\nSCHEDULE = {schedule}\nSTEPS = {steps}\n\n{DAG}"
    )
}

/// When it runs: without a schedule only when it is triggered.
fn schedule(pipeline: &Pipeline, start: &str) -> Value {
    let seconds = |span: pipeline::Span| json!(span.ms.div_ceil(1000).max(1));
    match &pipeline.schedule {
        Some(schedule) => json!({
            "cron": schedule.cron,
            "timezone": schedule.timezone,
            "start": start,
            "catchup": schedule.catchup,
            "max_active": schedule.max_active,
            "retries": schedule.retries,
            "delay_s": seconds(schedule.delay),
            "backoff": schedule.backoff,
            "timeout_s": seconds(schedule.timeout),
        }),
        None => json!({
            "cron": null, "timezone": "UTC", "start": start, "catchup": false, "max_active": 1,
            "retries": 3, "delay_s": 30, "backoff": 2, "timeout_s": 1200,
        }),
    }
}
