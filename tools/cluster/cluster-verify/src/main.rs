//! Tells whether a cluster is what its platform document says.
//!
//! Asks the API server of the kubeconfig, each control plane by its own
//! address, and the virtual address, and prints a finding for each thing that
//! was looked at: pass, warn, fail, unknown (could not be told; never a pass)
//! or `not_applicable`. It changes nothing, and is a snapshot: how long an
//! outage lasts is for ha-drill(1) to measure.
//!
//! ```sh
//! $ cluster-verify run --kubeconfig admin.conf platform.yaml | jq -c 'select(.status != "pass")'
//! $ cluster-verify run --kubeconfig admin.conf --checks nodes,api --format text platform.yaml
//! $ inventory nodes platform.yaml | ssh-fan run --records -- vip-status check 10.77.0.100 >vip.ndjson
//! $ etcd-check check --ca ca.crt --cert client.crt --key client.key platform.yaml >etcd.ndjson
//! $ cluster-verify run --kubeconfig admin.conf --vip vip.ndjson --etcd etcd.ndjson platform.yaml
//! ```
//!
//! With `--objects` nobody is asked: it judges what kubectl printed, from
//! machines it cannot reach:
//!
//! ```console
//! $ cluster-verify run --objects cluster.json --checks nodes,addresses platform.yaml >findings || echo "status $?"
//! status 1
//! $ grep -v '"status":"pass"' findings
//! {"record":"finding","tool":"cluster-verify","target":"w2","check":"node-ready","status":"fail",[..]"current":"NodeStatusUnknown: Kubelet stopped posting node status.","want":"ready",[..]
//! {"record":"finding","tool":"cluster-verify","target":"w1","check":"node-address","status":"fail",[..]"current":"10.77.0.131","want":"10.77.0.31",[..]
//! ```
//!
//! # Checks
//!
//! - nodes: every host of the platform that should be a node is one, is Ready,
//!   under no pressure, with the roles and taints it should have; no other is there
//! - versions: kubelets and API servers have the platform's version, and no
//!   kubelet is newer than an API server, or more than three minors older
//! - addresses: each node's `InternalIP` is the platform's, none is a virtual
//!   address, each node's pod network lies in the platform's and in no other's
//! - vip: the API answers at the virtual address with a certificate of the
//!   kubeconfig's authority; with `--vip` also: one balancer holds it
//! - api: each control plane's `/readyz`, with the lines that fail
//! - etcd: each API server reaches it; with `--etcd` also: what etcd-check found
//! - coredns: it runs, its service has an address of the platform's network,
//!   and pods that are ready
//! - calico: it is ready on every node, and hands out the platform's addresses
//! - time: the clocks of API servers and nodes agree with this machine's
//!
//! # Exit status
//!
//! 0 nothing fails and nothing is unknown (warnings apart); 1 something does,
//! or is; 2 the document, the kubeconfig or an argument is wrong, or the API
//! does not believe the credentials, or is not whom the kubeconfig trusts;
//! 3 no API server could be reached.
//!
//! # Notes
//!
//! If the kubeconfig's server does not answer, the first control plane that
//! does is asked in its place: a dead balancer keeps nobody from learning how
//! the nodes are. `--vip` and `--etcd` take records as vip-status(1) and
//! etcd-check(1) print them, alone or passed on by ssh-fan(1); other records
//! are passed over. Without them these two checks are `not_applicable`.
//! `--objects` takes one list, as this prints it; vip, api, etcd and time are
//! left out then:
//!
//! ```sh
//! $ kubectl get -A nodes,deployments,services,endpointslices,daemonsets,ippools -o json >cluster.json
//! ```
//!
//! Sessions of BGP are not asked for one by one: where Calico uses it, its
//! pods are ready only while they stand.
//!
//! A node's clock is known from its lease, which its kubelet renews every ten
//! seconds: a clock that is less than twenty seconds slow cannot be told from
//! a kubelet that is slow. The API servers' is known to the second.

mod ask;
mod judge;
mod objects;
mod told;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args as Group, Parser, Subcommand, ValueEnum};
use cli::{Answer, Error, Input, Out};
use model::Status;
use platform::Platform;

use crate::ask::Seen;
use crate::told::Told;

/// Tell whether the cluster is what the platform document says
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Look at everything once
    Run(Job),
}

#[derive(Group)]
struct Job {
    /// How to reach the API, such as /etc/kubernetes/admin.conf
    #[arg(long, value_name = "FILE", required_unless_present = "objects")]
    kubeconfig: Option<PathBuf>,
    /// Ask nobody: judge what `kubectl get … -o json` printed
    #[arg(long, value_name = "FILE", conflicts_with_all = ["kubeconfig", "vip", "etcd"])]
    objects: Option<Input>,
    /// Look at these alone
    #[arg(long, value_name = "CHECK", value_delimiter = ',')]
    checks: Vec<Area>,
    /// Leave these out
    #[arg(long, value_name = "CHECK", value_delimiter = ',')]
    skip: Vec<Area>,
    /// What vip-status told on the balancers
    #[arg(long, value_name = "FILE")]
    vip: Option<Input>,
    /// What etcd-check told
    #[arg(long, value_name = "FILE")]
    etcd: Option<Input>,
    /// How far clocks may be apart
    #[arg(long, value_name = "DURATION", default_value = "2s")]
    max_skew: cli::Duration,
    /// How long all of it may take
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    timeout: cli::Duration,
    /// The platform document; standard input if `-`
    #[arg(default_value = "-")]
    file: Input,
}

/// What can be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Area {
    Nodes,
    Versions,
    Addresses,
    Vip,
    Api,
    Etcd,
    Coredns,
    Calico,
    Time,
}

fn main() -> ExitCode {
    cli::main(&cli::tool!(), run)
}

fn run(args: &Args, out: &mut Out) -> cli::Result {
    let Verb::Run(job) = &args.verb;
    let deadline = Instant::now() + *job.timeout;
    let platform = job.file.platform()?;
    let told = Told::read(job.vip.as_ref(), job.etcd.as_ref())?;
    let areas = job.areas()?;
    let seen = job.look(&platform, &areas, deadline)?;
    let mut well = true;
    for finding in judge::findings(&platform, &seen, &told, &areas, *job.max_skew) {
        well &= !matches!(finding.status, Status::Fail | Status::Unknown);
        out.emit(&finding)?;
    }
    Ok(Answer::from(well))
}

impl Job {
    /// What was chosen; of objects alone not everything can be told.
    fn areas(&self) -> cli::Result<Vec<Area>> {
        let possible = |area: &Area| self.objects.is_none() || objects::AREAS.contains(area);
        if self.checks.iter().any(|area| !possible(area)) {
            let why = "vip, api, etcd and time need somebody to ask";
            return Err(
                Error::invalid("reading arguments", why).hint("give --kubeconfig in place of --objects")
            );
        }
        let chosen = |area: &Area| self.checks.is_empty() || self.checks.contains(area);
        let all = Area::value_variants().iter().copied().filter(possible).filter(chosen);
        Ok(all.filter(|area| !self.skip.contains(area)).collect())
    }

    fn look(&self, platform: &Platform, areas: &[Area], deadline: Instant) -> cli::Result<Seen> {
        if let Some(input) = &self.objects {
            return objects::read(input);
        }
        let path = self.kubeconfig.as_deref().unwrap_or(Path::new("/etc/kubernetes/admin.conf"));
        let config = kube::Config::load(path)
            .map_err(|error| Error::invalid_all(format!("reading {}", path.display()), error.reasons()))?;
        Seen::of(&config, platform, areas, deadline)
    }
}
