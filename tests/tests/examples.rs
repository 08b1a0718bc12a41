//! The examples of help, man pages and README are run.
//!
//! A ```` ```console ```` block holds prompts (`$ …`) and what they print. Each
//! prompt is given to bash in a folder with the example documents, built
//! commands first on the PATH; standard output and error must match, `[..]` and
//! `...` standing for what may differ.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

mod common;

#[test]
fn examples_print_what_they_show() {
    let root = common::root();
    let mut sources: Vec<PathBuf> =
        common::tools().iter().map(|tool| tool.path.join("src/main.rs")).collect();
    sources.extend(["README.md", "CONTRIBUTING.md"].map(|name| root.join(name)));
    let mut wrong = String::new();
    let mut run = 0;
    for source in sources.iter().filter(|source| source.exists()) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        copy(&root.join("tests/fixtures/examples"), folder.path());
        let text = std::fs::read_to_string(source).expect("sources are readable");
        for block in blocks(&text) {
            run += 1;
            let actual = replay(&block, folder.path());
            let expected = snapbox::Data::text(block.clone());
            if let Err(difference) = snapbox::Assert::new().normalize_paths(false).try_eq(
                None,
                snapbox::Data::text(actual),
                expected,
            ) {
                let _ = writeln!(wrong, "{}:\n{difference}", source.display());
            }
        }
    }
    assert!(run > 0, "no examples found");
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// The console blocks of a Markdown text or of a source's header.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines =
        text.lines().map(|line| line.strip_prefix("//!").map_or(line, |l| l.strip_prefix(' ').unwrap_or(l)));
    while let Some(line) = lines.next() {
        if line == "```console" {
            blocks.push(lines.by_ref().take_while(|line| *line != "```").map(|l| format!("{l}\n")).collect());
        }
    }
    blocks
}

/// The block as it comes out when its prompts are really run.
fn replay(block: &str, folder: &Path) -> String {
    let path = format!("{}:{}", common::bin_dir().display(), std::env::var("PATH").unwrap_or_default());
    let mut actual = String::new();
    for line in block.lines() {
        let Some(command) = line.strip_prefix("$ ") else { continue };
        let done = Command::new("bash")
            .args(["-c", &format!("exec 2>&1; {command}")])
            .current_dir(folder)
            .env("PATH", &path)
            .env("TZ", "UTC")
            .output()
            .expect("bash starts");
        let _ = write!(actual, "{line}\n{}", String::from_utf8_lossy(&done.stdout));
    }
    actual
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).into_iter().flatten().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir_all(&target).expect("a folder can be made");
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a file can be copied");
        }
    }
}
