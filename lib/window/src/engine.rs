//! Events in, rows out.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;

use crate::aggregate::State;
use crate::bytes::{Corrupt, Reader, Writer};
use crate::session::Sessions;
use crate::{Emit, Input, NoPlan, Plan, Windows};

/// The event-time engine.
#[derive(Debug)]
pub struct Engine {
    plan: Plan,
    partitions: Vec<Partition>,
    watermark_us: i64,
    /// Nothing comes out before the watermark is here.
    due_us: i64,
    /// Whether it only gathers parts, which another engine brings to their windows' ends.
    gathers: bool,
    bytes: usize,
    store: Store,
}

#[derive(Clone, Copy, Debug)]
struct Partition {
    latest_us: i64,
    idle: bool,
}

impl Partition {
    const NEW: Self = Self { latest_us: i64::MIN, idle: false };

    fn watermark_us(self, plan: &Plan) -> i64 {
        self.latest_us.saturating_sub(plan.bound_us)
    }
}

#[derive(Debug)]
enum Store {
    /// By start.
    Panes(BTreeMap<i64, Pane>),
    Sessions(Sessions),
}

/// What a group takes beside its key and its aggregates: its place in a table that is half full,
/// and what the allocator takes for itself.
const GROUP_BYTES: usize = 128;

/// What is known of one window.
#[derive(Debug, Default)]
struct Pane {
    groups: HashMap<Box<[u8]>, Group, RandomState>,
    /// Whether its rows came out at its end.
    told: bool,
}

#[derive(Debug)]
struct Group {
    states: Box<[State]>,
    /// How many rows came out so far.
    rows: u64,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is in at least one window.
    Counted,
    /// All its windows are closed.
    Late,
}

/// What was computed for one window and one key.
#[derive(Debug)]
pub struct Row<'a> {
    /// The window's start, in microseconds since 1970.
    pub start_us: i64,
    /// Its end; it is not in the window.
    pub end_us: i64,
    /// The key, as it was pushed.
    pub key: &'a [u8],
    /// How many rows came out before for the same window and key.
    pub rev: u64,
    /// Whether no other row can follow.
    pub is_final: bool,
    states: &'a [State],
}

impl<'a> Row<'a> {
    pub(crate) fn only(start_us: i64, end_us: i64, key: &'a [u8], states: &'a [State]) -> Self {
        Self { start_us, end_us, key, rev: 0, is_final: true, states }
    }

    /// The row as a part, for [`merged`].
    pub fn part(&self) -> Vec<u8> {
        part(self.start_us, self.end_us, self.key, self.states)
    }

    /// The answers as JSON, one for each aggregate.
    pub fn values(&self) -> Vec<String> {
        self.states.iter().map(State::json).collect()
    }
}

/// Why a saved engine cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoState {
    /// Bytes nobody saved.
    #[error("not a saved state")]
    Corrupt,
    /// It computed something else.
    #[error("saved by another plan")]
    OtherPlan,
}

impl From<Corrupt> for NoState {
    fn from(_: Corrupt) -> Self {
        Self::Corrupt
    }
}

impl Engine {
    /// An engine that has seen nothing.
    ///
    /// # Errors
    /// Fails if the plan makes no sense.
    pub fn new(plan: Plan) -> Result<Self, NoPlan> {
        plan.check()?;
        let store = match plan.windows {
            Windows::Session { gap_us } => Store::Sessions(Sessions::new(gap_us)),
            _ => Store::Panes(BTreeMap::new()),
        };
        Ok(Self {
            plan,
            partitions: Vec::new(),
            watermark_us: i64::MIN,
            due_us: i64::MAX,
            gathers: false,
            bytes: 0,
            store,
        })
    }

    /// An engine that judges and adds up, and closes no window: what it has is taken from it by
    /// [`Engine::shed`], for another to [`Engine::absorb`]. All rows of a partition go to one of
    /// these, all parts of a key to one of those: then the answers are those of a single engine.
    ///
    /// # Errors
    /// Fails if the plan makes no sense.
    pub fn gathering(plan: Plan) -> Result<Self, NoPlan> {
        Ok(Self { gathers: true, ..Self::new(plan)? })
    }

    /// The watermark in microseconds since 1970; `None` before the first event.
    pub fn watermark_us(&self) -> Option<i64> {
        (self.watermark_us > i64::MIN).then_some(self.watermark_us)
    }

