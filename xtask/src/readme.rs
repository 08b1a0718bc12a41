//! The table of commands in README.md.

use std::fmt::Write;
use std::fs;

use crate::workspace::Workspace;
use crate::{Report, Result, written};

const BEGIN: &str = "<!-- commands: written by `cargo xtask readme` -->\n";
const END: &str = "<!-- end of commands -->";

/// Writes the table between its marks.
pub(crate) fn write(workspace: &Workspace, check: bool) -> Result<Report> {
    let path = workspace.root.join("README.md");
    let now = fs::read_to_string(&path).map_err(|error| format!("reading README.md: {error}"))?;
    let (head, rest) = now.split_once(BEGIN).ok_or("README.md has no mark where the commands begin")?;
    let (_, tail) = rest.split_once(END).ok_or("README.md has no mark where the commands end")?;
    let text = format!("{head}{BEGIN}{}{END}{tail}", table(workspace));
    written::files(&workspace.root, &[("README.md".into(), text)], check, |_| false)
}

fn table(workspace: &Workspace) -> String {
    let mut text = String::new();
    let mut area = "";
    for tool in workspace.tools() {
        if tool.area() != area {
            area = tool.area();
            let _ = write!(text, "\n**{area}**\n\n| command | job | reads | writes |\n|---|---|---|---|\n");
        }
        let _ = writeln!(
            text,
            "| [{0}](man/{0}.1) | {1} | {2} | {3} |",
            tool.name,
            tool.description,
            tool.reads.join(", "),
            tool.writes.join(", ")
        );
    }
    format!("{text}\n")
}
