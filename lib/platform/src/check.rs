//! What the fields must be to each other.

mod balancing;
mod hosts;
pub(crate) mod networks;
mod versions;

use std::fmt::Display;

use document::{Node, Problem, Problems};

use crate::model::Platform;

/// The checks' view of the document: the model, and where its fields stand.
struct Checks<'a> {
    platform: &'a Platform,
    tree: &'a Node,
    problems: &'a Problems,
}

impl Checks<'_> {
    fn wrong(&self, path: impl Into<String>, message: impl Display) {
        self.note(path.into(), message.to_string(), None);
    }

    fn wrong_hint(&self, path: impl Into<String>, message: impl Display, hint: impl Display) {
        self.note(path.into(), message.to_string(), Some(hint.to_string()));
    }

    fn note(&self, path: String, message: String, hint: Option<String>) {
        let (line, column) = self.tree.locate(&path);
        self.problems.note(Problem { line, column, path, message, hint });
    }
}

/// Notes what does not fit together. `networks` says whether the networks
/// are judged too.
///
/// What counts hosts or misses one is only judged if every field could be
/// read: it would complain about what was merely misspelt.
pub(crate) fn check(platform: &Platform, tree: &Node, problems: &Problems, networks: bool) {
    let complete = problems.is_empty();
    let checks = Checks { platform, tree, problems };
    checks.unique();
    checks.named();
    checks.placed();
    checks.addressed();
    checks.priorities();
    checks.ports();
    checks.skew();
    if networks {
        checks.disjoint();
    }
    if complete {
        checks.counted();
        checks.balanced();
        checks.reachable();
        checks.families();
    }
}
