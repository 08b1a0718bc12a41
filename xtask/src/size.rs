//! Sizes of the release build against their budgets.

use std::fs;

use crate::workspace::{Package, Workspace};
use crate::{Report, Result};

/// Bytes a stripped command may have: the dearest thing it links decides.
fn budget(tool: &Package) -> u64 {
    let uses = |name| tool.uses.iter().any(|used| used == name);
    let megabytes = match () {
        // gRPC, which brings HTTP/2, beside the HTTP of metrics.
        () if uses("etcd") => 5.5,
        () if uses("http") => 4.0,
        () if uses("probe") || uses("platform") => 2.0,
        () => 1.5,
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few million")]
    let bytes = (megabytes * 1e6) as u64;
    bytes
}

/// Lists every command's size; not well if one is over its budget.
pub(crate) fn check(workspace: &Workspace) -> Result<Report> {
    let mut report = Report { lines: Vec::new(), well: true };
    for tool in workspace.tools() {
        let binary = workspace.target.join("release").join(&tool.name);
        let bytes = fs::metadata(&binary)
            .map_err(|error| format!("{}: {error}; `cargo build --release` builds it", binary.display()))?
            .len();
        let budget = budget(tool);
        let verdict = if bytes > budget { "over" } else { "ok" };
        report.well &= bytes <= budget;
        report.lines.push(format!(
            "{:16} {:6} kB of {:6} kB  {verdict}",
            tool.name,
            bytes / 1000,
            budget / 1000
        ));
    }
    Ok(report)
}
