//! Starts a cluster's first control plane.
//!
//! The platform document becomes what `kubeadm init` reads. `render` prints it,
//! `check` tells what speaks against it on this machine, `plan` shows what would
//! be done, `apply` does it: the versions, the address and the
//! runtime are made sure of first, its certificates hold for every
//! way to the API, and what other nodes need to join is kept in a private file.
//!
//! ```console
//! $ kubeadm-init render --host cp1 platform.yaml | grep -A3 localAPIEndpoint
//! localAPIEndpoint:
//!   advertiseAddress: "10.77.0.21"
//!   bindPort: 6443
//! nodeRegistration:
//! $ kubeadm-init render --host w1 platform.yaml || echo "status $?"
//! kubeadm-init: rendering for w1: w1 is no control plane; the platform has cp1, cp2, cp3
//! status 2
//! ```
//!
//! On the machine itself, as root:
//!
//! ```sh
//! kubeadm-init check platform.yaml && kubeadm-init apply platform.yaml
//! kubeadm-init apply platform.yaml -- --ignore-preflight-errors=NumCPU
//! ```
//!
//! # Checks
//!
//! - stage: what kubeadm has left on this machine so far
//! - address, interface, vip: the platform's address is this machine's, where the
//!   platform says; the virtual one is not
//! - kubeadm-version, kubelet-version: those of the platform
//! - runtime: the container runtime listens
//! - cluster: no cluster answers at its address yet (a second one would shadow it)
//!
//! Networks that overlap, an even number of control planes, a virtual address
//! that is a host's: the document itself is refused then (status 2).
//!
//! # Files
//!
//! `/etc/kubernetes` is kubeadm's. The credentials go to
//! `/var/lib/bareplane/kubeadm/credentials.json` (or `--credentials`), readable
//! by their owner alone: `kubeadm-join` takes them. The token holds for a day,
//! the control plane's certificates stay uploaded for two hours.
//! `/var/lib/bareplane/kubeadm/init` is there while a run is not finished.
//!
//! # Exit status
//!
//! 0 it is a control plane, done or done before; 1 something speaks against it,
//! or `plan` has something to do, or kubeadm's own checks refuse; 2 the document
//! or an argument is wrong; 3 kubeadm gave up, or time is up.
//!
//! # Notes
//!
//! A run that was killed is taken up by the next one: kubeadm's phases keep the
//! certificates they find, and write the rest again. There is no undo: `kubeadm
//! reset` takes a node's state away, and the cluster's data with it.
//! The document goes to kubeadm through a pipe, so no secret is in an argument
//! or in a file others read.

mod options;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use clap::{Parser, Subcommand};
use cli::{Answer, Context, Out, Steps};
use kubeadm::{Call, CertificateKey, Credentials, Judge, Stage, Token, Verb, cluster_info};
use model::{Action, Change, Status};

use crate::options::{Job, Looked};

/// So long somebody may take to answer at the cluster's address.
const ANSWER: Duration = Duration::from_secs(5);
/// So long kubeadm keeps the certificates it uploads (kubeadm, constants.DefaultCertTokenDuration).
const CERTIFICATES: Duration = Duration::from_hours(2);

/// Start a cluster's first control plane
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    verb: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print what kubeadm would read
    Render(Job),
    /// Tell what speaks against it
    Check(Job),
    /// Show what would be done
    Plan(Job),
    /// Do it
    Apply {
        #[command(flatten)]
        job: Job,
        /// Keep what joining nodes need in FILE [default: /var/lib/bareplane/kubeadm/credentials.json]
        #[arg(long, value_name = "FILE")]
        credentials: Option<PathBuf>,
        /// How long kubeadm may take
        #[arg(long, value_name = "TIME", default_value = "15m")]
        timeout: cli::Duration,
        /// Go on although something speaks against it
        #[arg(long)]
        force: bool,
    },
}

fn main() -> ExitCode {
    cli::main(&cli::tool!(), run)
}

fn run(args: &Args, out: &mut Out) -> cli::Result {
    match &args.verb {
        Command::Render(job) => {
            out.write(job.look()?.document(None)?.as_bytes())?;
            Ok(Answer::Yes)
        }
        Command::Check(job) => {
            let looked = job.look()?;
            looked.document(None)?;
            let judge = judge(&looked, looked.site.stage().doing("looking at /etc/kubernetes")?)?;
            judge.findings.iter().try_for_each(|finding| out.emit(finding))?;
            Ok(Answer::from(!judge.refuses()))
        }
        Command::Plan(job) => {
            let looked = job.look()?;
            let change = looked.change(&looked.document(None)?);
            match looked.site.stage().doing("looking at /etc/kubernetes")? {
                Stage::ControlPlane => Ok(Answer::Yes),
                stage => {
                    let judge = judge(&looked, stage)?;
                    judge.reservations().for_each(cli::warn_of);
                    cli::note(format!("would run: {}", looked.call(stage, String::new(), ANSWER).line()));
                    out.emit(&change)?;
                    Ok(Answer::No)
                }
            }
        }
        Command::Apply { job, credentials, timeout, force } => {
            let looked = job.look()?;
            let stage = looked.site.stage().doing("looking at /etc/kubernetes")?;
            if stage == Stage::ControlPlane {
                return Ok(Answer::Yes);
            }
            looked.document(None)?;
            let judge = judge(&looked, stage)?;
            if judge.refuses() && !force {
                judge.reasons().try_for_each(|one| out.emit(one))?;
                Steps::new(out).failed("check", "guard")?;
                return Ok(Answer::No);
            }
            judge.reservations().for_each(cli::warn_of);
            apply(&looked, stage, credentials.clone(), **timeout, out)
        }
    }
}

