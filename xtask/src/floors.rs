//! Who may use whom, and what every crate must have.

use std::fs;
use std::path::Path;

use crate::Report;
use crate::workspace::{Package, Workspace};

/// Foreign crates that have one home.
const HOMES: [(&str, &[&str]); 19] = [
    ("reqwest", &["http"]),
    ("rusqlite", &["database"]),
    ("tokio-postgres", &["database"]),
    ("mysql_async", &["database"]),
    ("flate2", &["database"]),
    ("rdkafka", &["kafka"]),
    ("rustls", &["probe", "http", "x509", "database"]),
    ("x509-parser", &["x509"]),
    ("saphyr-parser", &["document", "yaml-splice"]),
    ("toml_edit", &["runtime-config"]),
    ("memchr", &["ndjson"]),
    ("jiff", &["record-clean"]),
    ("parquet", &["lake"]),
    ("regex", &["pipeline", "record-clean"]),
    ("foldhash", &["window"]),
    ("jaq-core", &["jq"]),
    ("jaq-json", &["jq"]),
    ("jaq-std", &["jq"]),
    ("jsonschema", &["record-clean"]),
];

/// Lists every breach of the house's rules.
pub(crate) fn check(workspace: &Workspace) -> Report {
    let mut breaches = Vec::new();
    for package in &workspace.packages {
        let mut say = |what: String| breaches.push(format!("{}: {what}", package.name));
        floor(package, workspace, &mut say);
        if package.name != "kafka"
            && package.name != "xtask"
            && holds(&package.folder.join("src"), "(unsafe_code")
        {
            say("has unsafe code, which only kafka may, where it speaks C".into());
        }
        if package.is_tool() {
            tool(package, workspace, &mut say);
        } else if package.floor.is_some() && !opens_with_header(&package.folder.join("src/lib.rs")) {
            say("src/lib.rs has no `//!` header".into());
        }
    }
    let well = breaches.is_empty();
    if well {
        breaches.push(format!("{} crates keep to their floors", workspace.packages.len()));
    }
    Report { lines: breaches, well }
}

/// A crate uses only crates on floors below its own; foreign crates stay in their homes.
fn floor(package: &Package, workspace: &Workspace, say: &mut impl FnMut(String)) {
    let outside = ["xtask", "bareplane-tests"].contains(&package.name.as_str());
    let Some(floor) = package.floor else {
        if !outside {
            say("no floor in [package.metadata.bareplane]".into());
        }
        return;
    };
    for used in &package.uses {
        let ours = workspace.packages.iter().find(|p| p.name == *used && p.floor.is_some());
        if let Some(below) = ours.and_then(|p| p.floor)
            && below >= floor
        {
            say(format!("floor {floor}, but uses {used} on floor {below}"));
        }
        if (used == "cli" || used == "clap") && floor < 4 && package.name != "cli" {
            say(format!("uses {used}, which is for commands"));
        }
        for (foreign, homes) in HOMES {
            if used == foreign && !homes.contains(&package.name.as_str()) {
                say(format!("uses {foreign}, which lives in {}", homes.join(" or ")));
            }
        }
    }
}

/// A command has a one-line job, a header, a man page, recorded runs, and no library.
fn tool(package: &Package, workspace: &Workspace, say: &mut impl FnMut(String)) {
    if package.description.is_empty() {
        say("no description".into());
    }
    if package.description.contains(" and ") {
        say("its description has an \"and\": is it one job?".into());
    }
    if package.has_lib {
        say("has a library target; what others need belongs in lib/".into());
    }
    if !opens_with_header(&package.folder.join("src/main.rs")) {
        say("src/main.rs has no `//!` header".into());
    }
    if !workspace.root.join("man").join(format!("{}.1", package.name)).exists() {
        say("no man page: `cargo xtask man`".into());
    }
    let runs = fs::read_dir(package.folder.join("tests/cmd")).into_iter().flatten().flatten();
    let runs = runs.filter(|run| run.path().extension().is_some_and(|ending| ending == "toml")).count();
    if runs < 3 {
        say(format!("{runs} recorded runs in tests/cmd; at least a yes, a no and an invalid"));
    }
}

/// Whether a source below the folder has the words.
fn holds(folder: &Path, words: &str) -> bool {
    fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| {
        let path = entry.path();
        path.is_dir() && holds(&path, words)
            || fs::read_to_string(&path).is_ok_and(|text| text.contains(words))
    })
}

fn opens_with_header(source: &Path) -> bool {
    fs::read_to_string(source).is_ok_and(|text| text.starts_with("//!"))
}
