//! Renders what load balancers need from the platform document.
//!
//! From one document come, for every balancer, haproxy.cfg, keepalived.conf, a
//! sysctl file and systemd units; as records for lb-apply, as one file on
//! standard output, or as a tree of files. The records end with findings about
//! the document and with the outage each fault will cause.
//!
//! ```console
//! $ lb-render --node lb1 --file keepalived platform.yaml | grep -A 4 vrrp_instance
//! vrrp_instance VI_4 {
//!     state BACKUP
//!     interface eth0
//!     virtual_router_id 51
//!     priority 254
//! $ lb-render --out rendered platform.yaml && ls rendered
//! lb1
//! lb2
//! ```
//!
//! ```sh
//! $ lb-render --node lb1 platform.yaml | lb-apply plan
//! ```
//!
//! `lb-render lint` judges files that others wrote: haproxy.cfg,
//! keepalived.conf, and the script keepalived starts. Files of several nodes
//! are compared with one another; give those of one machine together, so that
//! a port taken twice is seen.
//!
//! ```console
//! $ lb-render --node lb1 --file keepalived platform.yaml | sed 's/state BACKUP/state MASTER/' >own.conf
//! $ lb-render lint own.conf | grep -o '"check":"[a-z-]*","status":"[a-z]*"'
//! "check":"master-nopreempt","status":"fail"
//! ```
//!
//! # What it renders
//! haproxy passes TLS through to the API servers (mode tcp) and asks each of
//! them for /readyz, verified. A server that refuses or falls silent costs a
//! new connection 100 ms, then it goes to another. keepalived speaks VRRP
//! version 3 to named peers and follows a file that `ha-vipcheck --watch`
//! writes; a fault sends priority 0, so the backup waits only its skew, a few
//! milliseconds at the priorities used. A second check looks once a second whether
//! that file is still being written. With an IPv4 and an IPv6 address there are two
//! instances in one sync group: both addresses move together, and what faults
//! one moves both.
//!
//! # The advert interval
//! A holder that falls silent is missed for two to three adverts. Take
//! 100 ms on ordinary machines and networks. Take 50 ms where both balancers
//! run on their own hardware or on hypervisors that do not overcommit. Take
//! 30 ms only where they share a switch and nothing else competes for their
//! CPUs. Take 300 to 1000 ms where machines are paused for live migration or
//! snapshots. The finding `advert-interval` shows what each would cost.
//!
//! # Files
//! `/etc/haproxy/haproxy.cfg`, `/etc/keepalived/keepalived.conf`,
//! `/etc/sysctl.d/60-bareplane-lb.conf`, drop-ins for both services, the units
//! `bareplane-vipcheck.service` and `bareplane-notify.service`; with
//! `--static-pod` the manifests of both pods instead of the drop-ins. The two
//! units stay on the machine even then: what tells keepalived about haproxy
//! must not die with a pod.
//!
//! # Exit status
//! Rendering: 0 rendered, 2 the document is wrong. `lint`: 0 nothing found, or
//! warnings without `--strict`; 1 findings; 2 a file cannot be read as what it is.

mod advice;
mod lint;
mod render;
mod setup;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use cli::{Answer, Context, Error, Input, Out};
use files::Attributes;
use model::WantedFile;
use platform::Platform;

use crate::render::{Kind, Renderer};
use crate::setup::Setup;

/// Render or lint what load balancers need from the platform document
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// The platform document
    #[arg(value_name = "FILE", default_value = "-")]
    document: Input,
    /// Render for this balancer alone
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// Print one file as it is, instead of records
    #[arg(long, value_name = "KIND", requires = "node", conflicts_with_all = ["out", "json"])]
    file: Option<Kind>,
    /// Write all files below DIR/NODE, instead of records
    #[arg(long, value_name = "DIR", conflicts_with = "json")]
    out: Option<PathBuf>,
    /// Print records for lb-apply; what happens without --file and --out
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    options: setup::Options,
}

#[derive(Subcommand)]
enum Verb {
    /// Judge configurations that others wrote
    Lint(lint::Args),
}

fn main() -> ExitCode {
    cli::main(&cli::tool!(), run)
}

fn run(args: &Args, out: &mut Out) -> cli::Result {
    if let Some(Verb::Lint(args)) = &args.verb {
        return lint::run(args, out);
    }
    let platform = args.document.platform()?;
    let setups = setups(args, &platform)?;
    let wanted = setups.iter().filter(|setup| args.node.as_ref().is_none_or(|node| *node == setup.node));
    let renderer = Renderer::new().invalid("reading the templates")?;
    for setup in wanted {
        let doing = format!("rendering for {}", setup.node);
        if let Some(kind) = args.file {
            let file = renderer.file(setup, kind).invalid(doing)?;
            out.write(file.content.as_bytes())?;
            return Ok(Answer::Yes);
        }
        for file in renderer.files(setup).invalid(doing)? {
            match &args.out {
                Some(directory) => write(directory, &file)?,
                None => out.emit(&file)?,
            }
        }
    }
    if args.out.is_none() {
        advice::findings(&args.document.to_string(), &setups)
            .iter()
            .try_for_each(|finding| out.emit(finding))?;
        advice::timing(&setups).predictions().iter().try_for_each(|prediction| out.emit(prediction))?;
    }
    Ok(Answer::Yes)
}

/// What every balancer needs, in the order of the document.
fn setups(args: &Args, platform: &Platform) -> cli::Result<Vec<Setup>> {
    let doing = format!("reading {}", args.document);
    let names: Vec<_> = platform.balancers().map(|host| host.name.as_str()).collect();
    match &args.node {
        _ if names.is_empty() => Err(Error::invalid(doing, "no host has the role lb")),
        Some(node) if !names.contains(&node.as_str()) => {
            let why = format!("{node} is no load balancer");
            Err(Error::invalid(doing, why).hint(format!("hosts with the role lb: {}", names.join(", "))))
        }
        _ => names
            .iter()
            .map(|name| Setup::new(platform, name, &args.options))
            .collect::<Result<_, _>>()
            .invalid(doing),
    }
}

fn write(directory: &std::path::Path, file: &WantedFile) -> cli::Result<()> {
    let path =
        directory.join(file.node.as_deref().unwrap_or_default()).join(file.path.trim_start_matches('/'));
    let doing = format!("writing {}", path.display());
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).doing(&doing)?;
    }
    let mode = u32::from_str_radix(&file.mode, 8).unwrap_or(0o644);
    files::replace(&path, file.content.as_bytes(), &Attributes::mode(mode)).doing(doing)
}
