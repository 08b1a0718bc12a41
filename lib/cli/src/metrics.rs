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

/// Values of one name.
#[derive(Clone, Debug)]
pub struct Series<'a> {
    /// The name.
    pub name: &'a str,
    /// Its help line.
    pub help: &'a str,
    /// Each value, with its labels: name and text.
    pub values: Vec<(Vec<(&'a str, String)>, f64)>,
}

impl Metrics {
    /// Writes the counts atomically: each with its name, its help line and its
    /// value. Does nothing without `--metrics`.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn write(&self, counts: &[(&str, &str, f64)]) -> Result<()> {
        let series = counts.iter().map(|&(name, help, value)| Series {
            name,
            help,
            values: vec![(Vec::new(), value)],
        });
        self.write_series(&series.collect::<Vec<_>>())
    }

    /// The same for values that come in series, told apart by labels.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn write_series(&self, metrics: &[Series]) -> Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let mut text = String::new();
        for Series { name, help, values } in metrics {
            let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (labels, value) in values {
                let _ = writeln!(text, "{name}{} {value}", written(labels));
            }
        }
        files::replace(file, text.as_bytes(), &files::Attributes::mode(0o644)).doing("writing metrics")
    }
}

/// Labels in the text format of Prometheus; nothing if there are none.
fn written(labels: &[(&str, String)]) -> String {
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let each: Vec<_> = labels.iter().map(|(name, text)| format!("{name}=\"{}\"", escaped(text))).collect();
    if each.is_empty() { String::new() } else { format!("{{{}}}", each.join(",")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_and_none_are_no_braces() {
        assert_eq!(written(&[]), "");
        assert_eq!(
            written(&[("source", "a\"b\\c\n".to_owned()), ("n", "1".to_owned())]),
            "{source=\"a\\\"b\\\\c\\n\",n=\"1\"}"
        );
    }
}
