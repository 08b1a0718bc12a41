//! Who is a member, and who should be.

use std::collections::BTreeSet;

use model::{Finding, Severity, Status};
use platform::Host;

use super::{CLUSTER, finding, id, member, name};
use crate::reach::host_at;
use crate::survey::Survey;

pub(super) fn findings(survey: &Survey, hosts: Option<&[Host]>) -> Vec<Finding> {
    let mut found = member::orphaned_alarms(survey);
    found.extend(views(survey));
    found.extend(strangers(survey));
    if let (Some(hosts), Some(_)) = (hosts, &survey.members) {
        found.extend(stale(survey, hosts));
        found.extend(missing(survey, hosts));
    }
    found
}

/// Members that disagree about who the members are.
fn views(survey: &Survey) -> Option<Finding> {
    let of = |list: &[etcd::Member]| list.iter().map(|member| member.id).collect::<BTreeSet<_>>();
    let right = of(&survey.members.as_ref()?.list);
    let cluster = survey.members.as_ref()?.cluster;
    let differ: Vec<_> = survey
        .answers()
        .filter(|(_, answer)| {
            answer.status.cluster == cluster
                && answer.members.as_ref().is_some_and(|members| of(&members.list) != right)
        })
        .map(|(seen, _)| name(seen))
        .collect();
    (!differ.is_empty()).then(|| {
        let why = "members disagree about who the members are: a change is under way, or one is behind";
        let mut finding = finding(CLUSTER, "membership", Status::Warn, Severity::High, why);
        finding.current = Some(format!("another list at {}", differ.join(", ")));
        finding
    })
}

/// Whoever answers and is of the same cluster ought to be in the membership.
fn strangers(survey: &Survey) -> Vec<Finding> {
    let Some(members) = &survey.members else { return Vec::new() };
    let strange = survey
        .answers()
        .filter(|(seen, answer)| seen.member.is_none() && answer.status.cluster == members.cluster);
    strange
        .map(|(seen, answer)| {
            let why = "it runs, but was removed from the membership";
            let mut finding = finding(name(seen), "no-member", Status::Fail, Severity::High, why);
            finding.current = Some(id(answer.status.member));
            finding.fix = Some("stop it and empty its data directory".into());
            finding
        })
        .collect()
}

/// Members on no etcd host of the platform, or at the address of another one than they are named after.
fn stale(survey: &Survey, hosts: &[Host]) -> Vec<Finding> {
    let mut found = Vec::new();
    for seen in &survey.seen {
        let Some(member) = &seen.member else { continue };
        let at: Vec<_> = member.peer_hosts().filter_map(|peer| host_at(hosts.iter(), peer)).collect();
        let named = member.name.as_ref().and_then(|name| hosts.iter().find(|host| host.name == *name));
        let current = member.peer_urls.join(", ");
        match (at.first(), named) {
            (None, Some(host)) => {
                let why = "its peers reach it at an address that is not its host's";
                let mut wrong = finding(name(seen), "peer-url", Status::Fail, Severity::High, why);
                wrong.want = host.addresses().next().map(|address| address.to_string());
                wrong.fix =
                    Some(format!("etcdctl member update {} --peer-urls=https://ADDRESS:2380", id(member.id)));
                found.push(Finding { current: Some(current), ..wrong });
            }
            (None, None) => {
                let why = "the platform has no etcd host at its address: a node that went without leaving";
                let mut stale = finding(name(seen), "stale-member", Status::Fail, Severity::High, why);
                stale.fix =
                    Some(format!("once the node is gone for good: etcdctl member remove {}", id(member.id)));
                found.push(Finding { current: Some(current), ..stale });
            }
            (Some(at), Some(named)) if at.name != named.name => {
                let why = "it is named after another host than the one it runs on";
                let mut wrong = finding(name(seen), "member-name", Status::Warn, Severity::Low, why);
                wrong.want = Some(at.name.clone());
                found.push(Finding { current: member.name.clone(), ..wrong });
            }
            _ => {}
        }
    }
    found
}

/// Etcd hosts of the platform without a member.
fn missing(survey: &Survey, hosts: &[Host]) -> Vec<Finding> {
    let members = || survey.seen.iter().filter_map(|seen| seen.member.as_ref());
    // One of its name at another address is told as that.
    let has = |host: &&Host| {
        members().any(|member| {
            let mut peers = member.peer_hosts();
            member.name.as_ref() == Some(&host.name)
                || peers.any(|peer| host_at(std::iter::once(*host), peer).is_some())
        })
    };
    let without = hosts.iter().filter(|host| !has(host));
    without
        .map(|host| {
            let why = "the platform wants a member here, and the cluster has none";
            let mut missing = finding(host.name.clone(), "missing-member", Status::Fail, Severity::High, why);
            missing.want = host.addresses().next().map(|address| address.to_string());
            missing.fix = Some("join the host as a control plane".into());
            missing
        })
        .collect()
}
