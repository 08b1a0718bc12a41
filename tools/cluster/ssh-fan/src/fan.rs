//! Hosts taken in turn, some at once, until all are done or too many failed.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use cli::{Context, Out, Progress};
use model::{HostEntry, SshError, SshResult};
use process::{Many, Outcome, Stop};

use crate::judge;
use crate::options::Pace;
use crate::session::{self, Sessions, Task};

/// What happens on each host.
pub(crate) trait Errand {
    /// What to run first.
    fn first(&mut self, host: &HostEntry) -> Task;
    /// What to run next, given what came of the last; `None` if that was all.
    /// It may mend the result.
    fn next(&mut self, host: &HostEntry, result: &mut SshResult) -> Option<Task>;
    /// Prints a result.
    fn tell(&mut self, result: &SshResult, out: &mut Out) -> cli::Result<()> {
        out.emit(result)
    }
}

/// How the whole went.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) hosts: usize,
    pub(crate) failed: usize,
    pub(crate) unreachable: usize,
    pub(crate) skipped: usize,
}

pub(crate) struct Fan<'a, E> {
    hosts: &'a [HostEntry],
    pace: &'a Pace,
    sessions: Sessions<'a>,
    errand: E,
    out: &'a mut Out,
    many: Many<Turn>,
    /// Those that get another try, when, and how the last one went.
    later: Vec<(Instant, Turn, SshResult)>,
    /// Results that wait for those before them.
    held: Vec<Option<SshResult>>,
    told: usize,
    /// The ways out that were told, each once.
    hinted: Vec<&'static str>,
    tally: Tally,
    /// How many have nothing left to do.
    ended: usize,
    deadline: Option<Instant>,
    progress: Progress,
}

/// A session that runs.
struct Turn {
    number: usize,
    task: Task,
    tries: u32,
    /// What earlier tries and steps of this host took.
    spent: Duration,
}

impl<'a, E: Errand> Fan<'a, E> {
    pub(crate) fn new(
        hosts: &'a [HostEntry],
        pace: &'a Pace,
        sessions: Sessions<'a>,
        errand: E,
        out: &'a mut Out,
    ) -> Self {
        let deadline = pace.timeout.map(|time| Instant::now() + *time);
        let tally = Tally { hosts: hosts.len(), ..Tally::default() };
        let held = vec![None; hosts.len()];
        Self {
            hosts,
            pace,
            sessions,
            errand,
            out,
            many: Many::default(),
            later: Vec::new(),
            held,
            told: 0,
            hinted: Vec::new(),
            tally,
            ended: 0,
            deadline,
            progress: Progress::default(),
        }
    }

    /// Visits all hosts.
    pub(crate) fn run(mut self, stop: &Stop) -> cli::Result<Tally> {
        let batch = self.pace.serial.map_or(self.hosts.len(), |share| share.of(self.hosts.len())).max(1);
        let most = self.pace.max_fail.map(|share| share.of(self.hosts.len()));
        let mut waiting: VecDeque<usize> = (0..self.hosts.len()).collect();
        while !waiting.is_empty() {
            let mut turn: VecDeque<usize> = waiting.drain(..batch.min(waiting.len())).collect();
            while !(turn.is_empty() && self.many.is_empty() && self.later.is_empty()) {
                let enough = self.is_over(stop) || most.is_some_and(|most| self.tally.failed > most);
                if enough {
                    waiting.extend(turn.drain(..));
                }
                while self.many.len() < usize::from(self.pace.parallel)
                    && let Some(number) = turn.pop_front()
                {
                    let task = self.errand.first(&self.hosts[number]);
                    self.start(Turn { number, task, tries: 1, spent: Duration::ZERO })?;
                }
                self.gather(stop)?;
            }
            if self.is_over(stop) || most.is_some_and(|most| self.tally.failed > most) {
                for number in waiting.drain(..) {
                    self.finish(number, session::skipped(&self.hosts[number]))?;
                }
            }
        }
        Ok(self.tally)
    }

