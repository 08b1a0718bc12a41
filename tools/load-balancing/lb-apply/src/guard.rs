//! Changes that go away by themselves unless they are confirmed.
//!
//! The guard is this program again, in a session of its own. While it holds
//! the lock `guard` of the change's journal, an unconfirmed change stays;
//! once its time is up it takes the tree's lock like everybody else and takes
//! the change back. Its clock is the monotonic one of its own process.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use change::{State, Tree, Writer};
use cli::{Answer, Context, Error, Out, Steps};
use process::Stop;

use crate::job::{self, Job};
use crate::service::Service;
use crate::{Apply, Place};

/// How long the guard may take to stand.
const START: Duration = Duration::from_secs(5);
/// How long it waits for a lock somebody else holds.
const LOCK: Duration = Duration::from_mins(2);
/// Between two looks at the journal.
const PAUSE: Duration = Duration::from_millis(100);

/// Starts the guard of a change and waits until it stands.
pub(crate) fn start(id: u64, time: cli::Duration, args: &Apply, writer: &Writer) -> cli::Result<()> {
    let doing = "starting the guard";
    let path = writer.journal(id).join("guard.log");
    let log = OpenOptions::new().create(true).append(true).mode(0o600).open(&path).doing(doing)?;
    let program = std::env::current_exe().doing(doing)?;
    let mut child = Command::new(program)
        .args(["guard", &id.to_string(), "--confirm-within", &time.to_string()])
        .args(args.place.arguments())
        .args(args.service.arguments())
        .stdin(Stdio::null())
        .stdout(log.try_clone().doing(doing)?)
        .stderr(log)
        .spawn()
        .doing(doing)?;
    let end = Instant::now() + START;
    // Its first record says that it stands.
    while !fs::read(&path).is_ok_and(|text| text.contains(&b'\n')) {
        if child.try_wait().doing(doing)?.is_some() || Instant::now() > end {
            let _ = child.kill();
            return Err(Error::unavailable(doing, "it does not stand"));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// Waits for the confirmation; takes the change back if it does not come.
pub(crate) fn watch(
    id: u64,
    time: Duration,
    place: &Place,
    service: &Service,
    stop: &Stop,
    out: &mut Out,
) -> cli::Result {
    // Fails only for the leader of a group, which is in nobody's way either.
    let _ = nix::unistd::setsid();
    let tree = place.tree("localhost")?;
    let _standing = tree.guard(id).doing("guarding")?;
    Steps::new(out).done("guard")?;
    let mut end = Instant::now() + time;
    let mut counted = false;
    while Instant::now() < end && !stop.sleep(PAUSE) {
        match tree.state(id).doing("reading the journal")? {
            // Verified; the time runs from here. Until then it is for an apply that dies.
            Some(State::Unconfirmed) if !counted => (counted, end) = (true, Instant::now() + time),
            Some(State::Prepared | State::Unconfirmed) => {}
            _ => return Ok(Answer::Yes),
        }
    }
    let writer = wait_for_lock(&tree, place)?;
    if !matches!(tree.state(id).doing("reading the journal")?, Some(State::Prepared | State::Unconfirmed)) {
        return Ok(Answer::Yes);
    }
    if stop.requested() {
        cli::warn(format!("asked to end before change {id} was confirmed"));
    } else {
        cli::warn(format!("change {id} was not confirmed within {}", cli::Duration::from(time)));
    }
    Job { tree, writer, service, stop, steps: Steps::new(out) }.roll_back(id)
}

/// Whoever holds the lock may be the apply we guard, or a confirmation that just made it.
fn wait_for_lock(tree: &Tree, place: &Place) -> cli::Result<Writer> {
    let end = Instant::now() + LOCK;
    loop {
        match place.open(tree) {
            Err(change::Error::Files(files::Error::Locked { .. })) if Instant::now() < end => {
                std::thread::sleep(PAUSE);
            }
            opened => return opened.doing("locking"),
        }
    }
}

/// Keeps the change that waits.
pub(crate) fn confirm(place: &Place, keep: usize, out: &mut Out) -> cli::Result {
    let mut steps = Steps::new(out);
    let mut writer = job::lock(&place.tree("localhost")?, place, &mut steps)?;
    let Some(id) = writer.unconfirmed().doing("reading the journals")? else {
        cli::warn("confirming: nothing waits to be confirmed");
        return Ok(Answer::No);
    };
    writer.commit(id, keep).doing("closing the journal")?;
    steps.done("confirm")?;
    Ok(Answer::Yes)
}