/// Everything that can be told before anything is changed.
fn judge(looked: &Looked, stage: Stage) -> cli::Result<Judge<'_>> {
    let mut judge = Judge::new("kubeadm-init", &looked.platform, looked.host());
    let (status, why) = match stage {
        Stage::Bare => (Status::Pass, "nothing of kubeadm is here yet"),
        Stage::ControlPlane => (Status::Pass, "this is a control plane already: nothing to do"),
        Stage::Begun { verb: Verb::Init, .. } => {
            (Status::Warn, "an init was begun and not finished: it is taken up")
        }
        Stage::Begun { verb: Verb::Join, .. } => (Status::Fail, "a join was begun here and not finished"),
        Stage::Worker => (Status::Fail, "this machine is a worker of a cluster"),
        Stage::Litter => (Status::Fail, "something of kubeadm is here that no run of ours left"),
    };
    let found = judge.add("stage", status, why);
    found.file = Some("/etc/kubernetes".into());
    if status == Status::Fail {
        found.fix = Some("`kubeadm reset` takes it away, if nobody needs it".into());
    }
    if !looked.live {
        judge.add(
            "machine",
            Status::NotApplicable,
            "an image tree has no addresses, no runtime and no network",
        );
        return Ok(judge);
    }
    judge.address();
    judge.versions(&looked.kubeadm);
    judge.runtime(&looked.init.socket);
    if matches!(stage, Stage::Bare) {
        cluster(&looked.endpoint()?, &mut judge);
    }
    Ok(judge)
}

/// Whether a cluster is there already. Nobody at all is no fault: balancers
/// hold the address only while they have an API server to send clients to.
fn cluster(endpoint: &str, judge: &mut Judge) {
    let there = cluster_info::fetch(endpoint, Instant::now() + ANSWER)
        .is_ok_and(|info| info.contains("cluster-info"));
    let found = if there {
        let why = "a cluster answers at its address already: a second one would shadow it";
        let found = judge.add("cluster", Status::Fail, why);
        found.fix =
            Some("`kubeadm-join renew` on one of its control planes, then `kubeadm-join apply` here".into());
        found
    } else {
        judge.add("cluster", Status::Pass, "no cluster answers at its address yet")
    };
    found.current = Some(endpoint.to_owned());
}

fn apply(
    looked: &Looked,
    stage: Stage,
    kept: Option<PathBuf>,
    timeout: Duration,
    out: &mut Out,
) -> cli::Result {
    let mut credentials = Credentials {
        endpoint: looked.endpoint()?,
        ca_cert_hash: String::new(),
        token: Some(Token::mint().doing("minting a token")?),
        token_expires: Some(SystemTime::now() + Duration::from_hours(looked.init.token_hours.into())),
        certificate_key: Some(CertificateKey::mint().doing("minting a certificate key")?),
        certificate_key_expires: None,
    };
    let document = looked.document(Some(&credentials))?;
    let change = looked.change(&looked.document(None)?);
    let mut call = looked.call(stage, document, timeout);
    call.secrets = credentials.secrets();
    let _lock = looked.site.begin(Verb::Init).doing("beginning")?;
    let mut steps = Steps::new(out);
    if let Err(failure) = call.run() {
        steps.failed("kubeadm-init", failure.word())?;
        return refused(failure, &call);
    }
    steps.done("kubeadm-init")?;
    // kubeadm keeps them from now on at the latest.
    credentials.certificate_key_expires = Some(SystemTime::now() + CERTIFICATES);
    let ca = looked.site.path("/etc/kubernetes/pki/ca.crt");
    let ca = files::read(&ca, 1 << 20).doing("reading the cluster's CA")?;
    credentials.ca_cert_hash = kubeadm::ca_pin(&ca).doing("reading the cluster's CA")?;
    let path = kept.unwrap_or_else(|| looked.site.path("/var/lib/bareplane/kubeadm/credentials.json"));
    credentials.store(&path).doing("keeping the credentials")?;
    looked.site.end(Verb::Init).doing("ending")?;
    out.emit(&change)?;
    out.emit(&credentials.record(Some(&path), SystemTime::now()))?;
    Ok(Answer::Yes)
}

/// What kubeadm's own checks refuse is an answer; the rest is none.
fn refused(failure: kubeadm::Failure, call: &Call) -> cli::Result {
    match failure {
        kubeadm::Failure::Preflight(reasons) => {
            reasons.iter().for_each(|reason| cli::warn(format!("kubeadm's checks: {reason}")));
            Ok(Answer::No)
        }
        failure => Err(failure).doing(format!("running {}", call.line())),
    }
}

impl Looked {
    /// What becomes of /etc/kubernetes: the document is all it is made from.
    fn change(&self, document: &str) -> Change {
        Change {
            target: self.host().name.clone(),
            path: Some("/etc/kubernetes".into()),
            action: Action::Create,
            before_sha256: None,
            after_sha256: None,
            diff: Some(document.lines().map(|line| format!("+{line}\n")).collect()),
        }
    }
}
