//! Loads rows into a table of a warehouse, each once.
//!
//! Reads one JSON object a line, checks every row against the table's columns,
//! and copies them in one transaction with a line in a ledger, so that the same
//! load again does nothing.
//!
//! ```sh
//! warehouse-load plan --url postgres://app@db/shop --table sales.orders --in orders.ndjson
//! warehouse-load apply --url postgres://app@db/shop --table sales.orders --in orders.ndjson
//! ```
//!
//! ```console
//! $ warehouse-load plan --url postgres://app@127.0.0.1:1/shop --table orders --in payments.ndjson || echo "status $?"
//! warehouse-load: reading orders in postgres://app@127.0.0.1:1/shop: network: error connecting to server: connection refused
//! status 3
//! ```
//!
//! `plan` reads and checks all rows, prints what the database would be asked
//! to do, and touches nothing. There is no undo: which rows were another's
//! before is not known afterwards. Restore a table from its backup.
//!
//! # Modes
//! `--mode append`, the default, adds the rows. `--mode merge --key id` puts
//! rows in the place of those with the same key: a unique index of the key has
//! to be there. Of rows with one key in one load the last is taken; rows that
//! are there with the same values are not written again.
//!
//! # Nothing twice
//! A load has a name: `--load-id`, or the SHA-256 of its rows. The ledger, a
//! table `bareplane_loads` in the target's schema, has a row for each load, of
//! the same transaction as the load's rows. A load that is in it is not made
//! again: the answer is 0, and the record says `already`. A name that is
//! there with other rows is refused: `load_changed`. Loads into one table come
//! one after the other.
//!
//! The transaction ends well only if the counts agree: rows read are those
//! copied and put aside, and rows copied are those found in the table. A
//! trigger that swallows rows is found by that: the answer is 1, and nothing
//! is loaded.
//!
//! # Lakes
//! `--lake URL --topic P` loads what lake-sink has committed, commit by commit,
//! each a load of its own called `lake:TOPIC/PARTITION/FROM-TO` by its offsets:
//! those that are in the ledger are passed over without reading them, so a run
//! every few minutes loads what is new. A file that is gone, or has other bytes
//! or rows than its commit says, ends the run. A step of the pipeline document
//! says the same:
//!
//! ```sh
//! lake-sink --pipeline pipeline.yaml --step lake --in topics --until end
//! warehouse-load apply --pipeline pipeline.yaml --step warehouse
//! ```
//!
//! # Columns
//! Fields go to the columns of their names. A field that is no column ends the
//! load with status 2 and `schema_changed`, and so does a value its column does
//! not hold, with line and field; nothing is rounded, cut or dropped. A
//! missing field is null. Columns the database fills itself, by a default or an
//! identity, are loaded if the first row has them. With `--reject FILE` such
//! rows are put aside instead. A run that was killed may put rows aside that
//! the next one puts aside again.
//!
//! Numbers in text go into columns of numbers, so that all their digits are
//! kept. Bytes are base64. Times are RFC 3339; without a zone they are UTC.
//!
//! # Exit status
//! 0 loaded, or was loaded before; 1 `plan` has something to load, counts
//! differ, or more rows were rejected than `--max-reject` allows; 2 an
//! argument, the document, the table or, without `--reject`, a row is wrong:
//! `auth`, `no_such_table`, `no_such_column`, `schema_changed`,
//! `load_changed`; 3 a signal came, or the database is not to be had
//! (`network`, `locked`, `deadline`): run it again.

mod job;
mod load;
mod of_lake;
mod row;
mod sql;

use std::fs::File;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand, ValueEnum};
use cli::{Answer, Context, Error, Input, Out};
use database::Patience;
use database::load::Session;
use model::Load;
use pipeline::{Secret, Span};
use process::{Awaited, Stop};

use crate::job::{From, Job};
use crate::load::{Loader, Name, told};

