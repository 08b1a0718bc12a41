use std::time::Duration;

use etcd::{Alarm, AlarmKind, Member, Members, Metrics};

use super::*;
use crate::survey::Answer;

/// Member `number` of `of`, alive and well; the first one leads.
fn seen(number: u64, of: u64) -> Seen {
    let member = |number: u64| Member {
        id: number,
        name: Some(format!("cp{number}")),
        peer_urls: vec![format!("https://10.77.0.2{number}:2380")],
        client_urls: vec![format!("https://10.77.0.2{number}:2379")],
        learner: false,
    };
    let status = etcd::Status {
        cluster: 0xc,
        member: number,
        revision: 10,
        version: "3.5.21".into(),
        leader: Some(1),
        raft_term: 3,
        raft_index: 100_000,
        raft_applied_index: Some(100_000),
        db_bytes: 50 << 20,
        db_in_use_bytes: Some(40 << 20),
        quota_bytes: None,
        learner: false,
        errors: vec![],
    };
    let members = Some(Members { cluster: 0xc, list: (1..=of).map(member).collect() });
    let agreed = Ok(Duration::from_millis(1));
    Seen {
        member: Some(member(number)),
        endpoint: Some(format!("https://10.77.0.2{number}:2379")),
        answer: Some(Answer { status, members, alarms: Some(vec![]), agreed, metrics: None }),
        ..Seen::default()
    }
}

fn well(of: u64) -> Survey {
    let seen: Vec<_> = (1..=of).map(|number| seen(number, of)).collect();
    let members =
        seen.first().and_then(|seen| seen.answer.as_ref()).and_then(|answer| answer.members.clone());
    Survey { seen, members }
}

/// The last `dead` of `of` members were killed; the first one leads if there is a majority.
fn killed(of: u64, dead: u64) -> Survey {
    let mut survey = well(of);
    let majority = of - dead > of / 2;
    for (number, seen) in (1..).zip(&mut survey.seen) {
        if number > of - dead {
            seen.answer = None;
            seen.failure = Some(("refused", "connection refused".into()));
        } else if !majority && let Some(answer) = &mut seen.answer {
            answer.status.leader = None;
            answer.agreed = Err("no answer in time".into());
        }
    }
    survey
}

/// What is not well, as CHECK STATUS TARGET.
fn ills(survey: &Survey, hosts: Option<&[Host]>) -> Vec<String> {
    let found = findings(survey, hosts).into_iter().filter(|finding| finding.status != Status::Pass);
    found.map(|f| format!("{} {:?} {}", f.check, f.status, f.target)).collect()
}

fn answer(survey: &mut Survey, number: usize) -> &mut Answer {
    survey.seen[number - 1].answer.as_mut().unwrap()
}

/// What is said of three members after a change to the third.
fn after(change: impl Fn(&mut Answer)) -> Vec<String> {
    let mut survey = well(3);
    change(answer(&mut survey, 3));
    ills(&survey, None)
}

#[test]
fn the_verdict_is_right_for_every_number_of_members_killed() {
    assert_eq!(ills(&killed(3, 0), None), [""; 0]);
    assert_eq!(ills(&killed(3, 1), None), ["quorum Warn cluster", "unreachable Fail cp3"]);
    let lost = ["quorum Fail cluster", "leader Fail cluster", "unreachable Fail cp2", "unreachable Fail cp3"];
    assert_eq!(ills(&killed(3, 2), None), lost);
    assert_eq!(ills(&killed(5, 1), None), ["unreachable Fail cp5"]);
    let hurt = ["quorum Warn cluster", "unreachable Fail cp4", "unreachable Fail cp5"];
    assert_eq!(ills(&killed(5, 2), None), hurt);
    for dead in [3, 4] {
        let ills = ills(&killed(5, dead), None);
        assert_eq!(ills[..2], ["quorum Fail cluster", "leader Fail cluster"], "{dead}");
        assert_eq!(ills.len() as u64, 2 + dead);
    }
    assert_eq!(ills(&killed(1, 0), None), [""; 0]);
}

