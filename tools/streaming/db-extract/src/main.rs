//! Extracts the rows of a database's table, one JSON object a line.
//!
//! A snapshot is the whole table in the order of its key. Incremental reading
//! gives what is new by a cursor: columns that grow with every change, such
//! as a time of change with the key behind it. With `--state` a run goes on
//! where the last one ended, however that ended.
//!
//! ```console
//! $ sqlite3 a.db "CREATE TABLE orders(id INTEGER PRIMARY KEY, amount DECIMAL, updated_at TEXT);"
//! $ sqlite3 a.db "INSERT INTO orders VALUES (1, 12.5, '2026-01-01 08:00:00'), (2, 7, '2026-01-01 08:00:30')"
//! $ db-extract --url sqlite:a.db --table orders --columns id,amount
//! {"id":1,"amount":12.5}
//! {"id":2,"amount":7}
//! $ db-extract --pipeline pipeline.yaml --step a-orders --state a.state
//! {"id":1,"amount":12.5,"updated_at":"2026-01-01 08:00:00"}
//! {"id":2,"amount":7,"updated_at":"2026-01-01 08:00:30"}
//! $ sqlite3 a.db "INSERT INTO orders VALUES (3, 1, '2026-01-01 08:00:29')"
//! $ db-extract --pipeline pipeline.yaml --step a-orders --state a.state
//! {"id":3,"amount":1,"updated_at":"2026-01-01 08:00:29"}
//! ```
//!
//! # Databases
//! - `sqlite:PATH`
//! - `postgres://USER@HOST:PORT/DATABASE`, all three modes
//! - `mysql://USER@HOST:PORT/DATABASE` for `MariaDB` and `MySQL`, all three modes
//!
//! The password comes from `--password`. A server that is not on this machine
//! must show a certificate of its name, by the system's authorities or those
//! of `?sslrootcert=FILE`; `?sslmode=disable` sends everything in clear.
//! `?host=/run/postgresql` goes by a socket.
//!
//! # Overlap
//! Transactions do not commit in the order of their times. With `--overlap 5s`
//! reading begins five seconds before the last row: a row that was committed
//! late is found, and those that were given are not given again, unless they
//! changed. Choose it longer than the longest transaction. The first column of
//! the cursor is then a time: text such as `2026-01-01 08:00:00` or RFC 3339,
//! always in the same form, or a number of seconds, milliseconds or
//! microseconds since 1970. Without `--overlap` reading goes on strictly behind
//! the last row. Rows whose cursor is null are never seen: where there are such,
//! the answer is no.
//!
//! # Change capture
//! `--mode cdc` gives the rows that are there, then every change in the order of
//! commits, until a signal comes, or with `--until now` until all is read that
//! was there when the run began:
//!
//! ```sh
//! db-extract --url postgres://app@db/shop --password file:pw --table orders --mode cdc --slot orders --state orders.state
//! ```
//!
//! Each is a record `row_change` with `op` r (was there), c, u, d or t (all rows
//! truncated), the row `before` and `after`, and where it comes from. A change is
//! in the rows that were there or comes after them, never both. `before` has what
//! the log has: in `PostgreSQL` the key alone, and that only where it changed,
//! unless the table has REPLICA IDENTITY FULL. Long values an update did not
//! touch are then missing in `after`, and their columns named in `unchanged`.
//!
//! - `PostgreSQL`: `wal_level` is logical, and `CREATE PUBLICATION orders FOR TABLE
//!   orders` was said. The first run makes the slot; `SELECT
//!   pg_drop_replication_slot('orders')` ends it, or the server keeps its log for
//!   ever. An idle table lets the log go every `--heartbeat`. A slot that is lost
//!   ends the run at once: `wal_lost`.
//! - `MariaDB`, `MySQL`: `binlog_format` is ROW, `binlog_row_image` FULL, the user has
//!   REPLICATION SLAVE and REPLICATION CLIENT (BINLOG MONITOR), `--server-id` is
//!   no other replica's. A log that was removed too early: `binlog_purged`.
//!
//! # Exactly once
//! The state says which rows were given, and how many bytes they were. It is
//! written after the rows, never before; the database's log is let go after that.
//!
//! - `--out FILE`: each row is in FILE once. What a killed run wrote after its
//!   last state is cut off by the next.
//! - standard output: rows count as given once they are written. A run killed
//!   between rows and state gives these again: a reader that keeps them in a
//!   file cuts it to the `bytes` of the state before the next run, and has
//!   each once. What a pipe holds when its reader dies is lost to the reader:
//!   let a snapshot or an incremental run work on a copy of the state, and keep
//!   the copy once the whole pipe has ended well.
//! - `--ack`: rows count as given when the reader says so, on this command's
//!   standard input: a line with the number of rows it keeps, counted from the
//!   state's beginning. Rows it did not acknowledge are given again; nothing
//!   is lost. Output ends before the last acknowledgement is waited for; change
//!   capture waits for one whenever a transaction is out.
//!
//! The rows change capture begins with are given whole: killed in the middle of
//! them it begins with the first. Changes that come twice have the same `lsn` and
//! `seq`. A complete snapshot stays complete: running again with its state gives
//! nothing. Remove the state to begin anew.
//!
//! # Values
//! Whole numbers and decimals are JSON numbers with every digit, also beyond
//! 2^53: read them with something that keeps them. NaN and Infinity are text.
//! Bytes are base64. Text that is no UTF-8 is `{"b64":"…"}`. Times with a zone
//! are RFC 3339 in UTC, those without have no zone; zero dates, infinity and BC
//! are as the database writes them. JSON is JSON, but for `MariaDB`, where it is
//! text. Arrays are arrays; ranges, composites, intervals and all else are text.
//!
//! # Changed columns
//! Where a column is another than before, the run ends with status 2 and
//! `schema_changed`, before any row of the new kind. `--accept-schema` goes on.
//!
//! # Exit status
//! 0 all rows are out; a signal ended an endless run. 1 there are rows whose
//! cursor is null; the database holds more of its log than `--max-slot-bytes`
//! though all was read. 2 an argument, the document or the state is wrong, or
//! what is asked for is not there; the message has a word scripts can compare:
//! `auth`, `tls`, `no_such_table`, `no_such_column`, `no_publication`,
//! `slot_exists`, `schema_changed`, `wal_lost`, `binlog_purged`. 3 interrupted,
//! or the database, the state or the disk is not to be had (`network`, `locked`,
//! `deadline`, `partial`): run it again.
//!
//! # Notes
//! `PostgreSQL`, `MariaDB`: all rows of a run are of one moment. `SQLite`: in WAL
//! mode too; in other modes each batch is, so that writers wait for one batch at
//! most. A snapshot that is taken up later goes on behind the last row, with
//! rows as they are then. A transaction is given as it is read from the log,
//! however large; the state knows whole ones alone. uuid and inet
//! columns are not read from `MariaDB`'s binlog, nor compressed transactions from
//! `MySQL`'s.

