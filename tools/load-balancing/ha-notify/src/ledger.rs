//! What is known of every instance: its state, since when, how often it changed.

use std::str::FromStr;
use std::time::{Duration, SystemTime};

use keepalived::Event;
use model::{VrrpEntry, VrrpEvent, VrrpState, VrrpStates};

/// How far back the state file remembers, and no more than so many changes of each.
const MEMORY: Duration = Duration::from_hours(1);
const MOST: usize = 1000;

/// So many changes within such a time are too many: `4/60s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flap {
    count: usize,
    within: Duration,
}

impl FromStr for Flap {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(count, within)| {
            Some(Self { count: count.parse().ok()?, within: humantime::parse_duration(within).ok()? })
        });
        let fits = |flap: &Self| (1..=MOST).contains(&flap.count) && flap.within <= MEMORY;
        parts.filter(fits).ok_or_else(|| {
            format!("`{text}` is not COUNT/TIME, such as 4/60s, with at most {MOST} changes and one hour")
        })
    }
}

/// Enters an event that came at `now`, and tells it with its past.
pub(crate) fn enter(states: &mut VrrpStates, event: &Event, flap: Flap, now: SystemTime) -> VrrpEvent {
    let time = cli::rfc3339(now).to_string();
    let to = lasting(event.state);
    let known =
        states.entries.iter_mut().find(|entry| entry.scope == event.scope && entry.name == event.name);
    let (from, flapping) = if let Some(entry) = known {
        let from = entry.state;
        // A time yet to come is from before the clock stepped back.
        entry.transitions.retain(|moment| ago(moment, now).is_some_and(|ago| ago <= MEMORY));
        if from != to {
            let surplus = (entry.transitions.len() + 1).saturating_sub(MOST);
            entry.transitions.drain(..surplus);
            entry.transitions.push(time.clone());
            entry.since.clone_from(&time);
            entry.state = to;
        }
        entry.priority = event.priority;
        let recent = |moment: &&String| ago(moment, now).is_some_and(|ago| ago <= flap.within);
        (Some(from), entry.transitions.iter().filter(recent).count() >= flap.count)
    } else {
        states.entries.push(VrrpEntry {
            scope: event.scope,
            name: event.name.clone(),
            state: to,
            priority: event.priority,
            since: time.clone(),
            transitions: Vec::new(),
        });
        (None, false)
    };
    VrrpEvent {
        time,
        scope: event.scope,
        name: event.name.clone(),
        from,
        to: event.state,
        priority: event.priority,
        flap: flapping,
    }
}

/// Whether everything known has stopped.
pub(crate) fn all_stopped(states: &VrrpStates) -> bool {
    states.entries.iter().all(|entry| is_over(entry.state))
}

/// Whether nothing more is to come.
pub(crate) fn is_over(state: VrrpState) -> bool {
    matches!(state, VrrpState::Stop | VrrpState::Deleted)
}

/// The state an event leaves its instance in.
fn lasting(state: VrrpState) -> VrrpState {
    match state {
        VrrpState::MasterRxLowerPri | VrrpState::MasterPriority => VrrpState::Master,
        VrrpState::BackupPriority => VrrpState::Backup,
        other => other,
    }
}

fn ago(moment: &str, now: SystemTime) -> Option<Duration> {
    now.duration_since(humantime::parse_rfc3339(moment).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAP: Flap = Flap { count: 3, within: Duration::from_mins(1) };

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
    }

    fn play(states: &mut VrrpStates, events: &[(u64, &str)]) -> Vec<VrrpEvent> {
        let enter = |(when, state): &(u64, &str)| {
            let event = Event::from_arguments(["INSTANCE", "VI_1", state, "100"]).unwrap();
            enter(states, &event, FLAP, at(*when))
        };
        events.iter().map(enter).collect()
    }

    #[test]
    fn the_state_before_is_told_and_the_first_one_has_none() {
        let events = play(
            &mut VrrpStates::default(),
            &[(0, "BACKUP"), (1, "MASTER"), (2, "MASTER_RX_LOWER_PRI"), (3, "FAULT")],
        );
        let from: Vec<_> = events.iter().map(|event| event.from).collect();
        assert_eq!(from, [None, Some(VrrpState::Backup), Some(VrrpState::Master), Some(VrrpState::Master)]);
    }

    #[test]
    fn the_third_change_within_a_minute_is_flapping_and_a_repetition_is_no_change() {
        let events =
            [(0, "BACKUP"), (1, "MASTER"), (2, "MASTER"), (3, "BACKUP"), (4, "MASTER"), (200, "BACKUP")];
        let flaps: Vec<_> =
            play(&mut VrrpStates::default(), &events).iter().map(|event| event.flap).collect();
        assert_eq!(flaps, [false, false, false, false, true, false]);
    }

    #[test]
    fn a_clock_that_steps_back_does_not_flap_for_ever() {
        let mut states = VrrpStates::default();
        play(&mut states, &[(9000, "BACKUP"), (9001, "MASTER"), (9002, "BACKUP")]);
        let after = play(&mut states, &[(0, "MASTER")]);
        assert!(!after[0].flap);
        assert_eq!(states.entries[0].transitions.len(), 1);
    }

    #[test]
    fn an_hour_later_the_changes_are_forgotten() {
        let mut states = VrrpStates::default();
        play(&mut states, &[(0, "BACKUP"), (1, "MASTER"), (3700, "FAULT")]);
        assert_eq!(states.entries[0].transitions.len(), 1);
    }

    #[test]
    fn a_flap_is_a_count_and_a_time() {
        assert_eq!("3/60s".parse(), Ok(FLAP));
        for text in ["", "4", "/60s", "4/", "0/60s", "-1/60s", "4/61m", "4/60"] {
            assert!(text.parse::<Flap>().is_err(), "{text}");
        }
    }
}
