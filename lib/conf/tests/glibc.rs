//! Tables of hosts, judged by glibc: which addresses a name has.
//!
//! glibc reads one path, so the table is bound over /etc/hosts in a mount
//! namespace; without root that cannot be done.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use conf::hosts::Hosts;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// Names that are asked for.
const NAMES: [&str; 4] = ["alpha", "beta", "Gamma", "alpha.example"];

/// A line as people write them.
const LINE: &str = "([ \t]{0,2}(#|# |10\\.0\\.0\\.[1-4]|10\\.0\\.0\\.300|010\\.0\\.0\\.1|10\\.0\\.1|::2|x)([ \t\x0b]{1,2}(alpha|ALPHA|beta|gamma|alpha\\.example|#beta|b#eta|al\\\\pha)){0,4}[ \t]{0,1}(# c)?)?(\r\n|\n)";

#[test]
fn glibc_finds_the_same_addresses() {
    if !able() {
        return;
    }
    let tables = proptest::collection::vec(LINE, 0..8).prop_map(|lines| lines.concat());
    let mut runner = TestRunner::new(Config { cases: 60, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&(tables, any::<bool>()), |(text, cut)| {
        let text = if cut { text.trim_end_matches(['\r', '\n']).to_owned() } else { text };
        // glibc 2.36 passes over a last line that begins with a blank and ends without a newline.
        let last = text.rsplit('\n').next().unwrap_or_default();
        prop_assume!(!last.starts_with([' ', '\t']));
        let entries: Vec<_> = Hosts::new(text.as_bytes()).entries().collect();
        let found = asked(&text);
        for (name, found) in NAMES.iter().zip(found) {
            let named =
                entries.iter().filter(|entry| entry.names.iter().any(|own| own.eq_ignore_ascii_case(name)));
            let ours: BTreeSet<String> = named
                .map(|entry| entry.address.to_string())
                .filter(|a| a.parse::<Ipv4Addr>().is_ok())
                .collect();
            prop_assert_eq!(ours, found, "{} in {:?}", name, text);
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

/// What glibc finds for each name: IPv4 addresses.
fn asked(table: &str) -> Vec<BTreeSet<String>> {
    let path = std::env::temp_dir().join(format!("hosts-test-{}", std::process::id()));
    std::fs::write(&path, table).expect("a table is written");
    let script = "mount --bind \"$0\" /etc/hosts && for name; do echo \"= $name\"; getent -s hosts:files ahostsv4 \"$name\"; done; true";
    let said = Command::new("unshare")
        .args(["-m", "sh", "-c", script])
        .arg(&path)
        .args(NAMES)
        .output()
        .expect("it runs");
    let _ = std::fs::remove_file(&path);
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    let parts = text.split("= ").skip(1);
    let first = |line: &str| line.split_whitespace().next().map(str::to_owned);
    parts.map(|part| part.lines().skip(1).filter_map(first).collect()).collect()
}

/// Whether a table can be shown to glibc here.
fn able() -> bool {
    let able = Path::new("/usr/bin/getent").exists() && {
        let found = asked("10.0.0.9 alpha\n");
        found.first().is_some_and(|addresses| addresses.contains("10.0.0.9"))
    };
    assert!(able || std::env::var_os("CI").is_none(), "no table can be bound over /etc/hosts here");
    able
}
