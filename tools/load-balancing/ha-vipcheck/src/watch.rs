//! The watcher: asks on and on, and writes what it finds.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use cli::{Answer, Context};
use model::{Check, VipCheck};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use process::Stop;

use crate::asked::{Asked, check, failed};
use crate::pids::Processes;
use crate::round::{Round, process};
use crate::steady::{Next, Outcome, Steady};
use crate::track::Track;
use crate::{Args, OnExit, verdict};

/// How many rounds may wait for answers at a time.
const WAITING: usize = 16;

/// The pause before a round that is asked out of turn.
const AGAIN: Duration = Duration::from_millis(10);

/// Between two looks for new processes.
const REFRESH: Duration = Duration::from_secs(1);

struct Watch<'a> {
    args: &'a Args,
    round: Arc<Round>,
    track: Track,
    /// Whether the last write of the file failed, and was told.
    unwritable: bool,
    processes: Option<Processes>,
    refreshed: Instant,
    steady: Steady,
    send: Sender<cli::Result<Asked>>,
    ring: UnixStream,
    waiting: usize,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    rounds: u64,
    failed: u64,
    late: u64,
    changes: u64,
}

/// Watches until it is asked to end.
pub(crate) fn run(args: &Args, round: Round, file: &Path, out: &mut cli::Out) -> cli::Result {
    if args.interval.is_zero() {
        return Err(cli::Error::invalid("reading arguments", "--interval must be more than nothing"));
    }
    let stop = Stop::on_signals().unavailable("catching signals")?;
    let (wake, ring) = UnixStream::pair().unavailable("making a pipe")?;
    for end in [&wake, &ring] {
        end.set_nonblocking(true).unavailable("making a pipe")?;
    }
    let track = Track::new(file);
    let left = track.left();
    // Now, not when it matters: can it be written at all?
    track.write(left.unwrap_or(false)).unavailable("writing the track file")?;
    let (send, results) = channel();
    let mut watch = Watch {
        args,
        round: Arc::new(round),
        track,
        unwritable: false,
        processes: args.pidfile.as_deref().map(Processes::of),
        refreshed: Instant::now(),
        steady: Steady::new(args.rise, args.fall, (*args.interval / 4).max(Duration::from_millis(20)), left),
        send,
        ring,
        waiting: 0,
        counts: Counts::default(),
    };
    watch.until_stopped(&stop, &wake, &results, out);
    if args.on_exit == OnExit::Fail {
        watch.track.write(false).unavailable("writing the track file")?;
    }
    watch.tell_counts()?;
    Ok(Answer::Yes)
}

