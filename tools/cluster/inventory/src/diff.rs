//! In what two documents differ.

use std::collections::BTreeMap;

use model::Difference;
use platform::Platform;
use serde_json::Value;

use crate::value::normalised;

/// Every field that is not the same in both, by path.
pub(crate) fn differences(before: &Platform, after: &Platform) -> cli::Result<Vec<Difference>> {
    let (mut old, mut new) = (BTreeMap::new(), BTreeMap::new());
    flatten(&normalised(before)?, String::new(), &mut old);
    flatten(&normalised(after)?, String::new(), &mut new);
    let mut paths: Vec<_> = old.keys().chain(new.keys()).cloned().collect();
    paths.sort();
    paths.dedup();
    let differences = paths.into_iter().filter_map(|path| {
        let (before, after) = (old.remove(&path), new.remove(&path));
        (before != after).then_some(Difference { path, before, after })
    });
    Ok(differences.collect())
}

/// Leaves and lists of leaves; items with a name go by it, so that a moved
/// host is the same host.
fn flatten(value: &Value, path: String, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Null => {}
        Value::Object(fields) => {
            for (key, below) in fields {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(below, path, into);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for item in items {
                let name = item["name"].as_str().unwrap_or_default();
                flatten(item, format!("{path}[{name}]"), into);
            }
        }
        Value::String(text) => drop(into.insert(path, text.clone())),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| item.as_str().unwrap_or_default()).collect();
            into.insert(path, items.join(","));
        }
        leaf => drop(into.insert(path, leaf.to_string())),
    }
}
