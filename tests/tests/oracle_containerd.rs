//! runtime-config judged by containerd itself: what `containerd config dump`
//! makes of a configuration is what was wanted. By Debian's 1.x, and by a 2.x
//! that `BAREPLANE_CONTAINERD2` names.

use std::path::Path;
use std::process::{Command, Output};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

#[allow(dead_code, reason = "one command is enough here")]
mod common;

const PLATFORM: &str = include_str!("../fixtures/examples/platform.yaml");
const PAUSE: &str = "registry.k8s.io/pause:3.10.2";
const FILE: &str = "etc/containerd/config.toml";

/// Files as distributions ship them and people write them.
const FILES: [&str; 9] = [
    "",
    "disabled_plugins = [\"cri\"]\n",
    "version = 3\n",
    "# hand-made\r\nversion = 2\r\n",
    "version = 2\n[plugins]\n  [plugins.\"io.containerd.grpc.v1.cri\"]\n    [plugins.\"io.containerd.grpc.v1.cri\".cni]\n      bin_dir = \"/usr/lib/cni\"\n      conf_dir = \"/etc/cni/net.d\"\n",
    "version = 2\nplugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc.options.SystemdCgroup = false\n",
    "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes]\nrunc = { runtime_type = \"io.containerd.runc.v2\", options = {} }\n",
    "version = 2\n[plugins.'io.containerd.grpc.v1.cri'.containerd]\n  default_runtime_name = \"nvidia\"\n  [plugins.'io.containerd.grpc.v1.cri'.containerd.runtimes.nvidia]\n    runtime_type = \"io.containerd.runc.v2\"",
    "version = 2\n[plugins.\"io.containerd.cri.v1.runtime\".containerd.runtimes.runc.options]\nSystemdCgroup = true\n",
];

#[test]
fn containerd_reads_what_is_wanted() {
    let Some(version) = version() else { return };
    for text in FILES {
        judge(text.as_bytes(), &version, text);
    }
}

#[test]
fn containerd_reads_what_is_wanted_of_every_file_of_the_corpus() {
    let Some(corpus) = std::env::var_os("BAREPLANE_CORPUS") else {
        common::skipped("BAREPLANE_CORPUS is not set");
        return;
    };
    let Some(version) = version() else { return };
    let files =
        std::fs::read_dir(Path::new(&corpus).join("containerd")).expect("the corpus has configurations");
    let mut judged = 0;
    for file in files.flatten() {
        let bytes = std::fs::read(file.path()).expect("a configuration is read");
        judge(&bytes, &version, &file.path().display().to_string());
        judged += 1;
    }
    assert!(judged > 1, "the corpus holds {judged} configurations");
}