    /// How many windows times keys are open.
    pub fn open(&self) -> usize {
        match &self.store {
            Store::Panes(panes) => panes.values().map(|pane| pane.groups.len()).sum(),
            Store::Sessions(sessions) => sessions.open(),
        }
    }

    /// About how much memory the open windows take, bytes: what sketches grow to is not in it.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// A partition whose events will come: until the first the watermark waits for it.
    pub fn expect(&mut self, partition: usize) {
        while self.partitions.len() <= partition {
            self.partitions.push(Partition::NEW);
        }
    }

    /// The latest time seen in a partition; `None` if nothing was, and while it is idle.
    pub fn latest_us(&self, partition: usize) -> Option<i64> {
        let seen = self.partitions.get(partition)?;
        (!seen.idle && seen.latest_us > i64::MIN).then_some(seen.latest_us)
    }

    /// Forgets a partition: others read it from now on, or it begins anew.
    pub fn forget(&mut self, partition: usize) {
        self.expect(partition);
        self.partitions[partition] = Partition::NEW;
    }

    /// What another engine saw in a partition: its latest time, with no event.
    pub fn saw(&mut self, partition: usize, latest_us: i64, sink: &mut impl FnMut(&Row)) {
        self.expect(partition);
        let seen = &mut self.partitions[partition];
        if seen.idle || latest_us > seen.latest_us {
            *seen = Partition { latest_us: seen.latest_us.max(latest_us), idle: false };
            self.advance(sink);
        }
    }

    /// A partition from which nothing comes for now: the watermark goes on without it.
    pub fn idle(&mut self, partition: usize, sink: &mut impl FnMut(&Row)) {
        self.expect(partition);
        self.partitions[partition].idle = true;
        self.advance(sink);
    }

    /// Takes an event. `values` has one input for each aggregate of the plan;
    /// rows that are due come out through `sink`, ordered by window and key.
    pub fn push(
        &mut self,
        partition: usize,
        time_us: i64,
        key: &[u8],
        values: &[Input],
        sink: &mut impl FnMut(&Row),
    ) -> Fate {
        let fate = self.add(partition, time_us, key, values, sink);
        let seen = &mut self.partitions[partition];
        if seen.idle || time_us > seen.latest_us {
            *seen = Partition { latest_us: seen.latest_us.max(time_us), idle: false };
            self.advance(sink);
        }
        fate
    }

    /// Until when all is over for the events of a partition, in microseconds since 1970.
    pub fn over_us(&self, partition: usize) -> i64 {
        let seen = self.partitions.get(partition).copied().unwrap_or(Partition::NEW);
        seen.watermark_us(&self.plan).max(self.watermark_us)
    }

    /// Whether an event of a partition would be late.
    pub fn is_late(&self, partition: usize, time_us: i64) -> bool {
        let over_us = self.over_us(partition);
        let closes_us = match self.plan.windows {
            Windows::Session { .. } => time_us.saturating_add(1),
            windows => {
                let (size, every) = lengths(windows);
                time_us.saturating_sub(time_us.rem_euclid(every)).saturating_add(size)
            }
        };
        closes_us.saturating_add(self.plan.lateness_us) <= over_us
    }

    /// Takes an event whose time says nothing of how far its partition is, such as a pair's.
    pub fn add(
        &mut self,
        partition: usize,
        time_us: i64,
        key: &[u8],
        values: &[Input],
        sink: &mut impl FnMut(&Row),
    ) -> Fate {
        if self.partitions.len() <= partition {
            self.expect(partition);
        }
        // Its own partition judges an event, so that it does not matter how far the others are;
        // what the engine has closed meanwhile stays closed.
        let over_us = self.over_us(partition);
        match &mut self.store {
            Store::Sessions(sessions) => {
                let fate = sessions.push(&self.plan, over_us, time_us, key, values);
                self.due_us = sessions.due();
                fate
            }
            Store::Panes(_) => self.push_to_panes(over_us, time_us, key, values, sink),
        }
    }

    /// Takes everything out that was gathered, a part for each window and key, ordered by both:
    /// its key, and the part for [`Engine::absorb`].
    pub fn shed(&mut self, sink: &mut impl FnMut(&[u8], Vec<u8>)) {
        let mut part = |start_us, end_us, key: &[u8], states: &[State]| {
            sink(key, part(start_us, end_us, key, states));
        };
        match &mut self.store {
            Store::Sessions(sessions) => sessions.drain(&mut part),
            Store::Panes(panes) => {
                let (size, _) = lengths(self.plan.windows);
                self.bytes = 0;
                for (start, mut pane) in std::mem::take(panes) {
                    for (key, group) in pane.sorted() {
                        part(start, start.saturating_add(size), key, &group.states);
                    }
                }
            }
        }
        self.due_us = i64::MAX;
    }

