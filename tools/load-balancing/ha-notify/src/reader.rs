//! Reading event after event, in order, to the end.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use cli::{Context, Error, Metrics, Out, Result};
use files::{Attributes, Durability, Lock};
use keepalived::Event;
use model::{VrrpScope, VrrpState, VrrpStates};
use process::Stop;

use crate::Args;
use crate::hook::Hook;
use crate::ledger::{self, Flap};
use crate::lines::{Lines, Next};

/// keepalived sends SIGTERM first and writes the STOP lines then.
const STOP_LINES: Duration = Duration::from_millis(500);

/// What all hooks together may take after a signal: the run ends within 10 s.
const LAST_HOOKS: Duration = Duration::from_secs(4);

/// Everything one run keeps.
pub(crate) struct Reader {
    states: VrrpStates,
    state_file: Option<(PathBuf, Lock)>,
    reject: Option<File>,
    hooks: Vec<Hook>,
    hook_timeout: Duration,
    flap: Flap,
    /// No hook runs longer; set after a signal.
    hooks_until: Option<Instant>,
    /// What the last event of an instance reported, or the state file of one that had not stopped.
    last: Option<VrrpState>,
    /// Lines read.
    pub(crate) lines: u64,
    events: u64,
    rejected: u64,
    flaps: u64,
    run_hooks: u64,
    /// Hooks that failed.
    pub(crate) failed_hooks: u64,
}

impl Reader {
    pub(crate) fn new(args: &Args) -> Result<Self> {
        let (states, state_file) = match &args.state_file {
            Some(path) => {
                let lock = lock(path, args.timeout)?;
                (remembered(path)?, Some((path.clone(), lock)))
            }
            None => (VrrpStates::default(), None),
        };
        let mut remembered = states.entries.iter().filter(|entry| entry.scope == VrrpScope::Instance);
        let last = remembered.find(|entry| !ledger::is_over(entry.state)).map(|entry| entry.state);
        let reject = args.reject.as_ref().map(|path| {
            let opened = OpenOptions::new().create(true).append(true).open(path);
            opened.doing(format!("writing {}", path.display()))
        });
        Ok(Self {
            states,
            state_file,
            reject: reject.transpose()?,
            hooks: args.hooks.clone(),
            hook_timeout: *args.hook_timeout,
            flap: args.flap,
            hooks_until: None,
            last,
            lines: 0,
            events: 0,
            rejected: 0,
            flaps: 0,
            run_hooks: 0,
            failed_hooks: 0,
        })
    }

    /// Reads to the end of the input, or to the STOP lines after a signal.
    pub(crate) fn read(&mut self, args: &Args, out: &mut Out) -> Result<()> {
        let stop = Stop::on_signals().unavailable("catching signals")?;
        let (mut lines, name) = match &args.fifo {
            Some(path) => (Lines::fifo(path, args.timeout)?, path.display().to_string()),
            None => (Lines::stdin(), "standard input".to_owned()),
        };
        let mut deadline = None;
        loop {
            if stop.requested() && deadline.is_none() {
                deadline = Some(Instant::now() + STOP_LINES);
                self.hooks_until = Some(Instant::now() + LAST_HOOKS);
            }
            match lines.next(&stop, deadline).doing(format!("reading {name}"))? {
                Next::Line(line) => {
                    let state = self.line(&line, &name, out)?;
                    let over = state == Some(VrrpState::Stop) && ledger::all_stopped(&self.states);
                    if over && deadline.is_some() {
                        return Ok(());
                    }
                }
                Next::Quiet if deadline.is_none() => {}
                Next::Quiet => return Ok(()),
                Next::End => {
                    if args.fifo.is_some() && self.last.is_some_and(|last| !ledger::is_over(last)) {
                        let why = "keepalived closed it without a STOP: it reloads, or was killed";
                        cli::warn_hint(
                            format!("reading {name}: {why}"),
                            "vip-status tells whether its addresses are still here",
                        );
                    }
                    return Ok(());
                }
            }
        }
    }

