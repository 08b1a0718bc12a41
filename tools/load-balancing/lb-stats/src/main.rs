//! Asks haproxy how its servers are.
//!
//! Reads the runtime API of haproxy: its stats socket (`--socket`), or its
//! master socket (`--master`), which passes questions on to the worker and
//! knows of processes too. `show` prints one record a server, `workers` one a
//! process, `metrics` one a number for zbx-send and the like. `--assert` turns
//! what they say into a status. `drain`, `maint` and `ready` take a server out
//! and put it back.
//!
//! ```console
//! $ lb-stats --socket missing.sock --assert 'up(apiservers) >= 2' || echo "status $?"
//! lb-stats: asking missing.sock: no such file or directory
//! status 3
//! ```
//!
//! On a balancer:
//!
//! ```sh
//! $ lb-stats --socket /run/haproxy/admin.sock --assert 'up(apiservers) >= 2'
//! $ lb-stats --master /run/haproxy-master.sock --assert 'old_workers() == 0 && failed_reloads() == 0'
//! $ lb-stats drain apiservers/cp1 --socket /run/haproxy/admin.sock --wait-sessions 0 --timeout 60s
//! $ lb-stats metrics --socket /run/haproxy/admin.sock | zbx-send --server zabbix.lan
//! ```
//!
//! # Assertions
//! Each `--assert` prints a finding, and one that does not hold makes the status 1.
//! It compares numbers with `>=`, `<=`, `>`, `<`, `==`, `!=`, and statuses with `==` and
//! `!=`; `&&`, `||`, `!` and parentheses join comparisons. `=` means `==`.
//! Where a function takes B, a backend, nothing means all of them; where it takes B/S, B
//! alone means the sum over its servers.
//!
//! - `up(B)`: servers that get new sessions (up, or never checked)
//! - `down(B)`, `drain(B)`, `maint(B)`: servers in that status
//! - `total(B)`: servers
//! - `sessions(B/S)`: sessions now
//! - `rate(B/S)`: new sessions in the last second
//! - `failures(B/S)`: failed health checks since the process began
//! - `downtime(B/S)`: seconds
//! - `status(B/S)`: `up`, `down`, `drain`, `maint`, `stopping`, `unchecked` or `unknown`
//! - `workers()`, `old_workers()`: processes, asked of `--master`
//! - `oldest()`: seconds since the oldest old worker was started, 0 without one
//! - `failed_reloads()`: reloads in a row that failed
//!
//! A backend or server that does not exist makes an assertion invalid (status 2).
//!
//! With `--typed FILE` the servers are read from a saved answer to haproxy's command
//! `show stat -1 4 -1 typed`, such as one fetched from another machine.
//!
//! # In and out of service
//! `drain B/S` gives the server no new sessions, `maint B/S` also stops its checks,
//! `ready B/S` puts it back. A server that is so already is left alone: status 0, no
//! record. `--wait-sessions N` then waits until it has at most N sessions, up to
//! `--timeout`; if they stay, the answer is 1, and the server stays as it was made.
//! haproxy forgets all this when it reloads, unless it keeps a state file.
//!
//! # Exit status
//! 0 done, or all assertions hold. 1 one does not hold, or sessions were left at the
//! deadline. 2 an assertion or a name makes no sense. 3 the socket is not there, or
//! does not answer sense in time.

mod expression;
mod metrics;
mod switch;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, Subcommand};
use cli::{Answer, Context, Error};
use haproxy::{LbServer, LbWorker, Socket, State};

use crate::expression::{Expression, Known};
use crate::switch::Name;

/// Ask haproxy how its servers are
#[derive(Debug, Parser)]
struct Args {
    /// haproxy's stats socket
    #[arg(long, value_name = "SOCKET", global = true)]
    socket: Option<PathBuf>,
    /// haproxy's master socket
    #[arg(long, value_name = "SOCKET", global = true)]
    master: Option<PathBuf>,
    /// Read a saved answer to `show stat -1 4 -1 typed` instead of asking; `-` is standard input
    #[arg(long, value_name = "FILE", global = true, conflicts_with = "socket")]
    typed: Option<cli::Input>,
    /// Answer no unless this holds, such as `up(apiservers) >= 2`; may be repeated
    #[arg(long = "assert", value_name = "EXPRESSION", global = true)]
    assertions: Vec<Expression>,
    /// How long all of it may take
    #[arg(long, value_name = "DURATION", default_value = "5s", global = true)]
    timeout: cli::Duration,
    /// Write the metrics to FILE as well, as a Prometheus textfile
    #[arg(long = "metrics", value_name = "FILE", global = true)]
    metrics_file: Option<PathBuf>,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print one record a server
    Show {
        /// Only servers of this backend
        #[arg(long, value_name = "NAME")]
        backend: Option<String>,
    },
    /// Print one record a process
    Workers,
    /// Print one record a number
    Metrics,
    /// Give a server no new sessions
    Drain(Switch),
    /// Take a server out of service
    Maint(Switch),
    /// Put a server back into service
    Ready(Switch),
}

