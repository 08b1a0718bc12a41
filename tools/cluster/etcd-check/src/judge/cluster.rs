//! What concerns all members together.

use std::collections::BTreeMap;

use etcd::Quorum;
use model::{Finding, Severity, Status};

use super::{CLUSTER, finding, id, name};
use crate::survey::{Answer, Seen, Survey};

/// etcd supports neighbouring minor versions side by side, and only during an upgrade.
const VERSIONS: &str = "https://etcd.io/docs/v3.6/upgrades/";

pub(super) fn findings(survey: &Survey) -> Vec<Finding> {
    let mut found = vec![quorum_finding(survey), leader(survey)];
    found.extend(even(survey));
    found.extend(cluster_id(survey));
    found.extend(term(survey));
    found.extend(version(survey));
    found
}

/// The voters, and those of them that answer.
pub(super) fn quorum(survey: &Survey) -> Quorum {
    let has_vote = |seen: &&Seen| seen.member.as_ref().is_some_and(|member| !member.learner);
    let voters = survey.seen.iter().filter(has_vote);
    Quorum { voters: voters.clone().count(), alive: voters.filter(|seen| seen.answer.is_some()).count() }
}

fn quorum_finding(survey: &Survey) -> Finding {
    let quorum = quorum(survey);
    let agreed = survey.answers().any(|(_, answer)| answer.agreed.is_ok());
    let (status, severity, why) = match (quorum.voters, quorum.holds(), agreed) {
        (0, ..) => (Status::Unknown, Severity::Critical, "nobody told who the members are"),
        (_, true, true) if quorum.spare() == 0 && quorum.voters > 2 => {
            (Status::Warn, Severity::High, "the loss of one more member stops the cluster")
        }
        (_, true, true) => (Status::Pass, Severity::Critical, "a majority of the voters agrees"),
        (_, true, false) => {
            (Status::Fail, Severity::Critical, "enough voters answer, but they do not agree on anything")
        }
        // Members we cannot reach may reach each other.
        (_, false, true) => {
            (Status::Warn, Severity::High, "the voters agree, although most of them do not answer here")
        }
        (_, false, false) => {
            (Status::Fail, Severity::Critical, "without a majority of the voters nothing can be written")
        }
    };
    let mut finding = finding(CLUSTER, "quorum", status, severity, why);
    finding.current = Some(format!("{} of {} voters answer", quorum.alive, quorum.voters));
    finding.want = Some(format!("at least {}", quorum.needed())).filter(|_| quorum.voters > 0);
    if status == Status::Fail && quorum.voters > 0 {
        finding.fix =
            Some("start the members that do not answer; if they are lost for good, restore a backup".into());
        finding.reference = Some("https://etcd.io/docs/v3.6/op-guide/recovery/".into());
    }
    finding
}

fn leader(survey: &Survey) -> Finding {
    let mut followed: BTreeMap<u64, usize> = BTreeMap::new();
    let mut without = Vec::new();
    for (seen, answer) in survey.answers() {
        match answer.status.leader {
            Some(leader) => *followed.entry(leader).or_default() += 1,
            None => without.push(name(seen)),
        }
    }
    let leads = |leader: &u64| {
        let known = survey.seen.iter().find(|seen| seen.member.as_ref().is_some_and(|m| m.id == *leader));
        known.map_or_else(|| id(*leader), name)
    };
    let leaders: Vec<_> = followed.keys().map(leads).collect();
    let (status, why) = match (leaders.len(), without.is_empty()) {
        (0, true) => (Status::Unknown, "nobody told"),
        (0, false) => (Status::Fail, "without a leader nothing can be written"),
        (1, true) => (Status::Pass, "all that answer follow one leader"),
        (1, false) => (Status::Fail, "some members know no leader"),
        (..) => (
            Status::Fail,
            "members follow different leaders: an election is going on, or the network is split",
        ),
    };
    let mut finding = finding(CLUSTER, "leader", status, Severity::Critical, why);
    let mut current = leaders.join(", ");
    if !without.is_empty() && !leaders.is_empty() {
        current = format!("{current}; none for {}", without.join(", "));
    }
    finding.current = Some(current).filter(|current| !current.is_empty());
    finding
}

/// A fourth voter makes the majority larger and bears no further loss.
fn even(survey: &Survey) -> Option<Finding> {
    let voters = quorum(survey).voters;
    (voters > 0 && voters.is_multiple_of(2)).then(|| {
        let why = "one voter fewer would bear as many losses";
        let mut finding = finding(CLUSTER, "even-members", Status::Warn, Severity::Medium, why);
        finding.current = Some(format!("{voters} voters"));
        finding.want = Some("an odd number".into());
        finding
    })
}

fn cluster_id(survey: &Survey) -> Option<Finding> {
    let said = by(survey, |answer| id(answer.status.cluster));
    (said.len() > 1).then(|| {
        let why = "the endpoints belong to different clusters: one of them was initialised by itself";
        let mut finding = finding(CLUSTER, "cluster-id", Status::Fail, Severity::Critical, why);
        finding.current = Some(told(&said));
        finding.want = Some("one cluster".into());
        finding.fix = Some(
            "leave the stranger out of --endpoints, or join it anew with an empty data directory".into(),
        );
        finding
    })
}

/// The members are asked one after the other: an election in between is no fault.
fn term(survey: &Survey) -> Option<Finding> {
    let said = by(survey, |answer| answer.status.raft_term.to_string());
    (said.len() > 1).then(|| {
        let why = "members are in different terms: an election was going on, or one is cut off";
        let mut finding = finding(CLUSTER, "raft-term", Status::Warn, Severity::High, why);
        finding.current = Some(told(&said));
        finding
    })
}

fn version(survey: &Survey) -> Option<Finding> {
    let said = by(survey, |answer| answer.status.version.clone());
    let minors: Vec<_> = said.keys().filter_map(|version| minor(version)).collect();
    (said.len() > 1).then(|| {
        let far = minors
            .iter()
            .any(|one| minors.iter().any(|other| one.0 != other.0 || one.1.abs_diff(other.1) > 1));
        let (status, severity, why) = if far {
            (Status::Fail, Severity::High, "members more than one minor version apart do not work together")
        } else {
            (Status::Warn, Severity::Low, "different versions are meant for the time of an upgrade only")
        };
        let mut finding = finding(CLUSTER, "version-mix", status, severity, why);
        finding.current = Some(told(&said));
        finding.reference = Some(VERSIONS.into());
        finding
    })
}

fn minor(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Who said what.
fn by(survey: &Survey, what: impl Fn(&Answer) -> String) -> BTreeMap<String, Vec<String>> {
    let mut said: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (seen, answer) in survey.answers() {
        said.entry(what(answer)).or_default().push(name(seen));
    }
    said
}

fn told(said: &BTreeMap<String, Vec<String>>) -> String {
    said.iter().map(|(what, who)| format!("{what}: {}", who.join(", "))).collect::<Vec<_>>().join("; ")
}
