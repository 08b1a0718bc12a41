//! When all is well: enough good answers in a row, one holder, and whatever
//! else the lab calls ready.

use std::net::IpAddr;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use probe::Target;
use process::{End, Limits, Stop};

use crate::holder::{Node, holders};

/// Good answers in a row that count as well, and the pause between them.
const GOOD: u32 = 8;
const PAUSE: Duration = Duration::from_millis(200);

/// How long a command of the lab may take.
const COMMAND: Duration = Duration::from_secs(30);

/// Whom to ask whether all is well.
#[derive(Debug)]
pub(crate) struct Health {
    pub(crate) target: Target,
    pub(crate) expect: Vec<u16>,
    pub(crate) deadline: Duration,
    pub(crate) vip: IpAddr,
    pub(crate) nodes: Vec<Node>,
    pub(crate) ready: Option<Vec<String>>,
}

/// The end of everything: a signal, or the time for it all is up.
#[derive(Debug)]
pub(crate) struct Curfew {
    pub(crate) stop: Stop,
    pub(crate) at: Instant,
}

impl Curfew {
    /// Whether it has come.
    pub(crate) fn reached(&self) -> bool {
        self.stop.requested() || Instant::now() >= self.at
    }

    /// Sleeps until then, or until the curfew; true if that came.
    pub(crate) fn sleep_until(&self, then: Instant) -> bool {
        self.stop.sleep(then.min(self.at).saturating_duration_since(Instant::now()));
        self.reached()
    }
}

impl Health {
    /// Waits until all is well; the holders, as far as there are nodes to ask.
    ///
    /// # Errors
    /// Says what was not well when `limit` was over or `gives_up` said so.
    pub(crate) fn settle(
        &self,
        limit: Duration,
        gives_up: impl Fn() -> bool,
    ) -> Result<Option<Vec<String>>, String> {
        let end = Instant::now() + limit;
        let mut good = 0;
        loop {
            let reply = self.target.get(Instant::now() + self.deadline);
            let unwell = if reply.ok(&self.expect) {
                good += 1;
                if good < GOOD {
                    format!("{good} good answers in a row, not {GOOD}")
                } else {
                    match self.inspect() {
                        Ok(holders) => return Ok(holders),
                        Err(why) => why,
                    }
                }
            } else {
                good = 0;
                let status = reply.status.map(|status| format!("status {status}"));
                let why = reply.error.map(|failure| failure.cause.as_str().to_owned()).or(status);
                format!("the last answer was bad: {}", why.unwrap_or_default())
            };
            if gives_up() || Instant::now() + PAUSE >= end {
                return Err(unwell);
            }
            thread::sleep(PAUSE);
        }
    }

    /// The holders now; `None` if there are no nodes to ask or one does not say.
    pub(crate) fn holders(&self) -> Option<Vec<String>> {
        if self.nodes.is_empty() { None } else { holders(&self.nodes, self.vip).ok() }
    }

    fn inspect(&self) -> Result<Option<Vec<String>>, String> {
        let found = if self.nodes.is_empty() {
            None
        } else {
            let found = holders(&self.nodes, self.vip)
                .map_err(|node| format!("{node} does not say what addresses it has"))?;
            if found.len() != 1 {
                return Err(format!("{} nodes hold {}, not one", found.len(), self.vip));
            }
            Some(found)
        };
        if let Some(ready) = &self.ready {
            command(ready).map_err(|why| format!("not ready: {why}"))?;
        }
        Ok(found)
    }
}

/// Runs a command of the lab to its end.
///
/// # Errors
/// Says which, how it ended and what it complained of, unless it ended with 0.
pub(crate) fn command(words: &[String]) -> Result<(), String> {
    let Some((program, rest)) = words.split_first() else { return Ok(()) };
    let done = process::run(Command::new(program).args(rest), &Limits::within(COMMAND))
        .map_err(|error| error.to_string())?;
    let how = match done.end {
        End::Code(0) => return Ok(()),
        End::Code(status) => format!("status {status}"),
        End::Signal(number) => format!("signal {number}"),
        End::TimedOut => format!("still running after {} s", COMMAND.as_secs()),
    };
    let complaint = String::from_utf8_lossy(&done.stderr);
    let last = complaint.lines().rfind(|line| !line.trim().is_empty());
    let last = last.map(|line| format!(": {}", line.trim())).unwrap_or_default();
    Err(format!("`{}`: {how}{last}", words.join(" ")))
}
