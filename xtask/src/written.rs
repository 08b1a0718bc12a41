//! Generated files: written, or compared with what stands there.

use std::fs;
use std::path::Path;

use crate::{Report, Result};

/// Writes the files that differ, or with `check` only names them; names files
/// of `folder` with this ending that nothing generates any more, too.
pub(crate) fn files(
    root: &Path,
    wanted: &[(String, String)],
    check: bool,
    stale: impl Fn(&str) -> bool,
) -> Result<Report> {
    let mut lines = Vec::new();
    for (path, content) in wanted {
        let file = root.join(path);
        if fs::read_to_string(&file).is_ok_and(|now| now == *content) {
            continue;
        }
        lines.push(if check { format!("{path}: out of date") } else { format!("{path}: written") });
        if !check {
            fs::write(&file, content).map_err(|error| format!("writing {path}: {error}"))?;
        }
    }
    let folder = wanted.first().and_then(|(path, _)| path.split_once('/')).map_or("", |(folder, _)| folder);
    for entry in fs::read_dir(root.join(folder)).into_iter().flatten().flatten() {
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if stale(&path) && !wanted.iter().any(|(wanted, _)| *wanted == path) {
            lines.push(format!("{path}: nothing generates it, remove it"));
        }
    }
    let well = lines.is_empty() || !check;
    if lines.is_empty() {
        lines.push("up to date".into());
    }
    Ok(Report { lines, well })
}
