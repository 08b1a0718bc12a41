//! Closing counts as a Prometheus textfile.

use std::fmt::Write;
use std::path::PathBuf;

use crate::{Context, Result};

/// The option `--metrics FILE` of everything that runs for long.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Metrics {
    /// Write closing counts to FILE, as a Prometheus textfile
    #[arg(long = "metrics", value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Metrics {
    /// Writes the counts atomically: each with its name, its help line and its
    /// value. Does nothing without `--metrics`.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn write(&self, counts: &[(&str, &str, f64)]) -> Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let mut text = String::new();
        for (name, help, value) in counts {
            let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
        }
        files::replace(file, text.as_bytes(), &files::Attributes::mode(0o644)).doing("writing metrics")
    }
}
