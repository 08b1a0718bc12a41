//! Installs load balancer configurations, or leaves everything as it was.
//!
//! Reads `file` records, as `lb-render --json` prints them, and makes the
//! files of this node so. Before anything is touched, `haproxy -c` and
//! `keepalived -t` must accept what is new. Then the old content is kept in
//! a journal, the files are replaced, the daemons reload, and the service is
//! asked whether it still serves; if not, the old files come back and the
//! daemons reload again. What is already so is left alone.
//!
//! ```console
//! $ lb-apply plan --root . < lb1-files.ndjson; echo "status $?"
//! {"record":"change","target":"lb1","path":"/etc/sysctl.d/90-lb.conf","action":"create","before_sha256":null,"after_sha256":"[..]","diff":"[..]"}
//! status 1
//! $ lb-apply apply --root . < lb1-files.ndjson | grep -c '"ok":true'
//! 5
//! $ lb-apply apply --root . < lb1-files.ndjson; echo "status $?"
//! status 0
//! $ lb-apply undo --root . > undone.ndjson; echo "status $?"
//! status 0
//! ```
//!
//! On a balancer, with a way back if the change cuts you off:
//!
//! ```sh
//! $ lb-render platform.yaml --node lb1 --json | lb-apply apply \
//!     --haproxy-master /run/haproxy-master.sock --keepalived-pid /run/keepalived.pid \
//!     --verify-url https://10.0.0.100:6443/readyz --cacert ca.crt --min-up 2 --confirm-within 60s
//! $ lb-apply confirm
//! ```
//!
//! # Files
//!
//! A file named `haproxy.cfg` or `keepalived.conf` belongs to that daemon;
//! others are installed and need no reload here. A new file belongs to who
//! writes it, an existing one keeps its owner. Journals are directories
//! `/var/lib/bareplane/undo/lb-apply/N`, readable by their owner alone. Two
//! balancers on one file system need a `--journal` each.
//!
//! # Steps
//!
//! Each is a record as soon as it ends: lock, recover (an earlier run that
//! was killed is taken back), reach (the daemons answer), stage, validate,
//! diff, guard, install, reload, verify, rollback. haproxy reloads through
//! its master socket and must show a new worker and no failed reload.
//! keepalived gets HUP only for a file that `keepalived -t` answered 0 for.
//!
//! # Confirming
//!
//! With `--confirm-within` a second process, `lb-apply guard`, is started in
//! a session of its own before the first file is written, so that it
//! outlives the terminal. It takes the change back if `lb-apply confirm` did
//! not come in time (counted from the end of the verification), or
//! if it is asked to end. If it is killed, the next `lb-apply` takes the
//! change back. What it did is in `guard.log` beside the journal.
//!
//! # Exit status
//!
//! 0 applied, or nothing to change (then there are no records). 1 `plan`
//! found something to change; the old files are back and serve
//! (`"error":"rolled-back"`), or they do not serve either or could not be put back
//! (`"rollback-failed"`); `undo` found a file changed by somebody else
//! (`"changed-since"`) or the service does not verify after it (`"verify"`);
//! `confirm` found nothing that waits. 2 the files do not
//! validate (`"validate"`), or the input is damaged: nothing was touched.
//! 3 somebody else is at it (`"locked"`), an earlier change waits to be
//! confirmed (`"unconfirmed"`), or a daemon does not answer
//! (`"unreachable"`): nothing was touched.
//!
//! # Notes
//!
//! A stream that breaks off between two records cannot be told from a
//! whole one: use `set -o pipefail`, and a renderer that prints all or nothing.
//! `--root` installs below another directory; the daemons that validate are
//! still this machine's, and see its own interfaces and certificates.

mod apply;
mod guard;
mod input;
mod job;
mod patience;
mod service;
mod undo;
mod validate;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use change::{Tree, Writer};
use clap::{Args, Parser, Subcommand};
use cli::{Answer, Context, Input};
use process::Stop;

