//! What offsets come to.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{Lag, LagState};

/// What is known of a group in a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) committed: Option<i64>,
    pub(crate) begin: i64,
    pub(crate) end: i64,
}

impl Known {
    /// Where the group would read on; none if nothing lies before it.
    pub(crate) fn unread_from(&self) -> Option<i64> {
        let from = self.committed.unwrap_or(self.begin).max(self.begin);
        (from < self.end).then_some(from)
    }
}

/// What was seen where the group would read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Nobody had to look, or could.
    Nothing,
    /// Markers and aborted messages, and then the end.
    Empty,
    /// A message, of this time, milliseconds since 1970.
    Message(Option<i64>),
}

/// The lag, the age of what waits, and where that leaves the group.
pub(crate) fn judge(known: Known, seen: Seen, now_ms: i64) -> (Option<i64>, Option<u64>, LagState) {
    let age = match seen {
        Seen::Message(Some(time)) => Some(u64::try_from(now_ms - time).unwrap_or_default()),
        _ => None,
    };
    let Some(committed) = known.committed else { return (None, age, LagState::Uncommitted) };
    let lag = known.end - committed;
    match lag {
        _ if lag < 0 => (None, None, LagState::Ahead),
        _ if committed < known.begin => (Some(lag), age, LagState::Expired),
        // Messages that are gone may be all there were.
        1.. if seen != Seen::Empty => (Some(lag), age, LagState::Behind),
        _ => (Some(0), None, LagState::CaughtUp),
    }
}

/// What may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// How many offsets a group may be behind.
    pub(crate) max: Option<u64>,
    /// How long a message may wait.
    pub(crate) max_age: Option<Duration>,
    /// How old a topic's newest message may be.
    pub(crate) freshness: Option<Duration>,
}

/// What is over its limit, in words.
pub(crate) fn over(records: &[Lag], limits: Limits) -> Vec<String> {
    let mut over = Vec::new();
    let mut groups: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    let mut topics: BTreeMap<&str, Option<u64>> = BTreeMap::new();
    for record in records {
        let (lag, age) = groups.entry(&record.group).or_default();
        // Where there is no offset all of it is yet to be read.
        let behind = record.lag.unwrap_or(record.end - record.begin);
        *lag += u64::try_from(behind).unwrap_or_default();
        *age = (*age).max(record.age_ms.unwrap_or_default());
        let newest = topics.entry(&record.topic).or_default();
        *newest = match (*newest, record.newest_age_ms) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
    for (group, (lag, age)) in groups {
        if let Some(max) = limits.max.filter(|max| lag > *max) {
            over.push(format!("group {group} is {lag} behind, more than {max}"));
        }
        if limits.max_age.is_some_and(|max| Duration::from_millis(age) > max) {
            over.push(format!("what group {group} has not read waits for {} s", age / 1000));
        }
    }
    for (topic, newest) in topics {
        match (limits.freshness, newest) {
            (Some(max), Some(age)) if Duration::from_millis(age) > max => {
                over.push(format!("the newest message of {topic} is {} s old", age / 1000));
            }
            (Some(_), None) => over.push(format!("{topic} holds no message")),
            _ => {}
        }
    }
    over
}

/// What no limit has to be named for: messages nobody will read.
pub(crate) fn lost(records: &[Lag]) -> Vec<String> {
    let tell = |record: &Lag| {
        let Lag { group, topic, partition, committed, begin, end, .. } = record;
        let committed = committed.unwrap_or_default();
        match record.state {
            LagState::Expired => Some(format!(
                "{topic}/{partition}: offsets {committed} to {} were deleted before group {group} read them",
                begin - 1
            )),
            LagState::Ahead => {
                Some(format!("{topic}/{partition}: group {group} is at {committed}, and the end is {end}"))
            }
            _ => None,
        }
    };
    records.iter().filter_map(tell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(committed: impl Into<Option<i64>>, begin: i64, end: i64) -> Known {
        Known { committed: committed.into(), begin, end }
    }

    #[test]
    fn a_marker_at_the_end_is_no_message_that_waits() {
        assert_eq!(judge(known(10, 0, 10), Seen::Nothing, 0), (Some(0), None, LagState::CaughtUp));
        assert_eq!(judge(known(9, 0, 10), Seen::Empty, 0), (Some(0), None, LagState::CaughtUp));
        let waits = judge(known(9, 0, 10), Seen::Message(Some(1000)), 3500);
        assert_eq!(waits, (Some(1), Some(2500), LagState::Behind));
        assert_eq!(judge(known(9, 0, 10), Seen::Nothing, 0), (Some(1), None, LagState::Behind));
    }

    #[test]
    fn what_was_deleted_or_made_anew_is_told_apart() {
        assert_eq!(judge(known(3, 5, 10), Seen::Message(None), 0), (Some(7), None, LagState::Expired));
        assert_eq!(judge(known(3, 10, 10), Seen::Nothing, 0).2, LagState::Expired);
        assert_eq!(judge(known(11, 0, 10), Seen::Nothing, 0), (None, None, LagState::Ahead));
        assert_eq!(
            judge(known(None, 0, 10), Seen::Message(Some(5)), 7),
            (None, Some(2), LagState::Uncommitted)
        );
        assert_eq!(known(3, 5, 10).unread_from(), Some(5));
        assert_eq!((known(None, 5, 5).unread_from(), known(10, 0, 10).unread_from()), (None, None));
    }

    fn record(group: &str, lag: Option<i64>, age_ms: Option<u64>, newest_age_ms: Option<u64>) -> Lag {
        Lag {
            at: String::new(),
            group: group.to_owned(),
            topic: "V".to_owned(),
            partition: 0,
            committed: lag.map(|lag| 100 - lag),
            begin: 0,
            end: 100,
            lag,
            age_ms,
            newest_age_ms,
            state: LagState::Behind,
        }
    }

    #[test]
    fn a_limit_is_for_a_group_as_a_whole_and_freshness_for_a_topic() {
        let records = [record("a", Some(6), Some(9000), Some(9000)), record("a", Some(5), None, Some(2000))];
        let limits = |max, max_age, freshness| Limits {
            max: Some(max),
            max_age: Some(Duration::from_secs(max_age)),
            freshness: Some(Duration::from_secs(freshness)),
        };
        assert_eq!(over(&records, limits(11, 9, 2)), Vec::<String>::new());
        assert_eq!(
            over(&records, limits(10, 8, 1)),
            [
                "group a is 11 behind, more than 10",
                "what group a has not read waits for 9 s",
                "the newest message of V is 2 s old"
            ]
        );
        assert_eq!(
            over(&[record("b", None, None, None)], Limits { max: Some(99), ..Limits::default() }).len(),
            1
        );
        assert_eq!(over(&[record("b", Some(0), None, None)], limits(0, 0, 1)), ["V holds no message"]);
    }
}
