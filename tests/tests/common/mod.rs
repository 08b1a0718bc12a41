//! Where the project and its built commands are.

use std::path::{Path, PathBuf};

/// One command of the project.
#[derive(Debug)]
pub(crate) struct Tool {
    /// Its name, as typed.
    pub(crate) name: String,
    /// Its crate's folder.
    #[allow(dead_code, reason = "not every test file looks into it")]
    pub(crate) path: PathBuf,
}

/// The project's root folder: where cargo runs this test, which need not be
/// where it was compiled, since checkouts may share a target folder.
pub(crate) fn root() -> PathBuf {
    let tests = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests");
    Path::new(&tests).join("..").canonicalize().expect("the project's root exists")
}

/// All commands, by name.
pub(crate) fn tools() -> Vec<Tool> {
    let areas = std::fs::read_dir(root().join("tools")).expect("the folder of tools exists");
    let mut tools: Vec<_> = areas
        .flatten()
        .flat_map(|area| std::fs::read_dir(area.path()).into_iter().flatten().flatten())
        .filter(|tool| tool.path().join("Cargo.toml").exists())
        .map(|tool| Tool { name: tool.file_name().to_string_lossy().into_owned(), path: tool.path() })
        .collect();
    tools.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(!tools.is_empty(), "no tools found");
    tools
}

/// The folder of built commands: where this test's own binary was built.
pub(crate) fn bin_dir() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a binary");
    // target/debug/deps/recorded-… → target/debug
    test.ancestors().nth(2).expect("tests are built below target").to_owned()
}

/// A built command.
#[allow(dead_code, reason = "not every test file starts commands by path")]
pub(crate) fn binary(name: &str) -> PathBuf {
    let path = bin_dir().join(name);
    assert!(path.exists(), "{} is not built: run `cargo build --workspace` first", path.display());
    path
}

/// A judge or its data is missing: the test is passed over, and says so. With
/// CI set that is a failure, but for the corpus, which not every machine has.
#[allow(dead_code, reason = "not every test file has a judge")]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
pub(crate) fn skipped(why: &str) {
    assert!(std::env::var_os("CI").is_none() || why.starts_with("BAREPLANE_CORPUS"), "{why}");
    eprintln!("SKIPPED: {why}");
}