/// Load rows into a table of a warehouse, each once
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Check all rows, and show what would be done
    Plan(Asked),
    /// Load them
    Apply(Asked),
}

#[derive(clap::Args)]
struct Asked {
    /// The database, such as `postgres://app@db/shop`, or where its URL is found: `env:NAME`, `file:PATH`
    #[arg(long, value_name = "URL", required_unless_present = "pipeline")]
    url: Option<String>,
    /// Where the password is found: `env:NAME` or `file:PATH`
    #[arg(long, value_name = "WHERE")]
    password: Option<Secret>,
    /// The table, as NAME or SCHEMA.NAME
    #[arg(long, value_name = "TABLE", required_unless_present = "pipeline")]
    table: Option<String>,
    /// What becomes of rows that are there already
    #[arg(long, value_name = "MODE", default_value = "append")]
    mode: Mode,
    /// The columns that make two rows the same
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    key: Vec<String>,
    /// Take all of this from a sink of this document
    #[arg(long, value_name = "FILE", requires = "step",
        conflicts_with_all = ["url", "password", "table", "key", "mode"])]
    pipeline: Option<Input>,
    /// The sink's name
    #[arg(long, value_name = "NAME", requires = "pipeline")]
    step: Option<String>,
    /// The rows: a file, or standard input if `-` [default: `-`, or the step's lake]
    #[arg(long = "in", value_name = "FILE")]
    input: Option<Input>,
    /// Load what a lake has committed instead: `file:PATH` or `s3://BUCKET/PREFIX`
    #[arg(long, value_name = "URL", conflicts_with_all = ["input", "pipeline"])]
    lake: Option<String>,
    /// The topic of the lake
    #[arg(long, value_name = "NAME", requires = "lake")]
    topic: Option<String>,
    /// What tells this load from others [default: the SHA-256 of its rows]
    #[arg(long, value_name = "ID", value_parser = load_id, conflicts_with = "lake")]
    load_id: Option<String>,
    /// The table that knows of all loads, in the schema of the other
    #[arg(long, value_name = "NAME", default_value = "bareplane_loads")]
    ledger: String,
    /// Add bad rows to FILE, with the reason
    #[arg(long, value_name = "FILE")]
    reject: Option<PathBuf>,
    /// Load nothing and answer no if more rows are rejected
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// They stay, and the new ones are beside them.
    Append,
    /// They are replaced.
    Merge,
}

fn load_id(text: &str) -> Result<String, String> {
    let fine = (1..=200).contains(&text.len()) && !text.chars().any(char::is_control);
    fine.then(|| text.to_owned())
        .ok_or_else(|| "a name is 1 to 200 characters, none of them control".to_owned())
}

fn main() -> ExitCode {
    cli::main(&cli::tool!(), run)
}

fn run(args: &Args, out: &mut Out) -> cli::Result {
    let (asked, applies) = match &args.verb {
        Verb::Plan(asked) => (asked, false),
        Verb::Apply(asked) => (asked, true),
    };
    let job = Job::of(asked)?;
    let limit = asked.timeout.map(|limit| Instant::now() + Duration::from(limit));
    let stop = Arc::new(Stop::on_signals().and_then(|stop| stop.at(limit)).doing("catching signals")?);
    let doing = format!("reading {} in {}", job.table, job.url);
    let patience = patience(&stop);
    let session = told(&doing, Session::open(&job.url, job.password.as_deref(), &patience))?;
    let target = told(&doing, session.table(&job.table))?;
    let rejects = asked.reject.as_deref().map(cli::Rejects::append).transpose()?;
    let loader = Loader {
        session,
        target,
        key: &job.key,
        ledger: &asked.ledger,
        rejects,
        max_reject: asked.max_reject,
        stop: &stop,
    };
    loader.check()?;
    let (answer, load) = match &job.from {
        From::Input(input) => of_input(loader, input, asked.load_id.clone(), applies, &stop, out)?,
        From::Lake { url, topic } => {
            let lake = of_lake::open(url, &asked.aws, &stop)?;
            of_lake::load(loader, &lake, url, topic.as_deref(), applies, out)?
        }
    };
    asked.metrics.write(&metrics(&load))?;
    say(&load);
    Ok(answer)
}

