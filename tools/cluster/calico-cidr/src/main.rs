//! Makes a Calico manifest use the cluster's networks, and leaves the rest alone.
//!
//! calico.yaml has thousands of lines, and its pool is a comment. `set` writes
//! the pods' network, the wrapping, the way to find a node's address and the
//! block size of the platform document into it. Every other byte stays as it
//! was; a second `set` changes nothing.
//!
//! ```console
//! $ calico-cidr get calico.yaml | grep '"cidr"'
//! {"record":"calico-setting","file":"calico.yaml","line":63,"object":"DaemonSet kube-system/calico-node","field":"CALICO_IPV4POOL_CIDR","setting":"cidr","family":"ipv4","state":"commented","value":"192.168.0.0/16","effective":null}
//! $ calico-cidr set --platform platform.yaml calico.yaml >mine.yaml; diff calico.yaml mine.yaml
//! 48a49,50
//! >             - name: IP_AUTODETECTION_METHOD
//! >               value: "kubernetes-internal-ip"
//! 51c53
//! <               value: "Always"
//! ---
//! >               value: "Never"
//! 54c56
//! <               value: "Never"
//! ---
//! >               value: "CrossSubnet"
//! 63,64c65,66
//! <             # - name: CALICO_IPV4POOL_CIDR
//! <             #   value: "192.168.0.0/16"
//! ---
//! >             - name: CALICO_IPV4POOL_CIDR
//! >               value: "10.244.0.0/16"
//! $ calico-cidr plan --platform platform.yaml mine.yaml && echo nothing to change
//! nothing to change
//! ```
//!
//! `check` judges a manifest, against the platform document if one is given;
//! `plan` shows what `set` would change:
//!
//! ```console
//! $ calico-cidr check mine.yaml && echo fine
//! fine
//! $ sed 's/# - name: CALICO/- name: CALICO/' calico.yaml | calico-cidr check || echo "status $?"
//! {"record":"finding","tool":"calico-cidr","target":"CALICO_IPV4POOL_CIDR","check":"half","status":"fail",[..]
//! status 1
//! $ calico-cidr plan --cidr 10.10.0.0/16 custom-resources.yaml | grep -o '"action":"[a-z]*"'
//! "action":"update"
//! ```
//!
//! ```sh
//! $ calico-cidr set --platform platform.yaml calico.yaml | kubectl apply -f -
//! $ kubectl get ippools -o json | calico-cidr check --pools - --platform platform.yaml calico.yaml
//! ```
//!
//! # Manifests
//!
//! - calico.yaml: variables of the container calico-node, active, commented
//!   out, or half of each (a name whose value is still a comment passes every
//!   validation, and Calico then ignores it)
//! - custom-resources.yaml: the pools and the way to find an address in the
//!   operator's Installation
//! - canal.yaml: `"Network"` in flannel's net-conf.json, and the pool; wrapping
//!   and addresses are flannel's
//!
//! # Checks
//!
//! - cidr, half, commented: the pool's network cannot be read, or does not count
//! - duplicate: a variable is there twice
//! - outside, smaller, overlap, reserved, private: the pool against the platform's networks
//! - network: flannel is told another network
//! - block-size, pool-size: Calico's limits; another size than the platform's
//! - encap, backend: wrappings that contradict each other or the platform
//! - autodetect, autodetect-vip: Calico may take the virtual address for a node's
//! - mtu: larger than wrapping leaves
//! - assign-ipv6: the plugin gives pods no IPv6 address
//! - no-effect: a pool is there already, and the manifest does not change it
//!
//! # Exit status
//!
//! 0 nothing found (warnings apart), nothing to change, or set. 1 findings,
//! something to change (`plan`), or refused: the pool would overlap, or lie
//! outside the platform's. 2 no YAML, no Calico in it, or a value written in
//! a way that is not edited.
//!
//! # Notes
//!
//! Calico reads the pool once, when there is none yet. Afterwards the pool is
//! an object of its own; with `--pools` (`kubectl get ippools -o json`) the
//! findings say so. While the pool is a comment, Calico takes podSubnet of
//! kubeadm-config, or else a private network it finds free. A network of IPv6
//! beside one of IPv4 brings all it needs with it; IPv6 alone needs more than
//! `set` writes (`assign_ipv4`, `IP`, `CALICO_ROUTER_ID`).