#[test]
fn a_backup_is_refused_without_quorum_and_taken_with_a_member_down() {
    let spoiled = |survey: &Survey| findings(survey, None).iter().any(spoils_a_backup);
    assert!(!spoiled(&killed(3, 1)) && !spoiled(&killed(5, 2)) && spoiled(&killed(3, 2)));
    let mut corrupt = well(3);
    let alarms = [AlarmKind::Nospace, AlarmKind::Corrupt].map(|kind| Alarm { member: 3, kind });
    answer(&mut corrupt, 3).alarms = Some(alarms[..1].to_vec());
    assert!(!spoiled(&corrupt), "a full database can be saved, and should be");
    answer(&mut corrupt, 3).alarms = Some(alarms.to_vec());
    assert!(spoiled(&corrupt));
}

#[test]
fn members_that_disagree_are_told_apart() {
    assert_eq!(after(|a| a.status.leader = Some(2)), ["leader Fail cluster"]);
    assert_eq!(after(|a| a.status.leader = None), ["leader Fail cluster"]);
    assert_eq!(after(|a| a.status.raft_term = 4), ["raft-term Warn cluster"]);
    assert_eq!(after(|a| a.status.cluster = 0xd), ["cluster-id Fail cluster"]);
    assert_eq!(after(|a| a.agreed = Err("no leader".into())), ["cut-off Fail cp3"]);
    assert_eq!(
        after(|a| _ = a.members.as_mut().map(|members| members.list.pop())),
        ["membership Warn cluster"]
    );
}

#[test]
fn one_minor_version_apart_is_an_upgrade_and_two_are_a_fault() {
    assert_eq!(after(|a| a.status.version = "3.5.9".into()), ["version-mix Warn cluster"]);
    assert_eq!(after(|a| a.status.version = "3.6.1".into()), ["version-mix Warn cluster"]);
    assert_eq!(after(|a| a.status.version = "3.3.10".into()), ["version-mix Fail cluster"]);
}

#[test]
fn lag_counts_from_the_farthest_and_noise_does_not_count() {
    assert_eq!(after(|a| a.status.raft_index -= 1_000), [""; 0]);
    let behind = |entries: u64| {
        after(|a| {
            a.status.raft_index -= entries;
            a.status.raft_applied_index = Some(a.status.raft_index);
        })
    };
    assert_eq!(behind(1_001), ["raft-lag Warn cp3"]);
    assert_eq!(behind(5_001), ["raft-lag Fail cp3"]);
    assert_eq!(after(|a| a.status.raft_applied_index = Some(98_000)), ["apply-lag Warn cp3"]);
    assert_eq!(after(|a| a.agreed = Ok(Duration::from_millis(501))), ["latency Warn cp3"]);
}

#[test]
fn the_database_is_held_against_its_quota_or_the_default() {
    let full = |db: u64, of: Option<u64>| {
        after(|a| {
            a.status.db_bytes = db << 20;
            a.status.db_in_use_bytes = Some(db << 20);
            a.status.quota_bytes = of.map(|quota| quota << 20);
        })
    };
    assert_eq!(full(1_600, None), [""; 0]);
    assert_eq!(full(1_640, None), ["db-size Warn cp3"]);
    assert_eq!(full(1_640, Some(8 << 10)), [""; 0]);
    assert_eq!(full(96, Some(100)), ["db-size Fail cp3"]);
    let told = after(|a| {
        (a.status.db_bytes, a.status.db_in_use_bytes) = (1_640 << 20, Some(1_000 << 20));
        a.metrics = Some(Metrics { quota_bytes: Some(8 << 30), ..Metrics::default() });
    });
    assert_eq!(told, [""; 0]);
    assert_eq!(after(|a| a.status.db_bytes = 200 << 20), ["fragmentation Warn cp3"]);
}

