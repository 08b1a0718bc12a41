//! Putting back what an apply replaced.

use change::Error;
use cli::{Answer, Context, Out};
use process::Stop;

use crate::Place;
use crate::job::Job;
use crate::service::Service;

pub(crate) fn run(
    id: Option<u64>,
    place: &Place,
    service: &Service,
    stop: &Stop,
    out: &mut Out,
) -> cli::Result {
    let mut job = Job::open(place.tree("localhost")?, place, service, stop, out)?;
    // What waits to be confirmed need not wait for its end.
    let waiting = job.writer.unconfirmed().doing("reading the journals")?;
    let undone = match waiting {
        Some(waiting) if id.is_none_or(|id| id == waiting) => job.writer.roll_back(waiting).map(Some),
        _ => {
            // What a killed run left is not the change to undo.
            for taken in job.recover()? {
                job.tell(&taken)?;
                job.steps.done("recover")?;
            }
            job.writer.undo(id)
        }
    };
    if let Err(Error::ChangedSince(_)) = &undone {
        cli::warn(format!(
            "undoing: {}",
            undone.as_ref().map_or_else(ToString::to_string, |_| String::new())
        ));
        job.steps.failed("undo", "changed-since")?;
        return Ok(Answer::No);
    }
    let Some(taken) = undone.doing("undoing")? else { return Ok(Answer::Yes) };
    job.tell(&taken)?;
    job.steps.done("undo")?;
    job.serve(&taken.paths).map(Answer::from)
}
