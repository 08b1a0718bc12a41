//! node-prep on fstabs, judged by systemd-fstab-generator and by itself.
//!
//! The generator says which lines of an fstab it would make swap of; node-prep
//! has to find as many, take all of them out of use, and give the file back
//! byte for byte.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

#[allow(dead_code, reason = "one command is enough here")]
mod common;

const PLATFORM: &str = include_str!("../fixtures/examples/platform.yaml");
const GENERATORS: [&str; 2] = [
    "/usr/lib/systemd/system-generators/systemd-fstab-generator",
    "/lib/systemd/system-generators/systemd-fstab-generator",
];

/// Lines as people and machines write them.
const LINE: &str = "([ \t]{0,2}(#|#[ ]|/swap\\.img|/dev/sd[a-c][0-9]|UUID=[0-9a-f]{2}|LABEL=sw|PARTUUID=aa|/a\\\\040b|/a\\\\134c|/q\\\\141|nfs:/swap|none))?([ \t]{1,3}(none|swap|/|/mnt/swap|/var/\\\\040x)([ \t]{1,3}(swap|ext4|sw\\\\141p|SWAP|swap,x|nfs)([ \t]{1,3}(sw|defaults|noauto,nofail|pri=5|#x)([ \t]{1,2}[0-9]([ \t]{1,2}([0-9]|x))?)?)?)?)?[ \t]{0,2}(\n|\r\n|\n\n)";

#[test]
fn as_many_swap_entries_are_found_as_systemd_would_make() {
    let Some(generator) = generator() else { return };
    let lines = proptest::collection::vec(LINE, 0..12);
    let whole = (lines, any::<bool>()).prop_map(|(lines, cut)| {
        let text = lines.concat();
        if cut { text.trim_end_matches(['\r', '\n']).to_owned() } else { text }
    });
    let mut runner = TestRunner::new(Config { cases: 100, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&whole, |text| {
        let machine = Machine::new(text.as_bytes());
        prop_assert_eq!(machine.found(), counted(&generator, &machine.fstab()), "in {:?}", text);
        prop_assert_eq!(machine.node_prep("apply").status.code(), Some(0));
        prop_assert_eq!(counted(&generator, &machine.fstab()), 0, "after apply of {:?}", text);
        prop_assert_eq!(machine.node_prep("undo").status.code(), Some(0));
        prop_assert_eq!(std::fs::read(machine.fstab()).expect("it is there"), text.as_bytes());
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[test]
fn every_fstab_of_the_corpus_comes_back_byte_for_byte() {
    let Some(corpus) = std::env::var_os("BAREPLANE_CORPUS") else {
        common::skipped("BAREPLANE_CORPUS is not set");
        return;
    };
    let generator = generator();
    let tables = std::fs::read_dir(Path::new(&corpus).join("fstab")).expect("the corpus has fstabs");
    let mut judged = 0;
    for table in tables.flatten() {
        let bytes = std::fs::read(table.path()).expect("a table is read");
        let machine = Machine::new(&bytes);
        let name = table.file_name();
        if let Some(generator) = &generator {
            assert_eq!(machine.found(), counted(generator, &machine.fstab()), "{}", name.display());
        }
        let before = machine.files();
        assert_eq!(machine.node_prep("apply").status.code(), Some(0), "{}", name.display());
        assert_eq!(machine.found(), 0, "{}", name.display());
        let others = |bytes: &[u8]| {
            bytes.split(|byte| *byte == b'\n').filter(|line| !line.starts_with(b"#node-prep")).count()
        };
        let after = std::fs::read(machine.fstab()).expect("it is there");
        assert_eq!(
            others(&bytes) - others(&after),
            marked(&after),
            "{}: only swap lines change",
            name.display()
        );
        assert_eq!(machine.node_prep("undo").status.code(), Some(0), "{}", name.display());
        assert_eq!(machine.files(), before, "{}", name.display());
        judged += 1;
    }
    assert!(judged > 5, "the corpus holds {judged} fstabs");
}

#[test]
fn the_second_apply_writes_nothing_at_all() {
    let machine = Machine::new(b"/swap.img\tnone\tswap\tsw\t0\t0\n");
    assert_eq!(machine.node_prep("apply").status.code(), Some(0));
    let before = machine.stamps();
    let second = machine.node_prep("apply");
    assert_eq!((second.status.code(), second.stdout.as_slice()), (Some(0), &b""[..]));
    assert_eq!(machine.stamps(), before, "no inode and no time changed");
}

/// An image tree with this fstab.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new(fstab: &[u8]) -> Self {
        let tree = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(tree.path().join("etc")).expect("a folder is made");
        std::fs::write(tree.path().join("etc/fstab"), fstab).expect("a table is written");
        std::fs::write(tree.path().join("platform.yaml"), PLATFORM).expect("a document is written");
        Self(tree)
    }

    fn fstab(&self) -> PathBuf {
        self.0.path().join("etc/fstab")
    }

    fn node_prep(&self, verb: &str) -> Output {
        let mut command = Command::new(common::binary("node-prep"));
        command.arg(verb).arg("--root").arg(self.0.path()).args(["--host", "w1"]);
        if verb != "undo" {
            command.args(["--only", "swap"]).arg(self.0.path().join("platform.yaml"));
        }
        command.output().expect("node-prep runs")
    }

    /// How many swap entries `check` names.
    fn found(&self) -> usize {
        let said = String::from_utf8(self.node_prep("check").stdout).expect("records are UTF-8");
        said.lines().filter(|line| line.contains("\"check\":\"swap-fstab\"")).count()
    }

    /// Every file below /etc, with its content.
    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let read = |path: &Path| std::fs::read(path).unwrap_or_default();
        walk(&self.0.path().join("etc")).into_iter().map(|path| (path.clone(), read(&path))).collect()
    }

    /// Inode and times of everything in the tree.
    fn stamps(&self) -> Vec<(PathBuf, u64, i64, i64)> {
        use std::os::unix::fs::MetadataExt;
        let stamp = |path: PathBuf| {
            let found = path.symlink_metadata().expect("it is there");
            (path, found.ino(), found.mtime_nsec(), found.ctime_nsec())
        };
        walk(self.0.path()).into_iter().map(stamp).collect()
    }
}

/// Everything below a directory, links not followed.
fn walk(directory: &Path) -> Vec<PathBuf> {
    let mut all = vec![directory.to_owned()];
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            all.extend(walk(&path));
        } else {
            all.push(path);
        }
    }
    all.sort();
    all
}

fn marked(fstab: &[u8]) -> usize {
    fstab.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"#node-prep")).count()
}

/// The generator, if it is here and says what it finds.
fn generator() -> Option<PathBuf> {
    let generator = GENERATORS.iter().map(PathBuf::from).find(|path| path.exists());
    let able = generator.filter(|generator| {
        let probe = Machine::new(b"/dev/sda1 none swap sw 0 0\n");
        counted(generator, &probe.fstab()) == 1
    });
    if able.is_none() {
        common::skipped("systemd-fstab-generator is missing, or does not say what it finds");
    }
    able
}

/// How many swap entries the generator finds in a table.
fn counted(generator: &Path, fstab: &Path) -> usize {
    let out = tempfile::tempdir().expect("a temporary folder");
    let said = Command::new(generator)
        .args([out.path(), out.path(), out.path()])
        .env("SYSTEMD_FSTAB", fstab)
        .env("SYSTEMD_LOG_LEVEL", "debug")
        .env("SYSTEMD_LOG_TARGET", "console")
        .output()
        .expect("the generator runs");
    String::from_utf8_lossy(&said.stderr).matches(" type=swap makefs=").count()
}
