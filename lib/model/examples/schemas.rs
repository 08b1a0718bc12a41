//! Prints the JSON Schema of every record, by name, for `cargo xtask schemas`.

use std::collections::BTreeMap;
use std::io;

fn main() -> serde_json::Result<()> {
    let schemas: BTreeMap<_, _> = model::schemas().into_iter().collect();
    serde_json::to_writer_pretty(io::stdout(), &schemas)
}
