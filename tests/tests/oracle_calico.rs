//! calico-cidr on real manifests and on made ones, judged by `PyYAML`: what
//! `set` writes reads as before, but for the values that were meant.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

#[allow(dead_code, reason = "one command is enough here")]
mod common;

/// Prints every scalar of two streams that is only in one of them, by its path;
/// variables go by their name, not their number.
const JUDGE: &str = r#"
import sys, yaml
def flat(value, path, out):
    if isinstance(value, dict):
        for key, below in value.items(): flat(below, f"{path}.{key}", out)
    elif isinstance(value, list):
        for n, below in enumerate(value):
            name = below.get("name", n) if isinstance(below, dict) and path.endswith(".env") else n
            flat(below, f"{path}[{name}]", out)
    else:
        out.append(f"{path}={value!r}")
def read(file):
    out = []
    for n, document in enumerate(yaml.load_all(open(file), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))): flat(document, str(n), out)
    return out
before, after = read(sys.argv[1]), read(sys.argv[2])
for line in before:
    if line in after: after.remove(line)
    else: print("-" + line)
for line in after: print("+" + line)
"#;

const FIXTURES: [&str; 3] = ["calico.yaml", "custom-resources.yaml", "canal.yaml"];

/// Every value that set may touch, as `PyYAML` names it behind its path.
const MEANT: [&str; 11] = [
    ".env[CALICO_IPV4POOL_CIDR].name=",
    ".env[CALICO_IPV4POOL_CIDR].value=",
    ".env[CALICO_IPV4POOL_IPIP].value=",
    ".env[CALICO_IPV4POOL_VXLAN].value=",
    ".env[CALICO_IPV4POOL_BLOCK_SIZE].",
    ".env[IP_AUTODETECTION_METHOD].",
    ".ipPools[0].cidr=",
    ".ipPools[0].encapsulation=",
    ".ipPools[0].blockSize=",
    ".nodeAddressAutodetectionV4.kubernetes=",
    ".net-conf.json=",
];

#[test]
fn only_what_was_meant_reads_otherwise() {
    for manifest in fixtures().chain(corpus()) {
        let work = Work::of(&manifest);
        let name = manifest.display();
        let changed = Work::set(&work.before, &work.after);
        if !has_yaml() {
            return;
        }
        for line in &changed {
            assert!(MEANT.iter().any(|meant| line.contains(meant)), "{name}: {line}");
        }
        let values = ["10.10.0.0/16", "20", "kubernetes-internal-ip", "NodeInternalIP", "VXLAN"];
        let said = changed.iter().filter(|line| line.starts_with('+'));
        let said: BTreeSet<_> =
            said.flat_map(|line| values.iter().filter(|value| line.contains(**value))).copied().collect();
        assert!(
            said.len() >= if name.to_string().ends_with("canal.yaml") { 1 } else { 4 },
            "{name}: {said:?}"
        );
    }
}

#[test]
fn the_lines_that_differ_are_those_that_get_names() {
    for manifest in fixtures().chain(corpus()) {
        let work = Work::of(&manifest);
        Work::set(&work.before, &work.after);
        let read = |path: &Path| std::fs::read_to_string(path).expect("it is there");
        let (before, after) = (read(&work.before), read(&work.after));
        let old: BTreeSet<_> = before.lines().collect();
        let new: BTreeSet<_> = after.lines().collect();
        let known = [
            "CALICO_IPV4POOL",
            "IP_AUTODETECTION_METHOD",
            "value:",
            "cidr:",
            "encapsulation:",
            "blockSize:",
            "Network",
            "nodeAddress",
            "kubernetes:",
        ];
        for line in old.symmetric_difference(&new) {
            assert!(known.iter().any(|word| line.contains(word)), "{}: {line}", manifest.display());
        }
        let count = |text: &str| text.lines().count();
        assert!(count(&after) - count(&before) <= 4, "{}", manifest.display());
        // Once more, it is the same file; and what it says is what it was told.
        Work::set(&work.after, &work.before);
        assert_eq!(read(&work.before), after, "{}", manifest.display());
        let told = Command::new(common::binary("calico-cidr"))
            .arg("get")
            .arg(&work.after)
            .output()
            .expect("it runs");
        let told = String::from_utf8(told.stdout).expect("records are UTF-8");
        assert!(told.contains(r#""state":"active","value":"10.10.0.0/16""#), "{told}");
    }
}

#[test]
fn a_line_end_of_windows_and_a_missing_one_stay() {
    for name in FIXTURES {
        let text = std::fs::read_to_string(fixture(name)).expect("it is there").replace('\n', "\r\n");
        let work = Work::of(&fixture(name));
        std::fs::write(&work.before, text.trim_end()).expect("it is written");
        Work::set(&work.before, &work.after);
        let after = std::fs::read_to_string(&work.after).expect("it is there");
        assert!(!after.ends_with('\n') && !after.replace("\r\n", "").contains('\n'), "{name}");
    }
}

struct Work {
    _folder: tempfile::TempDir,
    before: PathBuf,
    after: PathBuf,
}

impl Work {
    fn of(manifest: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (before, after) = (folder.path().join("before"), folder.path().join("after"));
        std::fs::copy(manifest, &before).expect("it is copied");
        Self { _folder: folder, before, after }
    }

    /// Sets everything there is to set; what `PyYAML` reads otherwise, if it is here.
    fn set(from: &Path, to: &Path) -> Vec<String> {
        let canal = std::fs::read_to_string(from).expect("it is there").contains("kube-flannel");
        let mut command = Command::new(common::binary("calico-cidr"));
        command.args(["set", "--cidr", "10.10.0.0/16"]);
        if !canal {
            command.args(["--encap", "vxlan", "--block-size", "20"]);
            command.args(["--autodetect", "kubernetes-internal-ip"]);
        }
        let done = command.arg(from).output().expect("it runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        std::fs::write(to, done.stdout).expect("it is written");
        if !has_yaml() {
            return Vec::new();
        }
        let judged = Command::new("python3").args(["-c", JUDGE]).args([from, to]).output().expect("it runs");
        assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stderr));
        String::from_utf8_lossy(&judged.stdout).lines().map(str::to_owned).collect()
    }
}

fn fixture(name: &str) -> PathBuf {
    common::root().join("tests/fixtures/examples").join(name)
}

fn fixtures() -> impl Iterator<Item = PathBuf> {
    FIXTURES.into_iter().map(fixture)
}

/// The real manifests of `BAREPLANE_CORPUS`.
fn corpus() -> Vec<PathBuf> {
    let Some(corpus) = std::env::var_os("BAREPLANE_CORPUS") else {
        common::skipped("BAREPLANE_CORPUS is not set");
        return Vec::new();
    };
    let releases = std::fs::read_dir(Path::new(&corpus).join("calico")).expect("the corpus has manifests");
    let files =
        releases.flatten().flat_map(|release| std::fs::read_dir(release.path()).into_iter().flatten());
    let found: Vec<_> = files.flatten().map(|file| file.path()).collect();
    assert!(found.len() > 5, "the corpus holds {} manifests", found.len());
    found
}

fn has_yaml() -> bool {
    let found =
        Command::new("python3").args(["-c", "import yaml"]).output().is_ok_and(|done| done.status.success());
    if !found {
        common::skipped("PyYAML is missing");
    }
    found
}
