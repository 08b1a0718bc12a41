//! repo-setup judged by apt itself: which places it goes to, whether it
//! believes the key, which version it would install. Nothing leaves the machine.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

#[allow(dead_code, reason = "one command is enough here")]
mod common;

const PLATFORM: &str = include_str!("../fixtures/examples/platform.yaml");
const KEY: &[u8] = include_bytes!("../fixtures/examples/kubernetes.asc");
const WANTED: &str = "https://pkgs.k8s.io/core:/stable:/v1.36/deb/";

/// Lines of a list, as people write them; apt takes each.
const LINES: [&str; 11] = [
    "# deb https://pkgs.k8s.io/core:/stable:/v1.30/deb/ /\n",
    "deb http://deb.example/debian bookworm main # main\n",
    "deb [arch=amd64] http://deb.example/security bookworm/updates main contrib\r\n",
    "deb-src http://deb.example/debian bookworm main\n",
    "\n",
    "deb https://apt.kubernetes.io/ kubernetes-xenial main\n",
    "  deb [ signed-by=/etc/apt/keyrings/kubernetes.gpg ] https://pkgs.k8s.io/core:/stable:/v1.35/deb/ /\n",
    "deb [trusted=yes] https://pkgs.k8s.io/core:/stable:/v1.34/deb/ / #x\n",
    "deb https://packages.cloud.google.com/apt cloud-sdk main\n",
    "deb https://pkgs.k8s.io/addons:/cri-o:/stable:/v1.36/deb/ /\n",
    "deb https://mirrors.example/kubernetes/apt kubernetes-xenial main\n",
];

/// Stanzas of a deb822 file.
const STANZAS: [&str; 6] = [
    "Types: deb deb-src\nURIs: http://deb.example/one http://deb.example/two\nSuites: bookworm\nComponents: main\n\n",
    "# ours\ntypes: deb\nuris: https://pkgs.k8s.io/core:/stable:/v1.35/deb/\n# between\nsuites: /\nSigned-By: /etc/apt/keyrings/old.gpg\n\n",
    "Enabled: no\nTypes: deb\nURIs: https://pkgs.k8s.io/core:/stable:/v1.33/deb/\nSuites: /\n\n",
    "Types: deb\nURIs: https://pkgs.k8s.io/core:/stable:/v1.36/deb\nSuites: /\nTrusted: yes\n\n",
    "Types: deb\nURIs:\n https://apt.kubernetes.io\nSuites: kubernetes-xenial\nComponents: main\n\n",
    "\n# nothing\n\n",
];

