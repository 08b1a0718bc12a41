//! One ssh for one host.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;
use model::{HostEntry, SshError, SshResult};
use process::{End, Job, Kept, Outcome, Sink};

use crate::judge;
use crate::options::Reach;
use crate::remote;

/// What every session of this run has in common.
#[derive(Debug)]
pub(crate) struct Sessions<'a> {
    pub(crate) reach: &'a Reach,
    /// A private directory for what ssh itself says.
    pub(crate) logs: &'a Path,
    /// How much of each stream is kept, bytes.
    pub(crate) limit_output: usize,
}

/// What shall run on a host.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    /// A line for its shell.
    pub(crate) command: String,
    /// What the command reads.
    pub(crate) input: Arc<Vec<u8>>,
}

impl Sessions<'_> {
    /// The ssh that runs a task on the host of this number, for at most `timeout`.
    pub(crate) fn job(
        &self,
        number: usize,
        host: &HostEntry,
        task: &Task,
        timeout: Duration,
    ) -> io::Result<Job> {
        let mut command = Command::new(&self.reach.ssh);
        command.args(self.reach.arguments());
        command.arg("-E").arg(self.log(number));
        let _ = fs::remove_file(self.log(number));
        if let Some(file) = &self.reach.ssh_config {
            command.arg("-F").arg(file).arg("--").arg(&host.name);
        } else {
            command.arg("-p").arg(host.ssh.port.to_string());
            command.args(host.ssh.user.iter().flat_map(|user| ["-l", user]));
            command.args(host.ssh.key.iter().flat_map(|key| ["-i", key]));
            command.arg("--").arg(address(host));
        }
        let limit_s = timeout.as_secs().saturating_add(2);
        command.arg(remote::line(&task.command, self.reach.become_root, limit_s));
        let sink = |ending: &str| match &self.reach.output_dir {
            Some(directory) => {
                File::create(directory.join(format!(".{}.{ending}.part", host.name))).map(Sink::File)
            }
            None => Ok(Sink::Keep(self.limit_output)),
        };
        Ok(Job {
            command,
            input: Arc::clone(&task.input),
            timeout,
            stdout: sink("out")?,
            stderr: sink("err")?,
        })
    }

    /// What came of it.
    pub(crate) fn result(&self, number: usize, host: &HostEntry, outcome: Outcome) -> SshResult {
        let log = fs::read_to_string(self.log(number)).unwrap_or_default();
        let rc = match outcome.end {
            Some(End::Code(code)) => Some(code),
            _ => None,
        };
        let error = match outcome.end {
            _ if outcome.failure.is_some() => Some(SshError::Output),
            None => Some(SshError::Skipped),
            Some(End::TimedOut) => Some(SshError::Timeout),
            Some(End::Signal(_)) => Some(SshError::Ssh),
            Some(End::Code(255)) if judge::was_cut(&outcome.stderr) => Some(SshError::Dropped),
            Some(End::Code(255)) => Some(judge::failure(&log).unwrap_or(SshError::HostFailed)),
            Some(End::Code(0)) => None,
            Some(End::Code(_)) => Some(SshError::HostFailed),
        };
        let ran = error.is_none_or(|error| !judge::is_before_the_command(error));
        // 255 with a word from ssh is ssh's own.
        let rc = rc.filter(|_| matches!(error, None | Some(SshError::HostFailed)));
        let truncated = outcome.stdout.left_out_bytes + outcome.stderr.left_out_bytes > 0;
        let (stdout, stdout_base64) = text(outcome.stdout);
        let kept = ran && self.reach.output_dir.is_none();
        SshResult {
            host: host.name.clone(),
            error,
            rc,
            signal: rc.filter(|rc| (129..=192).contains(rc)).map(|rc| rc - 128),
            timed_out: error == Some(SshError::Timeout),
            unreachable: !ran,
            elapsed_ms: u64::try_from(outcome.elapsed.as_millis()).unwrap_or(u64::MAX),
            tries: 1,
            changed: None,
            stdout: stdout.filter(|_| kept),
            stdout_base64: stdout_base64.filter(|_| kept),
            stderr: kept.then(|| String::from_utf8_lossy(&outcome.stderr.into_bytes()).into_owned()),
            truncated,
            reason: reason(&log, error).or_else(|| outcome.failure.map(|failure| failure.to_string())),
        }
    }

    fn log(&self, number: usize) -> PathBuf {
        self.logs.join(number.to_string())
    }
}

/// Where to find a host whose ssh configuration says nothing of it.
pub(crate) fn address(host: &HostEntry) -> String {
    let ip = host.ip.map(|ip| ip.to_string()).or(host.ip6.map(|ip| ip.to_string()));
    ip.unwrap_or_else(|| host.name.clone())
}

/// Output as text, or in base64 where it is none.
fn text(kept: Kept) -> (Option<String>, Option<String>) {
    match String::from_utf8(kept.into_bytes()) {
        Ok(text) => (Some(text), None),
        Err(binary) => (None, Some(BASE64.encode(binary.as_bytes()))),
    }
}

/// What ssh said, on one line, where it matters.
fn reason(log: &str, error: Option<SshError>) -> Option<String> {
    let lines = log.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('@'));
    // Of the dozen lines about a key only these say which, and where the other one is.
    let key = ["Offending", "key is known", "verification failed"];
    let lines: Vec<_> = lines
        .filter(|line| error != Some(SshError::HostKey) || key.iter().any(|words| line.contains(words)))
        .collect();
    let wanted = !lines.is_empty() && !matches!(error, None | Some(SshError::HostFailed));
    wanted.then(|| lines.join("; "))
}

/// The record of a host whose turn never came.
pub(crate) fn skipped(host: &HostEntry) -> SshResult {
    SshResult {
        host: host.name.clone(),
        error: Some(SshError::Skipped),
        rc: None,
        signal: None,
        timed_out: false,
        unreachable: false,
        elapsed_ms: 0,
        tries: 0,
        changed: None,
        stdout: None,
        stdout_base64: None,
        stderr: None,
        truncated: false,
        reason: None,
    }
}
