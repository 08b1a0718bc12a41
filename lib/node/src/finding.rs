//! Findings as they are made, and what is wanted with them.

use change::Wanted;
use model::{Finding, Severity, Status};

use crate::{TOOL, Want};

/// A finding, and whether what is wanted makes it go away.
#[derive(Clone, Debug)]
pub struct Judged {
    /// What was found.
    pub finding: Finding,
    /// Whether the changes that are wanted mend it.
    pub mended: bool,
}

/// What an area is like, and what is wanted of it.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was found, passes as well.
    pub findings: Vec<Judged>,
    /// What has to be made so, files before settings.
    pub wanted: Vec<Wanted>,
    target: String,
}

impl Report {
    pub(crate) fn new(want: &Want) -> Self {
        Self { findings: Vec::new(), wanted: Vec::new(), target: want.host.name.clone() }
    }

    /// It is as it should be.
    pub(crate) fn pass(&mut self, check: &str, why: impl Into<String>) -> &mut Finding {
        self.add(check, Status::Pass, Severity::Info, why.into(), false)
    }

    /// It means nothing here.
    pub(crate) fn not_applicable(&mut self, check: &str, why: impl Into<String>) -> &mut Finding {
        self.add(check, Status::NotApplicable, Severity::Info, why.into(), false)
    }

    /// It is wrong, and what is wanted mends it.
    pub(crate) fn mends(&mut self, check: &str, why: impl Into<String>) -> &mut Finding {
        self.add(check, Status::Fail, Severity::High, why.into(), true).fix("`node-prep apply`")
    }

    /// It is wrong, and somebody has to do something.
    pub(crate) fn fails(&mut self, check: &str, why: impl Into<String>) -> &mut Finding {
        self.add(check, Status::Fail, Severity::High, why.into(), false)
    }

    /// It works, but asks for trouble.
    pub(crate) fn warns(&mut self, check: &str, why: impl Into<String>) -> &mut Finding {
        self.add(check, Status::Warn, Severity::Medium, why.into(), false)
    }

    /// It cannot be told.
    pub(crate) fn unknown(&mut self, check: &str, why: impl Into<String>) -> &mut Finding {
        self.add(check, Status::Unknown, Severity::Medium, why.into(), false)
    }

    fn add(
        &mut self,
        check: &str,
        status: Status,
        severity: Severity,
        why: String,
        mended: bool,
    ) -> &mut Finding {
        let finding = Finding {
            tool: TOOL.into(),
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

/// Fills in what a finding is about, one after the other.
pub(crate) trait About {
    fn file(&mut self, path: &str) -> &mut Self;
    fn line(&mut self, line: u32) -> &mut Self;
    fn current(&mut self, current: impl Into<String>) -> &mut Self;
    fn want(&mut self, want: impl Into<String>) -> &mut Self;
    fn fix(&mut self, fix: impl Into<String>) -> &mut Self;
    fn reference(&mut self, reference: &str) -> &mut Self;
}

impl About for Finding {
    fn file(&mut self, path: &str) -> &mut Self {
        self.file = Some(path.into());
        self
    }

    fn line(&mut self, line: u32) -> &mut Self {
        self.line = Some(line);
        self
    }

    fn current(&mut self, current: impl Into<String>) -> &mut Self {
        self.current = Some(current.into());
        self
    }

    fn want(&mut self, want: impl Into<String>) -> &mut Self {
        self.want = Some(want.into());
        self
    }

    fn fix(&mut self, fix: impl Into<String>) -> &mut Self {
        self.fix = Some(fix.into());
        self
    }

    fn reference(&mut self, reference: &str) -> &mut Self {
        self.reference = Some(reference.into());
        self
    }
}