#[test]
fn apt_goes_to_the_repository_once_and_everywhere_else_as_before() {
    if !able() {
        return;
    }
    let list = prop::sample::subsequence(LINES.to_vec(), 0..=LINES.len()).prop_map(|lines| lines.concat());
    let more = list.clone();
    let stanzas =
        prop::sample::subsequence(STANZAS.to_vec(), 0..=STANZAS.len()).prop_map(|stanzas| stanzas.concat());
    let mut runner = TestRunner::new(Config { cases: 60, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&(list, more, stanzas), |(list, more, stanzas)| {
        let tree = Tree::new();
        tree.write("etc/apt/sources.list", list.as_bytes());
        tree.write("etc/apt/sources.list.d/b.list", more.as_bytes());
        tree.write("etc/apt/sources.list.d/c.sources", stanzas.trim_end_matches('\n').as_bytes());
        let before = tree.places();
        let files = tree.files();
        let applied = tree.run("apply", &["--key", "key.asc"]);
        prop_assert_eq!(applied.status.code(), Some(0), "{}", String::from_utf8_lossy(&applied.stderr));
        let ours = |place: &String| place.contains("core:/stable:") || place.contains("kubernetes-xenial");
        let after = tree.places().expect("apt reads what was set up");
        let kept: BTreeSet<String> = after.iter().filter(|place| !ours(place)).cloned().collect();
        // Of what contradicts itself apt reads nothing at all before.
        let before =
            before.map_or(kept.clone(), |before| before.into_iter().filter(|place| !ours(place)).collect());
        prop_assert_eq!(&kept, &before);
        let found: Vec<_> = after.iter().filter(|place| ours(place)).collect();
        prop_assert_eq!(found, [&format!("{WANTED}InRelease")]);
        let second = tree.run("apply", &[]);
        prop_assert_eq!((second.status.code(), second.stdout.as_slice()), (Some(0), &b""[..]));
        prop_assert_eq!(tree.run("undo", &[]).status.code(), Some(0));
        prop_assert_eq!(tree.files(), files);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[test]
fn apt_believes_the_key_and_stays_at_the_platforms_version() {
    if !able() {
        return;
    }
    let (mirror, keys) = (Mirror::new(), Keys::new());
    let good = keys.make("good@example.org", "20250101T000000", "never");
    mirror.sign(&keys, "good@example.org");
    let tree = Tree::new();
    tree.write("good.gpg", &good);
    let applied = tree.run("apply", &["--key", "good.gpg", "--mirror", &mirror.url()]);
    assert_eq!(applied.status.code(), Some(0), "{}", String::from_utf8_lossy(&applied.stderr));
    let updated = tree.seen_from_outside().apt("apt-get", &["update"]);
    assert!(believed(&updated), "{}", said(&updated));
    let policy = said(&tree.apt("apt-cache", &["policy", "kubelet"]));
    assert!(policy.contains("Candidate: 1.36.3-1.1"), "{policy}");
}

#[test]
fn apt_does_not_believe_what_check_calls_wrong() {
    if !able() {
        return;
    }
    let (mirror, keys) = (Mirror::new(), Keys::new());
    let expired = keys.make("expired@example.org", "20221102T000000", "2024-11-02");
    let other = keys.make("other@example.org", "20250101T000000", "never");
    let stanza = format!(
        "Types: deb\nURIs: {}/core:/stable:/v1.36/deb/\nSuites: /\nSigned-By: /etc/apt/keyrings/k",
        mirror.url()
    );
    let cases = [
        ("expired@example.org", "gpg", expired, "key-expired"),
        ("other@example.org", "asc", other, "key-form"),
    ];
    for (signer, ending, key, check) in cases {
        mirror.sign(&keys, signer);
        let tree = Tree::new();
        tree.write("etc/apt/sources.list.d/k.sources", format!("{stanza}.{ending}\n").as_bytes());
        tree.write(&format!("etc/apt/keyrings/k.{ending}"), &key);
        let found = said(&tree.run("check", &[]));
        assert!(found.contains(&format!("\"check\":\"{check}\",\"status\":\"fail\"")), "{found}");
        let updated = tree.seen_from_outside().apt("apt-get", &["update"]);
        assert!(!believed(&updated), "{check}: {}", said(&updated));
    }
    // The form is mended, and apt believes it.
    let tree = Tree::new();
    tree.write("etc/apt/sources.list.d/k.sources", format!("{stanza}.asc\n").as_bytes());
    tree.write("etc/apt/keyrings/k.asc", &keys.export("other@example.org"));
    assert_eq!(tree.run("apply", &[]).status.code(), Some(0));
    let updated = tree.seen_from_outside().apt("apt-get", &["update"]);
    assert!(believed(&updated), "{}", said(&updated));
}

fn believed(updated: &Output) -> bool {
    let said = said(updated);
    updated.status.success() && !said.contains("W: ") && !said.contains("E: ")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A Debian tree, as far as apt looks at it.
struct Tree(tempfile::TempDir);

impl Tree {
    fn new() -> Self {
        let tree = Self(tempfile::tempdir().expect("a temporary folder"));
        for folder in ["etc/apt/preferences.d", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial"]
        {
            std::fs::create_dir_all(tree.0.path().join(folder)).expect("folders are made");
        }
        tree.write("etc/os-release", b"ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n");
        tree.write("var/lib/dpkg/status", b"");
        tree.write("platform.yaml", PLATFORM.as_bytes());
        tree.write("key.asc", KEY);
        tree
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: &[u8]) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders are made");
        std::fs::write(path, content).expect("a file is written");
    }

    fn run(&self, verb: &str, more: &[&str]) -> Output {
        let mut command = Command::new(common::binary("repo-setup"));
        command.current_dir(self.0.path()).args([verb, "--root", ".", "--host", "cp1"]).args(more);
        if verb != "undo" {
            command.arg("platform.yaml");
        }
        command.output().expect("repo-setup runs")
    }

    fn apt(&self, program: &str, args: &[&str]) -> Output {
        let dir = format!("Dir={}", self.0.path().display());
        let status = format!("Dir::State::status={}", self.path("var/lib/dpkg/status").display());
        let mut command = Command::new(program);
        command.env("LC_ALL", "C").args(args);
        for option in
            [&dir, &status, "APT::Sandbox::User=root", "APT::Architecture=amd64", "Acquire::Languages=none"]
        {
            command.args(["-o", option]);
        }
        command.output().expect("apt runs")
    }

    /// Where apt would go for indexes; none if it does not read the sources.
    fn places(&self) -> Option<BTreeSet<String>> {
        let planned = self.apt("apt-get", &["update", "--print-uris"]);
        if !planned.status.success() {
            return None;
        }
        let text = String::from_utf8_lossy(&planned.stdout).into_owned();
        let places = text
            .lines()
            .filter_map(|line| line.split('\'').nth(1))
            .filter(|place| place.ends_with("/InRelease"));
        Some(places.map(str::to_owned).collect())
    }

    /// Files of apt, with their content.
    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        for folder in ["etc/apt", "etc/apt/sources.list.d", "etc/apt/preferences.d", "etc/apt/keyrings"] {
            for entry in std::fs::read_dir(self.path(folder)).into_iter().flatten().flatten() {
                if let Ok(content) = std::fs::read(entry.path()) {
                    files.push((entry.path(), content));
                }
            }
        }
        files.sort();
        files
    }

    /// apt looks for keys from the real root: the names of keyrings get the tree before them.
    fn seen_from_outside(&self) -> &Self {
        for entry in std::fs::read_dir(self.path("etc/apt/sources.list.d")).expect("it is there").flatten() {
            let text = std::fs::read_to_string(entry.path()).expect("sources are read");
            let keyrings = format!("Signed-By: {}", self.path("etc/apt/keyrings").display());
            std::fs::write(entry.path(), text.replace("Signed-By: /etc/apt/keyrings", &keyrings))
                .expect("written");
        }
        self
    }
}

/// A mirror in a folder, with two versions of kubelet.
struct Mirror(tempfile::TempDir);

impl Mirror {
    fn new() -> Self {
        let mirror = Self(tempfile::tempdir().expect("a temporary folder"));
        std::fs::create_dir_all(mirror.folder()).expect("folders are made");
        let package = |version: &str| {
            format!(
                "Package: kubelet\nVersion: {version}\nArchitecture: amd64\nFilename: ./k.deb\nSize: 1\nSHA256: {}\n\n",
                "0".repeat(64)
            )
        };
        let packages = [package("1.36.3-1.1"), package("1.36.9-1.1")].concat();
        std::fs::write(mirror.folder().join("Packages"), &packages).expect("an index is written");
        let sum =
            Command::new("sha256sum").arg(mirror.folder().join("Packages")).output().expect("sha256sum runs");
        let sum = String::from_utf8_lossy(&sum.stdout).split(' ').next().unwrap_or_default().to_owned();
        let release =
            format!("Date: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n {sum} {} Packages\n", packages.len());
        std::fs::write(mirror.folder().join("Release"), release).expect("a release is written");
        mirror
    }

    fn folder(&self) -> PathBuf {
        self.0.path().join("core:/stable:/v1.36/deb")
    }

    fn url(&self) -> String {
        format!("file:{}", self.0.path().display())
    }

    fn sign(&self, keys: &Keys, who: &str) {
        let (release, signed) = (self.folder().join("Release"), self.folder().join("InRelease"));
        // The signer's clock stands where every key is good.
        let time = if who.starts_with("expired") { "20231001T000000" } else { "20260101T000000" };
        let paths = [signed.display().to_string(), release.display().to_string()];
        keys.gpg(time, &["--yes", "--local-user", who, "--clearsign", "--output", &paths[0], &paths[1]]);
    }
}

/// Keys of our own.
struct Keys(tempfile::TempDir);

impl Keys {
    fn new() -> Self {
        Self(tempfile::Builder::new().prefix("k").tempdir().expect("a temporary folder"))
    }

    /// Makes a key and gives it as bytes; `other` comes without armour on purpose.
    fn make(&self, who: &str, time: &str, expires: &str) -> Vec<u8> {
        self.gpg(time, &["--quick-gen-key", who, "ed25519", "sign", expires]);
        self.export(who)
    }

    fn export(&self, who: &str) -> Vec<u8> {
        self.gpg("20260101T000000", &["--export", who]).stdout
    }

    fn gpg(&self, time: &str, args: &[&str]) -> Output {
        let mut command = Command::new("gpg");
        command.arg("--homedir").arg(self.0.path()).args(["--batch", "--quiet", "--passphrase", ""]);
        command.args(["--pinentry-mode", "loopback", "--faked-system-time", time]);
        let done = command.args(args).output().expect("gpg runs");
        assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
        done
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf").arg("--homedir").arg(self.0.path()).args(["--kill", "all"]).output();
    }
}

/// Whether apt and gpg are here.
fn able() -> bool {
    let able = Path::new("/usr/bin/apt-get").exists() && Path::new("/usr/bin/gpg").exists();
    if !able {
        common::skipped("apt or gpg is missing");
    }
    able
}