    /// Whether the window of a part is closed.
    pub fn is_closed(&self, part: &[u8]) -> bool {
        let mut from = Reader(part);
        let (_, end) = (from.i64(), from.i64());
        end.is_ok_and(|end| end.saturating_add(self.plan.lateness_us) <= self.watermark_us)
    }

    /// Takes in a part. One whose window is closed, since its partition was idle, comes back
    /// through `sink` as a row that is not final.
    ///
    /// # Errors
    /// Fails if the bytes are no part of an engine with this plan.
    pub fn absorb(&mut self, part: &[u8], sink: &mut impl FnMut(&Row)) -> Result<Fate, NoState> {
        let mut from = Reader(part);
        let (start_us, end_us, key) = (from.i64()?, from.i64()?, from.bytes()?);
        let states = restored(&self.plan, &mut from)?;
        if !from.0.is_empty() || start_us >= end_us {
            return Err(NoState::Corrupt);
        }
        if end_us.saturating_add(self.plan.lateness_us) <= self.watermark_us {
            sink(&Row { is_final: false, ..Row::only(start_us, end_us, key, &states) });
            return Ok(Fate::Late);
        }
        match &mut self.store {
            Store::Sessions(sessions) => {
                sessions.insert(&self.plan, start_us, end_us, key, states);
                self.due_us = sessions.due();
            }
            Store::Panes(panes) => {
                let (size, every) = lengths(self.plan.windows);
                if start_us.checked_add(size) != Some(end_us) || start_us.rem_euclid(every) != 0 {
                    return Err(NoState::Corrupt);
                }
                let pane = open(panes, &self.plan, self.watermark_us, &mut self.due_us, start_us);
                let group = match pane.groups.entry(key.into()) {
                    Entry::Vacant(new) => new.insert(Group { states, rows: 0 }),
                    Entry::Occupied(known) => {
                        let group = known.into_mut();
                        merge(&mut group.states, states);
                        group
                    }
                };
                if pane.told {
                    sink(&group.row(start_us, end_us, key, false));
                    group.rows = group.rows.saturating_add(1);
                }
            }
        }
        Ok(Fate::Counted)
    }

    /// The end of the input: every window closes.
    pub fn finish(&mut self, sink: &mut impl FnMut(&Row)) {
        self.watermark_us = i64::MAX;
        self.fire(sink);
    }

    /// The whole state, for [`Engine::restore`].
    pub fn save(&self) -> Vec<u8> {
        let mut to = Writer::default();
        self.plan.save(&mut to);
        to.i64(self.watermark_us);
        to.length(self.partitions.len());
        for partition in &self.partitions {
            to.i64(partition.latest_us);
            to.u8(u8::from(partition.idle));
        }
        match &self.store {
            Store::Sessions(sessions) => sessions.save(&mut to),
            Store::Panes(panes) => {
                to.length(panes.len());
                for (start, pane) in panes {
                    to.i64(*start);
                    to.u8(u8::from(pane.told));
                    to.length(pane.groups.len());
                    for (key, group) in &pane.groups {
                        to.bytes(key);
                        to.u64(group.rows);
                        group.states.iter().for_each(|state| state.save(&mut to));
                    }
                }
            }
        }
        to.0
    }

    /// The engine that was saved.
    ///
    /// # Errors
    /// Fails if the bytes are no state of an engine with this plan.
    pub fn restore(plan: Plan, saved: &[u8]) -> Result<Self, NoState> {
        let mut from = Reader(saved);
        let mut fingerprint = Writer::default();
        plan.save(&mut fingerprint);
        if from.bytes()? != &fingerprint.0[8..] {
            return Err(NoState::OtherPlan);
        }
        let mut engine = Self::new(plan).map_err(|_| NoState::Corrupt)?;
        engine.watermark_us = from.i64()?;
        for _ in 0..from.u64()? {
            engine.partitions.push(Partition { latest_us: from.i64()?, idle: from.flag()? });
        }
        match &mut engine.store {
            Store::Sessions(sessions) => sessions.restore(&engine.plan, &mut from)?,
            Store::Panes(panes) => {
                for _ in 0..from.u64()? {
                    let (start, told) = (from.i64()?, from.flag()?);
                    let mut pane = Pane { told, ..Pane::default() };
                    for _ in 0..from.u64()? {
                        let (key, rows) = (from.bytes()?, from.u64()?);
                        let states = restored(&engine.plan, &mut from)?;
                        engine.bytes += group_bytes(&engine.plan, key);
                        pane.groups.insert(key.into(), Group { states, rows });
                    }
                    panes.insert(start, pane);
                }
            }
        }
        if !from.0.is_empty() {
            return Err(NoState::Corrupt);
        }
        engine.due_us = engine.next_due();
        Ok(engine)
    }