/// The database is waited for until a signal comes or time is up.
fn patience(stop: &Arc<Stop>) -> Patience {
    let stop = Arc::clone(stop);
    Patience::until(move || match stop.requested() {
        true if stop.is_over() => Some("deadline"),
        true => Some("interrupted"),
        false => None,
    })
}

/// An input that is read until the end is asked for.
fn awaited(input: &Input, stop: &Arc<Stop>) -> std::io::Result<Awaited<File>> {
    let file = match input {
        Input::Stdin => File::from(std::io::stdin().as_fd().try_clone_to_owned()?),
        Input::File(path) => File::open(path)?,
    };
    Ok(Awaited::new(file, stop))
}

/// A load of one input.
fn of_input(
    mut loader: Loader,
    input: &Input,
    id: Option<String>,
    applies: bool,
    stop: &Arc<Stop>,
    out: &mut Out,
) -> cli::Result<(Answer, Load)> {
    let mut name = Name { source: input.to_string(), id };
    let doing = format!("reading {input}");
    // What can be read twice has its name before it is copied.
    let hashed = || match input {
        Input::File(path) => {
            let file = File::open(path).doing(&doing)?;
            let regular = file.metadata().is_ok_and(|meta| meta.is_file());
            if regular { load::hash(file).doing(&doing).map(Some) } else { Ok(None) }
        }
        Input::Stdin => Ok(None),
    };
    if name.id.is_none() {
        name.id = hashed()?.as_deref().map(load::by_content);
    }
    let known = match &name.id {
        Some(id) => loader.known(&name.source, id)?,
        None => None,
    };
    let (answer, load) = if let Some(load) = known {
        if let Some(ours) = hashed()?.filter(|ours| *ours != load.sha256) {
            let why = format!("load_changed: the ledger has {} with other rows", load.load_id);
            return Err(Error::invalid(doing, why).hint(format!("theirs are {}, these {ours}", load.sha256)));
        }
        (Answer::Yes, load)
    } else {
        let mut feed = |take: &mut dyn FnMut(&ndjson::Line) -> cli::Result<()>| {
            load::lines(awaited(input, stop).doing(&doing)?, &doing, take)
        };
        if !applies {
            let plan = loader.plan(&name, &mut feed)?;
            out.emit(&plan)?;
            let load = Load { rows: plan.rows, rejected: plan.rejected, ..Load::default() };
            return Ok((Answer::No, load));
        }
        loader.apply(&name, &mut feed)?
    };
    if applies && answer == Answer::Yes {
        out.emit(&load)?;
    }
    Ok((answer, load))
}

fn say(load: &Load) {
    let Load { rows, inserted, updated, unchanged, superseded, rejected, already, .. } = load;
    let before = if *already { " (before)" } else { "" };
    cli::note(format!(
        "{rows} in = {inserted} inserted + {updated} updated + {unchanged} unchanged + {superseded} superseded + {rejected} rejected{before}"
    ));
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus counts in doubles")]
fn metrics(load: &Load) -> [(&'static str, &'static str, f64); 6] {
    [
        ("warehouse_load_in_total", "Rows read.", load.rows as f64),
        ("warehouse_load_inserted_total", "Rows that were new.", load.inserted as f64),
        ("warehouse_load_updated_total", "Rows that took another's place.", load.updated as f64),
        ("warehouse_load_unchanged_total", "Rows that were there already.", load.unchanged as f64),
        (
            "warehouse_load_superseded_total",
            "Rows a later one of the load took the place of.",
            load.superseded as f64,
        ),
        ("warehouse_load_rejected_total", "Rows put aside.", load.rejected as f64),
    ]
}
