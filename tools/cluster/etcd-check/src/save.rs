//! Taking a backup.

use std::cmp::Reverse;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use cli::{Answer, Context, Error, Steps};
use etcd::{Snapshot, Trailer};
use nix::sys::statvfs::fstatvfs;
use process::Stop;

use crate::part::Part;
use crate::reach::Reach;
use crate::survey::Survey;
use crate::{judge, verify};

/// So long one wait for the member lasts, before signals are looked at.
const PATIENCE: Duration = Duration::from_secs(1);
/// A member that is nobody's leader serves its snapshot without slowing writes down.
const LAG_ENTRIES: u64 = 1_000;

/// Refuses if the snapshot would not be worth having; true if it may be taken.
pub(crate) fn guard(survey: &Survey, force: bool, out: &mut cli::Out) -> cli::Result<bool> {
    let spoiled: Vec<_> = judge::findings(survey, None).into_iter().filter(judge::spoils_a_backup).collect();
    spoiled.iter().try_for_each(|finding| out.emit(finding))?;
    if spoiled.is_empty() {
        return Ok(true);
    }
    if force {
        cli::warn("the cluster is unhealthy: the backup may be out of date or corrupt");
        return Ok(true);
    }
    Steps::new(out).failed("save", "guard")?;
    Ok(false)
}

/// Streams the database of the healthiest member to `target`, checks it, and puts it in its place.
pub(crate) fn save(
    reach: &Reach,
    survey: &Survey,
    target: &Path,
    deadline: Instant,
    out: &mut cli::Out,
) -> cli::Result {
    let start = Instant::now();
    let stop = Stop::on_signals().unavailable("catching signals")?;
    let url =
        healthiest(survey).ok_or_else(|| Error::unavailable("taking a snapshot", "no member answers"))?;
    let part = Part::beside(target)?;
    let asking = || format!("taking a snapshot of {url}");
    let clients = reach.clients(&[url.to_owned()])?;
    let client = clients.first().ok_or_else(|| Error::invalid(asking(), "no endpoint"))?;
    let mut snapshot = client.snapshot(deadline).doing(asking())?;
    let mut trailer = Trailer::default();
    let mut room = None;
    while let Some(piece) =
        next(&mut snapshot, deadline, &stop).map_err(|why| Error::unavailable(asking(), why))?
    {
        // Better refused now than with a disk full for everybody else.
        if room.is_none() {
            room = Some(enough_room(&part, target, piece.bytes.len() as u64 + piece.remaining_bytes)?);
        }
        trailer.update(&piece.bytes);
        part.file().write_all(&piece.bytes).doing(format!("writing {}", target.display()))?;
    }
    let backup = verify::judge(target, part.file(), &trailer.finish(), start);
    if let Some(why) = &backup.error_text {
        return Err(Error::unavailable(asking(), format!("what arrived is not whole: {why}")));
    }
    part.place()?;
    let elapsed_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    out.emit(&model::EtcdBackup { endpoint: Some(url.to_owned()), elapsed_ms, ..backup })?;
    Ok(Answer::Yes)
}

/// The next piece, unless a signal comes or time is up; else why not.
fn next(snapshot: &mut Snapshot, deadline: Instant, stop: &Stop) -> Result<Option<etcd::Piece>, String> {
    loop {
        if stop.requested() {
            return Err("interrupted".to_owned());
        }
        let until = deadline.min(Instant::now() + PATIENCE);
        match snapshot.next_piece(until) {
            Err(etcd::Error::Timeout) if until < deadline => {}
            next => return next.map_err(|error| error.to_string()),
        }
    }
}

fn enough_room(part: &Part, target: &Path, bytes: u64) -> cli::Result<()> {
    let doing = || format!("writing {}", target.display());
    let disk = fstatvfs(part.file()).unavailable(doing())?;
    let free = disk.blocks_available().saturating_mul(disk.fragment_size());
    if free < bytes {
        let why =
            format!("the disk is full: {} MiB needed, {} MiB free", bytes.div_ceil(1 << 20), free >> 20);
        return Err(Error::unavailable(doing(), why));
    }
    Ok(())
}

/// The URL of the member to ask: one that agrees with the others rather than
/// not, is not behind, has raised no alarm, follows rather than leads, is quick.
fn healthiest(survey: &Survey) -> Option<&str> {
    let farthest = survey.answers().map(|(_, answer)| answer.status.raft_index).max().unwrap_or_default();
    let best = survey.answers().max_by_key(|(_, answer)| {
        let status = &answer.status;
        let own = answer.alarms.iter().flatten().filter(|alarm| alarm.member == status.member);
        let quick = answer.agreed.as_ref().ok().map(|took| Reverse(*took));
        let near = farthest.saturating_sub(status.raft_index) <= LAG_ENTRIES;
        let sound = own.count() == 0;
        let follows = status.leader != Some(status.member);
        (answer.agreed.is_ok(), !status.learner, near, sound, follows, quick)
    });
    best?.0.endpoint.as_deref()
}
