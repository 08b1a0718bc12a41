//! From standard input to a topic.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;

use cli::{Context, Error};
use ndjson::{Line, Lines};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use process::Stop;

use crate::form::{self, Bad, Form};
use crate::job::{Job, Place};
use crate::progress::{Ended, Pace, Progress, Result, told};
use crate::rejects::{Rejection, Rejects};
use crate::target::Target;

const DOING: &str = "reading standard input";

/// Relays all there is.
pub(crate) fn relay(job: &Job, progress: &mut Progress) -> Result<()> {
    let Place::Topic(topic) = &job.to else { return Ok(()) };
    let stop = Stop::on_signals().and_then(|stop| stop.at(job.deadline)).doing("catching signals")?;
    let stdin = io::stdin().as_fd().try_clone_to_owned().doing(DOING)?;
    let mut target = Target::open(job, topic)?;
    target.begin()?;
    let mut rejects = Rejects::open(job.reject.as_ref())?;
    // What is escaped in a line is shorter in the message.
    let factor = if job.form == Form::Raw { 1 } else { 6 };
    let source = Source { file: File::from(stdin), stop };
    let lines = Lines::new(source, job.largest_bytes.saturating_mul(factor).saturating_add(4096));
    let went = Run { job, target: &mut target, rejects: &mut rejects, pace: Pace::of(job.rate), progress }
        .through(lines);
    let ended = finish(job, &mut target, went);
    rejects.flush()?;
    progress.to = target.delivered();
    progress.out = progress.to.values().map(|run| run.count).sum();
    if job.txn_id.is_some() && ended.is_err() {
        progress.read = 0;
        progress.rejected = 0;
    }
    // What was read and is neither out nor aside was lost on the way: the error says so.
    progress.read = progress.read.min(progress.out + progress.rejected);
    ended
}

/// Everything that was sent is there, or with transactions nothing.
fn finish(job: &Job, target: &mut Target, went: Result<()>) -> Result<()> {
    match (went, &job.txn_id) {
        (Ok(()), _) => {
            let done = target.commit(None).map_err(told(target.doing()));
            if done.is_err() {
                let _ = target.abort();
            }
            done.map_err(|ended| partial(job, ended))
        }
        (Err(ended), Some(_)) => {
            let _ = target.abort();
            Err(ended)
        }
        (Err(ended), None) => {
            let _ = target.commit(None);
            Err(partial(job, ended))
        }
    }
}

/// Without transactions, what could be tried again has left something behind.
fn partial(job: &Job, ended: Ended) -> Ended {
    match ended {
        Ended::Failed(error) if job.txn_id.is_none() && error.status() == 3 => {
            let why = error.messages().next().unwrap_or_default();
            let hint = "what was read before is in the topic; with --eos all of it is, or nothing";
            Ended::Failed(Error::unavailable("partial", why).hint(hint))
        }
        ended => ended,
    }
}

struct Run<'a> {
    job: &'a Job,
    target: &'a mut Target,
    rejects: &'a mut Rejects,
    pace: Pace,
    progress: &'a mut Progress,
}

impl Run<'_> {
    fn through(&mut self, mut lines: Lines<Source>) -> Result<()> {
        loop {
            while let Some(line) = lines.take() {
                let length = line.bytes.len();
                self.line(&line)?;
                self.pace.spend(length);
                while let Some(wait) = self.pace.hold() {
                    lines.input().stop.sleep(wait);
                    lines.input().interrupted()?;
                }
            }
            match lines.fill() {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    lines.input().interrupted()?;
                    Err(error).doing(DOING)?;
                }
            }
        }
        if let Some(line) = lines.last() {
            self.line(&line)?;
        }
        Ok(())
    }

    fn line(&mut self, line: &Line) -> Result<()> {
        if self.job.form != Form::Raw && line.bytes.trim_ascii().is_empty() && !line.is_too_long() {
            return Ok(());
        }
        let bad = if line.is_too_long() {
            Some(Bad::whole(format!("{} bytes are more than --max-bytes", line.length_bytes)))
        } else {
            match form::read(self.job.form, line.bytes) {
                Ok(load) => self.target.send(load)?,
                Err(bad) => Some(bad),
            }
        };
        if let Some(bad) = bad {
            let rejection = Rejection {
                line: line.number,
                bad: &bad,
                row: line.bytes,
                row_bytes: line.length_bytes,
                message: None,
            };
            self.rejects.put("reading standard input line", &rejection, Some(self.target))?;
            self.progress.rejected += 1;
        }
        self.progress.read += 1;
        Ok(())
    }
}

/// Standard input, which is waited on together with signals and the deadline.
struct Source {
    file: File,
    stop: Stop,
}

impl Source {
    fn interrupted(&self) -> cli::Result<()> {
        if self.stop.requested() { Err(Error::unavailable(DOING, self.stop.why())) } else { Ok(()) }
    }
}

impl Read for Source {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.interrupted().is_err() {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            let mut both = [
                PollFd::new(self.file.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.stop.as_fd(), PollFlags::POLLIN),
            ];
            poll(&mut both, PollTimeout::NONE)?;
            let ready = both[0].revents().is_some_and(|events| !events.is_empty());
            if ready && !self.stop.requested() {
                return self.file.read(into);
            }
        }
    }
}
