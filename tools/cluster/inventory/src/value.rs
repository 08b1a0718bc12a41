//! The document as JSON: sorted, and looked up by path.

use cli::Context;
use platform::Platform;
use serde_json::{Map, Value};

/// The document with every default filled in, keys sorted: the same document
/// gives the same bytes, however it was written.
pub(crate) fn normalised(platform: &Platform) -> cli::Result<Value> {
    Ok(sorted(serde_json::to_value(platform).invalid("printing the document")?))
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(Map::from_iter(fields))
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

/// The value at a path such as `network.vips[0]` or `hosts[cp1].ip`; null is none.
pub(crate) fn at(platform: &Platform, path: &str) -> cli::Result<Option<Value>> {
    let whole = normalised(platform)?;
    let steps = path.split(['.', '[']).map(|step| step.trim_end_matches(']')).filter(|step| !step.is_empty());
    let found = steps.into_iter().try_fold(&whole, |value, step| match value {
        Value::Array(items) => match step.parse::<usize>() {
            Ok(number) => items.get(number),
            Err(_) => items.iter().find(|item| item["name"] == step),
        },
        other => other.get(step),
    });
    Ok(found.filter(|value| !value.is_null()).cloned())
}
