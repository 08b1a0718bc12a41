//! Turns what keepalived reports into ordered events.
//!
//! Reads keepalived's notify FIFO and prints one record a line it reads,
//! with the state before, and whether the instance changes too often. Runs
//! hooks one after the other, in the order of the events: keepalived starts
//! its own notify scripts all at once, so that the last one to finish may be
//! the first one started.
//!
//! ```console
//! $ (echo 'INSTANCE "VI_1" BACKUP 100'; echo 'INSTANCE "VI_1" MASTER 100') | ha-notify
//! {"record":"vrrp-event","time":"[..]Z","scope":"instance","name":"VI_1","from":null,"to":"backup","priority":100,"flap":false}
//! {"record":"vrrp-event","time":"[..]Z","scope":"instance","name":"VI_1","from":"backup","to":"master","priority":100,"flap":false}
//! ```
//!
//! keepalived starts it, and gives it the path of its FIFO as the last
//! argument, or calls it as a notify script with four arguments:
//!
//! ```sh
//! $ cat /etc/keepalived/keepalived.conf
//! global_defs {
//!     vrrp_notify_fifo /run/keepalived.fifo
//!     vrrp_notify_fifo_script "/usr/bin/ha-notify --state-file /run/vrrp.json --fifo"
//! }
//! vrrp_instance VI_1 {
//!     notify "/usr/bin/ha-notify --state-file /run/vrrp.json --hook MASTER=/etc/keepalived/master"
//! }
//! ```
//!
//! # Hooks
//! `--hook STATE=COMMAND` runs COMMAND at each event of that state, in
//! keepalived's words (MASTER, BACKUP, FAULT, STOP, DELETED,
//! `MASTER_RX_LOWER_PRI`, `MASTER_PRIORITY`, `BACKUP_PRIORITY`, UP, DOWN; ANY
//! is every one). COMMAND is split at blanks, and there is no way to quote:
//! no shell reads it. What needs more is a script of its own. Its environment
//! says what happened: `VRRP_SCOPE`, `VRRP_NAME`, `VRRP_STATE`, `VRRP_FROM`
//! (empty if not known), `VRRP_PRIORITY` (empty for groups and servers), `VRRP_FLAP` (0
//! or 1), `VRRP_TIME`. One that fails or takes longer than `--hook-timeout`
//! is reported, and the next one runs.
//!
//! # Ending
//! Ends when keepalived closes the FIFO. keepalived sends SIGTERM to its
//! reader before it writes the STOP lines: after a signal it goes on reading
//! until every instance has stopped, at most 500 ms.
//!
//! # Files
//! - `--state-file`: one JSON object, replaced whole at each event; `vip-status`
//!   counts transitions in it. FILE.lock beside it keeps two runs apart.
//! - `--reject`: one JSON object a line that could not be read: its number,
//!   the reason, its text. Without it such a line ends the run (status 2).
//!
//! # Exit status
//! - 0: keepalived stopped, or the input ended.
//! - 1: a hook failed, with `--strict`.
//! - 2: bad usage, a line that is no event (without `--reject`), no FIFO.
//! - 3: another reader holds the FIFO or the state file; there is no FIFO yet.
//!
//! # Notes
//! As a notify script it does not know the order of events that keepalived
//! reports at the same time; runs that share a state file wait for one
//! another. The FIFO is the better form.

mod hook;
mod ledger;
mod lines;
mod reader;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use cli::{Answer, Context, Error, Out};
use keepalived::Event;

/// Turn what keepalived reports into ordered events, hooks, state
#[derive(Parser)]
struct Args {
    /// The arguments of a notify script: INSTANCE|GROUP, name, state, priority [default: read lines]
    #[arg(num_args = 4, value_names = ["KIND", "NAME", "STATE", "PRIORITY"], conflicts_with = "fifo")]
    event: Vec<String>,
    /// Read keepalived's notify FIFO [default: standard input]
    #[arg(long, value_name = "FILE")]
    fifo: Option<PathBuf>,
    /// Keep what is known of every instance in FILE
    #[arg(long, value_name = "FILE")]
    state_file: Option<PathBuf>,
    /// Run COMMAND at each event of STATE (or ANY); may be given several times
    #[arg(long = "hook", value_name = "STATE=COMMAND")]
    hooks: Vec<hook::Hook>,
    /// How long a hook may run
    #[arg(long, value_name = "TIME", default_value = "5s")]
    hook_timeout: cli::Duration,
    /// Answer 1 if a hook failed
    #[arg(long)]
    strict: bool,
    /// So many changes within such a time are too many
    #[arg(long, value_name = "COUNT/TIME", default_value = "4/60s")]
    flap: ledger::Flap,
    /// Write lines that are no events to FILE, and go on
    #[arg(long, value_name = "FILE")]
    reject: Option<PathBuf>,
    /// How long to wait for the FIFO to appear, and for other readers to leave
    #[arg(long, value_name = "TIME", default_value = "2s")]
    timeout: cli::Duration,
    #[command(flatten)]
    metrics: cli::Metrics,
}

fn main() -> ExitCode {
    cli::main(&cli::tool!(), run)
}

fn run(args: &Args, out: &mut Out) -> cli::Result {
    let mut reader = reader::Reader::new(args)?;
    let ended = match args.event.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [kind, name, state, priority] => {
            let doing = "reading keepalived's arguments";
            let event = Event::from_arguments([kind, name, state, priority]).invalid(doing)?;
            reader.lines = 1;
            reader.take(&event, out)
        }
        _ => reader.read(args, out),
    };
    reader.close(&args.metrics)?;
    ended?;
    Ok(Answer::from(!args.strict || reader.failed_hooks == 0))
}

/// Tries until it is done or the time is up; the last failure is told then.
fn patiently<T>(
    timeout: cli::Duration,
    doing: &str,
    mut attempt: impl FnMut() -> std::result::Result<Option<T>, Error>,
    why: &str,
) -> cli::Result<T> {
    let until = std::time::Instant::now() + *timeout;
    loop {
        if let Some(done) = attempt()? {
            return Ok(done);
        }
        if std::time::Instant::now() >= until {
            return Err(Error::unavailable(doing, why));
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
