//! Reloading through the master socket.
//!
//! Up to 2.6 the master answers nothing, closes and executes itself anew:
//! whether it worked shows only in `show proc`, where a new worker stands
//! and no reload has failed. From 2.7 on it says `Success=1` or `Success=0`
//! and the log of the attempt, when it is done.

use std::thread;
use std::time::{Duration, Instant};

use model::{LbWorker, WorkerRole};

use crate::{Error, Socket};

impl Socket {
    /// Reloads the configuration and waits until a new worker serves.
    /// To be asked of the master socket.
    ///
    /// # Errors
    /// [`Error::Reload`] if the new configuration was not taken and the old
    /// worker goes on; otherwise as [`Socket::ask`].
    pub fn reload(&self, deadline: Instant) -> Result<(), Error> {
        let before = self.processes(deadline)?;
        match self.ask("reload", deadline) {
            Ok(answer) if answer.contains("Success=1") => return Ok(()),
            Ok(answer) if answer.contains("Success=0") => return Err(Error::Reload(log(&answer))),
            Ok(answer) if !answer.trim().is_empty() => {
                return Err(Error::Refused(crate::socket::first_line(&answer)));
            }
            // The socket may break off while the master executes itself.
            Ok(_) | Err(Error::Io(_)) => {}
            Err(error) => return Err(error),
        }
        loop {
            match self.processes(deadline) {
                Ok(after) => match outcome(&before, &after) {
                    Some(true) => return Ok(()),
                    Some(false) => {
                        return Err(Error::Reload("the master's log says why".to_owned()));
                    }
                    None => {}
                },
                Err(Error::Timeout) => return Err(Error::Timeout),
                // Nobody listens for a moment.
                Err(_) => {}
            }
            if Instant::now() >= deadline {
                return Err(Error::Timeout);
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// What a reload came to; `None` if it is still under way.
fn outcome(before: &[LbWorker], after: &[LbWorker]) -> Option<bool> {
    let worker = |processes: &[LbWorker]| {
        processes.iter().find(|process| process.role == WorkerRole::Worker).map(|process| process.pid)
    };
    let master = |processes: &[LbWorker]| {
        let master = processes.iter().find(|process| process.role == WorkerRole::Master)?;
        Some((master.reloads, master.failed_reloads.unwrap_or_default()))
    };
    let ((reloads_before, _), (reloads, failed)) = (master(before)?, master(after)?);
    match (reloads > reloads_before, failed) {
        (false, _) => None,
        (true, 0) => {
            let now = worker(after)?;
            (worker(before) != Some(now)).then_some(true)
        }
        (true, _) => Some(false),
    }
}

/// The log of the attempt on one line.
fn log(answer: &str) -> String {
    let lines = answer.lines().filter(|line| !line.starts_with("Success=") && *line != "--");
    let log = lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ");
    log.chars().take(400).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_processes;

    fn processes(reloads: u64, failed: u64, worker: u32) -> Vec<LbWorker> {
        let text = format!(
            "1 master {reloads} [failed: {failed}] 0d00h00m01s 2.6\n# workers\n{worker} worker 0 0d00h00m01s 2.6\n"
        );
        parse_processes(&text).unwrap()
    }

    #[test]
    fn a_new_worker_without_a_failure_is_a_reload_that_worked() {
        let before = processes(4, 0, 10);
        assert_eq!(outcome(&before, &processes(4, 0, 10)), None);
        assert_eq!(outcome(&before, &processes(5, 0, 11)), Some(true));
        assert_eq!(outcome(&before, &processes(5, 1, 10)), Some(false));
    }

    #[test]
    fn one_that_fails_again_is_told_from_the_failure_before_it() {
        let before = processes(5, 1, 10);
        assert_eq!(outcome(&before, &before), None);
        assert_eq!(outcome(&before, &processes(6, 2, 10)), Some(false));
        assert_eq!(outcome(&before, &processes(6, 0, 12)), Some(true));
    }
}
