//! Lets a node into a cluster.
//!
//! `render` prints what `kubeadm join` reads for a host of the platform: a worker
//! never becomes a control plane by accident, and a control plane advertises its
//! own address. `check` tells what speaks against joining, `plan` shows what
//! would be done, `apply` does it. All take the credentials `kubeadm-init apply`
//! kept, or that `renew` makes anew on a control plane, or `parse` reads from
//! what kubeadm printed; `status` counts down how long they hold.
//!
//! ```console
//! $ kubeadm-join ca-hash ca.crt
//! sha256:[..]
//! $ kubeadm-join mint-token --endpoint 10.77.0.100:6443 --ca ca.crt --secret token.yaml --out credentials.json
//! {"record":"credentials","endpoint":"10.77.0.100:6443","ca_cert_hash":"sha256:[..]","token_id":"[..]",[..]"path":"credentials.json"}
//! $ kubeadm-join render --host w1 --credentials credentials.json platform.yaml | grep -c controlPlane
//! 0
//! $ kubeadm-join render --host cp2 --credentials credentials.json platform.yaml || echo "status $?"
//! kubeadm-join: rendering for cp2: the credentials hold no certificate key: without it a control plane cannot join
//! status 2
//! $ kubeadm-join status --credentials credentials.json --min-ttl 48h > /dev/null || echo "status $?"
//! kubeadm-join: the token holds for 23 h 59 min only
//! status 1
//! ```
//!
//! On the machines:
//!
//! ```sh
//! kubeadm-join renew --out credentials.json platform.yaml     # on a control plane
//! kubeadm-join apply --credentials credentials.json platform.yaml     # on the new node
//! ```
//!
//! # Checks
//!
//! - stage: what kubeadm has left on this machine so far
//! - token, certificate-key: still there, and for how long
//! - address, interface, vip: the platform's address is this machine's, where the
//!   platform says; the virtual one is not
//! - kubeadm-version, kubelet-version, runtime: as the platform wants them
//! - endpoint, cluster-info: the cluster answers, the token signed what it says
//!   of itself, and its CA is the pinned one
//!
//! # Exit status
//!
//! 0 joined, now or before; valid; genuine. 1 something speaks against it, or
//! `plan` has something to do, or kubeadm's own checks refuse, or credentials
//! hold no longer than `--min-ttl`; 2 a document, an argument or a file is wrong;
//! 3 the cluster does not answer, kubeadm gave up, or time is up.
//!
//! # Notes
//!
//! Credentials files are readable by their owner alone; no secret is an argument,
//! or printed. A token's default life is a day, that of uploaded certificates two
//! hours: a control plane that joins later needs `renew`.
//!
//! The CA hash is that of the public key's `SubjectPublicKeyInfo`, whatever the
//! kind of the key; `sha256:e3b0c442…`, the hash of nothing that the usual
//! `openssl rsa` line makes of an ECDSA key, is refused by name.
//!
//! A run that was killed is taken up by the next one. `kubeadm reset` undoes a
//! join.

mod apply;
mod options;
mod renew;
mod secrets;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use cli::{Answer, Context, Out};
use kubeadm::Stage;

use crate::options::Job;

/// Let a node into a cluster
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    verb: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print what kubeadm would read, without its secrets
    Render(Job),
    /// Tell what speaks against joining
    Check(Job),
    /// Show what would be done
    Plan(Job),
    /// Join
    Apply {
        #[command(flatten)]
        job: Job,
        /// How long kubeadm may take
        #[arg(long, value_name = "TIME", default_value = "10m")]
        timeout: cli::Duration,
        /// Go on although something speaks against it
        #[arg(long)]
        force: bool,
    },
    /// Make new credentials, on a control plane
    Renew(renew::Renew),
    /// Make a token for a cluster somebody else reaches
    MintToken(secrets::Mint),
    /// Make credentials of what kubeadm printed
    Parse(secrets::Parse),
    /// Print the hash of a cluster's CA
    CaHash(secrets::CaHash),
    /// Tell whether a cluster is the one the credentials are for
    VerifyClusterInfo(secrets::Verify),
    /// Tell how long credentials still hold
    Status(secrets::Remaining),
}

fn main() -> ExitCode {
    cli::main(&cli::tool!(), run)
}

fn run(args: &Args, out: &mut Out) -> cli::Result {
    match &args.verb {
        Command::Render(job) => {
            out.write(job.look()?.document(true)?.as_bytes())?;
            Ok(Answer::Yes)
        }
        Command::Check(job) => {
            let looked = job.look()?;
            looked.known().map(|_| looked.document(true)).transpose()?;
            let judge = apply::judge(&looked, looked.stage()?);
            judge.findings.iter().try_for_each(|finding| out.emit(finding))?;
            Ok(Answer::from(!judge.refuses()))
        }
        Command::Plan(job) => {
            let looked = job.look()?;
            let document = looked.known().map(|_| looked.document(true)).transpose()?;
            let stage = looked.stage()?;
            if looked.is_in(stage) {
                return Ok(Answer::Yes);
            }
            apply::judge(&looked, stage).reservations().for_each(cli::warn_of);
            cli::note(format!("would run: {}", looked.call(stage, String::new(), apply::ANSWER).line()));
            out.emit(&looked.change(document.as_deref()))?;
            Ok(Answer::No)
        }
        Command::Apply { job, timeout, force } => apply::apply(&job.look()?, **timeout, *force, out),
        Command::Renew(renew) => renew.run(out),
        Command::MintToken(mint) => mint.run(out),
        Command::Parse(parse) => parse.run(out),
        Command::CaHash(hash) => hash.run(out),
        Command::VerifyClusterInfo(verify) => verify.run(out),
        Command::Status(ttl) => ttl.run(out),
    }
}

impl options::Looked {
    fn stage(&self) -> cli::Result<Stage> {
        self.site.stage().doing("looking at /etc/kubernetes")
    }

    /// Whether the host is in the cluster as what it should be.
    fn is_in(&self, stage: Stage) -> bool {
        stage == if self.control_plane { Stage::ControlPlane } else { Stage::Worker }
    }
}
