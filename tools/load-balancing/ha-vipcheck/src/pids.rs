//! Processes held by pidfds: they tell at once when they end, and a number
//! that is given to another process is not mistaken for the old one.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// A pidfile holds a few numbers.
const PIDFILE_BYTES: u64 = 4096;

/// The processes a pidfile names, and their children.
#[derive(Debug)]
pub(crate) struct Processes {
    pidfile: PathBuf,
    held: Vec<Held>,
}

#[derive(Debug)]
struct Held {
    pid: i32,
    fd: OwnedFd,
    /// Named by the file, not a child.
    named: bool,
}

impl Processes {
    pub(crate) fn of(pidfile: &Path) -> Self {
        let mut processes = Self { pidfile: pidfile.to_owned(), held: Vec::new() };
        processes.refresh();
        processes
    }

    /// Lets go of those that ended and takes hold of those that are new;
    /// true if one had ended.
    pub(crate) fn refresh(&mut self) -> bool {
        let before = self.held.len();
        self.held.retain(|process| lives(&process.fd));
        let ended = self.held.len() < before;
        let text = files::read(&self.pidfile, PIDFILE_BYTES).unwrap_or_default();
        for pid in numbers(&String::from_utf8_lossy(&text)) {
            self.hold(pid, true);
        }
        // A worker's end is news long before the master has reacted to it.
        let masters: Vec<_> = self.held.iter().filter(|held| held.named).map(|held| held.pid).collect();
        for master in masters {
            let children = fs::read_to_string(format!("/proc/{master}/task/{master}/children"));
            for child in numbers(&children.unwrap_or_default()) {
                self.hold(child, false);
            }
        }
        ended
    }

    /// Whether a process of the file lives.
    pub(crate) fn alive(&self) -> bool {
        self.held.iter().any(|process| process.named)
    }

    /// What becomes readable when a process ends.
    pub(crate) fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.held.iter().map(|process| process.fd.as_fd())
    }

    fn hold(&mut self, pid: i32, named: bool) {
        if let Some(held) = self.held.iter_mut().find(|held| held.pid == pid) {
            held.named |= named;
            return;
        }
        let fd = Pid::from_raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        if let Some(fd) = fd.filter(lives) {
            self.held.push(Held { pid, fd, named });
        }
    }
}

/// A pidfd is readable once its process has ended.
fn lives(fd: &OwnedFd) -> bool {
    poll(&mut [PollFd::new(fd.as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO) == Ok(0)
}

fn numbers(text: &str) -> impl Iterator<Item = i32> {
    text.split_whitespace().filter_map(|word| word.parse().ok()).filter(|pid| *pid > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn one_of_several_processes_is_enough_and_the_last_ones_end_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        let mut sleepers: Vec<_> = (0..2).map(|_| Command::new("sleep").arg("60").spawn().unwrap()).collect();
        fs::write(&file, sleepers.iter().map(|child| format!("{}\n", child.id())).collect::<String>())
            .unwrap();
        let mut processes = Processes::of(&file);
        assert_eq!(processes.fds().count(), 2);
        for (n, sleeper) in sleepers.iter_mut().enumerate() {
            sleeper.kill().unwrap();
            sleeper.wait().unwrap();
            assert!(processes.refresh());
            assert_eq!(processes.alive(), n == 0);
        }
        assert!(!processes.refresh(), "nothing is left to end");
    }

    #[test]
    fn a_pidfile_that_is_missing_or_garbled_names_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        assert!(!Processes::of(&file).alive());
        fs::write(&file, "-1 0 x 99999999999").unwrap();
        assert!(!Processes::of(&file).alive());
    }

    #[test]
    fn the_workers_of_a_master_are_held_too() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        fs::write(&file, std::process::id().to_string()).unwrap();
        let mut worker = Command::new("sleep").arg("60").spawn().unwrap();
        // Children are listed with the thread that started them: only the
        // main thread's are looked at, and tests run in others.
        let listed = fs::read_to_string(format!("/proc/{0}/task/{0}/children", std::process::id()));
        let expected = 1 + numbers(&listed.unwrap_or_default()).count();
        assert_eq!(Processes::of(&file).fds().count(), expected);
        worker.kill().unwrap();
        worker.wait().unwrap();
    }
}
