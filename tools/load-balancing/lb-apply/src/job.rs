//! The work on one tree: what apply, undo and the guard share.

use std::path::PathBuf;

use change::{Taken, Tree, Writer};
use cli::{Answer, Context, Error, Out, Steps};
use process::Stop;

use crate::Place;
use crate::patience::Patience;
use crate::service::Service;

/// The right to change a tree, and whom to tell.
pub(crate) struct Job<'a> {
    pub(crate) tree: Tree,
    pub(crate) writer: Writer,
    pub(crate) service: &'a Service,
    pub(crate) stop: &'a Stop,
    pub(crate) steps: Steps<'a>,
}

/// Takes the lock, or says that somebody else has it.
pub(crate) fn lock(tree: &Tree, place: &Place, steps: &mut Steps) -> cli::Result<Writer> {
    let opened = place.open(tree);
    if let Err(change::Error::Files(files::Error::Locked { .. })) = &opened {
        steps.failed("lock", "locked")?;
    }
    opened.doing("locking")
}

impl<'a> Job<'a> {
    /// Takes the lock.
    pub(crate) fn open(
        tree: Tree,
        place: &Place,
        service: &'a Service,
        stop: &'a Stop,
        out: &'a mut Out,
    ) -> cli::Result<Self> {
        let mut steps = Steps::new(out);
        let writer = lock(&tree, place, &mut steps)?;
        Ok(Self { tree, writer, service, stop, steps })
    }

    /// Takes back what an earlier run left unfinished.
    pub(crate) fn recover(&mut self) -> cli::Result<Vec<Taken>> {
        let recovered = self.writer.recover();
        if let Err(error @ change::Error::Unconfirmed(_)) = &recovered {
            self.steps.failed("lock", "unconfirmed")?;
            let hint = "`lb-apply confirm` keeps it, `lb-apply undo` takes it back";
            return Err(Error::unavailable("locking", error).hint(hint));
        }
        recovered.doing("recovering")
    }

    /// Prints what was taken back.
    pub(crate) fn tell(&mut self, taken: &Taken) -> cli::Result<()> {
        for path in &taken.foreign {
            cli::warn(format!("taking back {}: changed by somebody else, left alone", path.display()));
        }
        taken.changes.iter().try_for_each(|change| self.steps.out.emit(change))
    }

    /// Makes the daemons read their files again and asks whether the service
    /// works. A step that fails is told and answered with false.
    pub(crate) fn serve(&mut self, paths: &[PathBuf]) -> cli::Result<bool> {
        if self.service.has_to_reload(paths) {
            let mut patience = Patience::new(self.service.patience(), self.stop);
            let wrong = self.service.reload(&self.tree, paths, &mut patience);
            if !self.judge("reload", "reloading", &wrong)? {
                return Ok(false);
            }
        }
        if self.service.can_verify() {
            let mut patience = Patience::new(self.service.patience(), self.stop);
            let wrong = self.service.verify(&mut patience);
            return self.judge("verify", "verifying", &wrong);
        }
        Ok(true)
    }

    fn judge(&mut self, step: &str, doing: &str, wrong: &[String]) -> cli::Result<bool> {
        wrong.iter().for_each(|why| cli::warn(format!("{doing}: {why}")));
        let told = if wrong.is_empty() { self.steps.done(step) } else { self.steps.failed(step, step) };
        told.map(|()| wrong.is_empty())
    }

    /// Puts the old files back and sees that they serve. Everything is done
    /// first and told then: a full standard output must not stop it half-way.
    pub(crate) fn roll_back(&mut self, id: u64) -> cli::Result {
        let taken = self.writer.roll_back(id);
        let mut wrong = Vec::new();
        match &taken {
            Err(error) => wrong.push(error.to_string()),
            Ok(taken) => {
                let mut patience = Patience::to_the_last(self.service.patience(), self.stop);
                // Two questions: a reload that fails leaves the old worker, which may serve well.
                wrong.extend(self.service.reload(&self.tree, &taken.paths, &mut patience));
                wrong.extend(self.service.verify(&mut patience));
            }
        }
        if let Ok(taken) = &taken {
            self.tell(taken)?;
        }
        wrong.iter().for_each(|why| cli::warn(format!("rolling back: {why}")));
        let back = wrong.is_empty() && taken.is_ok_and(|taken| taken.foreign.is_empty());
        self.steps.end("rollback", back, Some(if back { "rolled-back" } else { "rollback-failed" }))?;
        Ok(Answer::No)
    }
}
