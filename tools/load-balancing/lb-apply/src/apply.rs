//! From a plan to a service that was seen to work, or back.

use std::path::{Path, PathBuf};

use change::Plan;
use cli::{Answer, Context, Error, Out};
use files::Attributes;
use process::Stop;

use crate::job::Job;
use crate::validate::{self, Daemon, Refusal};
use crate::{Apply, guard, input};

pub(crate) fn run(args: &Apply, stop: &Stop, out: &mut Out) -> cli::Result {
    let set = input::read(&args.what.input, args.what.node.as_deref())?;
    let tree = args.place.tree(&set.node)?;
    let mut job = Job::open(tree, &args.place, &args.service, stop, out)?;
    let recovered = job.recover()?;
    let plan = job.tree.plan(&set.files).doing("comparing")?;
    if plan.is_empty() && recovered.is_empty() {
        return Ok(Answer::Yes);
    }
    job.steps.done("lock")?;
    let mut paths: Vec<PathBuf> = plan.contents().map(|(path, _)| path.to_owned()).collect();
    for taken in &recovered {
        job.tell(taken)?;
        paths.extend(taken.paths.iter().cloned());
        job.steps.done("recover")?;
    }
    if job.service.has_to_reload(&paths) {
        let reached = job.service.reach(&paths);
        if reached.is_err() {
            job.steps.failed("reach", "unreachable")?;
        }
        reached?;
        job.steps.done("reach")?;
    }
    if plan.is_empty() {
        // The files are right, but whoever died may have left the daemons with others.
        return job.serve(&paths).map(Answer::from);
    }
    check(&mut job, &plan)?;
    if stop.requested() {
        return Err(Error::unavailable("applying", "asked to end; nothing was touched"));
    }
    let id = job.writer.begin(&plan).doing("writing the journal")?;
    match carry_out(&mut job, args, id, &plan, &paths) {
        Ok(true) => Ok(Answer::Yes),
        Ok(false) => job.roll_back(id),
        Err(error) => {
            let _ = job.roll_back(id);
            Err(error)
        }
    }
}

/// Lets each daemon look at its new file, in a private place.
fn check(job: &mut Job, plan: &Plan) -> cli::Result<()> {
    let scratch = job.writer.scratch().doing("staging")?;
    let mut staged = Vec::new();
    for (number, (path, content)) in plan.contents().enumerate() {
        if let (Some(daemon), Some(content)) = (Daemon::of(path), content) {
            let copy = scratch.join(format!("{number}-{}", daemon.file()));
            files::replace(&copy, content, &Attributes::mode(0o600)).doing("staging")?;
            staged.push((daemon, path, copy));
        }
    }
    job.steps.done("stage")?;
    let mut wrong = Vec::new();
    for (daemon, path, copy) in &staged {
        match validate::check(*daemon, copy) {
            Ok(()) => {}
            Err(Refusal::Mute(error)) => return Err(error).doing("validating"),
            Err(Refusal::Says(reasons)) => wrong.extend(reasons.iter().map(|why| named(why, copy, path))),
        }
    }
    let _ = std::fs::remove_dir_all(&scratch);
    if !wrong.is_empty() {
        job.steps.failed("validate", "validate")?;
        return Err(Error::invalid_all("validating", wrong));
    }
    job.steps.done("validate")?;
    job.steps.done("diff")
}

/// A daemon's reason, about the file's real name instead of its copy's.
fn named(why: &str, copy: &Path, path: &Path) -> String {
    let (copy, path) = (copy.display().to_string(), path.display().to_string());
    if why.contains(&copy) { why.replace(&copy, &path) } else { format!("{path}: {why}") }
}

/// Installs, reloads and verifies; false if the service does not work with it.
fn carry_out(job: &mut Job, args: &Apply, id: u64, plan: &Plan, paths: &[PathBuf]) -> cli::Result<bool> {
    if let Some(time) = args.confirm_within {
        guard::start(id, time, args, &job.writer)?;
        job.steps.done("guard")?;
    }
    let installed = job.writer.install(id, plan);
    if installed.is_err() {
        job.steps.failed("install", "install")?;
    }
    installed.doing("installing")?;
    plan.changes().try_for_each(|change| job.steps.out.emit(change))?;
    job.steps.done("install")?;
    if !job.serve(paths)? {
        return Ok(false);
    }
    match args.confirm_within {
        Some(_) => job.writer.hold(id),
        None => job.writer.commit(id, args.keep),
    }
    .doing("closing the journal")?;
    Ok(true)
}
