//! What happens to an event before it comes to the engine.

use window::{Engine, Input, Join, NoState, Row, Seen, Side, Windows};

use crate::job::Job;
use crate::read::{Bad, Batch, Found};

/// The engine, with what remembers rows in front of it.
pub(crate) struct Stage<'a> {
    job: &'a Job,
    pub(crate) engine: Engine,
    seen: Option<Seen>,
    join: Option<Join>,
    partitions: Vec<Partition>,
    /// Rows before it are not remembered.
    forgotten_us: i64,
    /// Room for pairs.
    pairs: Batch,
    values: Vec<Input<'static>>,
}

/// A partition of a topic: its place is its number in the engine.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Partition {
    pub(crate) topic: String,
    pub(crate) number: i32,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Counted,
    /// All its windows are closed.
    Late,
    /// Another of the same identity was there.
    Duplicate,
}

/// The same room with nothing in it: collecting in place keeps the allocation.
fn emptied<'b>(mut values: Vec<Input>) -> Vec<Input<'b>> {
    values.clear();
    values.into_iter().map(|_| Input::Nothing).collect()
}

impl<'a> Stage<'a> {
    pub(crate) fn new(job: &'a Job, engine: Engine) -> Self {
        Self {
            job,
            engine,
            seen: job.within_us.map(Seen::new),
            join: job.join_us.map(Join::new),
            partitions: Vec::new(),
            forgotten_us: i64::MIN,
            pairs: Batch::default(),
            values: Vec::new(),
        }
    }

    /// The number of a partition; one that was not known is expected from now on, with all others
    /// of its topic and of the one that is joined, if it was said how many there are.
    pub(crate) fn partition(&mut self, topic: &str, number: i32) -> usize {
        let is_it = |known: &Partition| known.number == number && known.topic == topic;
        if let Some(at) = self.partitions.iter().position(is_it) {
            return at;
        }
        let topics = self.job.reading.joined.iter().map(|name| &**name).chain([topic]);
        let all = topics.flat_map(|topic| (0..self.job.partitions).map(move |number| (topic, number)));
        for (topic, number) in all.chain([(topic, number)]) {
            let new = Partition { topic: topic.to_owned(), number };
            if !self.partitions.contains(&new) {
                self.engine.expect(self.partitions.len());
                self.partitions.push(new);
            }
        }
        self.partitions.iter().position(is_it).unwrap_or_default()
    }

    /// The partition of a row that was read.
    #[inline]
    pub(crate) fn partition_of(&mut self, batch: &Batch, found: &Found) -> usize {
        match self.job.reading.envelope {
            Some(_) => self.partition(batch.topic(found), found.partition),
            None => 0,
        }
    }

    /// Takes the event that was found in `line`, of that partition.
    #[inline]
    pub(crate) fn take(
        &mut self,
        at: usize,
        batch: &Batch,
        found: &Found,
        line: &[u8],
        sink: &mut impl FnMut(&Row),
    ) -> Result<Fate, Bad> {
        let time_us = found.time_us;
        // Where nothing is remembered the engine itself says so.
        if self.remembers() && self.is_late(at, time_us) {
            return Ok(Fate::Late);
        }
        if let Some(seen) = self.seen.as_mut().filter(|_| found.side == Side::Left)
            && !seen.is_new(batch.identity(found), time_us)
        {
            self.engine.saw(at, time_us, sink);
            return Ok(Fate::Duplicate);
        }
        if let Some(join) = &mut self.join {
            let (job, engine, pairs) = (self.job, &mut self.engine, &mut self.pairs);
            let mut wrong = None;
            join.push(found.side, time_us, batch.key(found), line, &mut |later_us, left, right| {
                pairs.clear();
                match job.reading.pair([left, right], pairs) {
                    Ok(pair) => {
                        let mut values = Vec::new();
                        pairs.values(&pair, job.reading.inputs.len(), &mut values);
                        engine.add(at, later_us, pairs.key(&pair), &values, sink);
                    }
                    Err(bad) => wrong = Some(bad),
                }
            });
            engine.saw(at, time_us, sink);
            if let Some(bad) = wrong {
                return Err(bad);
            }
        } else {
            let mut values = emptied(std::mem::take(&mut self.values));
            batch.values(found, self.job.reading.inputs.len(), &mut values);
            let fate = self.engine.add(at, time_us, batch.key(found), &values, sink);
            self.values = emptied(values);
            if fate == window::Fate::Late {
                return Ok(Fate::Late);
            }
            self.engine.saw(at, time_us, sink);
        }
        Ok(Fate::Counted)
    }

