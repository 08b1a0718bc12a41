//! Whether everybody runs the platform's version, and none is too far from the others.

use kube::Node;
use model::{Finding, Severity, Status};
use platform::Platform;

use super::{CLUSTER, Rule, Shown, joined};
use crate::ask::Server;

const SKEW: &str = "https://kubernetes.io/releases/version-skew-policy/";
const KUBELET: Rule =
    Rule::new("kubelet-version", Severity::Medium, "the platform says which version a host runs")
        .fix("upgrade the host, or say in the platform what it runs");
const API: Rule = Rule::new("api-version", Severity::Medium, "the platform says which version a host runs")
    .fix("upgrade the host, or say in the platform what it runs");
const KUBELET_SKEW: Rule = Rule::new(
    "kubelet-skew",
    Severity::High,
    "a kubelet is no newer than any API server, and at most three minors older",
)
.reference(SKEW);
const API_SKEW: Rule =
    Rule::new("api-skew", Severity::High, "API servers are at most one minor apart").reference(SKEW);

pub(super) fn judge(platform: &Platform, nodes: &[Node], servers: &[Server]) -> Vec<Finding> {
    let wanted = |name: &str| {
        let host = platform.host(name)?;
        Some(format!("v{}", host.kubernetes.as_ref().unwrap_or(&platform.cluster.kubernetes)))
    };
    let mut found = Vec::new();
    let mut running = Vec::new();
    for server in servers {
        let Some(want) = wanted(&server.name) else { continue };
        found.push(match &server.version {
            Ok(version) => {
                running.extend(minor(&version.git_version));
                let is = &version.git_version;
                API.holds(&server.name, *is == want).is(is).should_be(want)
            }
            Err(untold) => API.unknown(&server.name, untold).should_be(want),
        });
    }
    for node in nodes {
        let is = &node.status.node_info.kubelet_version;
        if let Some(want) = wanted(&node.metadata.name) {
            found.push(match is.as_str() {
                "" => KUBELET.unknown_since(&node.metadata.name, "its kubelet has never reported"),
                is => KUBELET.holds(&node.metadata.name, is == want).is(is).should_be(want),
            });
        }
    }
    let (Some(oldest), Some(newest)) = (running.iter().min(), running.iter().max()) else { return found };
    let all = joined(running.iter().map(|(major, minor)| format!("v{major}.{minor}")));
    found.push(API_SKEW.holds(CLUSTER, oldest.0 == newest.0 && newest.1 - oldest.1 <= 1).is(all));
    for node in nodes {
        let Some(kubelet) = minor(&node.status.node_info.kubelet_version) else { continue };
        let fits = kubelet <= *oldest && kubelet.0 == newest.0 && newest.1 - kubelet.1 <= 3;
        let range = format!("v{}.{} to v{}.{}", newest.0, newest.1.saturating_sub(3), oldest.0, oldest.1);
        let shown = format!("v{}.{}", kubelet.0, kubelet.1);
        // The newest kubelet a cluster may have is as old as its oldest API server.
        let status = if fits { Status::Pass } else { Status::Fail };
        found.push(KUBELET_SKEW.found(&node.metadata.name, status).is(shown).should_be(range));
    }
    found
}

/// Major and minor of `v1.36.3`, `v1.36.0-rc.1+abc`.
fn minor(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.strip_prefix('v')?.split(['.', '-', '+']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_all_forms_have_a_minor() {
        assert_eq!(minor("v1.36.3"), Some((1, 36)));
        assert_eq!(minor("v1.37.0-alpha.1+b2e"), Some((1, 37)));
        assert_eq!(minor("v1.30+"), Some((1, 30)));
        for nonsense in ["", "1.36.3", "v1", "vx.y"] {
            assert_eq!(minor(nonsense), None, "{nonsense}");
        }
    }
}
