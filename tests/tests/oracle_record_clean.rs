//! record-clean against a second opinion: the same rules written in Python,
//! with its json, decimal, datetime, re and hmac, over the same rows.

use std::cell::Cell;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

#[allow(dead_code, reason = "one command is enough here")]
mod common;

const NOW: &str = "2026-05-31T00:00:00Z";

const RULES: [&str; 22] = [
    "require: [id]",
    "rename: {usr: user, old: new, new: old}",
    "trim: [user]",
    "lower: [user]",
    "cast: {id: int, amount: 'decimal(10,2)', ok: bool, at: 'timestamp:rfc3339|%d.%m.%Y %H:%M|unix'}",
    "default: {country: de, old: 0}",
    "upper: [country]",
    "one_of: {country: [DE, FR]}",
    "range: {amount: '-5..1000.5'}",
    "match: {user: '^[a-zä]'}",
    "mask: {card: 4}",
    "hash: {fields: [email]}",
    "discard: {kind: [test, 1]}",
    "purge: {at: 30d}",
    "dedupe: {key: [id], last: 5}",
    "[format: {label: '{user}/{id}'}, drop: [secret]]",
    "cast: {meta.n: int}",
    "rename: {meta.who: who, /meta/a.b: ab}",
    "default: {meta.c: none, meta.deep.er: 1}",
    "drop: [meta.secret, meta.deep.x]",
    "jq: 'select(.kind != \"x\") | .double = .id * 2'",
    "dedupe: {key: [country, meta.n], within: 2h, time: at}",
];

const KEY: &str = "sixteen bytes and a few more";

/// Reads rows, what came out and what was put aside; says what it would have
/// done otherwise.
const JUDGE: &str = r"
import sys, json, re, hmac, hashlib
from collections import deque
from datetime import datetime, timezone, timedelta
from decimal import Decimal
rows, out, bad = sys.argv[1:4]
class Reject(Exception): pass
class Number(Decimal):
    def __new__(cls, text):
        self = Decimal.__new__(cls, text); self.text = text; return self
def once(pairs):
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names): raise ValueError('twice')
    return dict(pairs)
def no(word): raise ValueError(word)
def read(text):
    # How a value was written has to be known of numbers alone.
    return json.loads(text, object_pairs_hook=once, parse_int=Number, parse_float=Number, parse_constant=no)
def plain(value): return value.text if isinstance(value, Number) else json.dumps(value) if not isinstance(value, str) else value
def number(value):
    text = value if isinstance(value, str) else value.text if isinstance(value, Number) else ''
    if not re.fullmatch(r'[-+]?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?', text): raise Reject('number')
    return Decimal(text)
def integer(value):
    n = number(value)
    if n != n.to_integral_value() or not -2**63 <= n < 2**63: raise Reject('whole')
    return Number(str(int(n)))
def decimal(value):
    n = number(value)
    if abs(n) >= 10**8 or n != n.quantize(Decimal('0.01')): raise Reject('decimal')
    n = n.quantize(Decimal('0.01'))
    return Number(str(n + 0 if n == 0 else n).replace('-0.00', '0.00') if n == 0 else str(n))
def boolean(value):
    if isinstance(value, bool): return value
    word = plain(value).lower()
    if word in ('true', 't', 'yes', 'y', 'on', '1'): return True
    if word in ('false', 'f', 'no', 'n', 'off', '0'): return False
    raise Reject('bool')
def time(value):
    if isinstance(value, str):
        for form in ('%Y-%m-%dT%H:%M:%S%z', '%Y-%m-%dT%H:%M:%S', '%d.%m.%Y %H:%M'):
            try: t = datetime.strptime(value, form); break
            except ValueError: t = None
        if t: return t if t.tzinfo else t.replace(tzinfo=timezone.utc)
    elif isinstance(value, bool): raise Reject('time')
    try: return datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=int(number(value)))
    except OverflowError: raise Reject('time')
