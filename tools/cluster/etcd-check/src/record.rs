//! A member as a record.

use etcd::Member;
use model::EtcdMember;

use crate::judge::id;
use crate::survey::{Seen, alarm_name};

pub(crate) fn record(seen: &Seen) -> EtcdMember {
    let member = seen.member.as_ref();
    let mut record = EtcdMember {
        id: member.map(|member| id(member.id)),
        name: member.and_then(|member| member.name.clone()),
        host: seen.host.clone(),
        endpoint: seen.endpoint.clone(),
        peer_urls: member.map(|member| member.peer_urls.clone()).unwrap_or_default(),
        client_urls: member.map(|member| member.client_urls.clone()).unwrap_or_default(),
        started: member.map(Member::started),
        learner: member.map(|member| member.learner),
        ..EtcdMember::default()
    };
    if let Some((word, text)) = &seen.failure {
        record.healthy = Some(false);
        record.error = Some((*word).to_owned());
        record.error_text = Some(text.clone());
    }
    let Some(answer) = &seen.answer else { return record };
    let status = &answer.status;
    record.id = Some(id(status.member));
    // A learner is not asked to agree on anything.
    record.healthy = Some(if status.learner { status.leader.is_some() } else { answer.agreed.is_ok() });
    record.learner = Some(status.learner);
    record.leads = Some(status.leader == Some(status.member));
    record.leader = status.leader.map(id);
    record.cluster = Some(id(status.cluster));
    record.version = Some(status.version.clone());
    record.raft_term = Some(status.raft_term);
    record.raft_index = Some(status.raft_index);
    record.raft_applied_index = status.raft_applied_index;
    record.revision = Some(status.revision);
    record.db_bytes = Some(status.db_bytes);
    record.db_in_use_bytes = status.db_in_use_bytes;
    record.quota_bytes = status.quota_bytes.or(answer.metrics.and_then(|metrics| metrics.quota_bytes));
    record.leader_changes = answer.metrics.and_then(|metrics| metrics.leader_changes);
    let own = answer.alarms.iter().flatten().filter(|alarm| alarm.member == status.member);
    record.alarms = own.map(|alarm| alarm_name(alarm.kind)).collect();
    match &answer.agreed {
        Ok(took) => record.agree_ms = Some((took.as_secs_f64() * 1e6).round() / 1e3),
        Err(_) if status.learner => {}
        Err(why) => {
            record.error = Some("no-agreement".to_owned());
            record.error_text = Some(why.clone());
        }
    }
    record
}
