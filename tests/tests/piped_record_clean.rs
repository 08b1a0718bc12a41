//! record-clean between two pipes: what is read is out before more is waited
//! for, and a signal ends it with everything told.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

#[allow(dead_code, reason = "one command is enough here")]
mod common;

fn start(words: &[&str]) -> Child {
    let mut command = Command::new(common::binary("record-clean"));
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("a built command starts")
}

#[test]
fn a_row_is_out_before_the_next_is_waited_for_and_a_signal_loses_none() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bad = folder.path().join("bad.ndjson");
    let mut child = start(&["--rule", "require: [id]", "--reject", bad.to_str().expect("it is UTF-8")]);
    let mut input = child.stdin.take().expect("it is piped");
    let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
    input.write_all(b"{\"x\":1}\n{\"id\":1}\n{\"id\":").expect("it reads");
    let mut row = String::new();
    output.read_line(&mut row).expect("it writes");
    assert_eq!(row, "{\"id\":1}\n");
    let rejected = std::fs::read_to_string(&bad).expect("it is there");
    assert!(rejected.contains("\"line\":1") && rejected.ends_with('\n'), "{rejected}");
    let kill = Command::new("kill").arg(child.id().to_string()).status().expect("kill starts");
    assert!(kill.success());
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(3));
    let mut said = String::new();
    child.stderr.take().expect("it is piped").read_to_string(&mut said).expect("it is text");
    assert!(said.contains("2 in = 1 out + 0 filtered + 1 rejected"), "{said}");
    assert!(said.contains("interrupted by a signal"), "{said}");
}

#[test]
fn a_reader_that_leaves_ends_it_quietly() {
    let mut child = start(&["--rule", "trim: [a]"]);
    drop(child.stdout.take());
    let mut input = child.stdin.take().expect("it is piped");
    let rows = "{\"a\":\" x \"}\n".repeat(200_000);
    // It may leave before it has read all.
    let _ = input.write_all(rows.as_bytes());
    drop(input);
    let done = child.wait_with_output().expect("it ends");
    assert_eq!(done.status.code(), Some(0));
    assert!(!String::from_utf8_lossy(&done.stderr).contains("record-clean: writing"), "{done:?}");
}

#[test]
fn a_row_longer_than_any_memory_is_put_aside_by_its_beginning() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bad = folder.path().join("bad.ndjson");
    let mut child = start(&["--reject", bad.to_str().expect("it is UTF-8")]);
    let mut input = child.stdin.take().expect("it is piped");
    let long = "x".repeat(10 << 20);
    for _ in 0..2 {
        input.write_all(long.as_bytes()).expect("it reads");
    }
    input.write_all(format!("\n{{\"a\":\"{long}\"}}\n").as_bytes()).expect("it reads");
    drop(input);
    let done = child.wait_with_output().expect("it ends");
    assert_eq!((done.status.code(), done.stdout.len()), (Some(0), (10 << 20) + 9));
    let rejected = std::fs::read_to_string(&bad).expect("it is there");
    assert!(rejected.contains("longer than 16 MiB") && rejected.contains("\"row_bytes\":20971520"));
    assert!(rejected.len() < 3000, "{}", rejected.len());
}
