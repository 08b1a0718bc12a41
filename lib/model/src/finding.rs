//! Findings: what a check saw, what it wanted, and how to mend it.

use serde::{Deserialize, Serialize};

/// The outcome of one check on one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "record", rename = "finding")]
pub struct Finding {
    /// The command that looked.
    pub tool: String,
    /// What was looked at: a host, an object, a document.
    pub target: String,
    /// The check's stable identifier, lower case with hyphens.
    pub check: String,
    /// The outcome.
    pub status: Status,
    /// How much a failure matters.
    pub severity: Severity,
    /// The file concerned; null if the target is no file.
    pub file: Option<String>,
    /// The line in `file`, from 1; null if the finding is about the whole.
    pub line: Option<u32>,
    /// What is there now; null if nothing is or it is not known.
    pub current: Option<String>,
    /// What ought to be there; null if there is no single right value.
    pub want: Option<String>,
    /// Why it matters, in one sentence.
    pub why: String,
    /// What to do about it; null if nothing is to be done.
    pub fix: Option<String>,
    /// Where the rule comes from: a man page, RFC, issue; null if it is plain logic.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
}

/// Fills in what a finding is about, one after the other.
impl Finding {
    /// The file concerned.
    pub fn file(&mut self, path: impl Into<String>) -> &mut Self {
        self.file = Some(path.into());
        self
    }

    /// The line in it.
    pub fn line(&mut self, line: u32) -> &mut Self {
        self.line = Some(line);
        self
    }

    /// What is there.
    pub fn current(&mut self, current: impl Into<String>) -> &mut Self {
        self.current = Some(current.into());
        self
    }

    /// What ought to be there.
    pub fn want(&mut self, want: impl Into<String>) -> &mut Self {
        self.want = Some(want.into());
        self
    }

    /// What to do about it.
    pub fn fix(&mut self, fix: impl Into<String>) -> &mut Self {
        self.fix = Some(fix.into());
        self
    }

    /// Where the rule comes from.
    pub fn reference(&mut self, reference: impl Into<String>) -> &mut Self {
        self.reference = Some(reference.into());
        self
    }
}

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// As it should be.
    Pass,
    /// Works, but asks for trouble.
    Warn,
    /// Not as it should be.
    Fail,
    /// Could not be told; never counts as a pass.
    Unknown,
    /// The check has no meaning for this target.
    NotApplicable,
}

/// How much a failed check matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Mend it some day.
    Low,
    /// Mend it soon.
    Medium,
    /// Service suffers when something else breaks.
    High,
    /// Service suffers now.
    Critical,
}
