//! The contract of `man/bareplane.7`, held by every command alike.

use std::fs::{File, OpenOptions};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

mod common;

fn run(name: &str, words: &[&str]) -> Output {
    Command::new(common::binary(name))
        .args(words)
        .stdin(Stdio::null())
        .output()
        .expect("a built command starts")
}

/// Applies a check to every command and tells all that break it.
fn every(check: impl Fn(&common::Tool) -> Result<(), String>) {
    let wrong: Vec<_> = common::tools()
        .iter()
        .filter_map(|tool| check(tool).err().map(|why| format!("{}: {why}", tool.name)))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn expect(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.into()) }
}

#[test]
fn wrong_usage_is_invalid_told_in_one_line_with_a_hint() {
    every(|tool| {
        let done = run(&tool.name, &["--no-such-option-anywhere"]);
        let messages = String::from_utf8_lossy(&done.stderr);
        let lines: Vec<_> = messages.lines().collect();
        expect(done.status.code() == Some(2), "status is not 2")?;
        expect(done.stdout.is_empty(), "something on standard output")?;
        expect(lines.len() == 2, "not one message and one hint")?;
        expect(
            lines[0].starts_with(&format!("{}: reading arguments: ", tool.name)),
            "the message has another form",
        )?;
        expect(lines[1].starts_with("hint: "), "no hint")
    });
}

#[test]
fn messages_are_json_on_request() {
    every(|tool| {
        let done = run(&tool.name, &["--log", "json", "--no-such-option-anywhere"]);
        let message: serde_json::Value =
            serde_json::from_slice(&done.stderr).map_err(|error| error.to_string())?;
        expect(message["tool"] == tool.name.as_str() && message["level"] == "error", "fields are missing")
    });
}

#[test]
fn help_shows_examples_and_statuses_and_both_sides_have_a_schema() {
    every(|tool| {
        let help = run(&tool.name, &["--help"]);
        let text = String::from_utf8_lossy(&help.stdout);
        expect(help.status.success() && text.contains("Exit status:"), "--help does not tell the statuses")?;
        expect(text.contains("Examples:\n  $ "), "--help shows no example")?;
        for side in ["in", "out"] {
            let schema = run(&tool.name, &["--schema", side]);
            let schema: serde_json::Value =
                serde_json::from_slice(&schema.stdout).map_err(|e| e.to_string())?;
            expect(schema.is_object(), "a schema is a stub: `cargo xtask schemas`")?;
        }
        Ok(())
    });
}

#[test]
fn completions_and_man_page_are_generated() {
    every(|tool| {
        for what in ["man", "bash", "zsh", "fish"] {
            let done = run(&tool.name, &["--generate", what]);
            expect(done.status.success() && done.stdout.len() > 200, what)?;
        }
        Ok(())
    });
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    every(|tool| {
        let mut child = Command::new(common::binary(&tool.name))
            .arg("--help")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        drop(child.stdout.take());
        let done = child.wait_with_output().map_err(|error| error.to_string())?;
        expect(done.status.code() == Some(0), "the status changed")?;
        expect(done.stderr.is_empty(), "it complained")
    });
}

#[test]
fn a_full_disk_is_told_and_worth_another_try() {
    every(|tool| {
        let full = OpenOptions::new().write(true).open("/dev/full").map_err(|error| error.to_string())?;
        let done = Command::new(common::binary(&tool.name))
            .arg("--version")
            .stdout(full)
            .stderr(Stdio::piped())
            .output()
            .map_err(|error| error.to_string())?;
        let message = String::from_utf8_lossy(&done.stderr);
        expect(done.status.code() == Some(3), "status is not 3")?;
        expect(message.contains("writing standard output: No space left"), "the message does not say so")
    });
}

#[test]
fn an_answer_already_reached_survives_the_reader() {
    let done = Command::new("bash")
        .args(["-c", "set -o pipefail; \"$1\" -- sh -c 'seq 100000; exit 1' | head -1", "bash"])
        .arg(common::binary("retry"))
        .output()
        .expect("bash starts");
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    assert_eq!(done.stdout, b"1\n");
    assert!(done.stderr.is_empty());
}

#[test]
fn a_signal_reaches_the_command_being_retried_and_its_status_is_passed_on() {
    let started = Instant::now();
    let mut child = Command::new(common::binary("retry"))
        .args(["--", "sleep", "60"])
        .stdout(File::create("/dev/null").expect("the null device"))
        .spawn()
        .expect("retry starts");
    std::thread::sleep(Duration::from_millis(300));
    let kill = Command::new("kill").arg(child.id().to_string()).status().expect("kill starts");
    assert!(kill.success());
    let status = child.wait().expect("retry ends");
    assert_eq!((status.code(), status.signal()), (Some(143), None));
    assert!(started.elapsed() < Duration::from_secs(10));
}