#[test]
fn containerd_reads_what_is_wanted_of_made_up_files() {
    let Some(version) = version() else { return };
    let cri = "plugins.\"io.containerd.grpc.v1.cri\"";
    let pieces = [
        format!("[{cri}]\n"),
        "  sandbox_image = 'x' # ours\n".to_owned(),
        "  enable_selinux = true\n".to_owned(),
        format!("  [{cri}.cni]\n    bin_dir = \"/usr/lib/cni\"\n"),
        format!("  [{cri}.containerd]\n    snapshotter = \"overlayfs\"\n"),
        format!("    [{cri}.containerd.runtimes.runc]\n"),
        "      runtime_type = \"io.containerd.runc.v2\"\n".to_owned(),
        format!("      [{cri}.containerd.runtimes.runc.options]\n"),
        "        SystemdCgroup = false".to_owned(),
        "\n# end\n".to_owned(),
    ];
    let all = pieces.len();
    let body = prop::sample::subsequence(pieces.to_vec(), 0..=all).prop_map(|pieces| pieces.concat());
    let head = prop::sample::select(vec![
        "",
        "version = 2\n",
        "version = 3\n",
        "version = 2\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n",
    ]);
    let mut runner = TestRunner::new(Config { cases: 40, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&(head, body, any::<bool>()), |(head, body, crlf)| {
        let text = format!("{head}{body}");
        let text = if crlf { text.replace('\n', "\r\n") } else { text };
        // What containerd cannot read at all is refused by both.
        if dump(text.as_bytes()).status.success() || text.contains("version = 3") {
            judge(text.as_bytes(), &version, &text);
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[test]
fn apply_refuses_what_containerd_reads_otherwise() {
    let Some(version) = version() else { return };
    // A containerd that says something else than it was given.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let liar = folder.path().join("containerd");
    let script = format!(
        "#!/bin/sh\ncase $1 in --version) echo containerd x {version};; *) echo version = 2;; esac\n"
    );
    std::fs::write(&liar, script).expect("a script is written");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&liar, executable).expect("it is made executable");
    let tree = Tree::new(b"version = 2\n");
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap_or_default());
    let done =
        tree.command("apply", &version).arg("--verify").arg(tree.platform()).env("PATH", path).output();
    let done = done.expect("runtime-config runs");
    assert_eq!(done.status.code(), Some(1), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(tree.text(), b"version = 2\n");
}

/// Applies, lets containerd dump the outcome, undoes.
fn judge(text: &[u8], version: &str, name: &str) {
    let tree = Tree::new(text);
    let done = tree.run("apply", version, &["--verify"]);
    assert_eq!(done.status.code(), Some(0), "{name}: {}", String::from_utf8_lossy(&done.stderr));
    let wanted = tree.text();
    let dumped = String::from_utf8(dump(&wanted).stdout).expect("a dump is UTF-8");
    for line in [&format!("sandbox_image = \"{PAUSE}\""), "bin_dir = \"/opt/cni/bin\"", "version = 2"] {
        assert!(dumped.lines().any(|found| found.trim() == line), "{name}: no {line} in {dumped}");
    }
    let options: Vec<_> = dumped.lines().filter(|line| line.trim().starts_with("SystemdCgroup = ")).collect();
    assert!(!options.is_empty() && options.iter().all(|line| line.ends_with("true")), "{name}: {options:?}");
    assert!(!dumped.contains("disabled_plugins = [\"io.containerd.grpc.v1.cri\""), "{name}");
    let second = tree.run("apply", version, &[]);
    assert_eq!((second.status.code(), second.stdout.as_slice()), (Some(0), &b""[..]), "{name}");
    assert_eq!(tree.undo().status.code(), Some(0), "{name}");
    assert_eq!(tree.text(), text, "{name}");
}

/// An image tree with this configuration.
struct Tree(tempfile::TempDir);

impl Tree {
    fn new(text: &[u8]) -> Self {
        let tree = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir_all(tree.path().join("etc/containerd")).expect("folders are made");
        std::fs::write(tree.path().join(FILE), text).expect("a configuration is written");
        let platform = PLATFORM
            .replace("kubernetes: \"1.36.3\"", "kubernetes: \"1.35.2\"")
            .replace("\"2.3\"", "\"1.6\"");
        std::fs::write(tree.path().join("platform.yaml"), platform).expect("a document is written");
        Self(tree)
    }

    fn platform(&self) -> std::path::PathBuf {
        self.0.path().join("platform.yaml")
    }

    fn text(&self) -> Vec<u8> {
        std::fs::read(self.0.path().join(FILE)).expect("it is there")
    }

    fn command(&self, verb: &str, version: &str) -> Command {
        let mut command = Command::new(common::binary("runtime-config"));
        command.arg(verb).arg("--root").arg(self.0.path()).args([
            "--host",
            "w1",
            "--containerd-version",
            version,
        ]);
        command
    }

    fn run(&self, verb: &str, version: &str, more: &[&str]) -> Output {
        self.command(verb, version).args(more).arg(self.platform()).output().expect("runtime-config runs")
    }

    fn undo(&self) -> Output {
        let mut command = Command::new(common::binary("runtime-config"));
        command.arg("undo").arg("--root").arg(self.0.path()).args(["--host", "w1"]);
        command.output().expect("runtime-config runs")
    }
}

/// Files a containerd 2 may meet: of every version, and without any.
const FILES_OF_2: [&str; 7] = [
    "",
    "#   Copyright Docker Inc.\ndisabled_plugins = [\"cri\"]\n",
    "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\"]\n  sandbox_image = \"x\"\n  [plugins.\"io.containerd.grpc.v1.cri\".cni]\n    bin_dir = \"/usr/lib/cni\"\n",
    "version = 3\n[plugins.'io.containerd.cri.v1.runtime'.cni]\n  bin_dirs = ['/usr/lib/cni']\n[plugins.'io.containerd.cri.v1.images'.pinned_images]\n  sandbox = 'x' # ours\n",
    "version = 3\n[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]\n  SystemdCgroup = false\n",
    "version = 4\ndisabled_plugins = ['io.containerd.cri.v1.images', 'io.containerd.grpc.v1.cri']\n",
    "version = 5\r\n",
];

#[test]
fn containerd_2_reads_what_is_wanted() {
    let Some(program) = std::env::var_os("BAREPLANE_CONTAINERD2") else {
        common::skipped("BAREPLANE_CONTAINERD2 is not set");
        return;
    };
    let said = Command::new(&program).arg("--version").output().expect("containerd runs");
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let version = said.split_whitespace().nth(2).expect("it says its version").to_owned();
    for text in FILES_OF_2 {
        let tree = Tree::new(text.as_bytes());
        let done = tree.run("apply", &version, &[]);
        assert_eq!(done.status.code(), Some(0), "{text}: {}", String::from_utf8_lossy(&done.stderr));
        let dumped = dump_by(&program, &tree.text());
        let errors = String::from_utf8_lossy(&dumped.stderr).into_owned();
        assert!(dumped.status.success() && !errors.contains("Ignoring unknown key"), "{text}: {errors}");
        let dumped = String::from_utf8(dumped.stdout).expect("a dump is UTF-8");
        for line in [&format!("sandbox = '{PAUSE}'"), "SystemdCgroup = true", "disabled_plugins = []"] {
            assert!(dumped.lines().any(|found| found.trim() == line), "{text}: no {line} in {dumped}");
        }
        let bins: Vec<_> = dumped.lines().filter(|line| line.contains("bin_dir")).collect();
        assert!(bins.iter().any(|line| line.contains("/opt/cni/bin")), "{text}: {bins:?}");
    }
}

fn dump(text: &[u8]) -> Output {
    dump_by("containerd".as_ref(), text)
}

fn dump_by(program: &std::ffi::OsStr, text: &[u8]) -> Output {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("config.toml");
    std::fs::write(&file, text).expect("a configuration is written");
    Command::new(program).arg("-c").arg(file).args(["config", "dump"]).output().expect("containerd runs")
}

/// The version of the containerd here, if it is a 1.x.
fn version() -> Option<String> {
    let said = Command::new("containerd").arg("--version").output().ok();
    let said = said.map(|said| String::from_utf8_lossy(&said.stdout).into_owned()).unwrap_or_default();
    let version =
        said.split_whitespace().nth(2).map(str::to_owned).filter(|version| version.starts_with("1."));
    if version.is_none() {
        common::skipped("there is no containerd 1.x here");
    }
    version
}
