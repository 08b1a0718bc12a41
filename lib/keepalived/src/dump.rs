//! Asking a keepalived for its data.
//!
//! On a signal it writes a file of a fixed name into its temporary directory
//! and says nothing when it is done, so:
//! - the file is looked for as the daemon sees it, below `/proc/PID/root`
//!   (systemd's `PrivateTmp` gives it a /tmp of its own), in its own `$TMPDIR`;
//! - only a file written after the signal, by the daemon's own user, counts;
//! - whoever asks through this crate holds a lock on the directory meanwhile:
//!   two daemons that share one would overwrite each other's answer.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::{Daemon, Error, Instance, Result, instance};

/// A dump of a large configuration is far smaller: 16 MiB.
const LIMIT_BYTES: u64 = 16 << 20;

/// The coarsest clock a file time comes from ticks a hundred times a second.
const TICK: Duration = Duration::from_millis(12);

const LOOK: Duration = Duration::from_millis(2);

pub(crate) fn instances(daemon: &Daemon, timeout: Duration) -> Result<Vec<Instance>> {
    let until = Instant::now() + timeout;
    let directory = directory(daemon);
    if let Some(signal) = signal(daemon, "JSON", until)? {
        return ask(daemon, signal, &directory.join("keepalived.json"), (timeout, until), |dump, _| {
            instance::from_json(dump)
        });
    }
    let signal = signal(daemon, "DATA", until)?.ok_or(Error::NoSignal)?;
    ask(daemon, signal, &directory.join("keepalived.data"), (timeout, until), |dump, settled| {
        settled.then(|| instance::from_text(&String::from_utf8_lossy(dump)))
    })
}

/// Its temporary directory, as seen from here.
fn directory(daemon: &Daemon) -> PathBuf {
    let environment = fs::read(daemon.proc("environ")).unwrap_or_default();
    let own = environment.split(|byte| *byte == 0).find_map(|entry| entry.strip_prefix(b"TMPDIR="));
    let own = own.map(String::from_utf8_lossy).filter(|own| own.starts_with('/'));
    let inside = own.as_deref().unwrap_or("/tmp").trim_start_matches('/').to_owned();
    daemon.proc("root").join(inside)
}

/// The number of a signal by its name, from the very program that runs;
/// `None` if it knows none of that name. A wrong number would end it.
fn signal(daemon: &Daemon, name: &str, until: Instant) -> Result<Option<i32>> {
    let left = until.saturating_duration_since(Instant::now());
    let mut command = Command::new(daemon.proc("exe"));
    let done = process::run(command.arg(format!("--signum={name}")), &process::Limits::within(left))?;
    let number = String::from_utf8_lossy(&done.stdout).trim().parse().ok();
    Ok(number.filter(|_| done.end.success()))
}

/// Its signals are real-time ones, which safe Rust has no name for: kill(1) sends them.
fn send(daemon: &Daemon, signal: i32, until: Instant) -> Result<()> {
    let left = until.saturating_duration_since(Instant::now());
    let mut command = Command::new("kill");
    command.args([format!("-{signal}"), daemon.pid().to_string()]);
    let done = process::run(&mut command, &process::Limits::within(left))?;
    if done.end.success() {
        return Ok(());
    }
    Err(std::io::Error::other(String::from_utf8_lossy(&done.stderr).trim().to_owned()).into())
}

/// Sends the signal and reads what comes of it. `read` gets what is in the
/// file, and whether it stayed the same between two looks.
fn ask<T>(
    daemon: &Daemon,
    signal: i32,
    path: &Path,
    (timeout, until): (Duration, Instant),
    read: impl Fn(&[u8], bool) -> Option<T>,
) -> Result<T> {
    let late = || Error::NoDump { path: path.to_owned(), timeout_ms: timeout.as_millis() };
    let _lock = lock(path.parent().unwrap_or(path), until)?.ok_or_else(late)?;
    let before = written(path);
    // Whatever is written from here on has a later time than the old file.
    sleep(TICK);
    send(daemon, signal, until)?;
    let owner = fs::metadata(daemon.proc("")).map(|found| found.uid())?;
    let mut last = Vec::new();
    while Instant::now() < until {
        sleep(LOOK);
        let fresh = |(uid, time)| uid == owner && before.is_none_or(|(_, old)| time > old);
        if !written(path).is_some_and(fresh) {
            continue;
        }
        let dump = files::read(path, LIMIT_BYTES)?;
        let settled = !dump.is_empty() && dump == last;
        if let Some(answer) = read(&dump, settled) {
            return Ok(answer);
        }
        last = dump;
        sleep(TICK);
    }
    Err(late())
}

/// Who wrote a file, and when (seconds and nanoseconds); `None` if it is not there.
fn written(path: &Path) -> Option<(u32, (i64, i64))> {
    let found = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file)?;
    Some((found.uid(), (found.mtime(), found.mtime_nsec())))
}

/// Holds the directory against others who ask; `None` if they do not finish in time.
fn lock(directory: &Path, until: Instant) -> Result<Option<Flock<File>>> {
    let mut open = File::open(directory)?;
    loop {
        open = match Flock::lock(open, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(Some(lock)),
            Err((_, Errno::EWOULDBLOCK)) if Instant::now() >= until => return Ok(None),
            Err((open, Errno::EWOULDBLOCK | Errno::EINTR)) => open,
            Err((_, errno)) => return Err(std::io::Error::from(errno).into()),
        };
        sleep(LOOK);
    }
}
