//! Every command's recorded runs: `tools/*/*/tests/cmd/*.toml`.
//!
//! A recorded run is arguments and input, output, messages and status. The
//! runs are the commands' specification. `TRYCMD=overwrite` rewrites
//! them: read the diff as you would read code.

use std::path::{Path, PathBuf};

mod common;

#[test]
fn recorded_runs_hold() {
    let root = common::root();
    let cases = trycmd::TestCases::new();
    for tool in common::tools() {
        cases.register_bin(tool.name.clone(), trycmd::schema::Bin::Path(common::binary(&tool.name)));
        cases.case(tool.path.join("tests/cmd/*.toml"));
    }
    cases.env("TZ", "UTC").env("FIXTURES", root.join("tests/fixtures").display().to_string());
    cases.run();
}

/// Commands that answer only with a broker or a database: stories tell their yes and their no.
const TOLD_BY_STORIES: [(&str, &str); 6] = [
    ("dag-watch", "streaming/dag-watch-faults.sh"),
    ("kafka-relay", "streaming/kafka-relay-killed.sh"),
    ("kafka-lag", "streaming/kafka-lag.sh"),
    ("kafka-topics", "streaming/kafka-topics.sh"),
    ("nosql-put", "streaming/nosql-put-redis.sh"),
    ("warehouse-load", "streaming/warehouse-load-killed.sh"),
];

#[test]
fn every_command_has_a_yes_a_no_and_an_invalid() {
    let mut missing = Vec::new();
    for tool in common::tools() {
        let story = TOLD_BY_STORIES.iter().find(|(name, _)| *name == tool.name);
        if let Some((_, story)) = story {
            let story = common::root().join("tests/e2e").join(story);
            assert!(story.exists(), "{}: no story {}", tool.name, story.display());
        }
        let statuses = statuses(&tool.path);
        for wanted in [0, 1, 2] {
            if !statuses.contains(&wanted) && (story.is_none() || wanted == 2) {
                missing.push(format!("{}: no recorded run with status {wanted}", tool.name));
            }
        }
    }
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}

/// The statuses of a tool's recorded runs.
fn statuses(tool: &Path) -> Vec<i32> {
    let cases = std::fs::read_dir(tool.join("tests/cmd")).into_iter().flatten().flatten();
    let tomls =
        cases.map(|case| case.path()).filter(|path: &PathBuf| path.extension().is_some_and(|e| e == "toml"));
    tomls
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let status = text.lines().find_map(|line| line.strip_prefix("status.code = "));
            status.and_then(|code| code.trim().parse().ok()).unwrap_or(0)
        })
        .collect()
}
