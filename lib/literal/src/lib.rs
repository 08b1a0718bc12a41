//! Values as other languages write them.
//!
//! What a document says goes into a rendered program only through these: a
//! name with a quote, a line end or `$(…)` in it stays the name it is. All of
//! them write ASCII, on one line where they say so.
//!
//! ```
//! assert_eq!(literal::python_text("a'\"\n{{x}}"), r#""a'\"\x0a{{x}}""#);
//! assert_eq!(literal::shell("it's $(here)"), r"'it'\''s $(here)'");
//! ```

use serde_json::Value;

/// Lines are not longer, where that can be helped.
const COLUMNS: usize = 110;

/// A value as Python writes it; what does not fit into a line stands on several, `indent` deep,
/// except for lists of texts and numbers alone.
pub fn python(value: &Value, indent: usize) -> String {
    let flat = flat(value);
    let is_plain = |value: &Value| !value.is_array() && !value.is_object();
    let (open, close, items): (_, _, Vec<String>) = match value {
        _ if indent + flat.len() <= COLUMNS => return flat,
        Value::Array(items) if items.iter().all(is_plain) => return flat,
        Value::Array(items) => ('[', ']', items.iter().map(|item| python(item, indent + 4)).collect()),
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| {
                format!("{}: {}", python_text(name), python(value, indent + 4))
            };
            ('{', '}', fields.iter().map(field).collect())
        }
        _ => return flat,
    };
    let lines: String = items.iter().map(|item| format!("{:indent$}    {item},\n", "")).collect();
    format!("{open}\n{lines}{:indent$}{close}", "")
}

/// On one line.
fn flat(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => python_text(text),
        Value::Array(items) => format!("[{}]", items.iter().map(flat).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| format!("{}: {}", python_text(name), flat(value));
            format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
    }
}

/// A text as Python writes it, on one line.
pub fn python_text(text: &str) -> String {
    let mut written = String::from('"');
    for c in text.chars() {
        match u32::from(c) {
            _ if c == '"' || c == '\\' => written.extend(['\\', c]),
            0x20..0x7f => written.push(c),
            code @ ..0x100 => written += &format!("\\x{code:02x}"),
            code @ ..0x1_0000 => written += &format!("\\u{code:04x}"),
            code => written += &format!("\\U{code:08x}"),
        }
    }
    written.push('"');
    written
}

/// A word of a POSIX shell. Line ends stand in it as they are.
pub fn shell(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A text as YAML and JSON write it, on one line.
pub fn yaml_text(text: &str) -> String {
    let mut written = String::new();
    for c in Value::from(text).to_string().chars() {
        let mut halves = [0; 2];
        match c {
            ' '..='~' => written.push(c),
            c => c.encode_utf16(&mut halves).iter().for_each(|half| written += &format!("\\u{half:04x}")),
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn a_value_that_is_long_stands_on_several_lines() {
        let long = "x".repeat(60);
        let value = json!({"a": [[long], [long]], "b": null, "c": true, "d": [long, long]});
        let lists = format!("    \"a\": [\n        [\"{long}\"],\n        [\"{long}\"],\n    ],\n");
        let want = format!(
            "{{\n{lists}    \"b\": None,\n    \"c\": True,\n    \"d\": [\"{long}\", \"{long}\"],\n}}"
        );
        assert_eq!(python(&value, 0), want);
        assert_eq!(python(&json!({"a": [1, -2.5]}), 0), r#"{"a": [1, -2.5]}"#);
    }

    #[test]
    fn what_stands_above_ascii_is_escaped() {
        assert_eq!(python_text("é€😀\u{7f}"), r#""\xe9\u20ac\U0001f600\x7f""#);
        assert_eq!(yaml_text("é😀\n"), r#""\u00e9\ud83d\ude00\n""#);
    }

    #[test]
    fn only_what_needs_no_quotes_has_none() {
        assert_eq!(shell("s3://b/p-1"), "s3://b/p-1");
        for (text, word) in [("", "''"), ("a b", "'a b'"), ("`x`", "'`x`'"), ("~", "'~'"), ("a\nb", "'a\nb'")]
        {
            assert_eq!(shell(text), word);
        }
    }

    proptest! {
        #[test]
        fn a_text_is_one_line_of_ascii_and_yaml_is_json(text in any::<String>()) {
            for written in [python_text(&text), yaml_text(&text)] {
                prop_assert!(written.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{written}");
            }
            prop_assert_eq!(serde_json::from_str::<String>(&yaml_text(&text)).unwrap(), text);
        }
    }
}
