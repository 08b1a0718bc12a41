//! What kubeadm-init and kubeadm-join render, judged by kubeadm itself.
//!
//! `BAREPLANE_KUBEADM` names the real one (scripts/lib/oracles.sh builds it).
//! Every document has to be valid, and an init and a join have to run dry with it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[allow(dead_code, reason = "commands by path are enough here")]
mod common;

const PLATFORM: &str = include_str!("../fixtures/examples/platform.yaml");
/// The cluster a dry run of join invents (kubeadm, app/util/apiclient/dryrun.go) lets in this token,
const TOKEN: &str = "abcdef.abcdef0123456789";
/// and has this CA.
const PIN: &str = "sha256:3b793efefe27a19f93b0fbe6e637e9c41d0dde8a377d6ab1c0f656bf1136dd8a";

/// Platforms that differ in what their documents say: a name, and what is replaced.
const KINDS: [(&str, &[(&str, &str)]); 9] = [
    ("as it is", &[]),
    (
        "one control plane",
        &[
            (
                "  - {name: cp2, roles: [control-plane, etcd], ip: 10.77.0.22, bmc: {address: 10.78.0.22}, labels: {zone: b}}\n",
                "",
            ),
            (
                "  - {name: cp3, roles: [control-plane, etcd], ip: 10.77.0.23, bmc: {address: 10.78.0.23}, labels: {zone: c}}\n",
                "",
            ),
        ],
    ),
    (
        "etcd apart",
        &[
            ("roles: [control-plane, etcd]", "roles: [control-plane]"),
            ("endpoints:\n", "  - {name: e1, roles: [etcd], ip: 10.77.0.41}\nendpoints:\n"),
        ],
    ),
    ("control planes that work", &[("roles: [control-plane, etcd]", "roles: [control-plane, etcd, worker]")]),
    ("swap", &[("  kubernetes:", "  swap: limited-swap\n  kubernetes:")]),
    ("another port", &[("  vrid: 51", "  port: 8443\n  vrid: 51")]),
    ("narrow nodes", &[("  pod_cidr:", "  node_mask: 26\n  pod_cidr:")]),
    (
        "both families",
        &[
            ("  node_cidrs: [10.77.0.0/24]", "  node_cidrs: [10.77.0.0/24, 'fd77::/64']"),
            (
                "  pod_cidr:",
                "  pod_cidr6: 'fd00:10:244::/56'\n  service_cidr6: 'fd00:10:96::/112'\n  pod_cidr:",
            ),
            ("ip: 10.77.0.", "ip6: 'fd77::XX', ip: 10.77.0."),
        ],
    ),
    ("the oldest minor", &[("1.36.3", "1.35.0")]),
];

fn kubeadm() -> Option<PathBuf> {
    let found = std::env::var_os("BAREPLANE_KUBEADM").map(PathBuf::from).filter(|path| path.exists());
    if found.is_none() {
        common::skipped("BAREPLANE_KUBEADM names no kubeadm");
    }
    found
}

