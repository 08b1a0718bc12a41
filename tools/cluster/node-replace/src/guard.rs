//! What the cluster can bear: pure decisions.

use etcd::{Member, Quorum};
use kube::Pod;
use platform::{Host, Role};

use crate::journal;
use crate::look::{Etcd, Look};

/// A no, with the word for the record, the reason, and the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) word: &'static str,
    pub(crate) why: String,
    pub(crate) hint: Option<&'static str>,
}

fn guard(why: String) -> Refusal {
    Refusal { word: "guard", why, hint: None }
}

/// Pods that must go: those of daemon sets would come back, static pods are the kubelet's own.
pub(crate) fn leaving(pods: &[Pod]) -> impl Iterator<Item = &Pod> {
    pods.iter().filter(|pod| !pod.is_mirror() && !pod.is_of_daemon_set())
}

/// The member of etcd on a host, by its peer URL: its address, or the URL that was named.
pub(crate) fn member<'a>(
    etcd: &'a Etcd,
    host: &Host,
    peer_url: Option<&str>,
) -> Result<Option<&'a Member>, Refusal> {
    if let Some(url) = peer_url {
        let found = etcd.members.at_peer_url(url);
        return found.map(Some).ok_or_else(|| guard(format!("no member of etcd has the peer URL {url}")));
    }
    let addresses: Vec<String> = host.addresses().map(|address| address.to_string()).collect();
    let own = |member: &&Member| {
        member.peer_hosts().any(|peer| peer == host.name || addresses.iter().any(|address| address == peer))
    };
    let found: Vec<_> = etcd.members.list.iter().filter(own).collect();
    let hint = Some("--peer-url names the one that is meant; etcd-check shows them all");
    match found.as_slice() {
        [] => match etcd.members.list.iter().find(|member| member.name.as_deref() == Some(&host.name)) {
            // A name is not enough: it may be the successor's, on another machine.
            Some(named) => Err(Refusal {
                hint,
                ..guard(format!(
                    "etcd has a member called {}, but at {}, which is not the host's",
                    host.name,
                    named.peer_urls.join(", ")
                ))
            }),
            None => Ok(None),
        },
        [one] => Ok(Some(one)),
        several => {
            let urls: Vec<_> = several.iter().flat_map(|member| member.peer_urls.clone()).collect();
            Err(Refusal {
                hint,
                ..guard(format!("several members of etcd are at the host: {}", urls.join(", ")))
            })
        }
    }
}

fn no_quorum(why: String) -> Refusal {
    let hint = Some("bring a member back first; etcd-check tells what is wrong with each");
    Refusal { word: "quorum", why, hint }
}

/// Whether etcd can do anything at all.
pub(crate) fn majority(etcd: &Etcd) -> Result<Quorum, Refusal> {
    let voters: Vec<u64> = etcd.members.voters().map(|member| member.id).collect();
    let alive = voters.iter().filter(|id| etcd.alive.contains(id)).count();
    let now = Quorum { voters: voters.len(), alive };
    if now.holds() {
        return Ok(now);
    }
    let voters = now.voters;
    Err(no_quorum(format!("{alive} of {voters} voters of etcd follow a leader: nothing can be changed")))
}

/// Whether etcd can spare a member.
pub(crate) fn quorum(etcd: &Etcd, id: u64) -> Result<Quorum, Refusal> {
    let now = majority(etcd)?;
    let is_voter = etcd.members.voters().any(|member| member.id == id);
    let after = if is_voter { now.after_removal_of(etcd.alive.contains(&id)) } else { now };
    if after.holds() {
        return Ok(after);
    }
    let (alive, voters) = (after.alive, after.voters);
    Err(no_quorum(format!("without it {alive} of {voters} voters of etcd would be alive")))
}

