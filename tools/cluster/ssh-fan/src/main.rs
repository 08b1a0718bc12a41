//! Runs a command or a script on many hosts at once, or copies files there.
//!
//! Hosts come as records, as `inventory nodes` prints them. Each gets a session
//! of the system's own ssh, many at once; what came of each is one record.
//! One that hangs, refuses or fails keeps nobody else from going on.
//!
//! ```sh
//! $ inventory nodes platform.yaml | ssh-fan run -- uptime
//! {"record":"ssh-result","host":"cp1","error":null,"rc":0,"signal":null,"timed_out":false,...
//! $ inventory nodes platform.yaml | ssh-fan copy node-prep /usr/local/bin/
//! $ inventory nodes platform.yaml | ssh-fan run --stdin platform.yaml --records -- node-prep apply --host {name}
//! $ inventory nodes platform.yaml | ssh-fan script --serial 1 --max-fail 0 upgrade.sh 1.36.3
//! $ inventory nodes platform.yaml | ssh-fan run --resume results.ndjson -- uptime
//! ```
//!
//! The words after `--` arrive as they are, whatever they hold; `{name}`,
//! `{ip}`, `{ip6}`, `{roles}`, `{interface}`, `{os}`, `{kubernetes}` and
//! `{cluster}` stand for the host's own values (`{{` for a brace). With `--raw`
//! they are a line of shell instead, and nothing is filled in.
//!
//! A host nobody has is told before anything runs, as is one whose record
//! lacks a value:
//!
//! ```console
//! $ inventory select role=worker platform.yaml | ssh-fan run -- echo {ip6} || echo $?
//! ssh-fan: filling in the command: w1 has no ip6
//! ssh-fan: filling in the command: w2 has no ip6
//! 2
//! ```
//!
//! # Sessions
//!
//! The host's key must be known (`StrictHostKeyChecking=yes`); nothing is
//! asked (`BatchMode=yes`); nothing is forwarded. Without `--ssh-config` the
//! address, port, user and key are the record's; with it the host's name is
//! looked up there. `--control-path DIR --keep 1m` leaves connections open for
//! the next run. What ends with `--host-timeout` here is ended there two
//! seconds later, where the host has timeout(1).
//!
//! # Results
//!
//! `error` is null where the command ended with 0; else refused, unreachable,
//! host-key, auth, hung-up (no session came about), dropped (the connection
//! was lost in the middle), timeout, host-failed (the command failed: `rc`),
//! output (what it printed could not be kept as asked), ssh or skipped.
//! `--resume FILE` leaves out the hosts whose last record in FILE has no error.
//!
//! With `--records` the records the command prints are passed on, with `host`
//! as their second field, and other lines go to standard error; an ssh-result
//! without output follows them.
//!
//! # Copies
//!
//! Files are compared by SHA-256 and mode first; what differs is sent, checked
//! and renamed into place, so that a file there is the old one or the new one.
//! `changed` says whether anything was written.
//!
//! # Exit status
//!
//! 0 all succeeded (or there were none), 1 some failed, 2 bad usage or input,
//! 3 no host could be reached.

mod command;
mod copy;
mod fan;
mod judge;
mod options;
mod remote;
mod session;

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use cli::{Answer, Context, Error, Input, Out};
use model::{HostEntry, SshResult};
use process::Stop;

use crate::command::Command;
use crate::copy::Copy;
use crate::fan::{Errand, Fan, Tally};
use crate::options::{Pace, Reach};
use crate::session::Sessions;

/// Run a command or a script on many hosts at once, or copy files there
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run a command
    Run {
        #[command(flatten)]
        common: Common,
        /// Feed the command this file
        #[arg(long, value_name = "FILE")]
        stdin: Option<Input>,
        /// Pass on the records the command prints
        #[arg(long)]
        records: bool,
        /// The words are a line for the far shell
        #[arg(long)]
        raw: bool,
        /// The command
        #[arg(required = true, last = true, value_name = "COMMAND")]
        words: Vec<String>,
    },
    /// Run a script of this machine
    Script {
        #[command(flatten)]
        common: Common,
        /// Pass on the records the script prints
        #[arg(long)]
        records: bool,
        /// The script
        file: Input,
        /// Its arguments
        #[arg(trailing_var_arg = true)]
        arguments: Vec<String>,
    },
    /// Copy files and directories
    Copy {
        #[command(flatten)]
        common: Common,
        /// What to copy, then where to; into a directory if that ends with `/` or there are several
        #[arg(required = true, num_args = 2.., value_names = ["SOURCE", "TARGET"])]
        paths: Vec<PathBuf>,
    },
}