mod ack;
mod job;
mod run;
mod state;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use cli::{Answer, Out};
use pipeline::{Secret, Span};

/// Extract the rows of a database's table
#[derive(Parser)]
struct Args {
    /// The database, such as sqlite:a.db or `postgres://app@db/shop`, or where its URL is found: `env:NAME`, `file:PATH`
    #[arg(long, value_name = "URL", required_unless_present = "pipeline")]
    url: Option<String>,
    /// Where the password is found: `env:NAME` or `file:PATH`
    #[arg(long, value_name = "WHERE")]
    password: Option<Secret>,
    /// The table or view
    #[arg(long, value_name = "TABLE", required_unless_present = "pipeline")]
    table: Option<String>,
    /// Its columns [default: all]
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    columns: Vec<String>,
    /// How it is read
    #[arg(long, value_name = "MODE", default_value = "snapshot")]
    mode: Mode,
    /// The columns incremental reading goes by, most significant first
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    cursor: Vec<String>,
    /// How far before the last row incremental reading begins again
    #[arg(long, value_name = "TIME", default_value = "0s")]
    overlap: Span,
    /// The replication slot of change capture (`PostgreSQL`)
    #[arg(long, value_name = "NAME")]
    slot: Option<String>,
    /// The publication of change capture (`PostgreSQL`)
    #[arg(long, value_name = "NAME")]
    publication: Option<String>,
    /// Our number among the server's replicas (`MySQL`, `MariaDB`)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    server_id: Option<u32>,
    /// Take all of this from a source of this document
    #[arg(long, value_name = "FILE", requires = "step",
        conflicts_with_all = ["url", "password", "table", "columns", "mode", "cursor", "overlap",
            "slot", "publication", "server_id"])]
    pipeline: Option<cli::Input>,
    /// The source's name
    #[arg(long, value_name = "NAME", requires = "pipeline")]
    step: Option<String>,
    /// Keep in FILE how far reading came, and go on from it
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Write to FILE instead of standard output
    #[arg(long, value_name = "FILE", conflicts_with = "ack")]
    out: Option<PathBuf>,
    /// Rows count as given when the reader says so on standard input
    #[arg(long, requires = "state")]
    ack: bool,
    /// Go on although columns changed
    #[arg(long)]
    accept_schema: bool,
    /// When change capture ends [default: when a signal comes]
    #[arg(long, value_name = "WHEN")]
    until: Option<Until>,
    /// How often an idle table lets the database's log go
    #[arg(long, value_name = "TIME", default_value = "10s")]
    heartbeat: Span,
    /// Answer no if the database holds more of its log for us although all was read
    #[arg(long, value_name = "SIZE")]
    max_slot_bytes: Option<pipeline::Size>,
    /// How many rows are read at once, and go out before the state is kept
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    batch: u32,
    /// Give no more rows a second
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Give up after so long
    #[arg(long, value_name = "TIME")]
    timeout: Option<Span>,
    #[command(flatten)]
    metrics: cli::Metrics,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// The whole table.
    Snapshot,
    /// What is new.
    Incremental,
    /// The whole table, then every change.
    Cdc,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Until {
    /// Where the log ends when the run begins.
    Now,
}

fn main() -> ExitCode {
    cli::main(&cli::tool!(), run)
}

fn run(args: &Args, out: &mut Out) -> cli::Result {
    let job = job::Job::of(args)?;
    let mut counts = run::Counts::default();
    let went = run::run(&job, args, out, &mut counts);
    cli::note(counts.to_string());
    args.metrics.write(&counts.metrics())?;
    let answer = went?;
    if let Some(column) = &counts.unseen {
        cli::warn(format!("{}: rows whose {column} is null were not seen", job.wanted.table));
    }
    Ok(if counts.unseen.is_some() { Answer::No } else { answer })
}