impl Watch<'_> {
    fn until_stopped(
        &mut self,
        stop: &Stop,
        mut wake: &UnixStream,
        results: &Receiver<cli::Result<Asked>>,
        out: &mut cli::Out,
    ) {
        let mut next = Instant::now();
        // When to ask out of turn: after a failure that says little ...
        let mut again: Option<Instant> = None;
        // ... or halfway to the next turn, while an answer is still out.
        let mut halfway: Option<Instant> = None;
        while !stop.requested() {
            let ended = self.sleep(stop, wake, again.into_iter().chain(halfway).fold(next, Instant::min));
            let now = Instant::now();
            if ended || now >= self.refreshed + REFRESH || self.is_dead() {
                again = self.look_at_processes(ended, now, out).then_some(now).or(again);
            }
            while wake.read(&mut [0; 64]).is_ok_and(|read| read > 0) {}
            if now >= next {
                // Before the answers, which are judged by it.
                self.steady.woke(now, now - next);
            }
            for asked in results.try_iter().collect::<Vec<_>>() {
                if self.judge(asked, out) {
                    again = Some(Instant::now() + AGAIN);
                }
            }
            halfway = halfway.filter(|_| self.waiting > 0);
            for due in [&mut again, &mut halfway] {
                if due.take_if(|due| now >= *due).is_some() {
                    self.ask();
                }
            }
            if now >= next {
                self.ask();
                halfway = (self.steady.verdict() == Some(true)).then(|| now + *self.args.interval / 2);
                self.beat();
                // Missed beats are not made up for.
                next = (next + *self.args.interval).max(now);
            }
        }
    }

    /// Sleeps until then, or until something happens; true if a process has ended.
    fn sleep(&self, stop: &Stop, wake: &UnixStream, until: Instant) -> bool {
        let mut fds =
            vec![PollFd::new(stop.as_fd(), PollFlags::POLLIN), PollFd::new(wake.as_fd(), PollFlags::POLLIN)];
        let held = self.processes.iter().flat_map(Processes::fds);
        fds.extend(held.map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
        let left = until.saturating_duration_since(Instant::now());
        // Rounded up, or the last millisecond would be spun through.
        let wait = if left.is_zero() { 0 } else { left.as_millis() + 1 };
        let _ = poll(&mut fds, PollTimeout::try_from(wait).unwrap_or(PollTimeout::MAX));
        fds[2..].iter().any(|fd| fd.any().unwrap_or(false))
    }

    /// Takes stock of the processes; true if the next question should not wait.
    fn look_at_processes(&mut self, ended: bool, now: Instant, out: &mut cli::Out) -> bool {
        self.refreshed = now;
        let Some(processes) = &mut self.processes else { return false };
        let ended = processes.refresh() || ended;
        if self.is_dead() && self.steady.verdict() != Some(false) {
            self.dead(now, out);
        }
        ended
    }

    fn is_dead(&self) -> bool {
        self.processes.as_ref().is_some_and(|processes| !processes.alive())
    }

    /// No process of the pidfile is left.
    fn dead(&mut self, started: Instant, out: &mut cli::Out) {
        let verdict = failure(process(started, false));
        self.judge(Ok(Asked { verdict, started, overrun: None, certain: true }), out);
    }

    /// Starts a round in a thread of its own.
    fn ask(&mut self) {
        if self.waiting >= WAITING || self.is_dead() {
            return;
        }
        let (round, send, timeout) = (Arc::clone(&self.round), self.send.clone(), *self.args.timeout);
        let Ok(mut ring) = self.ring.try_clone() else { return };
        let started = thread::Builder::new().stack_size(256 << 10).spawn(move || {
            let _ = send.send(round.ask(Instant::now() + timeout));
            let _ = ring.write_all(b"!");
        });
        self.waiting += usize::from(started.is_ok());
    }

    /// Judges an answer; true if it must be asked again at once.
    fn judge(&mut self, asked: cli::Result<Asked>, out: &mut cli::Out) -> bool {
        let Asked { verdict, started, overrun, certain } = match asked {
            Ok(asked) => asked,
            Err(error) => {
                // This node cannot even ask: unknown is never a pass.
                let started = Instant::now();
                let check = failed(check("self", started), None, "local", Some(error.to_string()));
                Asked { verdict: failure(check), started, overrun: None, certain: false }
            }
        };
        let dead = certain && verdict.checks.iter().any(|check| check.name == "process");
        if !dead {
            self.waiting = self.waiting.saturating_sub(1);
            self.counts.rounds += 1;
            self.counts.failed += u64::from(!verdict.ok);
        }
        let outcome = Outcome { ok: verdict.ok, started, overrun, certain };
        let (ok, reason) = (verdict.ok, verdict.reason.clone());
        let next = self.steady.feed(outcome);
        match next {
            Next::Same => {}
            Next::AskAgain => self.counts.late += 1,
            Next::Change(ok) => {
                self.counts.changes += 1;
                self.write(ok);
                if !self.args.quiet {
                    // A full disk under the log is no reason to stop watching.
                    if let Err(error) = out.emit(&verdict).and_then(|()| out.flush()) {
                        cli::warn(error.to_string());
                    }
                }
            }
        }
        // Nobody listens: no need to wait before the next knock.
        let refused =
            !ok && self.steady.verdict() == Some(true) && reason.is_some_and(|r| r.ends_with(":connect"));
        next == Next::AskAgain || refused
    }

    fn write(&mut self, ok: bool) {
        let written = self.track.write(ok);
        self.told(&written);
    }

    fn beat(&mut self) {
        if let Some(ok) = self.steady.verdict() {
            let written = self.track.beat(ok);
            self.told(&written);
        }
    }

    /// A file that cannot be written is tried again at every beat, and told once.
    fn told(&mut self, written: &files::Result<()>) {
        if let Err(error) = written
            && !self.unwritable
        {
            cli::warn(format!("writing the track file: {error}"));
        }
        self.unwritable = written.is_err();
    }

    fn tell_counts(&self) -> cli::Result<()> {
        let Counts { rounds, failed, late, changes } = self.counts;
        cli::note(format!(
            "{rounds} rounds, {failed} failed, {late} of them while kept from running, {changes} changes"
        ));
        #[expect(clippy::cast_precision_loss, reason = "Prometheus knows no integers")]
        self.args.metrics.write(&[
            ("bareplane_vipcheck_rounds_total", "Rounds of checks made", rounds as f64),
            ("bareplane_vipcheck_failed_total", "Rounds that failed", failed as f64),
            ("bareplane_vipcheck_late_total", "Rounds not counted since the watcher was late", late as f64),
            ("bareplane_vipcheck_changes_total", "Changes of the verdict", changes as f64),
        ])
    }
}

/// A verdict that rests on one bad check.
fn failure(check: Check) -> VipCheck {
    let because = verdict::because(&check);
    VipCheck {
        time: cli::rfc3339(SystemTime::now()).to_string(),
        ok: false,
        reason: Some(because.reason),
        error: Some(because.error),
        vip: None,
        elapsed_ms: check.elapsed_ms,
        checks: vec![check],
    }
}
