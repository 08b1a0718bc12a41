//! Rows by a JSON Schema.

use std::path::Path;

use cli::Context;
use jsonschema::{PatternOptions, Retrieve, Uri, Validator};
use serde_json::Value;

use crate::Wrong;
use crate::cast::shown;

/// A JSON Schema, made ready.
#[derive(Debug)]
pub(crate) struct Schema(Validator);

impl Schema {
    /// Reads it from a file.
    pub(crate) fn read(file: &Path) -> cli::Result<Self> {
        let doing = format!("reading the schema {}", file.display());
        let text = files::read(file, 1 << 20).doing(&doing)?;
        let schema: Value = serde_json::from_slice(&text).invalid(&doing)?;
        // An expression that does not backtrack takes no row's time. Formats are checked: who
        // writes one means it.
        let options = jsonschema::options()
            .with_pattern_options(PatternOptions::regex())
            .should_validate_formats(true)
            .with_retriever(Nowhere);
        options.build(&schema).map(Self).map_err(|error| {
            let at = error.instance_path().to_string();
            let at = if at.is_empty() { String::new() } else { format!("{at}: ") };
            cli::Error::invalid(doing, format!("{at}{}", cut(&error.to_string())))
        })
    }

    /// Why a row is not valid. Values are not repeated: a later rule may hide them.
    pub(crate) fn check(&self, row: &[u8]) -> Result<(), Wrong> {
        let row: Value = serde_json::from_slice(row).map_err(|error| Wrong::row(error.to_string()))?;
        let Some(error) = self.0.iter_errors(&row).next() else { return Ok(()) };
        let path = error.instance_path().to_string();
        let wrong = Wrong::row(cut(&error.masked().to_string()));
        let field = (!path.is_empty()).then(|| match path.parse::<pipeline::clean::FieldPath>() {
            Ok(path) => path.to_string(),
            Err(_) => shown(&path).into_owned(),
        });
        Err(Wrong { field, ..wrong })
    }
}

/// References lead nowhere but into the schema itself: no file, no network.
struct Nowhere;

impl Retrieve for Nowhere {
    fn retrieve(&self, _: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        Err("references stay within the schema".into())
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(200) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(text: &str) -> cli::Result<Schema> {
        let file = std::env::temp_dir().join(format!("schema-{}-{:p}", std::process::id(), text));
        std::fs::write(&file, text).unwrap();
        let schema = Schema::read(&file);
        std::fs::remove_file(file).unwrap();
        schema
    }

    fn why(schema: &Schema, row: &str) -> String {
        let Wrong { field, error, .. } = schema.check(row.as_bytes()).unwrap_err();
        format!("{}: {error}", field.unwrap_or_default())
    }

    #[test]
    fn a_row_is_valid_or_told_where_it_is_not_without_its_values() {
        let schema = schema(
            r##"{"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"},
                "meta": {"$ref": "#/$defs/meta"}, "at": {"format": "date-time"}, "w": {"pattern": "^a+$"}},
                "$defs": {"meta": {"properties": {"c": {"enum": ["DE"]}}, "additionalProperties": false}}}"##,
        )
        .unwrap();
        assert_eq!(
            schema.check(br#"{"id":1,"meta":{"c":"DE"},"at":"2026-01-01T00:00:00Z","w":"a"}"#),
            Ok(())
        );
        assert_eq!(why(&schema, "{}"), ": \"id\" is a required property");
        assert_eq!(why(&schema, r#"{"id":"secret"}"#), "id: value is not of type \"integer\"");
        assert!(why(&schema, r#"{"id":1,"meta":{"c":"secret"}}"#).starts_with("meta.c: value is not one of"));
        assert!(!why(&schema, r#"{"id":1,"meta":{"x":"secret"}}"#).contains("secret"));
        assert!(why(&schema, r#"{"id":1,"at":"soon"}"#).starts_with("at: "));
        assert!(why(&schema, r#"{"id":1e999}"#).contains("number out of range"));
    }

    #[test]
    fn a_reference_out_of_the_schema_is_refused_before_the_first_row() {
        for reference in ["http://127.0.0.1:9/x.json", "file:///etc/passwd", "other.json", "#/$defs/none"] {
            let error = schema(&format!(r#"{{"$ref": "{reference}"}}"#)).unwrap_err();
            assert_eq!(error.status(), 2, "{reference}");
        }
        assert_eq!(schema(r#"{"type": "nonsense"}"#).unwrap_err().status(), 2);
        assert_eq!(schema("{").unwrap_err().status(), 2);
        assert_eq!(schema(r#"{"pattern": "(?=a)"}"#).unwrap_err().status(), 2);
    }
}
