//! Judges how the networks of a platform fit together.
//!
//! `check` compares every network of the platform document (nodes, BMCs,
//! pods, services, virtual addresses) with every other, with the ranges that
//! have a meaning of their own, and with the routes of a machine; and holds
//! them against the limits of kubeadm and Calico. What is wrong comes as
//! findings:
//!
//! ```console
//! $ net-plan check platform.yaml && echo fine
//! fine
//! $ sed 's/10.96.0.0/10.244.0.0/' platform.yaml | net-plan check
//! {"record":"finding","tool":"net-plan","target":"network.service_cidr","check":"overlap","status":"fail",[..]
//! $ echo '[{"dst":"10.244.7.0/24","dev":"eth1"}]' | net-plan check --routes - platform.yaml || echo conflict
//! {"record":"finding","tool":"net-plan","target":"network.pod_cidr","check":"route",[..]
//! conflict
//! ```
//!
//! `size` tells how much room there is, `suggest` names free networks for
//! pods and services that are in the way:
//!
//! ```console
//! $ net-plan size platform.yaml | grep pod_cidr
//! {"record":"network-size","network":"network.pod_cidr","cidr":"10.244.0.0/16","addresses":65536,"taken":null,"blocks":1024,"most_nodes":256,"pods_per_node":256,"pod_mtu_bytes":1450}
//! $ sed 's/10.96.0.0/10.244.0.0/' platform.yaml | net-plan suggest
//! {"record":"difference","path":"network.service_cidr","before":"10.244.0.0/16","after":"10.96.0.0/16"}
//! ```
//!
//! # Checks
//!
//! - overlap: two networks share addresses, or a virtual address lies among pods or services
//! - reserved: link-local, loopback, multicast; docker0 and documentation as a warning
//! - route: a route of the machine leads into the pods' or services' network
//! - private: a network lies outside RFC 1918 and RFC 4193 (a warning)
//! - service-size, pod-size: kubeadm's limits
//! - pool-size, pool-room, blocks, encap: Calico's limits
//! - mtu: what encapsulation leaves is too small
//!
//! # Exit status
//!
//! 0 nothing in the way (warnings apart), 1 a conflict, or no free network to
//! suggest, 2 the document or the routes are wrong.
//!
//! # Notes
//!
//! Host bits that are set (192.167.0.0/12) are an error of the document:
//! status 2, with the network that was meant. Routes are given as
//! `ip -json route` and `ip -json -6 route` print them, one after the other
//! if both. Routes that Calico, Flannel or a CNI bridge made are left out:
//! they are the pods' own.

mod limits;
mod overlap;
mod plan;
mod route;
mod size;
mod suggest;

use std::process::ExitCode;

use clap::{Args as Group, Parser, Subcommand, ValueEnum};
use cli::{Answer, Context, Error, Input};
use model::Status;

use crate::plan::Plan;
use crate::route::Route;

/// Judge how the platform's networks fit together
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Tell what is in each other's way
    Check {
        /// Bear this overlap
        #[arg(long, value_name = "PAIR")]
        allow: Vec<Allowed>,
        #[command(flatten)]
        source: Source,
    },
    /// Tell how much room there is
    Size {
        /// The platform document; standard input if `-`
        #[arg(default_value = "-")]
        file: Input,
    },
    /// Name free networks for pods and services that are in the way
    Suggest {
        #[command(flatten)]
        source: Source,
    },
}

/// An overlap that somebody chose.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Allowed {
    /// Pods and services in one network.
    PodsServices,
}

#[derive(Group)]
struct Source {
    /// Routes of a machine, as `ip -json route` prints them
    #[arg(long, value_name = "FILE")]
    routes: Option<Input>,
    /// The platform document; standard input if `-`
    #[arg(default_value = "-")]
    file: Input,
}

impl Source {
    fn read(&self) -> cli::Result<(Plan, Vec<Route>)> {
        if self.routes == Some(Input::Stdin) && self.file == Input::Stdin {
            return Err(Error::invalid(
                "reading arguments",
                "standard input can be the document or the routes",
            ));
        }
        let routes = match &self.routes {
            Some(input) => route::parse(&input.read(16 << 20)?)
                .invalid(format!("reading `ip -json route` from {input}"))?,
            None => Vec::new(),
        };
        Ok((plan(&self.file)?, routes))
    }
}

fn main() -> ExitCode {
    cli::main(&cli::tool!(), run)
}

fn run(args: &Args, out: &mut cli::Out) -> cli::Result {
    match &args.verb {
        Verb::Check { allow, source } => {
            let (plan, routes) = source.read()?;
            let mut findings = overlap::findings(&plan, allow.contains(&Allowed::PodsServices));
            findings.extend(route::findings(&plan, &routes));
            findings.extend(limits::findings(&plan));
            findings.iter().try_for_each(|finding| out.emit(finding))?;
            Ok(Answer::from(findings.iter().all(|finding| finding.status != Status::Fail)))
        }
        Verb::Size { file } => {
            size::sizes(&plan(file)?).iter().try_for_each(|size| out.emit(size))?;
            Ok(Answer::Yes)
        }
        Verb::Suggest { source } => {
            let (plan, routes) = source.read()?;
            let (found, none) = suggest::suggestions(&plan, &routes);
            found.iter().try_for_each(|difference| out.emit(difference))?;
            none.iter()
                .for_each(|path| cli::warn(format!("no private network of that size is free for {path}")));
            Ok(Answer::from(none.is_empty()))
        }
    }
}

fn plan(file: &Input) -> cli::Result<Plan> {
    let text = file.read_text(platform::LIMIT_BYTES)?;
    Plan::new(&text, &file.to_string())
        .map_err(|problems| Error::invalid_all(format!("reading {file}"), problems))
}
