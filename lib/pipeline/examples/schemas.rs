//! Prints the JSON Schema of the document, by name, for `cargo xtask schemas`.

use std::collections::BTreeMap;
use std::io;

fn main() -> serde_json::Result<()> {
    serde_json::to_writer_pretty(io::stdout(), &BTreeMap::from([("pipeline", pipeline::schema())]))
}
