//! Judges an etcd cluster and keeps backups of it.
//!
//! `check` asks every member there is: those named with `--endpoints`, or the
//! platform's etcd hosts, and those these know of. It prints a record for each,
//! then findings: whether a majority agrees, who leads, who lags, what is full.
//! Held against the platform document it also finds members that should have
//! left, and hosts that never joined.
//!
//! ```sh
//! $ cd /etc/kubernetes/pki/etcd
//! $ etcd-check check --ca ca.crt --cert healthcheck-client.crt --key healthcheck-client.key platform.yaml
//! $ etcd-check save --ca ca.crt --cert healthcheck-client.crt --key healthcheck-client.key \
//!       --endpoints 127.0.0.1:2379 --out /var/backups/etcd/$(date +%F).db
//! $ etcd-check prune apply /var/backups/etcd --keep 7
//! ```
//!
//! ```console
//! $ etcd-check check --endpoints http://127.0.0.1:1 || echo "status $?"
//! {"record":"etcd-member","id":null,"name":null,"host":null,"endpoint":"http://127.0.0.1:1",[..]"error":"refused",[..]
//! etcd-check: asking for the members: none answers: connection refused
//! status 3
//! ```
//!
//! `save` streams a snapshot of the healthiest member to a hidden file beside
//! `--out`, checks it, and renames it: under the name there is a whole backup
//! or none. `verify` checks files: the hash at the end, and that every page of
//! the database is where it should be. `prune` lets old backups go:
//!
//! ```console
//! $ etcd-check verify etcd.db
//! {"record":"etcd-backup","path":"etcd.db","ok":true,"size_bytes":36896,"sha256":[..],"db_bytes":36864,"revision":32,"keys":35,[..]
//! $ head -c 20000 etcd.db | etcd-check verify /dev/stdin || echo "status $?"
//! etcd-check: reading /dev/stdin: is not a file
//! status 2
//! $ for day in 1 2 3; do cp etcd.db $day.db; touch -d 2026-01-0$day $day.db; done; mkdir old; mv ?.db old
//! $ etcd-check prune apply old --keep 2
//! {"record":"change","target":"old","path":"old/1.db","action":"delete",[..]
//! $ etcd-check prune apply old --keep 2
//! ```
//!
//! # Checks
//!
//! - quorum: a majority of the voters answers and agrees; learners do not count, unstarted voters do
//! - leader, raft-term: all follow one leader, in one term
//! - unreachable, unstarted, learner, cut-off: members that take no part
//! - raft-lag, apply-lag, latency, leader-changes: members that are slow
//! - db-size, fragmentation: what is on disk against the quota (the default, 2 GiB, if it is not known)
//! - nospace, corrupt: alarms
//! - version-mix, cluster-id, membership, no-member, even-members: members that do not belong together
//! - stale-member, missing-member, peer-url, member-name: members against the platform
//!
//! # Files
//!
//! Backups hold every Secret of the cluster: they are readable by their owner
//! alone. While it is written, `DIR/NAME` is `DIR/.NAME.etcd-check`; what a
//! killed run left of that kind in the directory, the next run removes.
//!
//! # Exit status
//!
//! 0 healthy, saved, whole, nothing to remove. 1 a finding that is no warning;
//! a backup refused because nobody knows whether its data would be right
//! (no quorum, no leader, CORRUPT, several clusters: `--force` takes it all
//! the same); a broken backup; something to remove; no whole backup to keep.
//! 2 wrong arguments, certificates or document. 3 no member answers, the disk
//! is full, time is up.
//!
//! # Notes
//!
//! Members are asked over gRPC, metrics over HTTP at each client URL and at
//! `--metrics-url`. A member that is down does not keep a backup from being
//! taken: that is when it is needed. `prune` keeps the youngest whole backups,
//! by time of modification; a broken one does not count, and goes once enough
//! whole ones are younger. What is removed is gone: there is no undo. To use a
//! backup: `etcdctl snapshot restore`, `etcdutl snapshot restore` since 3.5.

mod judge;
mod part;
mod prune;
mod reach;
mod record;
mod save;
mod survey;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use cli::{Answer, Error};
use model::Status;

