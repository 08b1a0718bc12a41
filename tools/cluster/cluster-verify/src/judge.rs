//! What the answers mean: pure functions of what was seen and what is wanted.

mod addresses;
mod api;
mod calico;
mod coredns;
mod etcd;
mod nodes;
mod time;
mod versions;
mod vip;

use std::time::Duration;

use model::{Finding, Severity, Status};
use platform::{Host, Platform, Role};

use crate::Area;
use crate::ask::{Seen, Untold};
use crate::told::Told;

/// The target of findings about no single host.
const CLUSTER: &str = "cluster";

/// Everything there is to say, in the order of the areas.
pub(crate) fn findings(
    platform: &Platform,
    seen: &Seen,
    told: &Told,
    areas: &[Area],
    skew: Duration,
) -> Vec<Finding> {
    let mut found = Vec::new();
    // Once, rather than with every check that needs them.
    let of_nodes = [Area::Nodes, Area::Versions, Area::Addresses, Area::Time];
    if let Err(untold) = &seen.nodes
        && areas.iter().any(|area| of_nodes.contains(area))
    {
        found.push(nodes::UNTOLD.unknown(CLUSTER, untold));
    }
    let nodes = seen.nodes.as_deref().unwrap_or_default();
    for area in areas {
        found.extend(match area {
            Area::Nodes if seen.nodes.is_err() => Vec::new(),
            Area::Nodes => nodes::judge(platform, nodes),
            Area::Versions => versions::judge(platform, nodes, &seen.servers),
            Area::Addresses => addresses::judge(platform, nodes),
            Area::Vip => vip::judge(platform, &seen.vips, told.vips.as_deref()),
            Area::Api => api::judge(&seen.servers),
            Area::Etcd => etcd::judge(&seen.servers, told.etcd.as_ref()),
            Area::Coredns => coredns::judge(platform, seen),
            Area::Calico => calico::judge(platform, seen),
            Area::Time => time::judge(nodes, seen, skew),
        });
    }
    found
}

/// A check: what it is called, and what is said when it does not pass.
struct Rule {
    check: &'static str,
    severity: Severity,
    why: &'static str,
    fix: Option<&'static str>,
    reference: Option<&'static str>,
}

impl Rule {
    /// A check without a known way out.
    const fn new(check: &'static str, severity: Severity, why: &'static str) -> Self {
        Self { check, severity, why, fix: None, reference: None }
    }

    const fn fix(self, fix: &'static str) -> Self {
        Self { fix: Some(fix), ..self }
    }

    const fn reference(self, reference: &'static str) -> Self {
        Self { reference: Some(reference), ..self }
    }

    fn found(&self, target: &str, status: Status) -> Finding {
        let bad = matches!(status, Status::Fail | Status::Warn);
        Finding {
            tool: env!("CARGO_PKG_NAME").to_owned(),
            target: target.to_owned(),
            check: self.check.to_owned(),
            status,
            severity: self.severity,
            file: None,
            line: None,
            current: None,
            want: None,
            why: self.why.to_owned(),
            fix: self.fix.filter(|_| bad).map(str::to_owned),
            reference: self.reference.map(str::to_owned),
        }
    }

    /// Pass or fail.
    fn holds(&self, target: &str, yes: bool) -> Finding {
        self.found(target, if yes { Status::Pass } else { Status::Fail })
    }

    /// Nobody could tell, and why.
    fn unknown(&self, target: &str, untold: &Untold) -> Finding {
        self.unknown_since(target, &untold.why)
    }

    fn unknown_since(&self, target: &str, why: &str) -> Finding {
        Finding { why: format!("could not be told: {why}"), ..self.found(target, Status::Unknown) }
    }

    fn not_applicable(&self, target: &str, why: &str) -> Finding {
        Finding { why: why.to_owned(), ..self.found(target, Status::NotApplicable) }
    }
}

/// What there is, and what there should be.
trait Shown {
    fn is(self, current: impl ToString) -> Self;
    fn should_be(self, want: impl ToString) -> Self;
}

impl Shown for Finding {
    fn is(self, current: impl ToString) -> Self {
        Self { current: Some(current.to_string()), ..self }
    }

    fn should_be(self, want: impl ToString) -> Self {
        Self { want: Some(want.to_string()), ..self }
    }
}

/// The hosts that should be nodes; a host for etcd alone runs no kubelet the API knows of.
fn hosts(platform: &Platform) -> impl Iterator<Item = &Host> {
    platform.hosts.iter().filter(|host| host.is(Role::ControlPlane) || host.is(Role::Worker))
}

fn joined<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