#[derive(Args)]
struct Common {
    #[command(flatten)]
    pace: Pace,
    #[command(flatten)]
    reach: Reach,
}

/// What is kept of a stream, bytes; and of one that holds records.
const OUTPUT_BYTES: usize = 256 << 10;
const RECORD_BYTES: usize = 64 << 20;

fn main() -> ExitCode {
    cli::main(&cli::tool!(), run)
}

fn run(args: &Cli, out: &mut Out) -> cli::Result {
    match &args.verb {
        Verb::Run { common, stdin, records, raw, words } => {
            if stdin.as_ref().is_some_and(|stdin| *stdin == Input::Stdin && common.pace.hosts == Input::Stdin)
            {
                let error =
                    Error::invalid("reading standard input", "hosts and --stdin cannot both come from there");
                return Err(error.hint("give the hosts with --hosts FILE"));
            }
            let hosts = hosts(&common.pace)?;
            let command = Command::new(words, *raw, stdin.as_ref(), *records)?;
            command.check(&hosts)?;
            visit(common, &hosts, command, *records, out)
        }
        Verb::Script { common, records, file, arguments } => {
            let hosts = hosts(&common.pace)?;
            let command = Command::script(file, arguments, *records)?;
            command.check(&hosts)?;
            visit(common, &hosts, command, *records, out)
        }
        Verb::Copy { common, paths } => {
            let hosts = hosts(&common.pace)?;
            let (target, sources) =
                paths.split_last().ok_or_else(|| Error::invalid("copying", "nowhere to go"))?;
            visit(common, &hosts, Copy::read(sources, &target.to_string_lossy())?, true, out)
        }
    }
}

/// The hosts to visit: those named, without those an earlier run was done with.
fn hosts(pace: &Pace) -> cli::Result<Vec<HostEntry>> {
    let mut hosts: Vec<HostEntry> = pace.hosts.records()?.collect::<cli::Result<_>>()?;
    let mut seen = HashSet::new();
    if let Some(twice) = hosts.iter().find(|host| !seen.insert(&host.name)) {
        return Err(Error::invalid(format!("reading {}", pace.hosts), format!("{} comes twice", twice.name)));
    }
    let mut done = HashSet::new();
    for line in pace.resume.iter().map(Input::records::<serde_json::Value>) {
        for record in line? {
            // Other records of --records stand in between.
            let Ok(result) = serde_json::from_value::<SshResult>(record?) else { continue };
            if result.error.is_none() {
                done.insert(result.host);
            } else {
                done.remove(&result.host);
            }
        }
    }
    hosts.retain(|host| !done.contains(&host.name));
    Ok(hosts)
}

fn visit(
    common: &Common,
    hosts: &[HostEntry],
    errand: impl Errand,
    whole: bool,
    out: &mut Out,
) -> cli::Result {
    let stop = Stop::on_signals().unavailable("catching signals")?;
    let reach = &common.reach;
    for directory in [&reach.control_path, &reach.output_dir].into_iter().flatten() {
        fs::create_dir_all(directory).doing(format!("making {}", directory.display()))?;
    }
    let logs = tempfile::tempdir().unavailable("making a directory for ssh's messages")?;
    let limit_output = reach.limit_output.unwrap_or(if whole { RECORD_BYTES } else { OUTPUT_BYTES });
    let sessions = Sessions { reach, logs: logs.path(), limit_output };
    let tally = Fan::new(hosts, &common.pace, sessions, errand, out).run(&stop)?;
    answer(tally)
}

fn answer(tally: Tally) -> cli::Result {
    let Tally { hosts, failed, unreachable, skipped } = tally;
    if failed == 0 {
        return Ok(Answer::Yes);
    }
    if unreachable == hosts {
        return Err(Error::unavailable("reaching the hosts", format!("none of {hosts} let us in")));
    }
    cli::warn(format!("{failed} of {hosts} hosts failed: {unreachable} unreachable, {skipped} skipped"));
    Ok(Answer::No)
}
