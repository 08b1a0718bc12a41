//! A new command: a crate, its first recorded runs, its man page; all pass.

use std::fs;

use crate::workspace::Workspace;
use crate::{Report, Result};

/// Writes the skeleton of `tools/AREA/TOOL`.
pub(crate) fn create(workspace: &Workspace, area: &str, tool: &str) -> Result<Report> {
    let valid = |name: &str| {
        let lower =
            name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        lower && name.starts_with(|first: char| first.is_ascii_lowercase())
    };
    if !valid(area) || !valid(tool) {
        return Err("names are lower case with hyphens: cargo xtask new cluster net-plan".into());
    }
    let folder = workspace.root.join("tools").join(area).join(tool);
    if folder.exists() {
        return Err(format!("{} exists", folder.display()));
    }
    let files = [
        ("Cargo.toml", include_str!("../templates/Cargo.toml")),
        ("src/main.rs", include_str!("../templates/main.rs")),
        ("tests/cmd/found.toml", include_str!("../templates/found.toml")),
        ("tests/cmd/not-found.toml", include_str!("../templates/not-found.toml")),
        ("tests/cmd/not-text.toml", include_str!("../templates/not-text.toml")),
    ];
    let mut lines = Vec::new();
    for (name, template) in files {
        let path = folder.join(name);
        put(&path, &template.replace("{{tool}}", tool))?;
        lines.push(format!("tools/{area}/{tool}/{name}"));
    }
    for side in ["in", "out"] {
        let path = format!("schemas/{tool}.{side}.json");
        put(&workspace.root.join(&path), "true\n")?;
        lines.push(path);
    }
    lines.push(
        "next: cargo build --workspace && cargo xtask schemas && cargo xtask man && cargo xtask readme"
            .into(),
    );
    Ok(Report { lines, well: true })
}

fn put(path: &std::path::Path, content: &str) -> Result<()> {
    let say = |error| format!("writing {}: {error}", path.display());
    path.parent().map_or(Ok(()), fs::create_dir_all).map_err(say)?;
    fs::write(path, content).map_err(say)
}
