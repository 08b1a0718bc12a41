//! The project's own chores.
//!
//! ```sh
//! $ cargo xtask man              # write man/*.1 from the built commands
//! $ cargo xtask schemas          # write schemas/*.json from lib/model
//! $ cargo xtask readme           # write the table of commands into README.md
//! $ cargo xtask man --check      # each of these: answer 1 if a file would change
//! $ cargo xtask floors           # who may use whom, and what every crate must have
//! $ cargo xtask new AREA TOOL    # a new command that passes
//! $ cargo xtask size             # stripped sizes against their budgets
//! ```

mod floors;
mod man;
mod new;
mod readme;
mod schemas;
mod size;
mod workspace;
mod written;

use std::io::Write;
use std::process::ExitCode;

use workspace::Workspace;

/// What a chore found: lines to print, and whether all is well.
struct Report {
    lines: Vec<String>,
    well: bool,
}

type Result<T> = std::result::Result<T, String>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match chore(&words) {
        Ok(report) => {
            let text: String = report.lines.iter().map(|line| format!("{line}\n")).collect();
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::from(u8::from(!report.well))
        }
        Err(why) => {
            let _ = writeln!(std::io::stderr(), "xtask: {why}");
            ExitCode::from(2)
        }
    }
}

fn chore(words: &[&str]) -> Result<Report> {
    let check = words.get(1) == Some(&"--check");
    let workspace = Workspace::load()?;
    match words {
        ["man"] | ["man", "--check"] => man::write(&workspace, check),
        ["schemas"] | ["schemas", "--check"] => schemas::write(&workspace, check),
        ["readme"] | ["readme", "--check"] => readme::write(&workspace, check),
        ["floors"] => Ok(floors::check(&workspace)),
        ["size"] => size::check(&workspace),
        ["new", area, tool] => new::create(&workspace, area, tool),
        _ => Err("use: man|schemas|readme [--check], floors, size, new AREA TOOL".into()),
    }
}