/// Whether the cluster can spare a node; what has been done already is asked no more.
pub(crate) fn allows(
    look: &Look,
    host: &Host,
    api_host: &str,
    member: Option<&journal::Member>,
    force: bool,
) -> Result<(), Refusal> {
    if host.name == api_host || host.addresses().any(|address| address.to_string() == api_host) {
        return Err(Refusal {
            hint: Some("take one whose server is another control plane, or the virtual address"),
            ..guard(format!("the kubeconfig asks {}, the very node that goes", host.name))
        });
    }
    if let Some((etcd, member)) = look.etcd.as_ref().zip(member)
        && etcd.members.with_id(member.number()).is_some()
    {
        quorum(etcd, member.number())?;
    }
    let Some(node) = &look.node else { return Ok(()) };
    if host.is(Role::ControlPlane) && look.control_planes == 0 {
        return Err(guard(format!("no other control plane than {} is ready", host.name)));
    }
    if force {
        return Ok(());
    }
    let names = |pods: &[&Pod]| {
        let shown: Vec<_> = pods.iter().take(5).map(|pod| pod.name()).collect();
        let more = if pods.len() > 5 { format!(" and {} more", pods.len() - 5) } else { String::new() };
        format!("{}{more}", shown.join(", "))
    };
    let leaving: Vec<_> = leaving(&look.pods).collect();
    if node.is_silent() && !leaving.is_empty() {
        return Err(Refusal {
            hint: Some("make sure its machine is off, then --force"),
            ..guard(format!("{} is silent: {} would never confirm to be gone", host.name, names(&leaving)))
        });
    }
    let lost: Vec<_> = leaving
        .iter()
        .filter(|pod| pod.metadata.controller().is_none() && !pod.is_finished())
        .copied()
        .collect();
    if !lost.is_empty() {
        return Err(Refusal {
            hint: Some("--force gives them up"),
            ..guard(format!("nobody makes them again: {}", names(&lost)))
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use etcd::Members;
    use kube::Node;
    use serde_json::json;

    const PLATFORM: &str =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/fixtures/examples/platform.yaml"));

    fn host(name: &str) -> Host {
        platform::parse(PLATFORM).unwrap().host(name).unwrap().clone()
    }

    /// Members at the addresses of cp1 to cp3 and beyond, with those alive.
    fn etcd(count: u64, alive: &[u64]) -> Etcd {
        let list = (1..=count).map(|id| Member {
            id,
            name: Some(format!("cp{id}")),
            peer_urls: vec![format!("https://10.77.0.2{id}:2380")],
            client_urls: vec![],
            learner: false,
        });
        Etcd {
            members: Members { cluster: 7, list: list.collect() },
            alive: alive.to_vec(),
            leaderless: 0,
            urls: vec![],
        }
    }

    fn kept(id: u64) -> journal::Member {
        journal::Member { id: format!("{id:x}"), cluster: "7".into(), peer_urls: vec![] }
    }

    fn look(ready: &str, pods: serde_json::Value) -> Look {
        let node: Node = serde_json::from_value(json!({"metadata": {"name": "cp2"},
            "status": {"conditions": [{"type": "Ready", "status": ready}]}}))
        .unwrap();
        Look {
            node: Some(node),
            pods: serde_json::from_value(pods).unwrap(),
            control_planes: 2,
            etcd: Some(etcd(3, &[1, 2, 3])),
        }
    }

    fn pod(name: &str, owner: Option<&str>) -> serde_json::Value {
        let owners: Vec<_> =
            owner.iter().map(|kind| json!({"kind": kind, "name": "o", "controller": true})).collect();
        json!({"metadata": {"name": name, "namespace": "n", "ownerReferences": owners}, "status": {"phase": "Running"}})
    }

    #[test]
    fn a_member_is_known_by_its_peer_url_and_never_by_its_name_alone() {
        let three = etcd(3, &[1, 2, 3]);
        assert_eq!(member(&three, &host("cp2"), None).unwrap().unwrap().id, 2);
        assert_eq!(member(&three, &host("w1"), None), Ok(None));
        let mut elsewhere = three.clone();
        elsewhere.members.list[1].peer_urls = vec!["https://10.77.0.29:2380".into()];
        assert_eq!(member(&elsewhere, &host("cp2"), None).unwrap_err().word, "guard");
        let named = member(&elsewhere, &host("cp2"), Some("https://10.77.0.29:2380"));
        assert_eq!(named.unwrap().unwrap().id, 2);
        assert!(member(&elsewhere, &host("cp2"), Some("https://10.77.0.28:2380")).is_err());
        let mut twice = three.clone();
        twice.members.list[2].peer_urls = vec!["https://10.77.0.22:3380".into()];
        assert!(member(&twice, &host("cp2"), None).unwrap_err().why.contains("several"));
    }

    #[test]
    fn a_member_that_never_started_has_no_name_and_is_found_all_the_same() {
        let mut unstarted = etcd(3, &[1, 3]);
        unstarted.members.list[1].name = None;
        assert_eq!(member(&unstarted, &host("cp2"), None).unwrap().unwrap().id, 2);
    }

    #[test]
    fn a_majority_must_be_left_and_a_dead_member_costs_nothing() {
        for (count, alive, gone, holds) in [
            (3, &[1, 2, 3][..], 2, true),
            (3, &[1, 3], 2, true),
            (3, &[1, 2], 2, false),
            (3, &[1], 2, false),
            (5, &[1, 2, 3], 4, true),
            (5, &[1, 2, 3], 1, false),
            (2, &[1, 2], 2, true),
            (2, &[1], 2, false),
            (1, &[1], 1, false),
        ] {
            let found = quorum(&etcd(count, alive), gone);
            assert_eq!(found.is_ok(), holds, "{count} {alive:?} {gone}: {found:?}");
            assert!(found.is_ok() || found.unwrap_err().word == "quorum");
        }
        let mut learner = etcd(3, &[1, 2]);
        learner.members.list[2].learner = true;
        assert!(quorum(&learner, 3).is_ok());
    }

    #[test]
    fn the_last_control_plane_and_the_one_that_is_asked_stay() {
        let all = |look: &Look, at: &str| allows(look, &host("cp2"), at, Some(&kept(2)), false);
        let well = look("True", json!([pod("a", Some("ReplicaSet"))]));
        assert_eq!(all(&well, "10.77.0.100"), Ok(()));
        assert!(all(&well, "10.77.0.22").unwrap_err().why.contains("very node"));
        assert!(all(&well, "cp2").is_err());
        let last = Look { control_planes: 0, ..look("True", json!([])) };
        assert!(all(&last, "10.77.0.100").unwrap_err().why.contains("no other control plane"));
        assert!(allows(&last, &host("w1"), "10.77.0.100", None, false).is_ok());
    }

    #[test]
    fn pods_that_would_be_lost_or_never_confirm_need_force() {
        let all = |look: &Look, force| allows(look, &host("cp2"), "vip", Some(&kept(2)), force);
        let naked = look("True", json!([pod("a", None)]));
        assert!(all(&naked, false).unwrap_err().why.contains("n/a"));
        assert_eq!(all(&naked, true), Ok(()));
        let silent = look("Unknown", json!([pod("a", Some("ReplicaSet"))]));
        assert!(all(&silent, false).unwrap_err().why.contains("silent"));
        assert_eq!(all(&silent, true), Ok(()));
        // Nothing is lost with what stays anyway.
        let stays = look("Unknown", json!([pod("a", Some("DaemonSet"))]));
        assert_eq!(all(&stays, false), Ok(()));
        let complains = look("False", json!([pod("a", Some("ReplicaSet"))]));
        assert_eq!(all(&complains, false), Ok(()));
    }

    #[test]
    fn force_does_not_make_up_for_quorum() {
        let mut hurt = look("True", json!([]));
        hurt.etcd = Some(etcd(3, &[1, 2]));
        assert_eq!(allows(&hurt, &host("cp2"), "vip", Some(&kept(2)), true).unwrap_err().word, "quorum");
        // The member is gone already: nothing is asked of etcd any more.
        assert_eq!(allows(&hurt, &host("cp2"), "vip", Some(&kept(9)), true), Ok(()));
    }
}
