//! Tells how long the cluster's certificates still hold, in files and on the wire.
//!
//! kubeadm's certificates hold for a year. `scan` reads them where they are:
//! folders, files (PEM, DER), kubeconfigs with certificates in them or beside them,
//! and what a server shows at HOST:PORT. Each gives a record, each trouble a
//! finding: about to end, not signed by the authority beside it, lacking the
//! virtual address, renewed on disk while the server still shows the old one.
//!
//! ```console
//! $ cert-expiry scan --at 2026-11-26T00:00:00Z pki && echo all is well
//! {"record":"certificate","source":"pki/apiserver.crt",[..]"not_after":"2027-10-04T22:53:16Z","remaining_s":27039196,[..]
//! {"record":"certificate","source":"pki/ca.crt",[..]
//! all is well
//! $ cert-expiry scan --at 2027-10-01T00:00:00Z pki/apiserver.crt >records || echo "status $?"
//! status 1
//! $ grep -o '"check":.*"severity":"[a-z]*"' records
//! "check":"expiry","status":"fail","severity":"high"
//! ```
//!
//! Without a name it takes what a node of kubeadm has: /etc/kubernetes and the
//! kubelet's own.
//!
//! ```sh
//! $ cert-expiry scan --metrics /var/lib/node_exporter/cert-expiry.prom
//! $ cert-expiry scan --platform platform.yaml /etc/kubernetes/pki 127.0.0.1:6443 127.0.0.1:2379
//! ```
//!
//! # Checks
//!
//! - expiry: over, or about to be (`--crit`, `--warn`)
//! - not-yet-valid: it begins later; is the clock right?
//! - ca-mismatch: the authority beside it, or the one of its issuer's name, did not sign it
//! - key-mismatch: the key beside it (NAME.key) is another one's
//! - san: an API server's lacks the virtual address or its host, etcd's lacks its host (`--platform`)
//! - stale: the server still shows the one before the file's
//! - differs: the server shows a newer one than the file's, or another of the same age
//! - unreachable: no answer, so nothing is known
//!
//! # Exit status
//!
//! 0 nothing found. 1 a finding, warnings included, or some servers did not
//! answer. 2 a file cannot be read as what it is, after all the others were.
//! 3 only servers were named, and none answered.
//!
//! # Notes
//!
//! Nobody is trusted when a server is asked: it is only seen what it shows. A
//! server that demands a certificate of its clients, as etcd does, shows its
//! own before. Ports 6443, 2379, 2380 and 10250 of this machine are compared
//! with apiserver.crt, etcd/server.crt, etcd/peer.crt and kubelet.crt where
//! these were read; `--file` names the file for all other servers. `--at`
//! judges as of another time. Of files NAME-current.pem the older ones beside
//! it are passed over.

mod judge;
mod metrics;
mod record;
mod source;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Instant, SystemTime};

use clap::{Parser, Subcommand};
use cli::{Answer, Error, Input, Out};

use crate::judge::Judge;
use crate::source::{Scan, Source};

/// Tell how long the cluster's certificates still hold
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Read certificates, print them, and what is wrong with them
    Scan(Job),
}

#[derive(clap::Args)]
struct Job {
    /// Folders, files, kubeconfigs, HOST:PORT [default: those of kubeadm]
    #[arg(value_name = "SOURCE")]
    sources: Vec<Source>,
    /// Warn so long before the end
    #[arg(long, value_name = "TIME", default_value = "30d")]
    warn: cli::Duration,
    /// Fail so long before the end
    #[arg(long, value_name = "TIME", default_value = "7d")]
    crit: cli::Duration,
    /// Judge as of this time (RFC 3339) [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<cli::Timestamp>,
    /// The file the servers should show
    #[arg(long = "file", value_name = "FILE")]
    expected: Option<PathBuf>,
    /// Look for its addresses in the certificates of API servers and etcd
    #[arg(long, value_name = "FILE")]
    platform: Option<Input>,
    /// How long servers may take, all together
    #[arg(long, value_name = "TIME", default_value = "10s")]
    timeout: cli::Duration,
    #[command(flatten)]
    metrics: cli::Metrics,
}

fn main() -> ExitCode {
    cli::main(&cli::tool!(), run)
}

fn run(args: &Args, out: &mut Out) -> cli::Result {
    let Verb::Scan(job) = &args.verb;
    let platform = job.platform.as_ref().map(Input::platform).transpose()?;
    let scan = Scan::of(&job.sources, job.expected.as_deref(), Instant::now() + *job.timeout)?;
    let judge = Judge {
        at: job.at.map_or_else(SystemTime::now, Into::into),
        warn: *job.warn,
        crit: *job.crit.min(job.warn),
        platform: platform.as_ref(),
    };
    let records = record::records(&scan, judge.at);
    records.iter().try_for_each(|record| out.emit(record))?;
    let findings = judge.findings(&scan);
    findings.iter().try_for_each(|finding| out.emit(finding))?;
    job.metrics.write_series(&metrics::series(&records, &findings))?;
    match (scan.wrong, scan.silent.first()) {
        (wrong, _) if !wrong.is_empty() => {
            let missing = wrong.iter().any(|why| why.ends_with("no such file or directory"));
            let error = Error::invalid_all("reading certificates", wrong);
            Err(if missing { error.hint("a server is named HOST:PORT") } else { error })
        }
        (_, Some((server, failure))) if scan.seen.is_empty() => {
            let more = if scan.silent.len() > 1 { ", nor does any other server" } else { "" };
            Err(Error::unavailable(format!("asking {server}"), format!("{failure}{more}")))
        }
        _ => Ok(Answer::from(findings.is_empty())),
    }
}
