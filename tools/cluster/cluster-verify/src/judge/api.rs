//! Whether each API server serves.

use model::{Finding, Severity};

use super::{Rule, Shown, joined};
use crate::ask::Server;

const READY: Rule =
    Rule::new("api-ready", Severity::High, "a balancer sends clients to ready API servers alone")
        .fix("crictl logs of kube-apiserver on that host");

pub(super) fn judge(servers: &[Server]) -> Vec<Finding> {
    servers.iter().map(|server| ready(&READY, server)).collect()
}

/// Ready, or the checks that fail; not to be reached at all is a fail too.
pub(super) fn ready(rule: &Rule, server: &Server) -> Finding {
    let finding = match &server.health {
        Ok(health) if health.ok => rule.holds(&server.name, true).is("ready"),
        Ok(health) if health.failed.is_empty() => {
            rule.holds(&server.name, false).is(format!("answers {}", health.status))
        }
        Ok(health) => rule.holds(&server.name, false).is(format!("failed: {}", joined(&health.failed))),
        Err(untold) => rule.holds(&server.name, false).is(format!("{}: {}", server.url, untold.why)),
    };
    finding.should_be("ready")
}
