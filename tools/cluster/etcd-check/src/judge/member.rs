//! What concerns one member.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use etcd::{AlarmKind, Member};
use model::{Finding, Severity, Status};

use super::{CLUSTER, finding, id, mib, name};
use crate::survey::{Answer, Seen, Survey, alarm_name};

/// The leader keeps so many entries for those who lag
/// (etcd's `SnapshotCatchUpEntries`); whoever is further behind needs a whole snapshot.
const CATCH_UP_ENTRIES: u64 = 5_000;
/// Beyond so many committed but not applied entries etcd refuses requests (its `maxGapBetweenApplyAndCommitIndex`).
const APPLY_GAP: u64 = 5_000;
/// Members are not asked at the same moment.
const NOISE_ENTRIES: u64 = 1_000;
/// etcd's own default, where a member does not tell its quota.
const QUOTA_BYTES: u64 = 2 << 30;
/// Below it a database is not worth defragmenting.
const SMALL_BYTES: u64 = 100 << 20;
/// Half of etcd's default election timeout: whoever takes longer is near to being deposed.
const SLOW: Duration = Duration::from_millis(500);
/// Leaders that change more often than this in an hour have a reason.
const CHANGES_AN_HOUR: f64 = 4.0;

pub(super) fn findings(seen: &Seen, survey: &Survey) -> Vec<Finding> {
    let mut found = Vec::new();
    match (&seen.answer, &seen.member) {
        (Some(answer), _) => {
            found.extend(agreement(seen, answer, survey));
            found.extend(lag(seen, answer, survey));
            found.extend(database(seen, answer));
            found.extend(alarms(seen, answer));
            found.extend(elections(seen, answer));
        }
        (None, Some(member)) if !member.started() => found.push(unstarted(seen, member)),
        (None, _) => found.push(unreachable(seen)),
    }
    if seen.member.as_ref().is_some_and(|member| member.learner && member.started()) {
        let why = "a learner has no vote and serves no linearizable read";
        let mut learner = finding(name(seen), "learner", Status::Warn, Severity::Medium, why);
        learner.fix = Some("promote it once it has caught up: etcdctl member promote".into());
        found.push(learner);
    }
    found
}

/// kubeadm leaves one behind when a join breaks off; every later join fails at it.
fn unstarted(seen: &Seen, member: &Member) -> Finding {
    let kind = if member.learner { "learner" } else { "voter" };
    let why = if member.learner {
        "a learner that never started blocks every later join"
    } else {
        "a voter that never started counts towards the majority, but does not vote"
    };
    let severity = if member.learner { Severity::High } else { Severity::Critical };
    let mut finding = finding(name(seen), "unstarted", Status::Fail, severity, why);
    finding.current = Some(format!("{kind} at {}", member.peer_urls.join(", ")));
    finding.fix = Some(format!("start it, or take it out: etcdctl member remove {}", id(member.id)));
    finding.reference = Some("https://github.com/kubernetes/kubeadm/issues/3269".into());
    finding
}

fn unreachable(seen: &Seen) -> Finding {
    let severity = if seen.member.as_ref().is_some_and(|member| member.learner) {
        Severity::Medium
    } else {
        Severity::High
    };
    let (current, why) = match (&seen.failure, &seen.member) {
        (Some((_, text)), Some(_)) => (text.clone(), "the member does not answer"),
        (Some((_, text)), None) => {
            (text.clone(), "nobody answers, and which member it should be is not known")
        }
        (None, _) => ("no client URL is known".to_owned(), "nobody could be asked"),
    };
    let status = if seen.failure.is_some() { Status::Fail } else { Status::Unknown };
    let mut finding = finding(name(seen), "unreachable", status, severity, why);
    finding.current = Some(match &seen.endpoint {
        Some(endpoint) => format!("{endpoint}: {current}"),
        None => current,
    });
    finding
}

/// One that cannot agree while others can is cut off from them. A learner is not asked to.
fn agreement(seen: &Seen, answer: &Answer, survey: &Survey) -> Option<Finding> {
    match &answer.agreed {
        Ok(took) if *took > SLOW => {
            let why = "agreeing takes so long that the leader may be deposed: its disk or network is slow";
            let mut slow = finding(name(seen), "latency", Status::Warn, Severity::Medium, why);
            slow.current = Some(format!("{} ms", took.as_millis()));
            slow.want = Some(format!("at most {} ms", SLOW.as_millis()));
            Some(slow)
        }
        Err(why) if !answer.status.learner && survey.answers().any(|(_, other)| other.agreed.is_ok()) => {
            let text = "it answers, but does not agree with the others: it is cut off from them";
            let mut cut = finding(name(seen), "cut-off", Status::Fail, Severity::High, text);
            cut.current = Some(why.clone());
            Some(cut)
        }
        _ => None,
    }
}

