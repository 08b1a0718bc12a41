//! node-prep killed at every system call that writes: the next run mends it.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

#[allow(dead_code, reason = "one command is enough here")]
mod common;

const PLATFORM: &str = include_str!("../fixtures/examples/platform.yaml");
/// Each is counted on its own.
const CALLS: [&str; 10] =
    ["write", "fsync", "fchmod", "fchown", "rename", "symlink", "mkdir", "unlink", "rmdir", "flock"];

type Seen = BTreeMap<PathBuf, Vec<u8>>;

#[test]
fn an_apply_killed_anywhere_is_made_by_the_next() {
    if missing() {
        return;
    }
    let new = {
        let (tree, _) = machine();
        assert!(node_prep(tree.path(), "apply", None).success());
        seen(tree.path())
    };
    let kills = kill_everywhere("apply", false, |tree, old, place| {
        assert!(node_prep(tree, "apply", None).success(), "{place}");
        assert_eq!(seen(tree), new, "{place}");
        assert!(node_prep(tree, "undo", None).success(), "{place}");
        assert_eq!(seen(tree), *old, "{place}");
    });
    assert!(kills > 40, "only {kills} places to kill it were found");
}

#[test]
fn an_undo_killed_anywhere_is_finished_by_the_next_run() {
    if missing() {
        return;
    }
    let kills = kill_everywhere("undo", true, |tree, old, place| {
        // What was killed before it began is undone now; the rest is finished first.
        let _ = node_prep(tree, "undo", None);
        assert_eq!(seen(tree), *old, "{place}");
    });
    assert!(kills > 20, "only {kills} places to kill it were found");
}

/// Kills a verb at the first, second, … call of each kind, until there is no such call.
fn kill_everywhere(verb: &str, applied: bool, judge: impl Fn(&Path, &Seen, &str)) -> usize {
    let mut kills = 0;
    for call in CALLS {
        for number in 1.. {
            let (tree, old) = machine();
            if applied {
                assert!(node_prep(tree.path(), "apply", None).success());
            }
            if node_prep(tree.path(), verb, Some((call, number))).signal() != Some(9) {
                break;
            }
            judge(tree.path(), &old, &format!("{call} {number}"));
            kills += 1;
        }
    }
    kills
}

/// An image tree with swap from several sources, and what it holds.
fn machine() -> (tempfile::TempDir, Seen) {
    let tree = tempfile::tempdir().expect("a temporary folder");
    let put = |path: &str, text: &str| {
        let path = tree.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a file has a folder")).expect("a folder is made");
        std::fs::write(path, text).expect("a file is written");
    };
    put("platform.yaml", PLATFORM);
    put("etc/fstab", "/swap.img\tnone\tswap\tsw\t0\t0\r\n/dev/sda1 / ext4 defaults 0 1");
    put("etc/hostname", "debian\n");
    put("etc/systemd/system/data.swap", "[Swap]\nWhat=/data\n");
    put("lib/systemd/system/dev-sdb1.swap", "[Swap]\nWhat=/dev/sdb1\n");
    let seen = seen(tree.path());
    (tree, seen)
}

/// Runs a verb, killed at the N-th call of a kind if asked.
fn node_prep(tree: &Path, verb: &str, kill: Option<(&str, usize)>) -> ExitStatus {
    let mut command = match kill {
        Some((call, number)) => {
            let mut command = Command::new("strace");
            let (trace, inject) =
                (format!("trace={call}"), format!("inject={call}:signal=KILL:when={number}"));
            command.args(["-f", "-qqq", "-e", &trace, "-e", &inject, "-o", "/dev/null"]);
            command.arg(common::binary("node-prep"));
            command
        }
        None => Command::new(common::binary("node-prep")),
    };
    command.arg(verb).arg("--root").arg(tree).args(["--host", "w1"]);
    if verb != "undo" {
        command.args(["--only", "swap,hostname,sysctl"]).arg(tree.join("platform.yaml"));
    }
    command.output().expect("it runs").status
}

/// Every file and link outside the journals.
fn seen(root: &Path) -> Seen {
    let mut seen = Seen::new();
    let mut ahead = vec![root.to_owned()];
    while let Some(directory) = ahead.pop() {
        for entry in std::fs::read_dir(&directory).expect("a folder is read").flatten() {
            let path = entry.path();
            let inside = path.strip_prefix(root).expect("it lies below").to_owned();
            if path.is_symlink() {
                let target = std::fs::read_link(&path).expect("a link is read");
                seen.insert(inside, target.into_os_string().into_encoded_bytes());
            } else if path.is_file() {
                seen.insert(inside, std::fs::read(&path).expect("a file is read"));
            } else if inside != Path::new("var") {
                seen.insert(inside, Vec::new());
                ahead.push(path);
            }
        }
    }
    seen
}

fn missing() -> bool {
    let there = Command::new("strace").arg("-V").output().is_ok();
    assert!(there || std::env::var_os("CI").is_none(), "strace must be installed in CI");
    if !there {
        #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
        {
            eprintln!("SKIPPED: strace is not installed");
        }
    }
    !there
}