#[derive(Debug, clap::Args)]
struct Switch {
    /// The server, as BACKEND/SERVER
    #[arg(value_name = "BACKEND/SERVER")]
    name: Name,
    /// Wait until it has at most so many sessions
    #[arg(long, value_name = "COUNT")]
    wait_sessions: Option<u64>,
}

fn main() -> ExitCode {
    cli::main(&cli::tool!(), run)
}

fn run(args: &Args, out: &mut cli::Out) -> cli::Result {
    let haproxy = Haproxy::of(args)?;
    let answer = match &args.verb {
        Some(Verb::Show { backend }) => {
            haproxy.servers(backend.as_deref())?.iter().try_for_each(|server| out.emit(server))?;
            Answer::Yes
        }
        Some(Verb::Workers) => {
            haproxy.workers()?.iter().try_for_each(|worker| out.emit(worker))?;
            Answer::Yes
        }
        Some(Verb::Metrics) => {
            haproxy.measure()?.iter().try_for_each(|metric| out.emit(metric))?;
            Answer::Yes
        }
        Some(Verb::Drain(switch)) => switch::to(&haproxy, State::Drain, switch, out)?,
        Some(Verb::Maint(switch)) => switch::to(&haproxy, State::Maint, switch, out)?,
        Some(Verb::Ready(switch)) => switch::to(&haproxy, State::Ready, switch, out)?,
        None if args.assertions.is_empty() && args.metrics_file.is_none() => {
            haproxy.servers(None)?.iter().try_for_each(|server| out.emit(server))?;
            Answer::Yes
        }
        None => Answer::Yes,
    };
    if let Some(file) = &args.metrics_file {
        metrics::write(file, &haproxy.measure()?)?;
    }
    let holds = assert(&args.assertions, &haproxy, out)?;
    Ok(if holds { answer } else { Answer::No })
}

fn assert(assertions: &[Expression], haproxy: &Haproxy, out: &mut cli::Out) -> cli::Result<bool> {
    if assertions.is_empty() {
        return Ok(true);
    }
    let servers =
        if assertions.iter().any(Expression::asks_servers) { haproxy.servers(None)? } else { vec![] };
    let workers = if assertions.iter().any(Expression::asks_workers) { haproxy.workers()? } else { vec![] };
    let known = Known { servers: &servers, workers: &workers };
    let mut all = true;
    for assertion in assertions {
        let judged = assertion.judge(&known).invalid(format!("judging `{assertion}`"))?;
        all &= judged.status == model::Status::Pass;
        out.emit(&model::Finding { target: haproxy.name(), ..judged })?;
    }
    Ok(all)
}

/// Whom to ask, and until when.
#[derive(Debug)]
struct Haproxy {
    /// The stats socket; `None` if an answer was saved.
    stats: Option<Socket>,
    typed: Option<cli::Input>,
    master: Option<Socket>,
    deadline: Instant,
}

/// Far above the typed form of a thousand servers.
const TYPED_BYTES: u64 = 16 << 20;

impl Haproxy {
    fn of(args: &Args) -> cli::Result<Self> {
        let master = args.master.clone().map(Socket::new);
        let stats = match &args.typed {
            Some(_) => None,
            None => args.socket.clone().map(Socket::new).or_else(|| master.clone().map(Socket::worker)),
        };
        if stats.is_none() && args.typed.is_none() {
            return Err(Error::invalid("reading arguments", "whom to ask is not said")
                .hint("--socket /run/haproxy/admin.sock, or --master for the master socket"));
        }
        Ok(Self { stats, typed: args.typed.clone(), master, deadline: Instant::now() + *args.timeout })
    }

    fn name(&self) -> String {
        match (&self.stats, &self.typed) {
            (Some(stats), _) => stats.path().display().to_string(),
            (None, typed) => typed.as_ref().map(ToString::to_string).unwrap_or_default(),
        }
    }

    fn stats(&self) -> cli::Result<&Socket> {
        let why = "a saved answer cannot be changed";
        self.stats.as_ref().ok_or_else(|| Error::invalid("reading arguments", why).hint("name the --socket"))
    }

    fn servers(&self, backend: Option<&str>) -> cli::Result<Vec<LbServer>> {
        let Some(typed) = &self.typed else {
            return self.stats()?.servers(backend, self.deadline).doing(format!("asking {}", self.name()));
        };
        let text = typed.read_text(TYPED_BYTES)?;
        let mut servers = haproxy::parse_servers(&text).invalid(format!("reading {typed}"))?;
        servers.retain(|server| backend.is_none_or(|backend| backend == server.backend));
        Ok(servers)
    }

    fn workers(&self) -> cli::Result<Vec<LbWorker>> {
        let master = self.master.as_ref().ok_or_else(|| {
            Error::invalid("reading arguments", "processes are known to the master socket alone")
                .hint("add --master, the path haproxy was given with -S")
        })?;
        master.processes(self.deadline).doing(format!("asking {}", master.path().display()))
    }

    fn measure(&self) -> cli::Result<Vec<model::Metric>> {
        let workers = if self.master.is_some() { self.workers()? } else { Vec::new() };
        Ok(metrics::of(&self.servers(None)?, &workers))
    }
}
