//! Windows that last as long as a key's events follow each other closely.

use std::collections::{BTreeSet, HashMap};

use foldhash::fast::RandomState;

use crate::aggregate::State;
use crate::bytes::{Corrupt, Reader, Writer};
use crate::engine::{begun, merge, restored};
use crate::{Fate, Input, Plan, Row};

#[derive(Debug)]
pub(crate) struct Sessions {
    gap_us: i64,
    /// The open sessions of a key; they do not overlap.
    open: HashMap<Box<[u8]>, Vec<Session>, RandomState>,
    /// When to look at a key: never later than one of its sessions closes.
    timers: BTreeSet<(i64, Box<[u8]>)>,
}

#[derive(Debug)]
struct Session {
    start_us: i64,
    /// The last event and the gap.
    end_us: i64,
    states: Box<[State]>,
}

impl Sessions {
    pub(crate) fn new(gap_us: i64) -> Self {
        Self { gap_us, open: HashMap::default(), timers: BTreeSet::new() }
    }

    pub(crate) fn open(&self) -> usize {
        self.open.values().map(Vec::len).sum()
    }

    pub(crate) fn due(&self) -> i64 {
        self.timers.first().map_or(i64::MAX, |(due, _)| *due)
    }

    /// An event that is older than `over_us`, with the lateness added, is late: what is younger can
    /// touch no session that is closed, so that the sessions are the same in whatever order it comes.
    pub(crate) fn push(
        &mut self,
        plan: &Plan,
        over_us: i64,
        time_us: i64,
        key: &[u8],
        values: &[Input],
    ) -> Fate {
        if time_us.saturating_add(plan.lateness_us) < over_us {
            return Fate::Late;
        }
        let end_us = time_us.saturating_add(self.gap_us);
        if let Some(session) = self.touched(time_us, end_us, key) {
            session.add(time_us, values);
        } else {
            let mut session = Session { start_us: time_us, end_us, states: begun(plan) };
            session.add(time_us, values);
            self.begin(plan, key, session);
        }
        Fate::Counted
    }

    /// Adds what another has of a session.
    pub(crate) fn insert(
        &mut self,
        plan: &Plan,
        start_us: i64,
        end_us: i64,
        key: &[u8],
        states: Box<[State]>,
    ) {
        match self.touched(start_us, end_us, key) {
            Some(session) => merge(&mut session.states, states),
            None => self.begin(plan, key, Session { start_us, end_us, states }),
        }
    }

    fn begin(&mut self, plan: &Plan, key: &[u8], session: Session) {
        self.timers.insert((session.end_us.saturating_add(plan.lateness_us), key.into()));
        self.open.entry(key.into()).or_default().push(session);
    }

    /// The session of all that the time touches, stretched over it.
    fn touched(&mut self, start_us: i64, end_us: i64, key: &[u8]) -> Option<&mut Session> {
        let sessions = self.open.get_mut(key)?;
        let touches = |session: &Session| start_us < session.end_us && session.start_us < end_us;
        let first = sessions.iter().position(touches)?;
        let mut at = first + 1;
        while at < sessions.len() {
            if touches(&sessions[at]) {
                let other = sessions.swap_remove(at);
                sessions[first].stretch(other.start_us, other.end_us);
                merge(&mut sessions[first].states, other.states);
            } else {
                at += 1;
            }
        }
        sessions[first].stretch(start_us, end_us);
        Some(&mut sessions[first])
    }

    /// Takes all sessions out, by start and key.
    pub(crate) fn drain(&mut self, sink: &mut impl FnMut(i64, i64, &[u8], &[State])) {
        self.timers.clear();
        let open = std::mem::take(&mut self.open);
        let mut all: Vec<_> = open
            .iter()
            .flat_map(|(key, sessions)| sessions.iter().map(move |session| (key, session)))
            .collect();
        all.sort_unstable_by_key(|(key, session)| (session.start_us, *key));
        for (key, session) in all {
            sink(session.start_us, session.end_us, key, &session.states);
        }
    }

    /// Brings out the sessions the watermark has passed, by their ends.
    pub(crate) fn fire(&mut self, watermark_us: i64, lateness_us: i64, sink: &mut impl FnMut(&Row)) {
        let mut closed = Vec::new();
        while self.due() <= watermark_us {
            let Some((_, key)) = self.timers.pop_first() else { break };
            let Some(sessions) = self.open.get_mut(&key) else { continue };
            let end = |session: &Session| session.end_us.saturating_add(lateness_us);
            closed.extend(sessions.extract_if(.., |s| end(s) <= watermark_us).map(|s| (key.clone(), s)));
            match sessions.iter().map(end).min() {
                Some(next) => drop(self.timers.insert((next, key))),
                None => drop(self.open.remove(&key)),
            }
        }
        closed.sort_by(|(key, one), (other_key, other)| {
            (one.end_us, one.start_us, key).cmp(&(other.end_us, other.start_us, other_key))
        });
        for (key, session) in &closed {
            sink(&Row::only(session.start_us, session.end_us, key, &session.states));
        }
    }

    pub(crate) fn save(&self, to: &mut Writer) {
        to.length(self.open.len());
        for (key, sessions) in &self.open {
            to.bytes(key);
            to.length(sessions.len());
            for session in sessions {
                to.i64(session.start_us);
                to.i64(session.end_us);
                session.states.iter().for_each(|state| state.save(to));
            }
        }
    }

    pub(crate) fn restore(&mut self, plan: &Plan, from: &mut Reader) -> Result<(), Corrupt> {
        for _ in 0..from.u64()? {
            let key: Box<[u8]> = from.bytes()?.into();
            for _ in 0..from.u64()? {
                let (start_us, end_us) = (from.i64()?, from.i64()?);
                let states = restored(plan, from)?;
                self.timers.insert((end_us.saturating_add(plan.lateness_us), key.clone()));
                self.open.entry(key.clone()).or_default().push(Session { start_us, end_us, states });
            }
        }
        Ok(())
    }
}

impl Session {
    fn add(&mut self, time_us: i64, values: &[Input]) {
        for (state, value) in self.states.iter_mut().zip(values) {
            state.add(time_us, *value);
        }
    }

    fn stretch(&mut self, start_us: i64, end_us: i64) {
        self.start_us = self.start_us.min(start_us);
        self.end_us = self.end_us.max(end_us);
    }
}
