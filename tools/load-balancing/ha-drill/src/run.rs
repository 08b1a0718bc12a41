//! One run: settle, come as clients, break, watch, heal, see that it healed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use model::{DrillRun, LongLived};
use probe::{Held, Holding, Load, Pace, Sample};

use crate::guard::Guard;
use crate::health::{Curfew, Health, command};
use crate::holder::{Watch, duplicate, moves};
use crate::lab::{Lab, names_a_node};
use crate::measure::{judge, ms, ms_since};
use crate::scenario::Commands;

/// How often a kept connection asks.
const KEPT_ASKS_EVERY: Duration = Duration::from_millis(250);

/// How long after a signal the wait for good health may take.
const LAST_LOOK: Duration = Duration::from_secs(5);

/// How often healing is tried, and the pause between.
const HEALINGS: u32 = 3;
const BREATH: Duration = Duration::from_millis(500);

/// A drill: what all its runs share.
#[derive(Debug)]
pub(crate) struct Drill {
    pub(crate) scenario: String,
    pub(crate) lab: Lab,
    pub(crate) commands: Commands,
    /// The node to break; `None` for the holder.
    pub(crate) node: Option<String>,
    pub(crate) health: Health,
    pub(crate) curfew: Curfew,
    pub(crate) settle: Duration,
    pub(crate) pace: Pace,
    /// When the fault comes, and when the run ends, after the first client.
    pub(crate) at: Duration,
    pub(crate) duration: Duration,
    pub(crate) sample: Duration,
    pub(crate) long_lived: u32,
    pub(crate) stress: u32,
}

/// Why a run has no figures.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It did not get well beforehand; nothing was broken.
    Unsettled(String),
    /// What should break something failed, or what comes before it.
    NotInjected(String),
    /// A signal or the end of the time.
    Interrupted,
}

/// What came of a run: its figures if it has any, and whether it healed.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) figures: Result<(DrillRun, Vec<Sample>), Trouble>,
    /// What was not well after healing.
    pub(crate) healed: Result<(), String>,
}

/// The commands of one run, word by word.
#[derive(Debug, Default)]
pub(crate) struct Filled {
    pub(crate) node: Option<String>,
    pub(crate) prepare: Option<Vec<String>>,
    pub(crate) inject: Option<Vec<String>>,
    pub(crate) heal: Option<Vec<String>>,
}

impl Filled {
    /// As they were written, for no node.
    pub(crate) fn unfilled(commands: &Commands) -> Self {
        let Commands { prepare, inject, heal } = commands.clone();
        Self { node: None, prepare, inject, heal }
    }
}

struct Figures {
    samples: Vec<Sample>,
    fault: Duration,
    inject: Duration,
    moves: u32,
    duplicate: Duration,
    long_lived: Option<LongLived>,
    holders_before: Option<Vec<String>>,
    holders_after: Option<Vec<String>>,
}

impl Drill {
    /// One run, healed whatever happens.
    pub(crate) fn once(&self, number: u32) -> Outcome {
        let unharmed = |trouble| Outcome { figures: Err(trouble), healed: Ok(()) };
        let holders = match self.health.settle(self.settle, || self.curfew.reached()) {
            Ok(holders) => holders,
            Err(_) if self.curfew.reached() => return unharmed(Trouble::Interrupted),
            Err(why) => return unharmed(Trouble::Unsettled(why)),
        };
        let filled = match self.fill(holders.as_deref()) {
            Ok(filled) => filled,
            Err(why) => return unharmed(Trouble::Unsettled(why)),
        };
        let guard = match filled.heal.as_deref().map(Guard::arm).transpose() {
            Ok(guard) => guard,
            Err(why) => return unharmed(Trouble::Unsettled(format!("no guard: {why}"))),
        };
        let figures = self.measure(&filled, holders);
        let healed = self.heal(filled.heal.as_deref());
        if let Some(guard) = guard {
            guard.dismiss();
        }
        let figures = figures.map(|figures| self.record(number, filled.node, healed.is_ok(), figures));
        Outcome { figures, healed }
    }

    /// The commands for the node to break: the one named, or the sole holder.
    pub(crate) fn fill(&self, holders: Option<&[String]>) -> Result<Filled, String> {
        let sole = match holders {
            Some([sole]) => Some(sole.clone()),
            _ => None,
        };
        let node = if names_a_node(&self.commands) { self.node.clone().or(sole) } else { None };
        let fill = |command: &Option<Vec<String>>| {
            command.as_deref().map(|words| self.lab.fill(words, node.as_deref())).transpose()
        };
        let (prepare, inject, heal) =
            (fill(&self.commands.prepare)?, fill(&self.commands.inject)?, fill(&self.commands.heal)?);
        Ok(Filled { node, prepare, inject, heal })
    }

