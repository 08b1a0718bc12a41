//! JSON Schemas of what each command reads and writes.
//!
//! A crate with record or document types has an example that prints their
//! schemas by name; a command's Cargo.toml names those it reads and writes.

use std::process::Command;

use serde_json::{Map, Value, json};

use crate::workspace::Workspace;
use crate::{Report, Result, written};

/// Crates whose example `schemas` prints schemas.
const SOURCES: [&str; 3] = ["model", "pipeline", "platform"];

/// Writes `schemas/TOOL.in.json` and `schemas/TOOL.out.json` for every command,
/// and a file of its own for every document people write.
pub(crate) fn write(workspace: &Workspace, check: bool) -> Result<Report> {
    let mut known = Map::new();
    let mut files = Vec::new();
    for source in SOURCES.iter().filter(|source| workspace.packages.iter().any(|p| p.name == **source)) {
        let schemas = printed_by(source)?;
        if *source != "model" {
            files.extend(
                schemas.iter().map(|(name, schema)| (format!("schemas/{name}.json"), pretty(schema))),
            );
        }
        known.extend(schemas);
    }
    for tool in workspace.tools() {
        for (side, names) in [("in", &tool.reads), ("out", &tool.writes)] {
            let schema = union(&format!("{} {side}", tool.name), names, &known).map_err(|name| {
                format!("{}: no record `{name}`; add it to its crate's schemas", tool.name)
            })?;
            files.push((format!("schemas/{}.{side}.json", tool.name), pretty(&schema)));
        }
    }
    written::files(&workspace.root, &files, check, |_| true)
}

fn printed_by(package: &str) -> Result<Map<String, Value>> {
    let done = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--package", package, "--features", "schema", "--example", "schemas"])
        .output()
        .map_err(|error| format!("running cargo: {error}"))?;
    serde_json::from_slice(&done.stdout)
        .map_err(|error| format!("schemas of {package}: {error}: {}", String::from_utf8_lossy(&done.stderr)))
}

/// One of these records a line. `text` stands for foreign text, `any` for a user's own data.
fn union(title: &str, names: &[String], known: &Map<String, Value>) -> std::result::Result<Value, String> {
    let mut alternatives = Vec::new();
    for name in names {
        let mut schema = match name.as_str() {
            "text" => json!({"title": "text", "type": "string"}),
            "any" => json!({"title": "any"}),
            record => known.get(record).cloned().ok_or(record)?,
        };
        if let Some(fields) = schema.as_object_mut() {
            fields.remove("$schema");
        }
        alternatives.push(schema);
    }
    let draft = "https://json-schema.org/draft/2020-12/schema";
    Ok(match alternatives.len() {
        0 => json!({"$schema": draft, "title": title, "description": "nothing", "not": {}}),
        1 => {
            let mut schema = alternatives.remove(0);
            if let Some(fields) = schema.as_object_mut() {
                fields.insert("$schema".into(), draft.into());
            }
            schema
        }
        _ => {
            // References are meant from the root of each: give every alternative its own.
            for (schema, name) in alternatives.iter_mut().zip(names) {
                if let Some(fields) = schema.as_object_mut() {
                    fields.insert("$id".into(), format!("urn:bareplane:{name}").into());
                }
            }
            // Anything is a record as well.
            let how = if names.iter().any(|name| name == "any") { "anyOf" } else { "oneOf" };
            json!({"$schema": draft, "title": title, how: alternatives})
        }
    })
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}
