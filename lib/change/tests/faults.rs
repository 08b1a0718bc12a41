//! Killed at every system call that writes, and on disks that are full.
//!
//! A child (this very test program, told to run one of its tests) applies a plan
//! under strace, which kills it with SIGKILL at the N-th call of each kind.
//! Whatever N is, every file must be old or new, and the next run must mend.
#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};

use change::{Tree, Wanted};

const CALLS: &str = "openat,write,fsync,fchmod,fchown,rename,mkdir,unlink,unlinkat,rmdir,flock";

fn tree(root: &Path) -> Tree {
    Tree::new(root, "test", "lb1")
}

fn wanted() -> [Wanted; 3] {
    [
        Wanted::file("/etc/a", "new a\n".repeat(2000), 0o600),
        Wanted::file("/etc/deep/b", "new b\n", 0o644),
        Wanted::absent("/etc/c"),
    ]
}

/// Every file below `etc` with its mode and content.
fn seen(root: &Path) -> BTreeMap<OsString, (u32, String)> {
    let mut seen = BTreeMap::new();
    for directory in ["etc", "etc/deep"] {
        for entry in fs::read_dir(root.join(directory)).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let mode = fs::metadata(&path).unwrap().mode() & 0o7777;
                let name = path.strip_prefix(root).unwrap().as_os_str().to_owned();
                seen.insert(name, (mode, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    seen
}

fn old_tree(root: &Path) -> BTreeMap<OsString, (u32, String)> {
    fs::create_dir(root.join("etc")).unwrap();
    for name in ["a", "c"] {
        fs::write(root.join("etc").join(name), format!("old {name}\n").repeat(2000)).unwrap();
        fs::set_permissions(root.join("etc").join(name), PermissionsExt::from_mode(0o640)).unwrap();
    }
    seen(root)
}

fn apply(root: &Path) -> change::Result<()> {
    let mut writer = tree(root).open()?;
    writer.recover()?;
    writer.apply(&tree(root).plan(&wanted())?, 5).map(drop)
}

/// What one run leaves must be whole, and the next run must mend it.
fn judge(root: &Path, old: &BTreeMap<OsString, (u32, String)>, what: &str) {
    let new = {
        let fresh = tempfile::tempdir().unwrap();
        old_tree(fresh.path());
        apply(fresh.path()).unwrap();
        seen(fresh.path())
    };
    for (name, state) in seen(root) {
        let temporary = name.to_string_lossy().ends_with(".tmp");
        let whole = old.get(&name) == Some(&state) || new.get(&name) == Some(&state);
        assert!(whole || temporary, "{what}: {} is neither old nor new", name.display());
    }
    let mut writer = tree(root).open().unwrap();
    for taken in writer.recover().unwrap() {
        assert!(taken.foreign.is_empty(), "{what}: {taken:?}");
    }
    let mended = seen(root);
    assert!(mended == *old || mended == new, "{what}: half of it after mending: {:?}", mended.keys());
    drop(writer);
    apply(root).unwrap();
    assert!(seen(root) == new, "{what}: not applied by the next run");
    tree(root).open().unwrap().undo(None).unwrap();
    assert!(seen(root) == *old, "{what}: not undone");
}

/// On a tree of its own, or, as the child that is killed, on the one it is given.
#[test]
fn one_apply_makes_every_file_so() {
    let given = std::env::var_os("CHANGE_VICTIM_ROOT");
    let own = given.is_none().then(|| tempfile::tempdir().unwrap());
    let root = own.as_ref().map_or_else(|| Path::new(given.as_ref().unwrap()), |own| own.path());
    if own.is_some() {
        old_tree(root);
    }
    apply(root).unwrap();
    assert_eq!(fs::read_to_string(root.join("etc/deep/b")).unwrap(), "new b\n");
    assert!(!root.join("etc/c").exists());
}

fn strace(root: &Path, options: &[&str]) -> ExitStatus {
    Command::new("strace")
        .args(["-f", "-qq", "-o"])
        .arg(root.join("trace"))
        .args(["-e", &format!("trace={CALLS}")])
        .args(options)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "one_apply_makes_every_file_so", "--test-threads=1", "--quiet"])
        .env("CHANGE_VICTIM_ROOT", root)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap()
}

/// Says why a test was left out; under CI that is a failure.
fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "{why}");
    std::io::Write::write_all(&mut std::io::stderr(), format!("SKIPPED: {why}\n").as_bytes()).unwrap();
}

#[test]
fn killed_at_any_system_call_it_leaves_whole_files_and_the_next_run_mends() {
    if !Command::new("strace")
        .args(["-e", "trace=none", "true"])
        .status()
        .is_ok_and(|status| status.success())
    {
        return skip("strace is missing or may not trace: apt-get install strace");
    }
    let count = tempfile::tempdir().unwrap();
    old_tree(count.path());
    assert!(strace(count.path(), &[]).success());
    let trace = fs::read_to_string(count.path().join("trace")).unwrap();
    let mut kills = 0;
    for call in CALLS.split(',') {
        // Lines read `PID call(arguments) = result`; counters are per call and thread.
        let calls =
            trace.lines().filter(|line| line.split(' ').any(|word| word.starts_with(&format!("{call}("))));
        for number in 1..=calls.count() {
            let dir = tempfile::tempdir().unwrap();
            let old = old_tree(dir.path());
            let inject = format!("inject={call}:signal=KILL:when={number}");
            if strace(dir.path(), &["-e", &inject]).signal() == Some(9) {
                kills += 1;
            }
            judge(dir.path(), &old, &format!("{call} {number}"));
        }
    }
    assert!(kills > 40, "only {kills} runs were killed");
}

#[test]
fn a_full_disk_leaves_whole_files_and_the_next_run_with_space_succeeds() {
    let dir = tempfile::tempdir().unwrap();
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=160k", "tmpfs"]).arg(dir.path()).output();
    if !mounted.is_ok_and(|done| done.status.success()) {
        return skip("mounting a small tmpfs needs root");
    }
    let mut refused = 0;
    let judged = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        for free_pages in 0..20 {
            let root = dir.path().join(free_pages.to_string());
            fs::create_dir(&root).unwrap();
            let old = old_tree(&root);
            let filler = dir.path().join("filler");
            fill(&filler, free_pages);
            let applied = apply(&root);
            if let Err(error) = &applied {
                use model::{Fault, Kind};
                assert_eq!(error.kind(), Kind::Unavailable, "{error}");
                refused += 1;
            }
            fs::remove_file(&filler).unwrap();
            judge(&root, &old, &format!("{free_pages} free pages"));
            fs::remove_dir_all(&root).unwrap();
        }
    }));
    assert!(Command::new("umount").arg(dir.path()).status().unwrap().success());
    judged.unwrap();
    assert!((5..20).contains(&refused), "{refused} of 20 found the disk full");
}

/// Takes all the space of a file system but so many pages of 4 KiB.
fn fill(filler: &Path, free_pages: u64) {
    use std::io::Write;
    let mut file = fs::File::create(filler).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    let size = file.metadata().unwrap().len() / 4096;
    file.set_len(size.saturating_sub(free_pages) * 4096).unwrap();
}
