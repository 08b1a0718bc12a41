//! Following a run.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cli::{Answer, Out};
use model::{DagRun, DagState};
use process::Stop;

use crate::api::{Api, Asked, Task, final_word};
use crate::kept::{Kept, Place};
use crate::{Args, refused};

/// A run that is followed.
pub(crate) struct Watch<'a> {
    api: &'a Api,
    kept: Kept,
    place: Option<Place>,
    stop: &'a Stop,
    since: Instant,
    until: Instant,
    args: &'a Args,
    state: Option<String>,
    /// The tasks as they were told: state and try.
    told: BTreeMap<(String, i64), (Option<String>, u32)>,
    attached: bool,
    polls: u64,
    failed: u64,
    in_a_row: u64,
    worst_row: u64,
    /// Whether Airflow has ever answered.
    heard: bool,
}

/// Why the watch ends before the run does.
enum Ended {
    /// With a word, status 3.
    Given(&'static str),
    Failed(cli::Error),
}

impl From<cli::Error> for Ended {
    fn from(error: cli::Error) -> Self {
        Self::Failed(error)
    }
}

impl<'a> Watch<'a> {
    pub(crate) fn new(
        api: &'a Api,
        kept: Kept,
        place: Option<Place>,
        stop: &'a Stop,
        until: Instant,
        args: &'a Args,
    ) -> Self {
        Self {
            api,
            kept,
            place,
            stop,
            since: Instant::now(),
            until,
            args,
            state: None,
            told: BTreeMap::new(),
            attached: !args.trigger,
            polls: 0,
            failed: 0,
            in_a_row: 0,
            worst_row: 0,
            heard: false,
        }
    }

    /// Asks for the run, and follows it to its end.
    pub(crate) fn follow(&mut self, out: &mut Out) -> cli::Result {
        let error = match self.end(out) {
            Ok(true) => None,
            Ok(false) => Some("dag_failed"),
            Err(Ended::Given(word)) => Some(word),
            Err(Ended::Failed(error)) => return Err(error),
        };
        out.emit(&DagRun {
            dag: self.kept.dag.clone(),
            run: self.kept.run.clone(),
            state: self.state.clone(),
            error: error.map(str::to_owned),
            attached: self.attached,
            cleared: self.kept.cleared,
            polls: self.polls,
            polls_failed: self.failed,
            polls_failed_in_a_row: self.worst_row,
            elapsed_ms: u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX),
        })?;
        match error {
            None => Ok(Answer::Yes),
            Some("dag_failed") => Ok(Answer::No),
            Some(word) => {
                let doing = format!("following {} of {}", self.kept.run, self.kept.dag);
                Err(cli::Error::unavailable(doing, word)
                    .hint("the run goes on; run this again to take it up"))
            }
        }
    }

    /// Whether the run succeeded, in the end.
    fn end(&mut self, out: &mut Out) -> Result<bool, Ended> {
        // First it is written down which run it is: whoever comes after a crash asks for the same.
        self.keep()?;
        if self.args.trigger {
            let asked = self.ask(|watch| watch.api.trigger(&watch.kept.run, &watch.args.conf), false)?;
            self.attached = asked == Asked::Known;
        }
        loop {
            let state = self.ask(|watch| watch.api.run(&watch.kept.run), true)?;
            self.tell(state.as_ref(), out)?;
            // Tasks are told as far as they can be seen: the run alone decides.
            match self.api.tasks(&self.kept.run) {
                Ok(tasks) => self.tell_tasks(&tasks, out)?,
                Err(error) => self.unanswered(&error),
            }
            let over = matches!(state.as_deref(), Some("success" | "failed"));
            self.state = state;
            if over {
                let succeeded = self.state.as_deref() == Some("success");
                if succeeded || self.kept.cleared >= self.args.retry_failed {
                    self.kept.done = true;
                    self.keep()?;
                    return Ok(succeeded);
                }
                self.kept.cleared += 1;
                self.keep()?;
                self.ask(|watch| watch.api.clear(&watch.kept.run), true)?;
            }
            self.wait(*self.args.every)?;
        }
    }

    /// Asks until there is an answer, or no reason to expect one.
    fn ask<T>(&mut self, question: impl Fn(&Self) -> http::Result<T>, about_run: bool) -> Result<T, Ended> {
        let mut pause = Duration::from_millis(500);
        loop {
            self.polls += 1;
            let error = match question(self) {
                Ok(answer) => {
                    (self.in_a_row, self.heard) = (0, true);
                    return Ok(answer);
                }
                Err(error) => error,
            };
            // What is refused once we were let in may be a token that is being renewed.
            let renewed = self.heard && final_word(&error, about_run) == Some("auth");
            if final_word(&error, about_run).is_some() && !renewed {
                return Err(refused(&self.kept.dag, error, about_run).into());
            }
            self.unanswered(&error);
            if self.args.fail_after.is_some_and(|most| self.in_a_row >= most) {
                return Err(Ended::Given("network"));
            }
            self.wait(error.retry_after().unwrap_or(pause).max(pause))?;
            pause = (pause * 2).min(Duration::from_secs(30)).min(*self.args.every.max(pause.into()));
        }
    }

    fn unanswered(&mut self, error: &http::Error) {
        self.failed += 1;
        self.in_a_row += 1;
        self.worst_row = self.worst_row.max(self.in_a_row);
        cli::note(format!("no answer, {} in a row: {error}", self.in_a_row));
    }

    fn wait(&self, time: Duration) -> Result<(), Ended> {
        let left = self.until.saturating_duration_since(Instant::now());
        if self.stop.sleep(time.min(left)) {
            return Err(Ended::Given("interrupted"));
        }
        if time >= left { Err(Ended::Given("deadline")) } else { Ok(()) }
    }

    fn keep(&self) -> cli::Result<()> {
        self.place.as_ref().map_or(Ok(()), |place| place.write(&self.kept))
    }

    fn tell(&self, state: Option<&String>, out: &mut Out) -> cli::Result<()> {
        if state == self.state.as_ref() {
            return Ok(());
        }
        self.record(None, state.cloned(), None, out)
    }

    fn tell_tasks(&mut self, tasks: &[Task], out: &mut Out) -> cli::Result<()> {
        for task in tasks {
            let now = (task.state.clone(), task.try_number);
            let place = (task.id.clone(), task.map_index);
            let before = self.told.insert(place, now.clone());
            if before.as_ref() != Some(&now) && (before.is_some() || now.0.is_some()) {
                let id = if task.map_index < 0 {
                    task.id.clone()
                } else {
                    format!("{}[{}]", task.id, task.map_index)
                };
                self.record(Some(id), now.0, (now.1 > 0).then_some(now.1), out)?;
            }
        }
        Ok(())
    }

    fn record(
        &self,
        task: Option<String>,
        state: Option<String>,
        try_number: Option<u32>,
        out: &mut Out,
    ) -> cli::Result<()> {
        out.emit(&DagState {
            dag: self.kept.dag.clone(),
            run: self.kept.run.clone(),
            task,
            state,
            try_number,
        })?;
        out.flush()
    }
}