    /// Reads one line; the state it reports, `None` if it was rejected.
    fn line(&mut self, line: &[u8], name: &str, out: &mut Out) -> Result<Option<VrrpState>> {
        self.lines += 1;
        let text = String::from_utf8_lossy(line);
        match (text.parse::<Event>(), &mut self.reject) {
            (Ok(event), _) => {
                self.take(&event, out)?;
                Ok(Some(event.state))
            }
            (Err(why), Some(reject)) => {
                self.rejected += 1;
                let mut entry =
                    serde_json::json!({"line": self.lines, "reason": why.to_string(), "text": text})
                        .to_string();
                entry.push('\n');
                reject.write_all(entry.as_bytes()).doing("writing rejected lines")?;
                Ok(None)
            }
            (Err(why), None) => {
                self.rejected += 1;
                let error = Error::invalid(format!("reading {name} line {}", self.lines), why);
                Err(error.hint("--reject FILE keeps such lines and goes on"))
            }
        }
    }

    /// Tells an event, remembers it, runs its hooks.
    pub(crate) fn take(&mut self, event: &Event, out: &mut Out) -> Result<()> {
        let event = ledger::enter(&mut self.states, event, self.flap, SystemTime::now());
        self.events += 1;
        self.flaps += u64::from(event.flap);
        if event.scope == VrrpScope::Instance {
            self.last = Some(event.to);
        }
        out.emit(&event)?;
        out.flush()?;
        if let Some((path, _)) = &self.state_file {
            let doing = format!("writing {}", path.display());
            let mut content = serde_json::to_vec(&self.states).invalid(&doing)?;
            content.push(b'\n');
            // It describes processes, so it need not outlive the machine.
            files::replace_with(path, &content, &Attributes::mode(0o644), Durability::Kill).doing(doing)?;
        }
        for hook in self.hooks.iter().filter(|hook| hook.is_for(&event)) {
            let left = self.hooks_until.map(|until| until.saturating_duration_since(Instant::now()));
            let ran = hook.run(&event, left.unwrap_or(self.hook_timeout).min(self.hook_timeout));
            self.run_hooks += 1;
            if let Err(why) = ran {
                self.failed_hooks += 1;
                let state = keepalived::word(event.to);
                cli::warn(format!("running the hook of {} {state}: {why}", event.name));
            }
        }
        Ok(())
    }

    /// Says what it all came to.
    pub(crate) fn close(&self, metrics: &Metrics) -> Result<()> {
        let counts = format!("{} lines: {} events, {} rejected", self.lines, self.events, self.rejected);
        if self.rejected > 0 {
            cli::warn(counts);
        } else {
            cli::note(counts);
        }
        #[expect(clippy::cast_precision_loss, reason = "Prometheus counts in floats")]
        let counts = [
            ("ha_notify_lines_total", "Lines read.", self.lines as f64),
            ("ha_notify_events_total", "Lines that are events.", self.events as f64),
            ("ha_notify_rejected_total", "Lines that are not.", self.rejected as f64),
            ("ha_notify_flaps_total", "Events of what changes too often.", self.flaps as f64),
            ("ha_notify_hooks_total", "Hooks run.", self.run_hooks as f64),
            ("ha_notify_failed_hooks_total", "Hooks that failed.", self.failed_hooks as f64),
        ];
        metrics.write(&counts)
    }
}

/// Keeps other runs off the state file; waits for them.
fn lock(path: &Path, timeout: cli::Duration) -> Result<Lock> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let doing = format!("locking {}", path.display());
    let attempt = || match Lock::acquire(Path::new(&name)) {
        Ok(lock) => Ok(Some(lock)),
        Err(files::Error::Locked { .. }) => Ok(None),
        Err(error) => Err(error).doing(&doing),
    };
    crate::patiently(timeout, &doing, attempt, "locked by another process")
}

/// What the state file remembers. A damaged one is started anew: it would be
/// no help to stop reporting over it.
fn remembered(path: &Path) -> Result<VrrpStates> {
    let doing = format!("reading {}", path.display());
    match files::read(path, 16 << 20) {
        Ok(content) => Ok(serde_json::from_slice(&content).unwrap_or_else(|error| {
            cli::warn(format!("{doing}: {error}: starting anew"));
            VrrpStates::default()
        })),
        Err(files::Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            Ok(VrrpStates::default())
        }
        Err(error) => Err(error).doing(doing),
    }
}
