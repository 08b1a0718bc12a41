//! Takes a node out of the cluster, for another machine in its place.
//!
//! `apply` does in order what people forget half of: it looks whether the
//! cluster can spare the node, cordons and drains it, removes its member from
//! etcd, deletes the node, and prints the commands that let the new machine
//! in. Each step is written to a journal before it begins and after it ended:
//! whatever interrupts it, `apply` again goes on from there. `plan` shows what
//! would be done and touches nothing; `undo` uncordons, as long as etcd still
//! has the member.
//!
//! ```sh
//! $ cd /etc/kubernetes/pki/etcd
//! $ etcd="--ca ca.crt --cert healthcheck-client.crt --key healthcheck-client.key"
//! $ node-replace plan --node cp2 --kubeconfig /etc/kubernetes/admin.conf $etcd platform.yaml
//! $ node-replace apply --node cp2 --kubeconfig /etc/kubernetes/admin.conf $etcd platform.yaml
//! $ node-replace apply --node cp2 --force --kubeconfig /etc/kubernetes/admin.conf $etcd platform.yaml  # its machine is dead, and off
//! ```
//!
//! What is done is done; a second apply does nothing:
//!
//! ```console
//! $ mkdir done && printf '{"node":"cp2","uid":null,"cordoned":true,"member":null,"steps":[],"state":"finished"}' >done/journal.json
//! $ node-replace apply --node cp2 --journal done --kubeconfig admin.conf platform.yaml && echo nothing left to do
//! nothing left to do
//! $ node-replace undo --node cp2 --journal done --kubeconfig admin.conf platform.yaml || echo "status $?"
//! {"record":"step","step":"undo","ok":false,"elapsed_ms":[..],"error":"guard"}
//! node-replace: undoing: cp2 has left the cluster: there is nothing to go back to
//! status 1
//! ```
//!
//! # Steps
//!
//! - guard: refuses what the cluster could not bear. Without a majority of
//!   etcd's voters, now or after the member is gone, the error is `quorum`;
//!   `guard` if it is the last control plane that is ready, if the kubeconfig
//!   asks the very node that goes, if it cannot be told which member of etcd
//!   is the node's, if pods would be lost for good because nobody makes them
//!   again, or if the node is silent, so that its pods never confirm that
//!   they are gone (the last two yield to `--force`)
//! - cordon: no new pods
//! - drain: evicts pods, again and again while a `PodDisruptionBudget` is in
//!   the way, and waits until they are gone. Pods of daemon sets and static
//!   pods stay. Those of a silent node are deleted with `--force`
//! - etcd-member: removes it by its ID, which its peer URL told: a name may be
//!   its successor's
//! - node: deletes the node with the uid the journal has, and no successor
//!
//! # Files
//!
//! `/var/lib/bareplane/node-replace/NODE/journal.json`, or `--journal DIR`.
//!
//! # Exit status
//!
//! 0 done, now or before (`undo`: uncordoned); 1 `plan` has something to do,
//! or refused by a guard (a step record says `quorum` or `guard`); 2 a document,
//! an argument or credentials are wrong; 3 somebody does not answer, another
//! run is at it, or time is up: `apply` again goes on.
//!
//! # Notes
//!
//! `--force` with a node that only looks dead lets its pods run twice: make
//! sure that the machine is off. Files in its emptyDir volumes are lost, as
//! they are with the machine.
//!
//! If the new machine has another address: replace the old one first, then
//! change the platform document, and render the balancers anew (lb-render).
//!
//! A node whose name has come back since is left alone: to replace it once
//! more takes `--again`. Members of etcd outside the platform's hosts are
//! etcd-check's to find.

mod apply;
mod guard;
mod journal;
mod look;
mod next;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args as Group, Parser, Subcommand};
use cli::{Answer, Context, Error, Input, Out};
use platform::{Host, Platform};

use crate::journal::{Folder, State};
use crate::look::Reach;

