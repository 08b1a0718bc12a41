//! What lb-render renders, judged by `haproxy -c` and `keepalived -t` themselves.
//!
//! keepalived wants the interface it is told of, so it runs in a network
//! namespace of its own that has one.

use std::path::Path;
use std::process::{Command, Output};

#[allow(dead_code, reason = "one command is enough here")]
mod common;

const EXAMPLE: &str = include_str!("../fixtures/examples/platform.yaml");

const CIDRS: (&str, &str) = ("node_cidrs: [10.77.0.0/24]", "node_cidrs: [10.77.0.0/24, \"fd77::/64\"]");
const FIRST: (&str, &str) = ("ip: 10.77.0.11}", "ip: 10.77.0.11, ip6: \"fd77::11\"}");
const SECOND: (&str, &str) = ("ip: 10.77.0.12}", "ip: 10.77.0.12, ip6: \"fd77::12\"}");

#[test]
fn ipv4_is_accepted() {
    accepted(&[]);
}

#[test]
fn ipv6_is_accepted() {
    accepted(&[CIDRS, FIRST, SECOND, ("vips: [10.77.0.100]", "vips: [\"fd77::100\"]")]);
}

#[test]
fn both_families_are_accepted() {
    accepted(&[CIDRS, FIRST, SECOND, ("vips: [10.77.0.100]", "vips: [10.77.0.100, \"fd77::100\"]")]);
}

#[test]
fn three_balancers_are_accepted() {
    accepted(&[("  - {name: cp1", "  - {name: lb3, roles: [lb], ip: 10.77.0.13}\n  - {name: cp1")]);
}

#[test]
fn script_mode_is_accepted() {
    accepted(&[("  interface: eth0", "  interface: eth0\n  check: {mode: script, interval_ms: 1000}")]);
}

#[test]
fn short_adverts_and_preemption_are_accepted() {
    accepted(&[("advert_ms: 100", "advert_ms: 30\n  preempt: true")]);
}

#[test]
fn the_judges_can_refuse() {
    if missing() {
        return;
    }
    let folder = folder(&[]);
    let broken = render(folder.path(), "lb1", "haproxy").replace("balance leastconn", "balance nonsense");
    assert_ne!(judged(folder.path(), "haproxy", &broken).status.code(), Some(0));
    let broken = render(folder.path(), "lb1", "keepalived").replace("advert_int 0.1", "advert_int nonsense");
    assert_ne!(judged(folder.path(), "keepalived", &broken).status.code(), Some(0));
}

/// Asserts that both daemons accept what every balancer of a document gets.
fn accepted(changes: &[(&str, &str)]) {
    if missing() {
        return;
    }
    let folder = folder(changes);
    let document =
        std::fs::read_to_string(folder.path().join("platform.yaml")).expect("the document was written");
    for node in ["lb1", "lb2", "lb3"].into_iter().filter(|node| document.contains(&format!("name: {node}"))) {
        for kind in ["haproxy", "keepalived"] {
            let judged = judged(folder.path(), kind, &render(folder.path(), node, kind));
            let said = [judged.stdout, judged.stderr].concat();
            assert_eq!(judged.status.code(), Some(0), "{kind} of {node}: {}", String::from_utf8_lossy(&said));
        }
    }
}

/// Whether the daemons are not installed; CI has to have them.
fn missing() -> bool {
    let lacks = |name: &str| !Path::new("/usr/sbin").join(name).exists();
    let missing: Vec<_> = ["haproxy", "keepalived"].into_iter().filter(|name| lacks(name)).collect();
    assert!(missing.is_empty() || std::env::var_os("CI").is_none(), "{missing:?} must be installed in CI");
    for name in &missing {
        #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
        {
            eprintln!("SKIPPED: {name} is not installed");
        }
    }
    !missing.is_empty()
}

/// A folder with the changed example, a CA and a stand-in for ha-vipcheck.
fn folder(changes: &[(&str, &str)]) -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name);
    let document = changes.iter().fold(EXAMPLE.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "the example has no `{from}`");
        text.replace(from, to)
    });
    let ca = format!("  vrid: 51\n  ca_file: {}", at("ca.crt").display());
    std::fs::write(at("platform.yaml"), document.replace("  vrid: 51", &ca)).expect("a document is written");
    std::fs::create_dir_all(at("run/haproxy")).expect("a folder is made");
    std::fs::write(at("ha-vipcheck"), "#!/bin/sh\n").expect("a script is written");
    std::fs::set_permissions(at("ha-vipcheck"), std::fs::Permissions::from_mode(0o755))
        .expect("it is made executable");
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", "/CN=ca", "-keyout", "/dev/null", "-out"])
        .arg(at("ca.crt"))
        .output()
        .expect("openssl is installed");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    folder
}

/// What lb-render prints.
fn render(folder: &Path, node: &str, kind: &str) -> String {
    let rendered = Command::new(common::binary("lb-render"))
        .args(["--node", node, "--file", kind, "--tools-dir"])
        .arg(folder)
        .arg("--run-dir")
        .arg(folder.join("run"))
        .arg(folder.join("platform.yaml"))
        .output()
        .expect("lb-render starts");
    assert!(rendered.status.success(), "{}", String::from_utf8_lossy(&rendered.stderr));
    String::from_utf8(rendered.stdout).expect("a configuration is text")
}

/// What the daemon itself says about its configuration.
fn judged(folder: &Path, kind: &str, text: &str) -> Output {
    let file = folder.join(format!("{kind}.conf"));
    std::fs::write(&file, text).expect("a file is written");
    let script = match kind {
        "haproxy" => "exec haproxy -c -f \"$1\"",
        _ => "ip link add eth0 type veth peer name eth1 && exec keepalived -t -f \"$1\"",
    };
    Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", "sh", "-c", script, "sh"])
        .arg(file)
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .output()
        .expect("unshare starts")
}