use crate::prune::Keep;
use crate::reach::Options;
use crate::survey::Survey;

/// So long members may take to answer before a backup is taken.
const SURVEY: Duration = Duration::from_secs(10);

/// Judge an etcd cluster, save it
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Tell how the members are
    Check {
        #[command(flatten)]
        options: Options,
        /// How long all of it may take
        #[arg(long, value_name = "DURATION", default_value = "10s")]
        timeout: cli::Duration,
    },
    /// Take a backup
    Save {
        #[command(flatten)]
        options: Options,
        /// Write the backup to FILE; one that is there is replaced
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Take it although the cluster is unhealthy
        #[arg(long)]
        force: bool,
        /// How long all of it may take
        #[arg(long, value_name = "DURATION", default_value = "30m")]
        timeout: cli::Duration,
    },
    /// Tell whether backups are whole
    Verify {
        /// The backups
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Let old backups go
    Prune {
        #[command(subcommand)]
        verb: Prune,
    },
}

#[derive(Subcommand)]
enum Prune {
    /// Tell what would go
    Plan(Pruned),
    /// Remove it
    Apply(Pruned),
}

#[derive(clap::Args)]
struct Pruned {
    /// The directory of the backups
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Keep so many whole backups
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    keep: u32,
    /// Keep whatever is younger than so many days as well
    #[arg(long, value_name = "DAYS")]
    keep_days: Option<u32>,
}

impl Pruned {
    fn keep(&self) -> Keep {
        let day = Duration::from_hours(24);
        Keep { whole: self.keep as usize, younger: self.keep_days.map(|days| day * days) }
    }
}

fn main() -> ExitCode {
    cli::main(&cli::tool!(), run)
}

fn run(args: &Args, out: &mut cli::Out) -> cli::Result {
    match &args.verb {
        Verb::Check { options, timeout } => {
            let reach = options.reach()?;
            let survey = Survey::of(&reach, **timeout)?;
            survey.seen.iter().try_for_each(|seen| out.emit(&record::record(seen)))?;
            answered(&survey)?;
            let findings = judge::findings(&survey, reach.hosts.as_deref());
            findings.iter().try_for_each(|finding| out.emit(finding))?;
            let well = |status| !matches!(status, Status::Fail | Status::Unknown);
            Ok(Answer::from(findings.iter().all(|finding| well(finding.status))))
        }
        Verb::Save { options, out: target, force, timeout } => {
            let deadline = Instant::now() + **timeout;
            let reach = options.reach()?;
            let survey = Survey::of(&reach, SURVEY.min(**timeout))?;
            answered(&survey)?;
            if !save::guard(&survey, *force, out)? {
                return Ok(Answer::No);
            }
            save::save(&reach, &survey, target, deadline, out)
        }
        Verb::Verify { files } => {
            let mut all = true;
            for file in files {
                let backup = verify::file(file)?;
                all &= backup.ok;
                out.emit(&backup)?;
            }
            Ok(Answer::from(all))
        }
        Verb::Prune { verb: Prune::Plan(pruned) } => prune::plan(&pruned.directory, pruned.keep(), out),
        Verb::Prune { verb: Prune::Apply(pruned) } => prune::apply(&pruned.directory, pruned.keep(), out),
    }
}

/// Without any member there is nothing to judge.
fn answered(survey: &Survey) -> cli::Result<()> {
    if survey.answers().next().is_some() {
        return Ok(());
    }
    let failures: Vec<_> = survey.seen.iter().filter_map(|seen| seen.failure.as_ref()).collect();
    let mut reasons: Vec<_> = failures.iter().map(|(_, text)| text.as_str()).collect();
    reasons.dedup();
    let why = format!("none answers: {}", reasons.join("; "));
    let doing = "asking for the members";
    // Wrong certificates stay wrong, whoever else is down.
    if failures.iter().any(|(word, _)| ["tls", "invalid", "denied"].contains(word)) {
        return Err(Error::invalid(doing, why));
    }
    Err(Error::unavailable(doing, why))
}