/// Take a node out of the cluster for another in its place
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Show what would be done
    Plan(Job),
    /// Do it, or go on with it
    Apply(Job),
    /// Take the node back, while that is possible
    Undo(Job),
}

#[derive(Group)]
struct Job {
    /// The node that goes
    #[arg(long, value_name = "NAME")]
    node: String,
    /// How to reach the API, not at the node that goes
    #[arg(long, value_name = "FILE")]
    kubeconfig: PathBuf,
    /// Members of etcd to ask, as URL or HOST:PORT [default: the platform's etcd hosts]
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    endpoints: Vec<String>,
    /// The certificate authority of etcd, such as /etc/kubernetes/pki/etcd/ca.crt
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The certificate to show to etcd
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// Its key
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// The peer URL of the node's member [default: whichever has an address of the node]
    #[arg(long, value_name = "URL")]
    peer_url: Option<String>,
    /// Keep the journal in DIR [default: /var/lib/bareplane/node-replace/NODE]
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
    /// Give up pods nobody makes again, and those of a silent node
    #[arg(long)]
    force: bool,
    /// Begin anew although it was done before
    #[arg(long)]
    again: bool,
    /// How long pods may take to end, seconds [default: what each says]
    #[arg(long, value_name = "SECONDS")]
    grace: Option<u32>,
    /// How long all of it may take
    #[arg(long, value_name = "DURATION", default_value = "10m")]
    timeout: cli::Duration,
    /// The platform document; standard input if `-`
    #[arg(default_value = "-")]
    file: Input,
}

fn main() -> ExitCode {
    cli::main(&cli::tool!(), run)
}

fn run(args: &Args, out: &mut Out) -> cli::Result {
    match &args.verb {
        Verb::Plan(job) => {
            let platform = job.file.platform()?;
            let host = job.host(&platform)?;
            let journal = job.folder(false)?.load(job.again)?;
            if journal.as_ref().is_some_and(|journal| journal.state == State::Finished) {
                return Ok(Answer::Yes);
            }
            let reach = Reach::new(job, &platform, host)?;
            apply::plan(job, &reach, journal, out)
        }
        Verb::Apply(job) => {
            let platform = job.file.platform()?;
            let host = job.host(&platform)?;
            let folder = job.folder(true)?;
            let journal = folder.load(job.again)?;
            if journal.as_ref().is_some_and(|journal| journal.state == State::Finished) {
                return Ok(Answer::Yes);
            }
            let reach = Reach::new(job, &platform, host)?;
            apply::apply(job, &reach, &folder, journal, out)
        }
        Verb::Undo(job) => {
            let platform = job.file.platform()?;
            let host = job.host(&platform)?;
            let folder = job.folder(true)?;
            let Some(journal) = folder.load(false)? else {
                return Err(Error::invalid("undoing", "nothing to undo"));
            };
            if journal.state == State::Finished {
                return apply::refused(&apply::gone(&journal.node), "undo", &mut cli::Steps::new(out));
            }
            let reach = Reach::new(job, &platform, host)?;
            apply::undo(job, &reach, &folder, journal, out)
        }
    }
}

impl Job {
    fn host<'a>(&self, platform: &'a Platform) -> cli::Result<&'a Host> {
        platform.host(&self.node).ok_or_else(|| {
            let names: Vec<_> = platform.hosts.iter().map(|host| host.name.as_str()).collect();
            Error::invalid("reading arguments", format!("{} is no host of the platform", self.node))
                .hint(format!("the platform has {}", names.join(", ")))
        })
    }

    /// Where the journal is; who is about to write it takes its lock.
    fn folder(&self, lock: bool) -> cli::Result<Folder> {
        let usual = || PathBuf::from("/var/lib/bareplane/node-replace").join(&self.node);
        let path = self.journal.clone().unwrap_or_else(usual);
        Folder::open(path, lock).doing("opening the journal")
    }

    /// The platform document, for commands to be typed.
    fn document(&self) -> String {
        match &self.file {
            Input::File(path) => path.display().to_string(),
            Input::Stdin => "platform.yaml".to_owned(),
        }
    }
}