#[test]
fn an_alarm_is_told_once_even_of_a_member_that_is_dead() {
    let mut survey = well(3);
    for number in 1..=3 {
        answer(&mut survey, number).alarms = Some(vec![Alarm { member: 2, kind: AlarmKind::Nospace }]);
    }
    assert_eq!(ills(&survey, None), ["nospace Fail cp2"]);
    survey.seen[1].answer = None;
    survey.seen[1].failure = Some(("refused", "connection refused".into()));
    let dead = ["quorum Warn cluster", "unreachable Fail cp2", "nospace Fail cluster"];
    assert_eq!(ills(&survey, None), dead);
}

#[test]
fn leaders_may_change_now_and_then() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    let changes = |changes, hours: f64| {
        let started_unix_s = Some(now - hours * 3600.0);
        after(|a| {
            a.metrics = Some(Metrics { leader_changes: Some(changes), started_unix_s, ..Metrics::default() });
        })
    };
    assert_eq!(changes(3, 0.1), [""; 0]);
    assert_eq!(changes(9, 1.0), ["leader-changes Warn cp3"]);
    assert_eq!(changes(9, 10.0), [""; 0]);
}

#[test]
fn who_never_started_is_named_with_its_address_and_counts_if_it_votes() {
    let mut survey = well(3);
    for learner in [true, false] {
        let peer_urls = vec!["https://10.77.0.24:2380".to_owned()];
        let member = Member { id: 0xbeef, name: None, peer_urls, client_urls: vec![], learner };
        survey.seen.truncate(3);
        survey.seen.push(Seen { member: Some(member), ..Seen::default() });
        let found = findings(&survey, None);
        let unstarted = found.iter().find(|finding| finding.check == "unstarted").unwrap();
        assert_eq!(unstarted.target, "beef");
        assert!(unstarted.current.as_ref().unwrap().ends_with("at https://10.77.0.24:2380"));
        assert!(unstarted.fix.as_ref().unwrap().ends_with("etcdctl member remove beef"));
        let quorum = &found[0];
        let voters = if learner { "3 of 3 voters answer" } else { "3 of 4 voters answer" };
        assert_eq!((quorum.check.as_str(), quorum.current.as_deref()), ("quorum", Some(voters)));
    }
}

#[test]
fn a_learner_is_named_and_not_blamed_for_having_no_vote() {
    let mut survey = well(3);
    let mut fourth = seen(4, 4);
    fourth.member.as_mut().unwrap().learner = true;
    let status = fourth.answer.as_mut().unwrap();
    (status.status.learner, status.agreed) = (true, Err("rpc not supported for learner".into()));
    (status.members, status.alarms) = (None, None);
    survey.seen.push(fourth);
    assert_eq!(ills(&survey, None), ["learner Warn cp4"]);
}

fn hosts() -> Vec<Host> {
    let text =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/fixtures/examples/platform.yaml"));
    platform::parse(text).unwrap().with_role(platform::Role::Etcd).cloned().collect()
}

#[test]
fn the_platform_tells_who_should_have_left_and_who_never_came() {
    assert_eq!(ills(&well(3), Some(&hosts())), [""; 0]);
    let mut renamed = well(3);
    let third = renamed.seen[2].member.as_mut().unwrap();
    third.peer_urls = vec!["https://10.77.0.99:2380".into()];
    assert_eq!(ills(&renamed, Some(&hosts())), ["peer-url Fail cp3"]);
    let third = renamed.seen[2].member.as_mut().unwrap();
    third.name = Some("old".into());
    assert_eq!(ills(&renamed, Some(&hosts())), ["stale-member Fail old", "missing-member Fail cp3"]);
    let third = renamed.seen[2].member.as_mut().unwrap();
    (third.name, third.peer_urls) = (Some("cp2".into()), vec!["https://10.77.0.23:2380".into()]);
    assert_eq!(ills(&renamed, Some(&hosts())), ["member-name Warn cp2"]);
    let two = well(2);
    assert_eq!(ills(&two, Some(&hosts())), ["even-members Warn cluster", "missing-member Fail cp3"]);
}