    fn measure(&self, filled: &Filled, holders: Option<Vec<String>>) -> Result<Figures, Trouble> {
        let holders_before = match &filled.prepare {
            Some(prepare) => self.prepare(prepare)?,
            None => holders,
        };
        let fresh = self.health.target.clone().fresh();
        let kept = Holding::open(&fresh, self.long_lived, KEPT_ASKS_EVERY, Duration::from_secs(2))
            .map_err(|why| Trouble::Unsettled(format!("opening long-lived connections: {why}")))?;
        let stress = Stress::start(self.stress);
        let watch = Watch::start(&self.health.nodes, self.health.vip, self.sample);
        let load = Load::start(&fresh, &self.pace)
            .map_err(|why| Trouble::Unsettled(format!("starting clients: {why}")))?;
        let started = load.started();
        let mut ended = self.curfew.sleep_until(started + self.at);
        let fault = Instant::now();
        let injected = match &filled.inject {
            Some(inject) if !ended => command(inject),
            _ => Ok(()),
        };
        let inject = fault.elapsed();
        if injected.is_ok() {
            ended |= self.curfew.sleep_until(started + self.duration);
        }
        let samples = load.finish();
        let seen = watch.finish();
        let long_lived = (self.long_lived > 0).then(|| tell(&kept.finish(), fault));
        drop(stress);
        injected.map_err(Trouble::NotInjected)?;
        if ended {
            return Err(Trouble::Interrupted);
        }
        Ok(Figures {
            samples,
            fault: fault.saturating_duration_since(started),
            inject,
            moves: moves(&seen),
            duplicate: duplicate(&seen),
            long_lived,
            holders_before,
            holders_after: self.health.holders(),
        })
    }

    /// Brings about the state in which something is broken; the holders in it.
    fn prepare(&self, prepare: &[String]) -> Result<Option<Vec<String>>, Trouble> {
        command(prepare).map_err(Trouble::NotInjected)?;
        self.health.settle(self.settle, || self.curfew.reached()).map_err(|why| {
            if self.curfew.reached() { Trouble::Interrupted } else { Trouble::NotInjected(why) }
        })
    }

    fn heal(&self, heal: Option<&[String]>) -> Result<(), String> {
        let mut tries = 1;
        while let Some(heal) = heal {
            match command(heal) {
                Ok(()) => break,
                Err(why) if tries >= HEALINGS => return Err(why),
                Err(_) => thread::sleep(BREATH),
            }
            tries += 1;
        }
        let well = self.health.settle(self.settle, || self.curfew.reached());
        // Who ends a drill early still wants to know, but not to wait long.
        well.or_else(
            |why| {
                if self.curfew.reached() { self.health.settle(LAST_LOOK, || false) } else { Err(why) }
            },
        )
        .map(|_| ())
    }

    fn record(
        &self,
        run: u32,
        node: Option<String>,
        healed: bool,
        figures: Figures,
    ) -> (DrillRun, Vec<Sample>) {
        let seen = judge(&figures.samples, figures.fault);
        let watched = !self.health.nodes.is_empty();
        let record = DrillRun {
            scenario: self.scenario.clone(),
            run,
            node,
            outage_ms: ms(seen.outage),
            baseline_gap_ms: ms(seen.baseline),
            first_fail_ms: seen.first_fail.map(|at| ms_since(at, figures.fault)),
            recover_ms: seen.recovered.map(|at| ms_since(at, figures.fault)),
            requests: figures.samples.len() as u64,
            failed: seen.failed,
            failed_before: seen.failed_before,
            errors: seen.errors,
            holders_before: figures.holders_before,
            holders_after: figures.holders_after,
            moves: watched.then_some(figures.moves),
            duplicate_ms: watched.then(|| ms(figures.duplicate)),
            long_lived: figures.long_lived,
            client_late_ms_max: ms(seen.late_max),
            inject_ms: ms(figures.inject),
            healed,
        };
        (record, figures.samples)
    }
}

fn tell(kept: &[Held], fault: Instant) -> LongLived {
    let count =
        |is: fn(&Held) -> bool| u32::try_from(kept.iter().filter(|one| is(one)).count()).unwrap_or(u32::MAX);
    let noticed = kept.iter().filter_map(|one| match one {
        Held::Over(at) => Some(at.saturating_duration_since(fault)),
        Held::Alive | Held::Hung => None,
    });
    LongLived {
        alive: count(|one| *one == Held::Alive),
        reset: count(|one| matches!(one, Held::Over(_))),
        hung: count(|one| *one == Held::Hung),
        notice_ms_max: noticed.max().map(ms),
    }
}

/// Threads that do nothing, as fast as they can.
struct Stress {
    stop: Arc<AtomicBool>,
    burners: Vec<JoinHandle<()>>,
}

impl Stress {
    fn start(count: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let burn = |stop: Arc<AtomicBool>| {
            move || {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            }
        };
        let burners = (0..count).map(|_| thread::spawn(burn(Arc::clone(&stop)))).collect();
        Self { stop, burners }
    }
}

impl Drop for Stress {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.burners.drain(..).for_each(|burner| drop(burner.join()));
    }
}

#[cfg(test)]
mod tests;
