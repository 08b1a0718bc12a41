//! Where the document comes from.

use std::env;
use std::path::{Path, PathBuf};

use cli::{Error, Input};

/// The document of an inventory script: Ansible gives it no arguments of ours.
pub(crate) fn of_script() -> cli::Result<Input> {
    if let Some(path) = env::var_os("BAREPLANE_PLATFORM").filter(|path| !path.is_empty()) {
        return Ok(Input::File(path.into()));
    }
    let called = env::args_os().next().map(PathBuf::from).unwrap_or_default();
    // Beside the link, not beside what it points to.
    let beside = called.parent().unwrap_or(Path::new("")).join("platform.yaml");
    if called.components().count() > 1 && beside.exists() {
        return Ok(Input::File(beside));
    }
    let here = PathBuf::from("platform.yaml");
    if here.exists() {
        return Ok(Input::File(here));
    }
    let why = "neither BAREPLANE_PLATFORM is set nor is platform.yaml beside this script or here";
    Err(Error::invalid("looking for the platform document", why))
}