fn lag(seen: &Seen, answer: &Answer, survey: &Survey) -> Vec<Finding> {
    let status = &answer.status;
    let farthest = survey.answers().map(|(_, answer)| answer.status.raft_index).max().unwrap_or_default();
    let behind = farthest.saturating_sub(status.raft_index);
    let unapplied = status.raft_index.saturating_sub(status.raft_applied_index.unwrap_or(status.raft_index));
    let judge = |check: &str, gap: u64, limit: u64, why: &str| {
        let state = if gap > limit { Status::Fail } else { Status::Warn };
        let mut lag = finding(name(seen), check, state, Severity::High, why);
        lag.current = Some(format!("{gap} entries"));
        lag.want = Some(format!("at most {NOISE_ENTRIES}"));
        (gap > NOISE_ENTRIES).then_some(lag)
    };
    let far = "it is behind the others, and beyond 5000 entries needs a whole snapshot to catch up";
    let slow = "it applies slower than the cluster commits, and beyond 5000 entries refuses requests";
    [judge("raft-lag", behind, CATCH_UP_ENTRIES, far), judge("apply-lag", unapplied, APPLY_GAP, slow)]
        .into_iter()
        .flatten()
        .collect()
}

fn database(seen: &Seen, answer: &Answer) -> Vec<Finding> {
    let status = &answer.status;
    let told = status.quota_bytes.or(answer.metrics.and_then(|metrics| metrics.quota_bytes));
    let quota = told.filter(|quota| *quota > 0).unwrap_or(QUOTA_BYTES);
    let mut found = Vec::new();
    // What is on disk counts against the quota, used or not.
    let percent = status.db_bytes.saturating_mul(100) / quota;
    if percent >= 80 {
        let state = if percent >= 95 { Status::Fail } else { Status::Warn };
        let why = "at its quota the cluster takes no more writes (NOSPACE)";
        let mut full = finding(name(seen), "db-size", state, Severity::High, why);
        full.current = Some(format!("{} of {}, {percent} %", mib(status.db_bytes), mib(quota)));
        full.want = Some(
            if told.is_some() { "below 80 %" } else { "below 80 % (the quota is not known: etcd's default)" }
                .into(),
        );
        full.fix = Some("compact, defragment, or raise --quota-backend-bytes".into());
        full.reference = Some("https://etcd.io/docs/v3.6/op-guide/maintenance/#space-quota".into());
        found.push(full);
    }
    let used = status.db_in_use_bytes.unwrap_or(status.db_bytes);
    if status.db_bytes > SMALL_BYTES && used < status.db_bytes / 2 {
        let why = "more than half of the database is empty, and counts against the quota";
        let mut holes = finding(name(seen), "fragmentation", Status::Warn, Severity::Low, why);
        holes.current = Some(format!("{} of {} in use", mib(used), mib(status.db_bytes)));
        holes.fix = Some("etcdctl defrag, one member after the other, the leader last".into());
        found.push(holes);
    }
    found
}

/// Every member tells the alarms of all: each is reported once, by the member that raised it.
fn alarms(seen: &Seen, answer: &Answer) -> Vec<Finding> {
    let Some(alarms) = &answer.alarms else {
        if answer.status.learner {
            return Vec::new();
        }
        let why = "the member did not tell its alarms";
        return vec![finding(name(seen), "alarm", Status::Unknown, Severity::High, why)];
    };
    let own = alarms.iter().filter(|alarm| alarm.member == answer.status.member || alarm.member == 0);
    own.map(|alarm| {
        let (check, why, fix) = match alarm.kind {
            AlarmKind::Nospace => (
                "nospace",
                "the cluster takes no writes until this alarm is disarmed",
                "compact, defragment every member, then etcdctl alarm disarm",
            ),
            AlarmKind::Corrupt => (
                "corrupt",
                "the member's data differ from the others'",
                "remove the member, empty its data directory, add it again",
            ),
            AlarmKind::Other(_) => ("alarm", "the member raised an alarm", "etcdctl alarm list"),
        };
        let mut armed = finding(name(seen), check, Status::Fail, Severity::Critical, why);
        armed.current = Some(alarm_name(alarm.kind));
        armed.fix = Some(fix.into());
        armed
    })
    .collect()
}

/// The counter includes the first election; an average hides a bad quarter of an hour long ago.
fn elections(seen: &Seen, answer: &Answer) -> Option<Finding> {
    let metrics = answer.metrics?;
    let changes = metrics.leader_changes?.saturating_sub(1);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let hours = (now - metrics.started_unix_s?) / 3600.0;
    // A young member has seen the others' restarts.
    let lasted = hours.max(1.0);
    #[expect(clippy::cast_precision_loss, reason = "a rate for eyes")]
    let rate = changes as f64 / lasted;
    (rate >= CHANGES_AN_HOUR).then(|| {
        let why = "leaders change often: heartbeats come late, from a slow disk or network";
        let mut often = finding(name(seen), "leader-changes", Status::Warn, Severity::Medium, why);
        often.current = Some(format!("{changes} in {hours:.1} h"));
        often.want = Some(format!("below {CHANGES_AN_HOUR} an hour"));
        often
    })
}

/// Alarms of members that do not answer themselves.
pub(super) fn orphaned_alarms(survey: &Survey) -> Vec<Finding> {
    let answered: Vec<_> = survey.answers().map(|(_, answer)| answer.status.member).collect();
    let told = survey.answers().find_map(|(_, answer)| answer.alarms.as_ref());
    let orphans =
        told.into_iter().flatten().filter(|alarm| alarm.member != 0 && !answered.contains(&alarm.member));
    orphans
        .map(|alarm| {
            let why = "a member that does not answer has raised an alarm";
            let check = alarm_name(alarm.kind);
            let mut armed = finding(CLUSTER, &check, Status::Fail, Severity::Critical, why);
            armed.current = Some(format!("raised by {}", id(alarm.member)));
            armed
        })
        .collect()
}
