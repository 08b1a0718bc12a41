//! The shape of a rule.

use model::{Severity, Status};

/// What is wrong, why that matters, and how to mend it.
pub(super) struct Rule {
    pub(super) check: &'static str,
    pub(super) status: Status,
    pub(super) severity: Severity,
    pub(super) want: &'static str,
    pub(super) why: &'static str,
    pub(super) fix: &'static str,
    /// A man page, an RFC, an issue; empty if it is plain logic.
    pub(super) reference: &'static str,
}

/// A rule whose breach loses the service when something else fails.
pub(super) const fn fail(check: &'static str, severity: Severity, texts: [&'static str; 4]) -> Rule {
    rule(check, Status::Fail, severity, texts)
}

/// A rule whose breach makes a fault longer or harder to see.
pub(super) const fn warn(check: &'static str, severity: Severity, texts: [&'static str; 4]) -> Rule {
    rule(check, Status::Warn, severity, texts)
}

const fn rule(check: &'static str, status: Status, severity: Severity, texts: [&'static str; 4]) -> Rule {
    let [want, why, fix, reference] = texts;
    Rule { check, status, severity, want, why, fix, reference }
}
