//! Findings as they are made, and what is wanted with them.

use model::{Finding, Severity, Status};

use crate::Wanted;

/// A finding, and whether what is wanted makes it go away.
#[derive(Clone, Debug)]
pub struct Judged {
    /// What was found.
    pub finding: Finding,
    /// Whether the changes that are wanted mend it.
    pub mended: bool,
}

/// What something is like, and what is wanted of it.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was found, passes as well.
    pub findings: Vec<Judged>,
    /// What has to be made so, files before settings.
    pub wanted: Vec<Wanted>,
    tool: String,
    target: String,
}

impl Report {
    /// Nothing found yet by this command on this host.
    pub fn new(tool: impl Into<String>, target: impl Into<String>) -> Self {
        Self { findings: Vec::new(), wanted: Vec::new(), tool: tool.into(), target: target.into() }
    }

    /// What another report of the same command found and wants comes after this one's.
    pub fn add(&mut self, other: Self) {
        self.findings.extend(other.findings);
        self.wanted.extend(other.wanted);
    }

    /// Whether something fails or cannot be told.
    pub fn is_bad(&self) -> bool {
        self.findings.iter().any(|judged| matches!(judged.finding.status, Status::Fail | Status::Unknown))
    }

    /// What fails and no change mends.
    pub fn left(&self) -> impl Iterator<Item = &Finding> {
        let left = self.findings.iter().filter(|judged| !judged.mended).map(|judged| &judged.finding);
        left.filter(|finding| finding.status == Status::Fail)
    }

    /// It is as it should be.
    pub fn pass(&mut self, check: &str, why: impl Into<String>) -> &mut Finding {
        self.found(check, Status::Pass, Severity::Info, why.into(), false)
    }

    /// It means nothing here.
    pub fn not_applicable(&mut self, check: &str, why: impl Into<String>) -> &mut Finding {
        self.found(check, Status::NotApplicable, Severity::Info, why.into(), false)
    }

    /// It is wrong, and what is wanted mends it.
    pub fn mends(&mut self, check: &str, why: impl Into<String>) -> &mut Finding {
        let fix = format!("`{} apply`", self.tool);
        self.found(check, Status::Fail, Severity::High, why.into(), true).fix(fix)
    }

    /// It is wrong, and somebody has to do something.
    pub fn fails(&mut self, check: &str, why: impl Into<String>) -> &mut Finding {
        self.found(check, Status::Fail, Severity::High, why.into(), false)
    }

    /// It works, but asks for trouble.
    pub fn warns(&mut self, check: &str, why: impl Into<String>) -> &mut Finding {
        self.found(check, Status::Warn, Severity::Medium, why.into(), false)
    }

    /// It cannot be told.
    pub fn unknown(&mut self, check: &str, why: impl Into<String>) -> &mut Finding {
        self.found(check, Status::Unknown, Severity::Medium, why.into(), false)
    }

    fn found(
        &mut self,
        check: &str,
        status: Status,
        severity: Severity,
        why: String,
        mended: bool,
    ) -> &mut Finding {
        let finding = Finding {
            tool: self.tool.clone(),
            target: self.target.clone(),
            check: check.into(),
            status,
            severity,
            file: None,
            line: None,
            current: None,
            want: None,
            why,
            fix: None,
            reference: None,
        };
        let at = self.findings.len();
        self.findings.push(Judged { finding, mended });
        &mut self.findings[at].finding
    }
}
