//! Whether clocks agree.

use std::time::{Duration, SystemTime};

use kube::{Lease, Node};
use model::{Finding, Severity, Status};

use super::{Rule, Shown};
use crate::ask::{Seen, Server};

const API: Rule = Rule::new(
    "api-clock",
    Severity::High,
    "certificates, tokens and leases hold until a moment; a clock that is wrong moves it",
)
.fix("chronyc tracking, or timedatectl timesync-status, on that host and on this machine");
const NODE: Rule = Rule::new(
    "node-clock",
    Severity::Medium,
    "certificates, tokens and leases hold until a moment; a clock that is wrong moves it",
)
.fix("chronyc tracking, or timedatectl timesync-status, on that host and on this machine");

/// The header has whole seconds.
const HEADER: Duration = Duration::from_secs(1);
/// A kubelet's lease holds so long unless it says otherwise.
const LEASE_S: u32 = 40;

pub(super) fn judge(nodes: &[Node], seen: &Seen, most: Duration) -> Vec<Finding> {
    let mut found: Vec<_> = seen.servers.iter().map(|server| of_server(server, most)).collect();
    for node in nodes {
        found.push(match &seen.leases {
            Err(untold) => NODE.unknown(&node.metadata.name, untold),
            Ok(leases) => of_node(node, leases, seen.now, most),
        });
    }
    found
}

fn of_server(server: &Server, most: Duration) -> Finding {
    let Some((theirs, ours)) = server.date else {
        return match &server.version {
            Err(untold) => API.unknown(&server.name, untold),
            Ok(_) => API.unknown_since(&server.name, "it does not say what time it is"),
        };
    };
    // Half a second is what the header leaves out on average.
    let offset = Offset::of(theirs + HEADER / 2, ours);
    let finding = API.holds(&server.name, offset.size <= most + HEADER / 2);
    finding.is(offset.shown()).should_be(format!("within {} s", most.as_secs_f64()))
}

/// A lease is as old as the time since it was renewed; what is older, or from
/// the future, was written by another clock.
fn of_node(node: &Node, leases: &[Lease], now: SystemTime, most: Duration) -> Finding {
    let name = &node.metadata.name;
    let lease = leases.iter().find(|lease| lease.metadata.name == *name);
    let Some((lease, renewed)) = lease.and_then(|lease| Some((lease, lease.renewed()?))) else {
        return NODE.unknown_since(name, "it has no lease");
    };
    if !node.is_ready() {
        return NODE.unknown_since(name, "it is not ready, and may have stopped renewing its lease");
    }
    let every = Duration::from_secs(u64::from(lease.spec.lease_duration_seconds.unwrap_or(LEASE_S) / 4));
    let offset = Offset::of(renewed, now);
    // It may renew as late as it likes within twice its time.
    let well = if offset.ahead { offset.size <= most } else { offset.size <= 2 * every + most };
    let status = if well { Status::Pass } else { Status::Fail };
    let shown = if offset.ahead {
        format!("renewed its lease {:.1} s from now", offset.size.as_secs_f64())
    } else {
        format!("renewed its lease {:.1} s ago", offset.size.as_secs_f64())
    };
    NODE.found(name, status).is(shown).should_be(format!("every {} s", every.as_secs()))
}

/// How far a clock is from this machine's.
struct Offset {
    size: Duration,
    ahead: bool,
}

impl Offset {
    fn of(theirs: SystemTime, ours: SystemTime) -> Self {
        match theirs.duration_since(ours) {
            Ok(size) => Self { size, ahead: true },
            Err(behind) => Self { size: behind.duration(), ahead: false },
        }
    }

    fn shown(&self) -> String {
        format!("{:.1} s {}", self.size.as_secs_f64(), if self.ahead { "ahead" } else { "behind" })
    }
}
