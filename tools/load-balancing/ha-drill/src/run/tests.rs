//! Whole runs against a server that is down while a file exists.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;

use probe::{Target, Trust};
use process::Stop;
use tempfile::TempDir;

use super::*;
use crate::holder::Node;

/// Serves while the file `broken` is not there.
fn server(dir: &Path) -> Target {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/livez", listener.local_addr().unwrap());
    let broken = dir.join("broken");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            if !broken.exists() {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            }
        }
    });
    Target::new(&url, &Trust::Insecure, None).unwrap()
}

fn shell(script: &str, dir: &Path) -> Vec<String> {
    ["sh", "-c", script, "sh", &dir.display().to_string()].map(str::to_owned).to_vec()
}

/// A drill whose node `lb1` holds the address.
fn drill(dir: &TempDir, inject: &str, heal: &str) -> Drill {
    let dir = dir.path();
    let addresses = r#"[{"addr_info":[{"local":"127.0.0.1"}]}]"#;
    let ask = ["echo", addresses].map(str::to_owned).to_vec();
    let lab: Lab = serde_json::from_str(r#"{"nodes":{"lb1":["env"]}}"#).unwrap();
    Drill {
        scenario: "custom".into(),
        commands: Commands { prepare: None, inject: Some(shell(inject, dir)), heal: Some(shell(heal, dir)) },
        lab,
        node: None,
        health: Health {
            target: server(dir),
            expect: vec![200],
            deadline: Duration::from_millis(200),
            vip: "127.0.0.1".parse().unwrap(),
            nodes: vec![Node { name: "lb1".into(), ask }],
            ready: None,
        },
        curfew: Curfew { stop: Stop::on_signals().unwrap(), at: Instant::now() + Duration::from_mins(1) },
        settle: Duration::from_secs(5),
        pace: Pace { rate: 50, deadline: Duration::from_millis(200), expect: vec![200] },
        at: Duration::from_millis(300),
        duration: Duration::from_millis(1500),
        sample: Duration::from_millis(50),
        long_lived: 0,
        stress: 0,
    }
}

const BREAK: &str = r#"touch "$1/broken""#;
const HEAL: &str = r#"rm -f "$1/broken""#;

#[test]
fn what_breaks_is_measured_and_healed() {
    let dir = tempfile::tempdir().unwrap();
    let down_for_half_a_second = r#"touch "$1/broken"; (sleep 0.5; rm -f "$1/broken") >/dev/null 2>&1 &"#;
    let outcome = drill(&dir, down_for_half_a_second, HEAL).once(1);
    let (run, samples) = outcome.figures.unwrap();
    assert!((400.0..900.0).contains(&run.outage_ms), "{run:?}");
    assert!(run.recover_ms.is_some() && run.errors.contains_key("eof"), "{run:?}");
    assert_eq!(run.failed_before, 0);
    assert_eq!((run.moves, run.duplicate_ms), (Some(0), Some(0.0)));
    assert_eq!(run.holders_before, Some(vec!["lb1".to_owned()]));
    assert_eq!(samples.len() as u64, run.requests);
    assert_eq!(outcome.healed, Ok(()));
}

#[test]
fn what_stays_broken_is_healed_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let outcome = drill(&dir, BREAK, HEAL).once(1);
    let (run, _) = outcome.figures.unwrap();
    assert_eq!(run.recover_ms, None);
    assert!(run.outage_ms > 1000.0, "{run:?}");
    assert!(run.healed && !dir.path().join("broken").exists());
}

#[test]
fn healing_that_does_not_help_is_found_out() {
    let dir = tempfile::tempdir().unwrap();
    let mut drill = drill(&dir, BREAK, "true");
    drill.settle = Duration::from_secs(2);
    let outcome = drill.once(1);
    assert!(!outcome.figures.unwrap().0.healed);
    assert!(outcome.healed.unwrap_err().contains("bad: eof"));
}

#[test]
fn a_fault_that_half_succeeds_is_healed_too() {
    let dir = tempfile::tempdir().unwrap();
    let outcome = drill(&dir, r#"touch "$1/broken"; echo no such unit >&2; exit 5"#, HEAL).once(1);
    assert!(
        matches!(&outcome.figures, Err(Trouble::NotInjected(why)) if why.ends_with("status 5: no such unit"))
    );
    assert_eq!(outcome.healed, Ok(()));
}

#[test]
fn when_time_is_up_it_heals_and_ends() {
    let dir = tempfile::tempdir().unwrap();
    let mut drill = drill(&dir, BREAK, HEAL);
    drill.duration = Duration::from_mins(1);
    drill.curfew.at = Instant::now() + Duration::from_millis(2500);
    let outcome = drill.once(1);
    assert_eq!(outcome.figures.unwrap_err(), Trouble::Interrupted);
    assert_eq!(outcome.healed, Ok(()));
    assert!(!dir.path().join("broken").exists());
}

#[test]
fn nothing_is_broken_while_all_is_not_well() {
    let dir = tempfile::tempdir().unwrap();
    let mut drill = drill(&dir, r#"touch "$1/injected""#, HEAL);
    drill.health.nodes[0].ask = ["echo", "[]"].map(str::to_owned).to_vec();
    drill.settle = Duration::from_secs(2);
    let outcome = drill.once(1);
    assert_eq!(outcome.figures.unwrap_err(), Trouble::Unsettled("0 nodes hold 127.0.0.1, not one".into()));
    assert!(!dir.path().join("injected").exists());
}
