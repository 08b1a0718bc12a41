//! Man pages, printed by the commands themselves.

use std::process::Command;

use crate::workspace::Workspace;
use crate::{Report, Result, written};

/// Writes `man/TOOL.1` for every command.
pub(crate) fn write(workspace: &Workspace, check: bool) -> Result<Report> {
    let mut pages = Vec::new();
    for tool in workspace.tools() {
        let binary = workspace.binary(&tool.name);
        let done = Command::new(&binary).args(["--generate", "man"]).output().map_err(|error| {
            format!("running {}: {error}; `cargo build --workspace` builds it", binary.display())
        })?;
        if !done.status.success() {
            return Err(format!("{} --generate man: {}", tool.name, String::from_utf8_lossy(&done.stderr)));
        }
        pages.push((format!("man/{}.1", tool.name), String::from_utf8_lossy(&done.stdout).into_owned()));
    }
    written::files(&workspace.root, &pages, check, |path| {
        std::path::Path::new(path).extension().is_some_and(|ending| ending == "1")
    })
}