    fn is_over(&self, stop: &Stop) -> bool {
        stop.requested()
            || self.out.is_closed()
            || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    fn start(&mut self, turn: Turn) -> cli::Result<()> {
        let host = &self.hosts[turn.number];
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = self.pace.host_timeout.saturating_sub(turn.spent).min(left.unwrap_or(Duration::MAX));
        let job = self
            .sessions
            .job(turn.number, host, &turn.task, timeout)
            .unavailable("opening a file for the output")?;
        self.many.start(turn, job).doing("starting ssh")
    }

    /// Waits for some to end or to come back, and goes on with them.
    fn gather(&mut self, stop: &Stop) -> cli::Result<()> {
        let next = self.later.iter().map(|(at, ..)| *at).min();
        if let Some(next) = next
            && self.many.is_empty()
        {
            stop.sleep(next.saturating_duration_since(Instant::now()));
        }
        let ended = self.many.wait(stop, next);
        let over = self.is_over(stop);
        for (at, turn, result) in std::mem::take(&mut self.later) {
            if over {
                self.finish(turn.number, result)?;
            } else if at <= Instant::now() {
                self.start(turn)?;
            } else {
                self.later.push((at, turn, result));
            }
        }
        let ended = if stop.requested() || self.out.is_closed() {
            ended.into_iter().chain(self.many.end(Duration::from_secs(2))).collect()
        } else {
            ended
        };
        ended.into_iter().try_for_each(|(turn, outcome)| self.end(turn, outcome, stop))
    }

    fn end(&mut self, turn: Turn, outcome: Outcome, stop: &Stop) -> cli::Result<()> {
        let host = &self.hosts[turn.number];
        let spent = turn.spent + outcome.elapsed;
        let mut result = self.sessions.result(turn.number, host, outcome);
        let over = self.is_over(stop);
        result.tries = turn.tries;
        result.elapsed_ms = u64::try_from(spent.as_millis()).unwrap_or(u64::MAX);
        if result.error.is_some_and(judge::may_pass) && turn.tries <= self.pace.retry && !over {
            let at = Instant::now() + pause(turn.tries, turn.number);
            self.later.push((at, Turn { tries: turn.tries + 1, spent, ..turn }, result));
            return Ok(());
        }
        if let Some(task) = self.errand.next(host, &mut result)
            && !over
        {
            return self.start(Turn { task, spent, ..turn });
        }
        self.keep_files(turn.number, &mut result);
        self.finish(turn.number, result)
    }

    /// Gives the files of a host's output their names.
    fn keep_files(&self, number: usize, result: &mut SshResult) {
        let Some(directory) = &self.sessions.reach.output_dir else { return };
        let name = &self.hosts[number].name;
        for ending in ["out", "err"] {
            let part = directory.join(format!(".{name}.{ending}.part"));
            let named = std::fs::rename(&part, directory.join(format!("{name}.{ending}")));
            if let Err(error) = named.or_else(|error| match error.kind() {
                io::ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            }) {
                result.error.get_or_insert(SshError::Output);
                result.reason.get_or_insert(error.to_string());
            }
        }
    }

    fn finish(&mut self, number: usize, result: SshResult) -> cli::Result<()> {
        self.ended += 1;
        self.tally.failed += usize::from(result.error.is_some());
        self.tally.unreachable += usize::from(result.unreachable);
        self.tally.skipped += usize::from(result.error == Some(SshError::Skipped));
        if let Some(hint) = result.error.and_then(judge::hint)
            && !self.hinted.contains(&hint)
        {
            self.hinted.push(hint);
            cli::warn_hint(
                format!("{}: {}", result.host, result.reason.as_deref().unwrap_or("no session")),
                hint,
            );
        }
        self.progress
            .say(format!("{} of {} hosts, {} failed", self.ended, self.tally.hosts, self.tally.failed));
        if !self.pace.ordered {
            self.errand.tell(&result, self.out)?;
            return self.out.flush();
        }
        self.held[number] = Some(result);
        while let Some(next) = self.held.get_mut(self.told).and_then(Option::take) {
            self.errand.tell(&next, self.out)?;
            self.told += 1;
        }
        self.out.flush()
    }
}

/// How long to wait before another try, not the same for all.
fn pause(tries: u32, number: usize) -> Duration {
    let spread = u64::try_from(number % 10).unwrap_or_default() * 20;
    Duration::from_millis(250 * u64::from(tries.min(8)) + spread)
}