/// Install load balancer configurations, or leave everything as it was
#[derive(Parser)]
struct Command {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Print what would change
    Plan {
        #[command(flatten)]
        what: What,
        #[command(flatten)]
        place: Place,
    },
    /// Make the files so, reload, verify; take everything back if that fails
    Apply(Apply),
    /// Put back what the last apply, or the one with this number, replaced
    Undo {
        /// The number of the journal
        id: Option<u64>,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        service: service::Service,
    },
    /// Keep a change that waits to be confirmed
    Confirm {
        #[command(flatten)]
        place: Place,
        /// Keep the journals of the last N changes
        #[arg(long, value_name = "N", default_value_t = 5)]
        keep: usize,
    },
    /// Take a change back unless it is confirmed (started by apply)
    #[command(hide = true)]
    Guard {
        /// The number of the journal
        id: u64,
        /// How long to wait for the confirmation
        #[arg(long, value_name = "TIME")]
        confirm_within: cli::Duration,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        service: service::Service,
    },
}

#[derive(Args)]
struct Apply {
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    service: service::Service,
    /// Keep the journals of the last N changes
    #[arg(long, value_name = "N", default_value_t = 5)]
    keep: usize,
    /// Take the change back by itself unless `lb-apply confirm` comes within TIME
    #[arg(long, value_name = "TIME")]
    confirm_within: Option<cli::Duration>,
}

#[derive(Args)]
struct What {
    /// File records to read, `-` for standard input
    #[arg(default_value = "-", value_name = "FILE")]
    input: Input,
    /// Take the files of this node
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
}

/// Where files, journals and the lock are.
#[derive(Args, Clone)]
struct Place {
    /// Work on the tree below DIR
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
    /// Keep the journals in DIR, a path of the tree
    #[arg(long, value_name = "DIR", default_value = "/var/lib/bareplane/undo/lb-apply")]
    journal: PathBuf,
    /// Take this lock instead of the one beside the journals
    #[arg(long, value_name = "FILE")]
    lock: Option<PathBuf>,
}

impl Place {
    fn tree(&self, node: &str) -> cli::Result<Tree> {
        let root = self.root.canonicalize().doing(format!("opening {}", self.root.display()))?;
        Ok(Tree::new(root, "lb-apply", node).journals_in(&self.journal))
    }

    fn open(&self, tree: &Tree) -> change::Result<Writer> {
        match &self.lock {
            Some(lock) => tree.open_with(lock),
            None => tree.open(),
        }
    }

    /// The same place on another command line.
    fn arguments(&self) -> Vec<OsString> {
        let mut words = vec!["--root".into(), self.root.clone().into(), "--journal".into()];
        words.push(self.journal.clone().into());
        words.extend(self.lock.iter().flat_map(|lock| ["--lock".into(), lock.clone().into()]));
        words
    }
}

fn main() -> ExitCode {
    cli::main(&cli::tool!(), run)
}

fn run(args: &Command, out: &mut cli::Out) -> cli::Result {
    let stop = Stop::on_signals().unavailable("catching signals")?;
    match &args.verb {
        Verb::Plan { what, place } => plan(what, place, out),
        Verb::Apply(args) => apply::run(args, &stop, out),
        Verb::Undo { id, place, service } => undo::run(*id, place, service, &stop, out),
        Verb::Confirm { place, keep } => guard::confirm(place, *keep, out),
        Verb::Guard { id, confirm_within, place, service } => {
            guard::watch(*id, **confirm_within, place, service, &stop, out)
        }
    }
}

fn plan(what: &What, place: &Place, out: &mut cli::Out) -> cli::Result {
    let set = input::read(&what.input, what.node.as_deref())?;
    let plan = place.tree(&set.node)?.plan(&set.files).doing("comparing")?;
    plan.changes().try_for_each(|change| out.emit(change))?;
    Ok(Answer::from(plan.is_empty()))
}
