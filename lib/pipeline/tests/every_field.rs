//! Every value of a normal form replaced in turn by what is never right: the
//! error names exactly its place.

use serde_json::{Value, json};

const EXAMPLE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/examples/pipeline.yaml"));

/// What the example leaves out.
const REST: &str = r#"
version: 1
name: rest
databases:
  A: {url: "postgres://u@db:5432/a", password: env:A}
  B: {url: env:B}
kafka: {brokers: ["[fd00::1]:9092"], security: file:kafka.conf, config: {client.id: rest}}
topics: {V: {replicas: 3, schema: v.json}, W: {}, P: {}}
sources:
  - {name: a, from: A, table: t, columns: [a, b], mode: cdc, slot: s, publication: p, to: V}
  - {name: b, from: B, table: t, mode: cdc, server_id: 7, to: W,
     clean: [{keep: [a]}, {drop: [b]}, {copy: {c: a}}, {format: {d: "{a} {{b}}"}}, {default: {e: true, f: -1, g: x}},
             {lower: [a]}, {upper: [a]}, {match: {a: "^x"}}, {discard: {a: [x, 1]}},
             {trim: [a.b, /c.d/e]}, {jq: ".a"}, {schema: s.json},
             {dedupe: {key: [a.b], within: 10m, time: ts}}]}
windows:
  - {name: j, from: [V], to: P, time: {field: ts, watermark: 0s, late: W}, window: {tumbling: 1h}, emit: both,
     guarantee: at-least-once, aggregates: {n: count}, dedupe: {key: [id], within: 1m},
     join: {topic: W, on: [id], within: 5m}}
sinks:
  - {kind: lake, name: l, from: [P], url: "s3://b/p", roll: {size: 1GiB, age: 1h}}
  - {kind: warehouse, name: w, from: l, url: env:W, password: file:p, table: t, key: [a], mode: merge}
  - {kind: nosql, name: k, from: [P], store: redis, url: "redis://127.0.0.1", table: t, pk: a, sk: b}
"#;

#[test]
fn every_value_that_is_wrong_is_told_at_its_place() {
    let mut seen = 0;
    for text in [EXAMPLE, REST] {
        let pipeline = pipeline::parse(text).unwrap_or_else(|problems| panic!("{problems:#?}"));
        let normal = serde_json::to_value(&pipeline).unwrap();
        assert_eq!(pipeline::parse(&normal.to_string()).as_ref(), Ok(&pipeline));
        let mut places = Vec::new();
        collect(&normal, String::new(), String::new(), &mut places);
        for (pointer, path) in places {
            let mut broken = normal.clone();
            *broken.pointer_mut(&pointer).unwrap() = json!({"zzz": [1]});
            let problems = pipeline::parse(&broken.to_string()).expect_err(&path);
            let named = problems.iter().any(|problem| {
                let below = problem.path.strip_prefix(path.as_str());
                below.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            });
            assert!(named, "{path}: {problems:#?}");
            seen += 1;
        }
    }
    assert!(seen > 200, "{seen}");
}

#[test]
fn every_key_that_is_unknown_is_told() {
    let normal = serde_json::to_value(pipeline::parse(EXAMPLE).unwrap()).unwrap();
    for pointer in [
        "",
        "/databases/A",
        "/kafka",
        "/topics/V",
        "/sources/0",
        "/windows/0",
        "/windows/0/time",
        "/sinks/0",
        "/sinks/0/roll",
        "/schedule",
        "/watch",
    ] {
        let mut broken = normal.clone();
        broken.pointer_mut(pointer).unwrap()["zzz"] = json!(1);
        let problems = pipeline::parse(&broken.to_string()).expect_err(pointer);
        assert!(problems[0].message.contains("unknown key"), "{pointer}: {problems:?}");
    }
}

/// Every scalar's JSON pointer and path.
fn collect(value: &Value, pointer: String, path: String, places: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                collect(value, format!("{pointer}/{key}"), below, places);
            }
        }
        Value::Array(items) => {
            for (n, value) in items.iter().enumerate() {
                collect(value, format!("{pointer}/{n}"), format!("{path}[{n}]"), places);
            }
        }
        _ => places.push((pointer, path)),
    }
}