    fn push_to_panes(
        &mut self,
        over_us: i64,
        time_us: i64,
        key: &[u8],
        values: &[Input],
        sink: &mut impl FnMut(&Row),
    ) -> Fate {
        let Store::Panes(panes) = &mut self.store else { return Fate::Late };
        let (size, every) = lengths(self.plan.windows);
        let mut fate = Fate::Late;
        // Floored by hand: the start nearest to the beginning of time would overflow.
        let mut start = time_us.saturating_sub(time_us.rem_euclid(every));
        while start.saturating_add(size) > time_us {
            let end = start.saturating_add(size);
            if end.saturating_add(self.plan.lateness_us) <= over_us {
                break;
            }
            fate = Fate::Counted;
            let pane = open(panes, &self.plan, self.watermark_us, &mut self.due_us, start);
            let group = if let Some(group) = pane.groups.get_mut(key) {
                group
            } else {
                self.bytes += group_bytes(&self.plan, key);
                let new = || Group { states: begun(&self.plan), rows: 0 };
                pane.groups.entry(key.into()).or_insert_with(new)
            };
            for (state, value) in group.states.iter_mut().zip(values) {
                state.add(time_us, *value);
            }
            if pane.told {
                sink(&group.row(start, end, key, false));
                group.rows = group.rows.saturating_add(1);
            }
            let Some(before) = start.checked_sub(every) else { break };
            start = before;
        }
        fate
    }

    #[inline]
    fn advance(&mut self, sink: &mut impl FnMut(&Row)) {
        if self.gathers {
            return;
        }
        let active = self.partitions.iter().filter(|partition| !partition.idle);
        let Some(slowest) = active.map(|partition| partition.latest_us).min() else { return };
        self.watermark_us = self.watermark_us.max(slowest.saturating_sub(self.plan.bound_us));
        if self.watermark_us >= self.due_us {
            self.fire(sink);
        }
    }

    /// Brings out what the watermark has passed.
    fn fire(&mut self, sink: &mut impl FnMut(&Row)) {
        let (watermark, lateness) = (self.watermark_us, self.plan.lateness_us);
        let (tells, closes) = (self.plan.tells_at_end(), self.plan.tells_at_close());
        match &mut self.store {
            Store::Sessions(sessions) => sessions.fire(watermark, lateness, sink),
            Store::Panes(panes) => {
                let (size, _) = lengths(self.plan.windows);
                let mut gone = Vec::new();
                for (start, pane) in panes.iter_mut() {
                    let end = start.saturating_add(size);
                    if end > watermark {
                        break;
                    }
                    if tells && !pane.told {
                        pane.told = true;
                        pane.tell(*start, end, false, sink);
                    }
                    if end.saturating_add(lateness) <= watermark {
                        if closes {
                            pane.tell(*start, end, true, sink);
                        }
                        gone.push(*start);
                    }
                }
                for start in gone {
                    let pane = panes.remove(&start);
                    // Keys of a window are about as long as each other.
                    let Some(groups) = pane.map(|pane| pane.groups.len()).filter(|groups| *groups > 0) else {
                        continue;
                    };
                    let left: usize = panes.values().map(|pane| pane.groups.len()).sum();
                    self.bytes = self.bytes / (groups + left) * left;
                }
            }
        }
        self.due_us = self.next_due();
    }

    fn next_due(&self) -> i64 {
        let panes = match &self.store {
            Store::Sessions(sessions) => return sessions.due(),
            Store::Panes(panes) => panes,
        };
        let (size, _) = lengths(self.plan.windows);
        let tells = self.plan.tells_at_end();
        let due = panes.iter().map(|(start, pane)| {
            let end = start.saturating_add(size);
            if tells && !pane.told { end } else { end.saturating_add(self.plan.lateness_us) }
        });
        due.min().unwrap_or(i64::MAX)
    }
}