now = datetime(2026, 5, 31, tzinfo=timezone.utc)
seen, order, near = set(), deque(), {}
def has(row, name): return row.get(name) is not None
def clean(row):
    if row.get('id') in (None, ''): raise Reject('require')
    names = {'usr': 'user', 'old': 'new', 'new': 'old'}
    renamed = [(names.get(name, name), value) for name, value in row.items()]
    if len({name for name, _ in renamed}) < len(renamed): raise Reject('rename')
    row = dict(renamed)
    if isinstance(row.get('user'), str): row['user'] = row['user'].strip().lower()
    for name, to in (('amount', decimal), ('at', time), ('id', integer), ('ok', boolean)):
        if has(row, name):
            if isinstance(row[name], (list, dict)): raise Reject('nested')
            row[name] = to(row[name])
    at = row.get('at')
    if at is not None: row['at'] = at.astimezone(timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ')
    for name, value in (('country', 'de'), ('old', Number('0'))):
        if not has(row, name): row[name] = value
    if isinstance(row['country'], str): row['country'] = row['country'].upper()
    if row['country'] not in ('DE', 'FR'): raise Reject('one_of')
    if has(row, 'amount') and not Decimal(-5) <= row['amount'] <= Decimal('1000.5'): raise Reject('range')
    if has(row, 'user') and not (isinstance(row['user'], str) and re.search('^[a-zä]', row['user'])): raise Reject('match')
    if has(row, 'card'):
        if isinstance(row['card'], (list, dict)): raise Reject('mask')
        text = plain(row['card']); end = text[-4:] if len(text) > 4 else ''
        row['card'] = '*' * (len(text) - len(end)) + end
    if has(row, 'email'):
        row['email'] = hmac.new(KEY.encode(), plain(row['email']).encode(), hashlib.sha256).hexdigest()
    kind = row.get('kind')
    if kind == 'test' or isinstance(kind, Number) and kind == 1: return None
    if at is not None and now - at > timedelta(days=30): return None
    if row['id'].text in seen: return None
    row['label'] = (row['user'] if has(row, 'user') else '') + '/' + row['id'].text
    row.pop('secret', None)
    meta = row.get('meta')
    if isinstance(meta, dict):
        if has(meta, 'n'):
            if isinstance(meta['n'], (list, dict)): raise Reject('nested')
            meta['n'] = integer(meta['n'])
        ab, who = meta.pop('a.b', no), meta.pop('who', no)
        for name, value in (('ab', ab), ('who', who)):
            if value is not no:
                if name in row: raise Reject('rename')
                row[name] = value
    elif meta is not None: raise Reject('default')
    else: meta = row['meta'] = {}
    if not has(meta, 'c'): meta['c'] = 'none'
    if not has(meta, 'deep'): meta['deep'] = {}
    if not isinstance(meta['deep'], dict): raise Reject('default')
    if not has(meta['deep'], 'er'): meta['deep']['er'] = Number('1')
    meta.pop('secret', None); meta['deep'].pop('x', None)
    if kind == 'x': return None
    row['double'] = Number(str(int(row['id']) * 2))
    if at is not None:
        key, span = (row['country'], meta['n'].text if has(meta, 'n') else meta.get('n', no)), timedelta(hours=2)
        if key in near and abs(at - near[key]) <= span: return None
        near[key] = max(at, near.get(key, at))
        for old in [old for old, time in near.items() if max(near.values()) - time > span]: del near[old]
    seen.add(row['id'].text); order.append(row['id'].text)
    if len(order) > 5: seen.discard(order.popleft())
    return row
def shape(value):
    if isinstance(value, Number): return ['n', value.text]
    if isinstance(value, dict): return ['o'] + [[name, shape(value)] for name, value in value.items()]
    if isinstance(value, list): return ['l'] + [shape(value) for value in value]
    return value
lines = open(rows, 'rb').read().split(b'\n')
wanted, rejected = [], []
for n, line in enumerate(lines, 1):
    if not line.strip(): continue
    try:
        row = read(line.decode())
        if not isinstance(row, dict): raise ValueError('no object')
        row = clean(row)
        if row is not None: wanted.append(shape(row))
    except (ValueError, Reject): rejected.append(n)
got = [shape(read(line)) for line in open(out)]
aside = [json.loads(line) for line in open(bad)]
for n, (w, g) in enumerate(zip(wanted, got)):
    if w != g: sys.exit(f'row {n}: wanted {w}, got {g}')
if len(wanted) != len(got): sys.exit(f'wanted {len(wanted)} rows, got {len(got)}')
if rejected != [a['line'] for a in aside]: sys.exit(f'wanted {rejected} aside, got {aside}')
";

/// A row: each field with one of these values, or none.
fn row() -> impl Strategy<Value = String> {
    const FIELDS: [(&str, &[&str]); 13] = [
        (
            "usr",
            &[
                "\" Ada \"",
                "\"bob\"",
                "\"\\u00c4da\\n\"",
                "\"9x\"",
                "5",
                "null",
                "\"  \"",
                "[1]",
                "\"a\\\"\\\\b\"",
            ],
        ),
        (
            "amount",
            &[
                "12.5",
                "\"7.10\"",
                "1e2",
                "1000.50",
                "1000.51",
                "3.999",
                "-5",
                "\"-5.01\"",
                "true",
                "\"\"",
                "123456789.1",
                "-0.0",
                "0.10e1",
                "{}",
            ],
        ),
        ("ok", &["true", "\"Yes\"", "0", "1", "\"off\"", "\"ja\"", "2", "null", "1.0"]),
        (
            "at",
            &[
                "\"2026-05-30T12:00:00+02:00\"",
                "\"01.05.2026 00:00\"",
                "1780000000",
                "\"30.04.2026 23:59\"",
                "\"1780000001\"",
                "\"2026-05-20T01:02:03\"",
                "\"2026-02-30T00:00:00Z\"",
                "\"soon\"",
                "false",
            ],
        ),
        ("country", &["\"de\"", "\"FR\"", "null", "\"xx\"", "1"]),
        ("card", &["\"4111111111111111\"", "4111111111111111", "\"123\"", "\"\"", "\"12345é\"", "[4]"]),
        ("email", &["\"a@b.example\"", "\"\\u00e4@b\"", "12.50", "true"]),
        ("kind", &["\"live\"", "2", "\"x\"", "\"test\"", "1", "1.0"]),
        ("secret", &["\"s\"", "{\"a\":[1,2]}"]),
        ("old", &["1", "\"o\"", "null"]),
        (
            "meta",
            &[
                r#"{"n":1,"who":"ada","secret":[1,2]}"#,
                r#"{ "n" : "2" , "deep":{"x":1.10, "er":null} }"#,
                r#"{"c":"x","a.b":1.50,"deep":{"x":2,"y":{"x":3}}}"#,
                r#"{"n":1.5}"#,
                r#"{"n":3,"\u0063":"e","deep":{}}"#,
                "{}",
                "null",
                "7",
                r#"{"deep":[1]}"#,
                r#"{"n":{}}"#,
            ],
        ),
        ("who", &["null", "\"w\""]),
        ("new", &["2", "\"n\"", "{\"deep\": [1.10, null]}"]),
    ];
    let id = prop_oneof![
        20 => (1..40_u32).prop_map(|id| id.to_string()),
        1 => prop::sample::select(vec!["\"4\"", "5.0", "6e0", "1.5", "\"x\"", "null", "\"\"", "99999999999999999999"])
            .prop_map(str::to_owned),
    ];
    let field = |(name, values): (&'static str, &'static [&'static str])| {
        // The first values are good ones: most rows should get far.
        let value = prop_oneof![12 => 0..values.len().min(3), 1 => 0..values.len()];
        let value = value.prop_map(move |n| Some(format!("\"{name}\":{}", values[n])));
        prop_oneof![2 => value, 1 => Just(None)]
    };
    let fields: Vec<_> = FIELDS.into_iter().map(field).collect();
    (prop::option::weighted(0.95, id), fields).prop_map(|(id, fields)| {
        let id = id.map(|id| format!("\"id\":{id}"));
        format!("{{{}}}", id.into_iter().chain(fields.into_iter().flatten()).collect::<Vec<_>>().join(","))
    })
}

fn line() -> impl Strategy<Value = String> {
    let broken = prop::sample::select(vec![
        "",
        "  ",
        "[1]",
        "1",
        "null",
        "{",
        "{\"id\":1,\"id\":2}",
        "{\"id\":NaN}",
        "{\"id\":01}",
        "{\"id\":1} x",
        "{\"id\":1,}",
        "text",
    ]);
    prop_oneof![20 => row(), 1 => broken.prop_map(str::to_owned)]
}

#[test]
fn python_comes_to_the_same_rows_and_the_same_rejects() {
    if !Command::new("python3").arg("-V").output().is_ok_and(|done| done.status.success()) {
        return common::skipped("python3 is missing");
    }
    let lines = proptest::collection::vec(line(), 0..300);
    let mut runner = TestRunner::new(Config { cases: 30, failure_persistence: None, ..Config::default() });
    let out = Cell::new(0);
    let outcome = runner.run(&lines, |lines| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("rows"), lines.join("\n")).expect("it is written");
        std::fs::write(at("key"), format!("{KEY}\n")).expect("it is written");
        let cleaned = clean(&at("rows"), &at("key"), &at("bad"));
        out.set(out.get() + String::from_utf8_lossy(&cleaned).lines().count());
        std::fs::write(at("out"), &cleaned).expect("it is written");
        let judge = JUDGE.replacen("class Reject", &format!("KEY = '{KEY}'\nclass Reject"), 1);
        let judged =
            Command::new("python3").args(["-c", &judge]).args([at("rows"), at("out"), at("bad")]).output();
        let judged = judged.expect("python starts");
        prop_assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stderr));
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    // The judge is of use only if enough gets past it.
    assert!(out.get() > 500, "{} rows came out", out.get());
}

fn clean(rows: &Path, key: &Path, bad: &Path) -> Vec<u8> {
    let mut command = Command::new(common::binary("record-clean"));
    command.args(RULES.iter().flat_map(|rule| ["--rule", rule])).args(["--now", NOW]);
    let child = command.arg("--key-file").arg(key).arg("--reject").arg(bad);
    let mut child = child
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a built command starts");
    let rows = std::fs::read(rows).expect("it is there");
    let mut stdin = child.stdin.take().expect("it is piped");
    let writer = std::thread::spawn(move || stdin.write_all(&rows));
    let done = child.wait_with_output().expect("it ends");
    writer.join().expect("no panic").expect("all is read");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}
