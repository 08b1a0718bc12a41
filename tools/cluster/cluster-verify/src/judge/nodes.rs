//! Whether the nodes are those of the platform, and well.

use kube::Node;
use model::{Finding, Severity, Status};
use platform::{Host, Platform, Role};

use super::{Rule, Shown, hosts, joined};

pub(super) const UNTOLD: Rule =
    Rule::new("nodes", Severity::Critical, "nothing about nodes can be told without their list");
const MISSING: Rule =
    Rule::new("node-missing", Severity::High, "a host of the platform that never joined carries no load")
        .fix("kubeadm-join on that host, or take it out of the platform");
const EXTRA: Rule = Rule::new(
    "node-extra",
    Severity::Medium,
    "nobody plans, watches or upgrades what the platform does not know",
)
.fix("add the host to the platform, or: node-replace, kubectl delete node");
const READY: Rule = Rule::new("node-ready", Severity::High, "pods run on ready nodes alone")
    .fix("journalctl -u kubelet -u containerd on that host");
const PRESSURE: Rule =
    Rule::new("node-pressure", Severity::Medium, "under pressure a node evicts pods and takes none");
const CORDONED: Rule = Rule::new("node-cordoned", Severity::Low, "a cordoned node takes no new pods")
    .fix("kubectl uncordon NODE");
const ROLE: Rule =
    Rule::new("node-role", Severity::Medium, "what runs on control planes finds them by this label").fix(
        "kubectl label node NODE node-role.kubernetes.io/control-plane=, or …control-plane- to take it away",
    );
const TAINT: Rule = Rule::new(
    "node-taint",
    Severity::Medium,
    "the taint keeps pods away from control planes that are no workers, and from no other node",
)
.fix("kubectl taint node NODE node-role.kubernetes.io/control-plane:NoSchedule, with a - behind it to take it away");

const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";

pub(super) fn judge(platform: &Platform, nodes: &[Node]) -> Vec<Finding> {
    let mut found = Vec::new();
    for host in hosts(platform) {
        match nodes.iter().find(|node| node.metadata.name == host.name) {
            None => found.push(MISSING.found(&host.name, Status::Fail)),
            Some(node) => {
                found.extend(health(node));
                found.extend([role(node, host), taint(node, host)]);
            }
        }
    }
    for node in nodes {
        if !hosts(platform).any(|host| host.name == node.metadata.name) {
            found.push(EXTRA.found(&node.metadata.name, Status::Fail));
            found.extend(health(node));
        }
    }
    found
}

fn health(node: &Node) -> Vec<Finding> {
    let name = &node.metadata.name;
    let ready = match node.ready() {
        Some(ready) if ready.status == "True" => READY.found(name, Status::Pass).is("ready"),
        Some(ready) => READY.found(name, Status::Fail).is(format!("{}: {}", ready.reason, ready.message)),
        None => READY.found(name, Status::Fail).is("its kubelet has never reported"),
    };
    let mut found = vec![ready.should_be("ready")];
    let pressed = node.status.conditions.iter().filter(|condition| {
        let kind = condition.kind.as_str();
        (kind.ends_with("Pressure") || kind == "NetworkUnavailable") && condition.status == "True"
    });
    let pressed = joined(pressed.map(|condition| &condition.kind));
    if !pressed.is_empty() {
        found.push(PRESSURE.found(name, Status::Fail).is(pressed));
    }
    if node.spec.unschedulable {
        found.push(CORDONED.found(name, Status::Warn));
    }
    found
}

fn role(node: &Node, host: &Host) -> Finding {
    let word = |is: bool| if is { "control-plane" } else { "none" };
    let (is, should) = (node.is_control_plane(), host.is(Role::ControlPlane));
    ROLE.holds(&host.name, is == should).is(word(is)).should_be(word(should))
}

fn taint(node: &Node, host: &Host) -> Finding {
    let has = node.spec.taints.iter().any(|taint| taint.key == CONTROL_PLANE && taint.effect == "NoSchedule");
    let should = host.is(Role::ControlPlane) && !host.is(Role::Worker);
    let word = |is: bool| if is { "NoSchedule" } else { "none" };
    TAINT.holds(&host.name, has == should).is(word(has)).should_be(word(should))
}