impl Pane {
    /// Its groups, in the order of their keys.
    fn sorted(&mut self) -> Vec<(&[u8], &mut Group)> {
        let mut groups: Vec<_> = self.groups.iter_mut().map(|(key, group)| (&**key, group)).collect();
        groups.sort_unstable_by_key(|(key, _)| *key);
        groups
    }

    fn tell(&mut self, start: i64, end: i64, is_final: bool, sink: &mut impl FnMut(&Row)) {
        for (key, group) in self.sorted() {
            sink(&group.row(start, end, key, is_final));
            group.rows = group.rows.saturating_add(1);
        }
    }
}

impl Group {
    fn row<'a>(&'a self, start_us: i64, end_us: i64, key: &'a [u8], is_final: bool) -> Row<'a> {
        Row { start_us, end_us, key, rev: self.rows, is_final, states: &self.states }
    }
}

impl Plan {
    /// Whether rows come out at a window's end that later ones may revise.
    fn tells_at_end(&self) -> bool {
        self.emit != Emit::Final && self.lateness_us > 0
    }

    /// Whether rows come out when a window closes for good.
    fn tells_at_close(&self) -> bool {
        self.emit != Emit::Updates || self.lateness_us == 0
    }
}

/// About how much memory a group takes.
fn group_bytes(plan: &Plan, key: &[u8]) -> usize {
    GROUP_BYTES + key.len() + plan.aggregates.len() * size_of::<State>()
}

/// A part of a window: its start, its end, its key, and how far its aggregates have come.
fn part(start_us: i64, end_us: i64, key: &[u8], states: &[State]) -> Vec<u8> {
    let mut to = Writer::default();
    to.i64(start_us);
    to.i64(end_us);
    to.bytes(key);
    states.iter().for_each(|state| state.save(&mut to));
    to.0
}

/// The start and the key of a part.
///
/// # Errors
/// Fails if the bytes are no part.
pub fn part_of(part: &[u8]) -> Result<(i64, &[u8]), NoState> {
    let mut from = Reader(part);
    let start_us = from.i64()?;
    from.i64()?;
    Ok((start_us, from.bytes()?))
}

/// The row of a window and key whose parts these are, in the order they were shed.
///
/// # Errors
/// Fails if the bytes are no parts of an engine with this plan.
pub fn merged(plan: &Plan, parts: &[impl AsRef<[u8]>], sink: &mut impl FnMut(&Row)) -> Result<(), NoState> {
    let mut all: Option<(Row, Box<[State]>)> = None;
    for part in parts {
        let mut from = Reader(part.as_ref());
        let (start_us, end_us, key) = (from.i64()?, from.i64()?, from.bytes()?);
        let states = restored(plan, &mut from)?;
        match &mut all {
            Some((_, ours)) => merge(ours, states),
            None => all = Some((Row::only(start_us, end_us, key, &[]), states)),
        }
    }
    if let Some((row, states)) = &all {
        sink(&Row::only(row.start_us, row.end_us, row.key, states));
    }
    Ok(())
}

/// The pane that starts there; `due_us` hears of it if it is new.
fn open<'a>(
    panes: &'a mut BTreeMap<i64, Pane>,
    plan: &Plan,
    watermark_us: i64,
    due_us: &mut i64,
    start: i64,
) -> &'a mut Pane {
    panes.entry(start).or_insert_with(|| {
        let end = start.saturating_add(lengths(plan.windows).0);
        let tells = plan.tells_at_end();
        let told = tells && end <= watermark_us;
        let due = if tells && !told { end } else { end.saturating_add(plan.lateness_us) };
        *due_us = (*due_us).min(due);
        Pane { told, ..Pane::default() }
    })
}

/// What came later goes into what came before.
pub(crate) fn merge(ours: &mut [State], theirs: Box<[State]>) {
    for (ours, theirs) in ours.iter_mut().zip(theirs) {
        ours.merge(theirs);
    }
}

pub(crate) fn begun(plan: &Plan) -> Box<[State]> {
    plan.aggregates.iter().map(|aggregate| aggregate.begin()).collect()
}

pub(crate) fn restored(plan: &Plan, from: &mut Reader) -> Result<Box<[State]>, Corrupt> {
    plan.aggregates.iter().map(|aggregate| State::restore(*aggregate, from)).collect()
}

/// How long windows are, and how often one begins.
fn lengths(windows: Windows) -> (i64, i64) {
    match windows {
        Windows::Tumbling { size_us } => (size_us, size_us),
        Windows::Hopping { size_us, every_us } => (size_us, every_us),
        Windows::Session { gap_us } => (gap_us, gap_us),
    }
}
