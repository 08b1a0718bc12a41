//! `serde_json` is the judge: the same lines are taken, the same values found.

use ndjson::{Fields, Habit, Value};
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

/// Lines of a text, taken one after the other, are what they are alone.
fn agrees_in_a_row(text: &str) -> Result<(), TestCaseError> {
    let mut fields = Fields::new();
    // Objects that are wanted whole are no part of a shape.
    for path in PATHS.into_iter().filter(|path| *path != "meta") {
        fields.want(path).expect("a path");
    }
    let (mut habit, mut alone, mut in_a_row) = (Habit::default(), fields.none(), fields.none());
    let (mut other_habit, mut cut) = (Habit::default(), fields.none());
    let mut rest = text;
    for line in text.split('\n') {
        let (length, read) = fields.first(rest, &mut habit, &mut in_a_row);
        prop_assert_eq!(length, line.len(), "{}", text);
        prop_assert_eq!(read, fields.find(line.as_bytes(), &mut alone), "{} in {}", line, text);
        if read.is_ok() {
            prop_assert_eq!(&in_a_row, &alone, "{} in {}", line, text);
        }
        // The same of each line by itself.
        let first = fields.first(line, &mut other_habit, &mut cut);
        prop_assert_eq!(&first, &(length, read), "{} in {}", line, text);
        if first.1.is_ok() {
            prop_assert_eq!(&cut, &alone, "{} in {}", line, text);
        }
        rest = rest.get(length + 1..).unwrap_or_default();
    }
    Ok(())
}

/// A line and others that differ from it in one place.
fn alike() -> impl Strategy<Value = String> {
    let shape = prop::sample::select(vec![
        r#"{"ts":*,"x":*,"meta":{"country":*,"a":{"b":*}},"amount":*}"#,
        r#"{"x":{"y":{"z":*,"u":[*,*]}},"ts": * , "é":*,"meta":*}"#,
        r#"{"ts":*,"amount":*,"x":*,"ts":*}"#,
        r#"{"meta":{"country":*},"x":*,"meta":{"a":{"b":*}}}"#,
        r#"{"meta":{"a":{"b":*,"b":*}},"x":{},"y":[],"ts":*} "#,
        r#" { "m\u0065ta" : {"country": *}, "a rather long name nobody wants to compare": * }"#,
        "*",
    ]);
    let values = prop::collection::vec((plain_value(), any::<prop::sample::Index>(), 0..12), 12..40);
    (shape, values).prop_map(|(shape, values)| {
        let mut text = String::new();
        for values in values.chunks(4) {
            let mut line: String = String::new();
            for (at, piece) in shape.split('*').enumerate() {
                if at > 0 {
                    line.push_str(&values[at % values.len()].0);
                }
                line.push_str(piece);
            }
            let (with, at, how) = &values[0];
            let at = at.index(line.len().max(1));
            if line.is_char_boundary(at) && line.is_char_boundary(at + 1) {
                match how {
                    0 => line.replace_range(at..=at, with),
                    1 => drop(line.remove(at)),
                    2 => line.insert(at, '\n'),
                    3 => line.truncate(at),
                    _ => {}
                }
            }
            text.push_str(&line);
            text.push('\n');
        }
        text.pop();
        text
    })
}

/// A value, sometimes a broken one, as text.
fn plain_value() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "1",
        "-0.5",
        "1e5",
        "01",
        "1e400",
        "\"\"",
        "\"SE\"",
        "\"a\\\"b\"",
        "\"a\\",
        "\"\u{1}\"",
        "null",
        "true",
        "nul",
        "[1,[2]]",
        "[1,\n2]",
        "[",
        "[]",
        "{}",
        "{\"b\":1}",
        "\"0123456789abcdefg\"",
        "\"éé\"",
        "",
        " 1 ",
        "1\r",
    ]);
    let known = move || known.clone().prop_map(str::to_owned);
    prop_oneof![known(), known(), known(), any::<u32>().prop_map(|number| number.to_string()), value()]
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
    fn lines_that_are_alike(text in alike()) {
        agrees_in_a_row(&text)?;
    }

    #[test]
    fn objects(one in value(), other in value()) {
        agrees(format!("{{\"meta\":{one},\"ts\":{other},\"meta\":{other}}}").as_bytes())?;
    }
}
