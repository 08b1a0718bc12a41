//! What came of a command on a host.

use serde::{Deserialize, Serialize};

/// What came of a command, a script or a copy on one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "record", rename = "ssh-result")]
pub struct SshResult {
    /// The host.
    pub host: String,
    /// Why it is not done; null if it is.
    pub error: Option<SshError>,
    /// The command's status as the far shell counts it; null if it did not end by itself.
    pub rc: Option<i32>,
    /// The signal that ended the command, by the shell's way to count (128 + N); null if none did.
    pub signal: Option<i32>,
    /// Whether its time was up.
    pub timed_out: bool,
    /// Whether no session came about: the command never ran.
    pub unreachable: bool,
    /// How long it took, all tries together, milliseconds.
    pub elapsed_ms: u64,
    /// How often it was tried; 0 if it was never its turn.
    pub tries: u32,
    /// Whether `copy` wrote anything there; null for commands, or if unknown.
    pub changed: Option<bool>,
    /// What the command printed; null if that is no UTF-8, went elsewhere, or it never ran.
    pub stdout: Option<String>,
    /// The same in base64 where it is no UTF-8; else null.
    pub stdout_base64: Option<String>,
    /// What it complained of; what is no UTF-8 in it is replaced. Null if it never ran.
    pub stderr: Option<String>,
    /// Whether the middle of its output was left out.
    pub truncated: bool,
    /// What ssh itself said; null if nothing.
    pub reason: Option<String>,
}

/// Why a host is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SshError {
    /// Nobody listens there.
    Refused,
    /// Nobody answers, no route leads there, or its name is unknown.
    Unreachable,
    /// Its key is unknown, or another one than known.
    HostKey,
    /// It does not let us in.
    Auth,
    /// It hung up before the session began.
    HungUp,
    /// The connection was lost in the middle: what the command did is unknown.
    Dropped,
    /// Its time was up; ssh was ended, the command may still run.
    Timeout,
    /// The command failed; `rc` says how.
    HostFailed,
    /// What it printed could not be kept whole, as was asked.
    Output,
    /// ssh could not be started, or failed in a way not known.
    Ssh,
    /// Not its turn before too many had failed, or before the whole was ended.
    Skipped,
}
