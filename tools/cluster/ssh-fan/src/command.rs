//! A command or a script, the same on every host but for the host's own values.

use std::path::Path;
use std::sync::Arc;

use cli::{Error, Input, Out};
use model::{HostEntry, SshError, SshResult};
use serde_json::Value;

use crate::fan::Errand;
use crate::remote;
use crate::session::Task;

/// The most a command is fed.
const INPUT_BYTES: u64 = 256 << 20;

/// The errand.
#[derive(Debug)]
pub(crate) struct Command {
    words: Vec<String>,
    /// Whether the words are a line of shell rather than words.
    raw: bool,
    input: Arc<Vec<u8>>,
    /// Whether the records it prints are passed on.
    records: bool,
}

impl Command {
    /// A command, each word as it is.
    pub(crate) fn new(
        words: &[String],
        raw: bool,
        input: Option<&Input>,
        records: bool,
    ) -> cli::Result<Self> {
        let input = input.map_or_else(|| Ok(Vec::new()), |input| input.read(INPUT_BYTES))?;
        Ok(Self { words: words.to_vec(), raw, input: Arc::new(input), records })
    }

    /// A script, read by the interpreter its first line names.
    pub(crate) fn script(file: &Input, arguments: &[String], records: bool) -> cli::Result<Self> {
        let script = file.read(INPUT_BYTES)?;
        let first = script.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let mut words = interpreter(&String::from_utf8_lossy(first)).ok_or_else(|| {
            Error::invalid(format!("reading {file}"), "no interpreter that reads a script from its input")
        })?;
        words.extend(arguments.iter().cloned());
        Ok(Self { words, raw: false, input: Arc::new(script), records })
    }

    /// Whether every host has the values the words ask for.
    pub(crate) fn check(&self, hosts: &[HostEntry]) -> cli::Result<()> {
        let lacks: Vec<_> = hosts.iter().filter_map(|host| self.line(host).err()).collect();
        if lacks.is_empty() { Ok(()) } else { Err(Error::invalid_all("filling in the command", lacks)) }
    }

    fn line(&self, host: &HostEntry) -> Result<String, String> {
        if self.raw {
            return Ok(self.words.join(" "));
        }
        let words =
            self.words.iter().map(|word| remote::filled(word, host).map(|word| remote::quoted(&word)));
        Ok(words.collect::<Result<Vec<_>, _>>()?.join(" "))
    }
}

impl Errand for Command {
    fn first(&mut self, host: &HostEntry) -> Task {
        // `check` has seen every host.
        Task { command: self.line(host).unwrap_or_default(), input: Arc::clone(&self.input) }
    }

    fn next(&mut self, _host: &HostEntry, result: &mut SshResult) -> Option<Task> {
        if self.records && result.truncated {
            result.error = Some(SshError::Output);
            result.reason = Some("it printed more than --limit-output lets through".into());
        }
        None
    }

    fn tell(&mut self, result: &SshResult, out: &mut Out) -> cli::Result<()> {
        if !self.records {
            return out.emit(result);
        }
        for line in result.stdout.as_deref().unwrap_or_default().lines() {
            match tagged(line, &result.host) {
                Some(record) => out.emit(&record)?,
                None => cli::warn(format!("{}: {line}", result.host)),
            }
        }
        for line in result.stderr.as_deref().unwrap_or_default().lines() {
            cli::warn(format!("{}: {line}", result.host));
        }
        out.emit(&SshResult { stdout: None, stderr: None, ..result.clone() })
    }
}

/// A record with the host it comes from as its second field; `None` if the line is none.
fn tagged(line: &str, host: &str) -> Option<Value> {
    let Ok(Value::Object(fields)) = serde_json::from_str(line) else { return None };
    let kind = fields.get("record")?.clone();
    let mut tagged = serde_json::Map::new();
    tagged.insert("record".into(), kind);
    tagged.insert("host".into(), host.into());
    for (name, value) in fields {
        tagged.entry(name).or_insert(value);
    }
    Some(Value::Object(tagged))
}

/// The words that start what a script's first line names, reading from its input.
fn interpreter(first: &str) -> Option<Vec<String>> {
    let Some(line) = first.strip_prefix("#!") else {
        return Some(vec!["sh".into(), "-s".into(), "--".into()]);
    };
    let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let name = words
        .iter()
        .map(|word| Path::new(word).file_name().unwrap_or_default().to_string_lossy())
        .find(|word| word != "env" && !word.starts_with('-'))?;
    match name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.') {
        "sh" | "bash" | "dash" | "ksh" | "zsh" => words.extend(["-s".into(), "--".into()]),
        "python" | "perl" | "ruby" => words.push("-".into()),
        _ => return None,
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_read_by_what_its_first_line_names() {
        let words = |line| interpreter(line).unwrap_or_default().join(" ");
        assert_eq!(words("echo hi"), "sh -s --");
        assert_eq!(words("#!/bin/bash -eu"), "/bin/bash -eu -s --");
        assert_eq!(words("#!/usr/bin/env python3.11"), "/usr/bin/env python3.11 -");
        assert_eq!(interpreter("#!/usr/bin/awk -f"), None);
    }

    #[test]
    fn a_record_says_which_host_it_comes_from() {
        let tagged = tagged(r#"{"record":"change","target":"a"}"#, "cp1").unwrap();
        assert_eq!(tagged.to_string(), r#"{"record":"change","host":"cp1","target":"a"}"#);
        assert_eq!(super::tagged("[1]", "cp1"), None);
        assert_eq!(super::tagged("hello", "cp1"), None);
    }
}