mod check;
mod get;
mod job;
mod pools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use cli::{Answer, Context, Input, Out};
use model::{Action, Change, Status};
use platform::Platform;
use yaml_splice::Stream;

use crate::check::Manifest;
use crate::job::{Job, Source, one_standard_input};
use crate::pools::Pool;

/// Make a Calico manifest use the cluster's networks
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Tell what the manifest says about addresses
    Get {
        /// The manifest; standard input if `-`
        #[arg(default_value = "-")]
        file: Input,
    },
    /// Judge the manifest
    Check {
        /// Judge it against this platform document
        #[arg(long, value_name = "FILE")]
        platform: Option<Input>,
        #[command(flatten)]
        source: Source,
    },
    /// Show what set would change
    Plan {
        #[command(flatten)]
        job: Job,
    },
    /// Print the manifest with other values
    Set {
        #[command(flatten)]
        job: Job,
    },
}

fn main() -> ExitCode {
    cli::main(&cli::tool!(), run)
}

fn run(args: &Args, out: &mut Out) -> cli::Result {
    match &args.verb {
        Verb::Get { file } => {
            let text = file.read_text(LIMIT_BYTES)?;
            let stream = parse(&text, file)?;
            get::records(&settings(&stream, file)?, file).iter().try_for_each(|record| out.emit(record))?;
            Ok(Answer::Yes)
        }
        Verb::Check { platform, source } => {
            one_standard_input([Some(&source.file), source.pools.as_ref(), platform.as_ref()])?;
            let platform = platform.as_ref().map(Input::platform).transpose()?;
            let pools = source.pools()?;
            let text = source.file.read_text(LIMIT_BYTES)?;
            let findings = judge(&text, &source.file, platform.as_ref(), &pools)?;
            findings.iter().try_for_each(|finding| out.emit(finding))?;
            Ok(Answer::from(findings.iter().all(|finding| finding.status != Status::Fail)))
        }
        Verb::Plan { job } => match job.edited()? {
            None => Ok(Answer::No),
            Some((before, after)) => {
                let changed = before != after;
                if changed {
                    out.emit(&change(&job.source.file, &before, &after))?;
                }
                Ok(Answer::from(!changed))
            }
        },
        Verb::Set { job } => match job.edited()? {
            None => Ok(Answer::No),
            Some((_, after)) => {
                out.write(after.as_bytes())?;
                Ok(Answer::Yes)
            }
        },
    }
}

const LIMIT_BYTES: u64 = yaml_splice::LIMIT_BYTES as u64;

fn parse<'t>(text: &'t str, file: &Input) -> cli::Result<Stream<'t>> {
    Stream::parse(text).doing(format!("reading {file}"))
}

fn settings<'s>(stream: &'s Stream<'_>, file: &Input) -> cli::Result<Vec<calico::Setting<'s>>> {
    calico::settings(stream, false).doing(format!("reading {file}"))
}

fn judge(
    text: &str,
    file: &Input,
    platform: Option<&Platform>,
    pools: &[Pool],
) -> cli::Result<Vec<model::Finding>> {
    let stream = parse(text, file)?;
    let settings = settings(&stream, file)?;
    let manifest = Manifest { file: file.to_string(), settings: &settings, platform };
    let mut findings = manifest.findings();
    findings.extend(pools::findings(&manifest, pools));
    Ok(findings)
}

fn change(file: &Input, before: &str, after: &str) -> Change {
    let name = file.to_string();
    let path = matches!(file, Input::File(_)).then(|| name.clone());
    let diff = similar::TextDiff::from_lines(before, after).unified_diff().header(&name, &name).to_string();
    Change {
        target: name,
        path,
        action: Action::Update,
        before_sha256: Some(files::sha256_hex(before.as_bytes())),
        after_sha256: Some(files::sha256_hex(after.as_bytes())),
        diff: Some(diff),
    }
}
