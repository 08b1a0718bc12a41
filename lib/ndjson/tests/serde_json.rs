//! `serde_json` is the judge: the same lines are taken, the same values found.

use ndjson::{Fields, Value};
use proptest::prelude::*;

const PATHS: [&str; 6] = ["ts", "meta", "meta.country", "meta.a.b", "é", "amount"];

fn agrees(line: &[u8]) -> Result<(), TestCaseError> {
    let mut fields = Fields::new();
    let slots = PATHS.map(|path| fields.want(path).expect("a path"));
    let mut found = fields.none();
    let ours = fields.find(line, &mut found);
    let theirs = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(line);
    let shown = String::from_utf8_lossy(line);
    prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{} {:?} {:?}", shown, ours, theirs);
    let Ok(object) = theirs else { return Ok(()) };
    let object = serde_json::Value::Object(object);
    for (path, slot) in PATHS.iter().zip(slots) {
        let theirs = object.pointer(&format!("/{}", path.replace('.', "/")));
        let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("checked JSON");
        let ours = match found[slot] {
            Value::Missing => None,
            Value::Null => Some(serde_json::Value::Null),
            Value::Bool(yes) => Some(yes.into()),
            Value::Text(text) => Some(text.plain().into_owned().into()),
            Value::Number(text) | Value::Array(text) | Value::Object(text) => Some(parsed(text)),
        };
        prop_assert_eq!(ours.as_ref(), theirs, "{} in {}", path, shown);
    }
    Ok(())
}

/// Pieces of JSON, right and wrong, that meet by chance.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        " ",
        "\t",
        "\"ts\"",
        "\"meta\"",
        "\"country\"",
        "\"a\"",
        "\"b\"",
        "\"é\"",
        "\"\\u00e9\"",
        "\"m\\u0065ta\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud83d\"",
        "\"\\udc00\\ud800\"",
        "\"",
        "\\",
        "\"\\/\\b\\f\\n\\r\\t\\\"\\\\\"",
        "null",
        "true",
        "false",
        "nul",
        "0",
        "-0",
        "-",
        "1",
        "01",
        "1.5",
        "1.",
        ".5",
        "1e5",
        "1E+5",
        "1e",
        "1e400",
        "0e400",
        "-1e400",
        "123456789012345678901234567890",
        "\u{7f}",
        "\u{1}",
        "\"amount\"",
        "12.50",
        "NaN",
        "\"0123456789abcdef\"",
        "\u{feff}",
        "\r\n",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// A value that is right, as text.
fn value() -> impl Strategy<Value = String> {
    let name =
        || prop::sample::select(vec!["ts", "meta", "country", "a", "b", "é", "m\\u0065ta", "amount", "x"]);
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|yes| yes.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(|f| format!("{f:?}")),
        any::<String>().prop_map(|text| serde_json::to_string(&text).expect("text is JSON")),
        Just("\"\\ud83d\\ude00 \\u0041\"".to_owned()),
    ];
    let spaced = |text: String| format!(" {text}\t");
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(move |all| spaced(format!("[{}]", all.join(" , ")))),
            prop::collection::vec((name(), inner), 0..6).prop_map(move |all| {
                let fields: Vec<_> = all.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

/// An object with one byte changed, taken away or cut off behind.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    (value(), any::<prop::sample::Index>(), any::<u8>(), 0..4).prop_map(|(value, at, byte, how)| {
        let mut line = format!("{{\"meta\":{value}}}").into_bytes();
        let at = at.index(line.len());
        match how {
            0 => line[at] = byte,
            1 => drop(line.remove(at)),
            2 => line.insert(at, byte),
            _ => line.truncate(at),
        }
        line
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn pieces_that_meet_by_chance(line in pieces()) {
        agrees(line.as_bytes())?;
        agrees(format!("{{\"meta\":{line}}}").as_bytes())?;
    }

    #[test]
    fn any_bytes(line in prop::collection::vec(any::<u8>(), 0..40)) {
        agrees(&line)?;
    }

    #[test]
    fn objects_with_damage(line in damaged()) {
        agrees(&line)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn objects(one in value(), other in value()) {
        agrees(format!("{{\"meta\":{one},\"ts\":{other},\"meta\":{other}}}").as_bytes())?;
    }
}
