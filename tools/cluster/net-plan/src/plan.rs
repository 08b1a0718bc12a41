//! The networks of a document, by what they are for.

use std::net::IpAddr;

use model::{Finding, Severity, Status};
use net::Cidr;
use platform::{Platform, Problem};

/// What a network is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Nodes,
    Bmcs,
    Pods,
    Services,
}

/// One network of the document.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    /// Its field.
    pub(crate) path: String,
    pub(crate) kind: Kind,
    pub(crate) cidr: Cidr,
}

impl Network {
    /// Whether the cluster alone uses it: nothing else may be there.
    pub(crate) fn is_inner(&self) -> bool {
        matches!(self.kind, Kind::Pods | Kind::Services)
    }
}

/// A document and its networks.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) platform: Platform,
    pub(crate) networks: Vec<Network>,
    tree: document::Node,
    file: String,
}

impl Plan {
    /// Reads a document; how its networks overlap is judged here, not there.
    pub(crate) fn new(text: &str, file: &str) -> Result<Self, Vec<Problem>> {
        let platform = platform::parse_unplanned(text)?;
        let tree = document::parse(text)?;
        let networks = platform::networks(&platform)
            .into_iter()
            .map(|(path, cidr)| Network { kind: kind(&path), path, cidr })
            .collect();
        Ok(Self { platform, networks, tree, file: file.to_owned() })
    }

    /// The virtual addresses with their fields.
    pub(crate) fn vips(&self) -> impl Iterator<Item = (String, IpAddr)> {
        self.platform.network.vips.iter().enumerate().map(|(n, vip)| (format!("network.vips[{n}]"), *vip))
    }

    /// How many hosts take a range of the pods' network.
    pub(crate) fn nodes(&self) -> u64 {
        let runs_pods = |role| matches!(role, platform::Role::ControlPlane | platform::Role::Worker);
        self.platform.hosts.iter().filter(|host| host.roles.iter().copied().any(runs_pods)).count() as u64
    }

    /// A failure of a check on a field.
    pub(crate) fn fail(&self, path: &str, check: &str, current: String, why: String) -> Finding {
        Finding {
            tool: "net-plan".into(),
            target: path.to_owned(),
            check: check.to_owned(),
            status: Status::Fail,
            severity: Severity::Critical,
            file: Some(self.file.clone()),
            line: Some(self.tree.locate(path).0),
            current: Some(current),
            want: None,
            why,
            fix: None,
            reference: None,
        }
    }

    /// Something that works, but asks for trouble.
    pub(crate) fn warn(&self, path: &str, check: &str, current: String, why: String) -> Finding {
        Finding { status: Status::Warn, severity: Severity::Medium, ..self.fail(path, check, current, why) }
    }
}

fn kind(path: &str) -> Kind {
    match path.split(['.', '[']).nth(1).unwrap_or_default() {
        "node_cidrs" => Kind::Nodes,
        "bmc_cidrs" => Kind::Bmcs,
        "pod_cidr" | "pod_cidr6" => Kind::Pods,
        _ => Kind::Services,
    }
}
