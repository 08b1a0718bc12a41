//! Values as YAML that a person can read, the same every time.

use serde_json::Value;

/// One document. Maps keep their order; a text that YAML could take for
/// something else is quoted as JSON would.
pub(crate) fn document(value: &Value) -> String {
    let mut text = String::new();
    block(value, 0, &mut text);
    text
}

fn block(value: &Value, indent: usize, text: &mut String) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                pad(indent, text);
                text.push_str(&scalar(&Value::from(name.as_str())));
                text.push(':');
                after(value, indent, text);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                pad(indent, text);
                text.push('-');
                match item {
                    Value::Object(fields) if !fields.is_empty() => {
                        // The first field stands beside its dash.
                        let start = text.len() + 1;
                        let mut inner = String::new();
                        block(item, indent + 2, &mut inner);
                        text.push(' ');
                        text.push_str(inner.trim_start_matches(' '));
                        debug_assert!(text.len() > start);
                    }
                    _ => after(item, indent, text),
                }
            }
        }
        _ => {
            pad(indent, text);
            text.push_str(&scalar(value));
            text.push('\n');
        }
    }
}

fn after(value: &Value, indent: usize, text: &mut String) {
    let nested = value.as_object().is_some_and(|fields| !fields.is_empty())
        || value.as_array().is_some_and(|items| !items.is_empty());
    if nested {
        text.push('\n');
        block(value, indent + 2, text);
    } else {
        text.push(' ');
        text.push_str(&scalar(value));
        text.push('\n');
    }
}

fn pad(indent: usize, text: &mut String) {
    text.extend(std::iter::repeat_n(' ', indent));
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whether YAML 1.1 and 1.2 both read it as this text.
fn is_plain(text: &str) -> bool {
    let word = text.to_ascii_lowercase();
    let reserved = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "~"];
    let starts = text.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '/');
    let inside = text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c))
        || (text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-:".contains(c))
            && !text.contains("::")
            && !text.ends_with(':'));
    starts && inside && !reserved.contains(&word.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn maps_and_lists_stand_as_a_person_would_write_them() {
        let value = json!({"a": {"b": ["x", {"name": "a", "value": "1"}, []], "c": {}}, "d": null, "e": 5});
        let text = "a:\n  b:\n    - x\n    - name: a\n      value: \"1\"\n    - []\n  c: {}\nd: null\ne: 5\n";
        assert_eq!(document(&value), text);
    }

    #[test]
    fn what_yaml_could_misread_is_quoted() {
        for text in
            ["", "no", "Off", "1.36", "10.77.0.1", "fd00::1", "a: b", "#x", "a\nb", "it's", "-", "0x1f", "~"]
        {
            assert!(scalar(&json!(text)).starts_with('"'), "{text}");
        }
        for text in
            ["v1.36.3", "kubeadm.k8s.io/v1beta4", "unix:///run/c.sock", "/etc/kubernetes", "node-ip", "cp1"]
        {
            assert_eq!(scalar(&json!(text)), text);
        }
    }
}
