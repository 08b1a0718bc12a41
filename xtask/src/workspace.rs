//! What `cargo metadata` knows of the project.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::Result;

/// The crates of the project.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) packages: Vec<Package>,
}

/// One crate.
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) folder: PathBuf,
    /// Its floor, from `[package.metadata.bareplane]`; none for tests and xtask.
    pub(crate) floor: Option<u64>,
    /// Names of the crates it uses, those for tests left out.
    pub(crate) uses: Vec<String>,
    pub(crate) has_lib: bool,
    /// Records it reads and writes; for commands.
    pub(crate) reads: Vec<String>,
    pub(crate) writes: Vec<String>,
}

impl Workspace {
    pub(crate) fn load() -> Result<Self> {
        let done = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version=1", "--no-deps"])
            .output()
            .map_err(|error| format!("running cargo metadata: {error}"))?;
        let metadata: Value = serde_json::from_slice(&done.stdout).map_err(|error| {
            format!("reading cargo metadata: {error}: {}", String::from_utf8_lossy(&done.stderr))
        })?;
        let mut packages: Vec<_> = list(&metadata["packages"]).iter().map(Package::from).collect();
        packages.sort_by(|a, b| a.folder.cmp(&b.folder));
        Ok(Self {
            root: path(&metadata["workspace_root"]),
            target: path(&metadata["target_directory"]),
            packages,
        })
    }

    /// The commands, by area, then name.
    pub(crate) fn tools(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.is_tool())
    }

    /// The debug build of a command.
    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.target.join("debug").join(name)
    }
}

impl Package {
    pub(crate) fn is_tool(&self) -> bool {
        self.floor == Some(4)
    }

    /// The chapter of the job a command belongs to.
    pub(crate) fn area(&self) -> &str {
        let area = self.folder.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        area.unwrap_or_default()
    }
}

impl From<&Value> for Package {
    fn from(package: &Value) -> Self {
        let ours = &package["metadata"]["bareplane"];
        let uses = list(&package["dependencies"]).iter().filter(|dependency| dependency["kind"].is_null());
        let targets = list(&package["targets"]);
        let kinds = targets.iter().flat_map(|target| list(&target["kind"]));
        let mut folder = path(&package["manifest_path"]);
        folder.pop();
        Self {
            name: text(&package["name"]),
            description: text(&package["description"]),
            folder,
            floor: ours["floor"].as_u64(),
            uses: uses.map(|dependency| text(&dependency["name"])).collect(),
            has_lib: kinds.into_iter().any(|kind| kind == "lib"),
            reads: list(&ours["reads"]).iter().map(text).collect(),
            writes: list(&ours["writes"]).iter().map(text).collect(),
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn path(value: &Value) -> PathBuf {
    PathBuf::from(text(value))
}