/// A platform of this kind; `XX` becomes the last part of a host's own address.
fn platform(changes: &[(&str, &str)]) -> String {
    let text = changes.iter().fold(PLATFORM.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    let own = |line: &str| {
        let last =
            line.split("10.77.0.").nth(1).and_then(|rest| rest.split(['}', ',']).next()).unwrap_or_default();
        line.replace("XX", last)
    };
    text.lines().map(own).collect::<Vec<_>>().join("\n") + "\n"
}

fn ours(name: &str, words: &[&str], folder: &Path) -> String {
    let done =
        Command::new(common::binary(name)).args(words).current_dir(folder).output().expect("it starts");
    assert!(done.status.success(), "{name} {words:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).expect("a document is text")
}

/// Runs the real one; a dry run leaves its files in a folder of its own.
fn theirs(kubeadm: &Path, words: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(kubeadm);
    let left = tempfile::tempdir().expect("a folder");
    command.args(words).current_dir(folder);
    command.env("KUBEADM_INIT_DRYRUN_DIR", left.path()).env("KUBEADM_JOIN_DRYRUN_DIR", left.path());
    command.output().expect("kubeadm starts")
}

fn folder(kind: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("platform.yaml"), platform(kind)).expect("it is written");
    let known = serde_json::json!({
        "endpoint": "10.77.0.100:6443", "ca_cert_hash": PIN, "token": TOKEN, "token_expires": null,
        "certificate_key": "ab".repeat(32), "certificate_key_expires": null,
    });
    std::fs::write(folder.path().join("credentials.json"), known.to_string()).expect("it is written");
    folder
}

/// What was blanked for eyes, put back.
fn whole(document: &str) -> String {
    document.replace("abcdef.****************", TOKEN).replace(&"*".repeat(64), &"ab".repeat(32))
}

#[test]
fn kubeadm_takes_every_document() {
    let Some(kubeadm) = kubeadm() else { return };
    let mut judged = 0;
    for (kind, changes) in KINDS {
        let folder = folder(changes);
        for version in ["v1beta4", "v1beta3"] {
            let init = ours(
                "kubeadm-init",
                &["render", "--host", "cp1", "--config-version", version, "platform.yaml"],
                folder.path(),
            );
            let mut documents = vec![("cp1", init)];
            let joining = if kind == "one control plane" { &["w1"][..] } else { &["cp2", "w1"] };
            for host in joining {
                let words = [
                    "render",
                    "--host",
                    host,
                    "--config-version",
                    version,
                    "--credentials",
                    "credentials.json",
                    "platform.yaml",
                ];
                documents.push((host, whole(&ours("kubeadm-join", &words, folder.path()))));
            }
            for (host, document) in documents {
                std::fs::write(folder.path().join("kubeadm.yaml"), &document).expect("it is written");
                let done =
                    theirs(&kubeadm, &["config", "validate", "--config", "kubeadm.yaml"], folder.path());
                let said = String::from_utf8_lossy(&done.stderr);
                assert!(
                    done.status.success() && !said.contains("unknown field"),
                    "{kind}, {version}, {host}: {said}\n{document}"
                );
                judged += 1;
            }
        }
    }
    assert_eq!(judged, 2 * (3 * KINDS.len() - 1));
}

#[test]
fn an_init_and_both_joins_run_dry() {
    let Some(kubeadm) = kubeadm() else { return };
    for (kind, changes) in
        KINDS.iter().filter(|(kind, _)| ["as it is", "both families", "swap"].contains(kind))
    {
        let folder = folder(changes);
        let init = ours("kubeadm-init", &["render", "--host", "cp1", "platform.yaml"], folder.path());
        std::fs::write(folder.path().join("kubeadm.yaml"), init).expect("it is written");
        let words = ["--dry-run", "--config", "kubeadm.yaml", "--ignore-preflight-errors=all"];
        let run = |verb: &str| {
            let done = theirs(&kubeadm, &[&[verb], &words[..]].concat(), folder.path());
            let said = String::from_utf8_lossy(&done.stderr).into_owned();
            assert!(done.status.success(), "{kind}, {verb}: {said}");
            String::from_utf8_lossy(&done.stdout).into_owned()
        };
        let said = run("init");
        assert!(said.contains("kubeadm join 10.77.0.100:6443"), "{kind}: {said}");
        let manifest = said.contains("--advertise-address=10.77.0.21");
        assert!(manifest, "{kind}: the API server advertises another address");
        // That the dry run succeeds is all it tells of a join.
        for host in ["w1", "cp2"] {
            let words = ["render", "--host", host, "--credentials", "credentials.json", "platform.yaml"];
            let join = whole(&ours("kubeadm-join", &words, folder.path()));
            std::fs::write(folder.path().join("kubeadm.yaml"), join).expect("it is written");
            run("join");
        }
    }
}
