//! Whether the API servers reach etcd, and what etcd-check found.

use model::{EtcdMember, Finding, Severity, Status};

use super::{CLUSTER, Rule, Shown, joined};
use crate::ask::Server;

const REACHED: Rule =
    Rule::new("etcd-reached", Severity::Critical, "an API server without etcd answers nobody")
        .fix("etcd-check check on the etcd hosts");
const QUORUM: Rule =
    Rule::new("etcd-quorum", Severity::Critical, "without a majority nothing can be written")
        .fix("etcd-check check tells which members are down, and why");
const FOUND: Rule = Rule::new("etcd-found", Severity::High, "etcd-check found what is not as it should be")
    .fix("etcd-check check tells more");

pub(super) fn judge(servers: &[Server], told: Option<&(Vec<EtcdMember>, Vec<Finding>)>) -> Vec<Finding> {
    let mut found: Vec<_> = servers.iter().map(reached).collect();
    match told {
        None => {
            let why = "nobody asked etcd itself: --etcd takes what etcd-check printed";
            found.push(QUORUM.not_applicable(CLUSTER, why));
        }
        Some((members, findings)) => {
            found.push(quorum(members, findings));
            let bad = findings.iter().filter(|f| f.check != "quorum" && f.status != Status::Pass);
            found.extend(bad.map(|bad| Finding {
                severity: bad.severity,
                why: format!("{}: {}", bad.check, bad.why),
                current: bad.current.clone(),
                want: bad.want.clone(),
                fix: bad.fix.clone(),
                ..FOUND.found(&bad.target, bad.status)
            }));
        }
    }
    found
}

/// By the lines of `/readyz` that are about etcd.
fn reached(server: &Server) -> Finding {
    let health = match &server.health {
        Ok(health) => health,
        Err(untold) => return REACHED.unknown(&server.name, untold),
    };
    let about = |names: &[String]| -> Vec<String> {
        names.iter().filter(|name| name.starts_with("etcd")).cloned().collect()
    };
    let (failed, passed) = (about(&health.failed), about(&health.passed));
    match (failed.is_empty(), passed.is_empty()) {
        (false, _) => REACHED.holds(&server.name, false).is(format!("failed: {}", joined(failed))),
        (true, false) => REACHED.holds(&server.name, true).is(joined(passed)),
        (true, true) => REACHED.unknown_since(&server.name, "/readyz says nothing about etcd"),
    }
}

fn quorum(members: &[EtcdMember], findings: &[Finding]) -> Finding {
    // Its own finding knows about learners and about members that never started.
    if let Some(own) = findings.iter().find(|finding| finding.check == "quorum") {
        let fix = own.fix.clone();
        return Finding { current: own.current.clone(), fix, ..QUORUM.found(CLUSTER, own.status) };
    }
    let voters = members.iter().filter(|member| member.learner != Some(true));
    let (all, well) = voters
        .fold((0, 0), |(all, well), member| (all + 1, well + usize::from(member.healthy == Some(true))));
    if all == 0 {
        return QUORUM.unknown_since(CLUSTER, "no record is about a member");
    }
    QUORUM.holds(CLUSTER, well * 2 > all).is(format!("{well} of {all} voters are healthy"))
}