    /// A row that is joined is late when it is older than the watermark itself: its window is
    /// not known yet.
    #[inline]
    fn is_late(&self, at: usize, time_us: i64) -> bool {
        match self.join {
            Some(_) => time_us.saturating_add(self.job.plan.lateness_us) < self.engine.over_us(at),
            None => self.engine.is_late(at, time_us),
        }
    }

    /// Whether earlier rows matter beside the engine's.
    pub(crate) fn remembers(&self) -> bool {
        self.seen.is_some() || self.join.is_some()
    }

    /// Until when all rows are forgotten.
    pub(crate) fn forgotten_us(&self) -> i64 {
        self.forgotten_us
    }

    /// Forgets what no row can meet any more.
    pub(crate) fn tidy(&mut self) {
        if !self.remembers() {
            return;
        }
        let over = |side: Option<Side>| {
            let of_side = |partition: &Partition| side.is_none_or(|side| side == self.side(partition));
            let partitions = self.partitions.iter().enumerate().filter(|(_, partition)| of_side(partition));
            let alone = self.partitions.is_empty().then(|| self.engine.over_us(0));
            let over = partitions.map(|(at, _)| self.engine.over_us(at)).min().or(alone).unwrap_or(i64::MIN);
            over.saturating_sub(self.job.plan.lateness_us)
        };
        let (all, left, right) = (over(None), over(Some(Side::Left)), over(Some(Side::Right)));
        let mut forgotten_us = i64::MAX;
        if let Some(seen) = &mut self.seen {
            let reach = match self.job.plan.windows {
                Windows::Tumbling { size_us } | Windows::Hopping { size_us, .. } => size_us,
                Windows::Session { .. } => 0,
            };
            seen.forget_before(all.saturating_sub(reach));
            // Memory is let go of in pieces.
            let within_us = self.job.within_us.unwrap_or_default();
            forgotten_us = all.saturating_sub(reach).saturating_sub(within_us.saturating_mul(2));
        }
        if let Some(join) = &mut self.join {
            join.forget_before(Side::Left, right);
            join.forget_before(Side::Right, left);
            let within_us = self.job.join_us.unwrap_or_default();
            forgotten_us = forgotten_us.min(left.min(right).saturating_sub(within_us));
        }
        self.forgotten_us = forgotten_us;
    }

    fn side(&self, partition: &Partition) -> Side {
        if self.job.reading.joined.as_ref() == Some(&partition.topic) { Side::Right } else { Side::Left }
    }

    /// All of it, for [`Stage::restore`].
    pub(crate) fn save(&self) -> Vec<u8> {
        let parts = [
            self.engine.save(),
            self.seen.as_ref().map(Seen::save).unwrap_or_default(),
            self.join.as_ref().map(Join::save).unwrap_or_default(),
            serde_json::to_vec(&self.partitions).unwrap_or_default(),
        ];
        parts.iter().flat_map(|part| [&(part.len() as u64).to_le_bytes(), &part[..]].concat()).collect()
    }

    /// The stage that was saved.
    pub(crate) fn restore(job: &'a Job, saved: &[u8]) -> Result<Self, NoState> {
        let mut rest = saved;
        let mut part = || {
            let (length, after) = rest.split_first_chunk().ok_or(NoState::Corrupt)?;
            let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| NoState::Corrupt)?;
            let (part, after) = after.split_at_checked(length).ok_or(NoState::Corrupt)?;
            rest = after;
            Ok::<_, NoState>(part)
        };
        let (engine, seen, join, partitions) = (part()?, part()?, part()?, part()?);
        let mut stage = Self::new(job, Engine::restore(job.plan.clone(), engine)?);
        stage.seen = job.within_us.map(|within| Seen::restore(within, seen)).transpose()?;
        stage.join = job.join_us.map(|within| Join::restore(within, join)).transpose()?;
        stage.partitions = serde_json::from_slice(partitions).map_err(|_| NoState::Corrupt)?;
        Ok(stage)
    }
}
