//! What the answers of all members mean.

mod cluster;
mod member;
mod membership;

use model::{Finding, Severity, Status};
use platform::Host;

use crate::survey::{Seen, Survey};

/// The target of findings about all members together.
const CLUSTER: &str = "cluster";

/// Everything there is to say; `hosts` are those the platform wants etcd on.
pub(crate) fn findings(survey: &Survey, hosts: Option<&[Host]>) -> Vec<Finding> {
    let mut found = cluster::findings(survey);
    for seen in &survey.seen {
        found.extend(member::findings(seen, survey));
    }
    found.extend(membership::findings(survey, hosts));
    found
}

/// What makes a snapshot of this cluster not worth having: nobody knows
/// whether it is up to date, or whose data are right.
pub(crate) fn spoils_a_backup(finding: &Finding) -> bool {
    let decisive = ["quorum", "leader", "cluster-id", "corrupt"].contains(&finding.check.as_str());
    decisive && !matches!(finding.status, Status::Pass | Status::Warn)
}

fn finding(target: impl Into<String>, check: &str, status: Status, severity: Severity, why: &str) -> Finding {
    Finding {
        tool: "etcd-check".to_owned(),
        target: target.into(),
        check: check.to_owned(),
        status,
        severity,
        file: None,
        line: None,
        current: None,
        want: None,
        why: why.to_owned(),
        fix: None,
        reference: None,
    }
}

/// Whatever names it best: name, id, endpoint.
fn name(seen: &Seen) -> String {
    let member = seen.member.as_ref();
    let id = || member.map(|member| id(member.id));
    let named = member.and_then(|member| member.name.clone());
    named.or_else(|| seen.host.clone()).or_else(id).or_else(|| seen.endpoint.clone()).unwrap_or_default()
}

/// An id as etcdctl prints it.
pub(crate) fn id(id: u64) -> String {
    format!("{id:x}")
}

/// Binary sizes: etcd's quota is given in them.
fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

#[cfg(test)]
mod tests;
