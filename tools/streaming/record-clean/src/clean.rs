//! What becomes of a row, one rule after the other.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;

use jiff::SignedDuration;
use jiff::civil::DateTime;
use pipeline::clean::{Cast, Decimal, FieldPath, Part, Rule, Scalar, Template};
use regex::Regex;
use ring::hmac;

use crate::cast::{self, shown};
use crate::row::{Kind, Row, kind, quoted, sound, text};
use crate::schema::Schema;
use crate::seen::Seen;

/// Why a row is rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// The field; none if it is the row as a whole.
    pub(crate) field: Option<String>,
    pub(crate) error: String,
    /// The rule; none if it is no row at all.
    pub(crate) rule: Option<&'static str>,
}

impl Wrong {
    pub(crate) fn row(error: impl Into<String>) -> Self {
        Self { field: None, error: error.into(), rule: None }
    }

    pub(crate) fn field(path: &FieldPath, error: impl Into<String>) -> Self {
        Self { field: Some(path.to_string()), error: error.into(), rule: None }
    }
}

/// What became of a row that broke no rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It goes on.
    Out,
    /// It is taken out.
    Filtered,
}

/// The rules, made ready.
#[derive(Debug)]
pub(crate) struct Cleaner {
    steps: Vec<Step>,
    now: DateTime,
}

#[derive(Debug)]
struct Step {
    rule: Rule,
    /// Of `match`: each field's expression.
    patterns: BTreeMap<FieldPath, Regex>,
    /// Of `hash`.
    key: Option<hmac::Key>,
    /// Of `dedupe`.
    seen: Option<Seen>,
    /// Of `jq`.
    filter: Option<jq::Filter>,
    /// Of `schema`.
    schema: Option<Schema>,
    /// The row as text, for these two.
    text: Vec<u8>,
}

impl Cleaner {
    /// Makes rules ready; `key` finds the key of a hash.
    pub(crate) fn new(
        rules: Vec<Rule>,
        now: DateTime,
        mut key: impl FnMut(&pipeline::clean::Hash) -> cli::Result<hmac::Key>,
    ) -> cli::Result<Self> {
        let mut steps = Vec::with_capacity(rules.len());
        for rule in rules {
            let mut step = Step::new(rule);
            match &step.rule {
                Rule::Match(patterns) => {
                    for (field, pattern) in patterns {
                        let regex = cli::Context::invalid(Regex::new(pattern), "reading rules")?;
                        step.patterns.insert(field.clone(), regex);
                    }
                }
                Rule::Hash(hash) => step.key = Some(key(hash)?),
                Rule::Dedupe(dedupe) => step.seen = Some(Seen::new(dedupe)),
                Rule::Jq(text) => {
                    let filter = jq::Filter::parse(text);
                    step.filter = Some(filter.map_err(|why| cli::Error::invalid("reading rules", why))?);
                }
                Rule::Schema(file) => step.schema = Some(Schema::read(file.as_ref())?),
                Rule::Cast(casts) => {
                    for cast in casts.values() {
                        if let Cast::Timestamp(formats) = cast
                            && let Some(bad) = formats.iter().find(|format| !cast::is_format(format))
                        {
                            let why = format!("`{bad}` is no format of a time");
                            return Err(cli::Error::invalid("reading rules", why).hint(
                                "rfc3339, unix, unix_ms, or as strptime(3) has it: %d.%m.%Y %H:%M:%S",
                            ));
                        }
                    }
                }
                _ => {}
            }
            steps.push(step);
        }
        Ok(Self { steps, now })
    }

    /// Whether a dedupe had to forget keys before their time.
    pub(crate) fn overflowed(&self) -> bool {
        self.steps.iter().filter_map(|step| step.seen.as_ref()).any(|seen| seen.overflowed)
    }

    /// Applies all rules. What a rule remembers of a row it remembers only if
    /// the row gets through: of two alike, one that is rejected hides none.
    pub(crate) fn clean(&mut self, row: &mut Row) -> Result<Verdict, Wrong> {
        let now = self.now;
        for step in &mut self.steps {
            let verdict = step.apply(row, now);
            match verdict.map_err(|wrong| Wrong { rule: Some(step.rule.name()), ..wrong }) {
                Ok(Verdict::Out) => {}
                other => {
                    self.steps.iter_mut().filter_map(|step| step.seen.as_mut()).for_each(Seen::forget);
                    return other;
                }
            }
        }
        self.steps.iter_mut().filter_map(|step| step.seen.as_mut()).for_each(Seen::keep);
        Ok(Verdict::Out)
    }
}

impl Step {
    fn new(rule: Rule) -> Self {
        let (patterns, text) = (BTreeMap::new(), Vec::new());
        Self { rule, patterns, key: None, seen: None, filter: None, schema: None, text }
    }

    fn apply(&mut self, row: &mut Row, now: DateTime) -> Result<Verdict, Wrong> {
        match &self.rule {
            Rule::Require(paths) => paths.iter().try_for_each(|path| require(row, path))?,
            Rule::Keep(paths) => row.keep(paths)?,
            Rule::Drop(paths) => paths.iter().try_for_each(|path| row.take(path).map(drop))?,
            Rule::Rename(names) => rename(row, names)?,
            Rule::Copy(names) => {
                let copy = |(new, old)| Ok(row.get(old)?.map(|json| (new, json.to_owned())));
                let copies: Vec<_> = names.iter().map(copy).collect::<Result<_, Wrong>>()?;
                copies.into_iter().flatten().try_for_each(|(new, json)| row.set(new, json.into()))?;
            }
            Rule::Format(templates) => {
                let made = templates.iter().map(|(new, template)| Ok((new, format(row, template)?)));
                let made: Vec<_> = made.collect::<Result<_, Wrong>>()?;
                made.into_iter().try_for_each(|(new, text)| row.set(new, quoted(&text).into()))?;
            }
            Rule::Cast(casts) => change(row, casts, cast::cast)?,
            Rule::Default(values) => {
                for (path, value) in values {
                    if row.valued(path)?.is_none() {
                        row.set(path, Cow::Owned(value.json()))?;
                    }
                }
            }
            Rule::Trim(paths) => each_text(row, paths, |text| text.trim().into())?,
            Rule::Lower(paths) => each_text(row, paths, lower)?,
            Rule::Upper(paths) => each_text(row, paths, upper)?,
            Rule::Range(ranges) => check(row, ranges, in_range)?,
            Rule::Match(_) => check(row, &self.patterns, matches)?,
            Rule::OneOf(values) => check(row, values, |json, values| among(json, values))?,
            Rule::Mask(ends) => change(row, ends, |json, end| mask(json, *end as usize).map(Some))?,
            Rule::Hash(hash) => {
                let Some(key) = &self.key else { return Ok(Verdict::Out) };
                for path in &hash.fields {
                    row.change(path, |json| {
                        let code = hmac::sign(key, sound(json)?.as_bytes());
                        Ok(Some(quoted(&data_encoding::HEXLOWER.encode(code.as_ref()))))
                    })?;
                }
            }
            Rule::Discard(values) => {
                for (path, values) in values {
                    if let Some(json) = row.valued(path)?
                        && is_among(json, values).map_err(|error| Wrong::field(path, error))?
                    {
                        return Ok(Verdict::Filtered);
                    }
                }
            }
            Rule::Purge(ages) => {
                for (path, age) in ages {
                    let Some(time) = time(row, path)? else { continue };
                    if now.duration_since(time) > SignedDuration::from_millis(age.ms.cast_signed()) {
                        return Ok(Verdict::Filtered);
                    }
                }
            }
            Rule::Dedupe(dedupe) => {
                let Some(seen) = &mut self.seen else { return Ok(Verdict::Out) };
                let time = match &dedupe.time {
                    None => None,
                    // A row without a time is near to no other.
                    Some(path) => match time(row, path)? {
                        None => return Ok(Verdict::Out),
                        time => time,
                    },
                };
                if !seen.is_new(key(row, &dedupe.key)?, time) {
                    return Ok(Verdict::Filtered);
                }
            }
            Rule::Jq(_) => {
                let Some(filter) = &self.filter else { return Ok(Verdict::Out) };
                self.text.clear();
                row.write(&mut self.text);
                match filter.one(&self.text).map_err(Wrong::row)? {
                    None => return Ok(Verdict::Filtered),
                    Some(made) => *row = Row::parse(&made)?.owned(),
                }
            }
            Rule::Schema(_) => {
                let Some(schema) = &self.schema else { return Ok(Verdict::Out) };
                self.text.clear();
                row.write(&mut self.text);
                schema.check(&self.text)?;
            }
        }
        Ok(Verdict::Out)
    }
}

/// Checks each of these fields that has a value.
fn check<T>(
    row: &Row,
    wanted: &BTreeMap<FieldPath, T>,
    check: impl Fn(&str, &T) -> Result<(), String>,
) -> Result<(), Wrong> {
    wanted.iter().try_for_each(|(path, wanted)| match row.valued(path)? {
        Some(json) => check(json, wanted).map_err(|error| Wrong::field(path, error)),
        None => Ok(()),
    })
}

/// Changes each of these fields that has a value.
fn change<T>(
    row: &mut Row,
    wanted: &BTreeMap<FieldPath, T>,
    change: impl Fn(&str, &T) -> Result<Option<String>, String>,
) -> Result<(), Wrong> {
    wanted.iter().try_for_each(|(path, wanted)| row.change(path, |json| change(json, wanted)))
}

/// The time in a field; none if it has no value.
fn time(row: &Row, path: &FieldPath) -> Result<Option<DateTime>, Wrong> {
    let Some(json) = row.valued(path)? else { return Ok(None) };
    let time = text(json).and_then(|text| cast::rfc3339(&text));
    time.map(Some).ok_or_else(|| Wrong::field(path, "no time of RFC 3339"))
}

fn require(row: &Row, path: &FieldPath) -> Result<(), Wrong> {
    match row.get(path)? {
        None => Err(Wrong::field(path, "missing")),
        Some("null") => Err(Wrong::field(path, "null")),
        Some("\"\"") => Err(Wrong::field(path, "empty")),
        Some(_) => Ok(()),
    }
}

/// All at once: fields can change places. At the top of a row a field stays where it
/// stands; one that is or comes to be in an object goes to the end.
fn rename(row: &mut Row, names: &BTreeMap<FieldPath, FieldPath>) -> Result<(), Wrong> {
    let taken = |new| Wrong::field(new, "another field has this name already");
    let in_place = |(old, new): &(&FieldPath, &FieldPath)| old.below().is_empty() && new.below().is_empty();
    let at_top = || names.iter().filter(in_place);
    let mut moved = Vec::new();
    for (old, new) in names.iter().filter(|name| !in_place(name)) {
        moved.extend(row.take(old)?.map(|json| (new, json)));
    }
    for field in &mut row.fields {
        if let Some((_, new)) = at_top().find(|(old, _)| old.first() == field.name) {
            field.name = Cow::Owned(new.first().to_owned());
        }
    }
    let twice = |new: &FieldPath| row.fields.iter().filter(|field| field.name == new.first()).count() > 1;
    if let Some((_, new)) = at_top().find(|(_, new)| twice(new)) {
        return Err(taken(new));
    }
    for (new, json) in moved {
        if row.get(new)?.is_some() {
            return Err(taken(new));
        }
        row.set(new, json)?;
    }
    Ok(())
}

fn format(row: &Row, template: &Template) -> Result<String, Wrong> {
    let mut made = String::new();
    for part in &template.0 {
        match part {
            Part::Text(text) => made.push_str(text),
            Part::Field(path) => {
                if let Some(json) = row.valued(path)? {
                    made.push_str(&sound(json).map_err(|error| Wrong::field(path, error))?);
                }
            }
        }
    }
    Ok(made)
}

fn each_text(row: &mut Row, paths: &[FieldPath], change: impl Fn(&str) -> Cow<str>) -> Result<(), Wrong> {
    paths.iter().try_for_each(|path| {
        row.change(path, |json| {
            if kind(json) != Kind::Text {
                return Ok(None);
            }
            let text = sound(json)?;
            let changed = change(&text);
            Ok((changed != text).then(|| quoted(&changed)))
        })
    })
}

/// Most text is ASCII, and most of that is as it should be.
fn lower(text: &str) -> Cow<'_, str> {
    match text.is_ascii() {
        true if text.bytes().any(|byte| byte.is_ascii_uppercase()) => text.to_ascii_lowercase().into(),
        true => text.into(),
        false => text.to_lowercase().into(),
    }
}

fn upper(text: &str) -> Cow<'_, str> {
    match text.is_ascii() {
        true if text.bytes().any(|byte| byte.is_ascii_lowercase()) => text.to_ascii_uppercase().into(),
        true => text.into(),
        false => text.to_uppercase().into(),
    }
}

fn in_range(json: &str, range: &pipeline::clean::Range) -> Result<(), String> {
    let number = match kind(json) {
        Kind::Number => Decimal::parse(json),
        other => return Err(format!("{} is no number", other.name())),
    };
    let inside = number.as_ref().is_some_and(|number| {
        range.from.as_ref().is_none_or(|from| from <= number)
            && range.to.as_ref().is_none_or(|to| number <= to)
    });
    if inside { Ok(()) } else { Err(format!("{} is not in {range}", shown(json))) }
}

fn matches(json: &str, pattern: &Regex) -> Result<(), String> {
    if kind(json) != Kind::Text {
        return Err(format!("{} is no text", kind(json).name()));
    }
    // The value may be what somebody wants hidden by a later rule: it is in the row, not in messages.
    if pattern.is_match(&sound(json)?) { Ok(()) } else { Err(format!("does not match {pattern}")) }
}

fn among(json: &str, values: &[Scalar]) -> Result<(), String> {
    if is_among(json, values)? {
        return Ok(());
    }
    Err(format!("{} is not among the {} allowed", shown(json), values.len()))
}

fn is_among(json: &str, values: &[Scalar]) -> Result<bool, String> {
    Ok(match kind(json) {
        Kind::Text => {
            let text = sound(json)?;
            values.iter().any(|value| matches!(value, Scalar::Text(wanted) if *wanted == *text))
        }
        Kind::Number => {
            let number = Decimal::parse(json);
            values.iter().any(|value| match value {
                Scalar::Int(wanted) => Decimal::parse(&wanted.to_string()) == number,
                _ => false,
            })
        }
        Kind::Bool => values.iter().any(|value| matches!(value, Scalar::Bool(_)) && value.json() == json),
        Kind::Null | Kind::Nested => false,
    })
}

fn mask(json: &str, end: usize) -> Result<String, String> {
    if kind(json) == Kind::Nested {
        return Err("a list or an object cannot be masked".to_owned());
    }
    let text = sound(json)?;
    let length = text.chars().count();
    let shown = if length > end { end } else { 0 };
    let mut masked = "*".repeat(length - shown);
    masked.extend(text.chars().skip(length - shown));
    Ok(quoted(&masked))
}

/// What makes rows the same: the values of these fields as they are written,
/// however their text is escaped.
fn key(row: &Row, paths: &[FieldPath]) -> Result<String, Wrong> {
    let mut key = String::new();
    for path in paths {
        let json = row.get(path)?.unwrap_or_default();
        match text(json).filter(|_| json.contains('\\')) {
            Some(plain) => key.push_str(&quoted(&plain)),
            None => key.push_str(json),
        }
        // No value holds a bare line feed outside of lists and objects.
        let _ = writeln!(key);
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-06-01T00:00:00";

    fn cleaner(rules: &str) -> Cleaner {
        let rules = pipeline::clean::parse(rules).unwrap_or_else(|problems| panic!("{problems:?}"));
        let key = |_: &pipeline::clean::Hash| Ok(hmac::Key::new(hmac::HMAC_SHA256, b"key"));
        Cleaner::new(rules, NOW.parse().unwrap(), key).unwrap()
    }

    /// The row that comes out; or `filtered`, or why it is rejected.
    fn run(cleaner: &mut Cleaner, line: &str) -> String {
        let mut row = Row::parse(line.as_bytes()).unwrap();
        match cleaner.clean(&mut row) {
            Ok(Verdict::Out) => {
                let mut out = Vec::new();
                row.write(&mut out);
                String::from_utf8(out).unwrap().trim_end().to_owned()
            }
            Ok(Verdict::Filtered) => "filtered".to_owned(),
            Err(Wrong { field, error, rule }) => {
                format!("{}: {}: {error}", rule.unwrap_or_default(), field.unwrap_or_default())
            }
        }
    }

    fn one(rules: &str, line: &str) -> String {
        run(&mut cleaner(rules), line)
    }

    #[test]
    fn fields_are_asked_for_kept_dropped_and_renamed() {
        assert_eq!(one("require: [a]", r#"{"b":1}"#), "require: a: missing");
        assert_eq!(one("require: [a]", r#"{"a":null}"#), "require: a: null");
        assert_eq!(one("require: [a]", r#"{"a":""}"#), "require: a: empty");
        assert_eq!(one("require: [a]", r#"{"a":0}"#), r#"{"a":0}"#);
        assert_eq!(one("keep: [c, a]", r#"{"a":1,"b":2,"c":3}"#), r#"{"a":1,"c":3}"#);
        assert_eq!(one("drop: [b]", r#"{"a":1,"b":2}"#), r#"{"a":1}"#);
        assert_eq!(one("rename: {a: b, b: a}", r#"{"a":1,"b":2}"#), r#"{"b":1,"a":2}"#);
        assert_eq!(
            one("rename: {a: b}", r#"{"a":1,"b":2}"#),
            "rename: b: another field has this name already"
        );
        assert_eq!(one("rename: {x: b}", r#"{"b":2}"#), r#"{"b":2}"#);
    }

    #[test]
    fn fields_are_made_of_others() {
        assert_eq!(one("copy: {b: a, a: b}", r#"{"a":1.0,"b":[2]}"#), r#"{"a":[2],"b":1.0}"#);
        assert_eq!(one("copy: {b: x}", r#"{"a":1}"#), r#"{"a":1}"#);
        let names = r#"format: {n: "{first} {{{last}}}"}"#;
        assert_eq!(
            one(names, r#"{"first":"A\"","last":null}"#),
            r#"{"first":"A\"","last":null,"n":"A\" {}"}"#
        );
        assert_eq!(one("default: {a: x, b: 1}", r#"{"a":null}"#), r#"{"a":"x","b":1}"#);
    }

    #[test]
    fn text_is_trimmed_and_its_case_changed_and_what_is_no_text_stays() {
        assert_eq!(one("trim: [a, b]", r#"{"a":" x\t","b":1}"#), r#"{"a":"x","b":1}"#);
        assert_eq!(one("[lower: [a], upper: [b]]", r#"{"a":"ÄB","b":"ß"}"#), r#"{"a":"äb","b":"SS"}"#);
        assert_eq!(
            one("trim: [a]", r#"{"a":"\ud800"}"#),
            "trim: a: an escape in its text stands for no character"
        );
    }

    #[test]
    fn checks_compare_exactly() {
        let range = "range: {a: \"0..10.5\"}";
        assert_eq!(one(range, r#"{"a":10.500}"#), r#"{"a":10.500}"#);
        assert_eq!(
            one(range, r#"{"a":10.5000000000000000000001}"#),
            "range: a: 10.5000000000000000000001 is not in 0..10.5"
        );
        assert_eq!(one(range, r#"{"a":"5"}"#), "range: a: text is no number");
        assert_eq!(one("match: {a: '^[a-z]+$'}", r#"{"a":"a1"}"#), "match: a: does not match ^[a-z]+$");
        let few = "one_of: {a: [x, 1, true]}";
        for good in [r#"{"a":"x"}"#, r#"{"a":1.0}"#, r#"{"a":true}"#, r#"{"b":"y"}"#, r#"{"a":null}"#] {
            assert_eq!(one(few, good), good);
        }
        for bad in [r#"{"a":"1"}"#, r#"{"a":2}"#, r#"{"a":false}"#, r#"{"a":["x"]}"#] {
            assert!(one(few, bad).starts_with("one_of: a: "), "{bad}");
        }
    }

    #[test]
    fn what_is_hidden_stays_hidden() {
        assert_eq!(one("mask: {a: 4}", r#"{"a":"1234567é"}"#), r#"{"a":"****567é"}"#);
        assert_eq!(one("mask: {a: 4}", r#"{"a":"123"}"#), r#"{"a":"***"}"#);
        assert_eq!(one("mask: {a: 2}", r#"{"a":12345}"#), r#"{"a":"***45"}"#);
        // The example of Wikipedia's article on HMAC.
        let hashed = one("hash: {fields: [a]}", r#"{"a":"The quick brown fox jumps over the lazy dog"}"#);
        assert!(
            hashed.contains("f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"),
            "{hashed}"
        );
    }

    #[test]
    fn rows_are_taken_out_by_value_and_by_age() {
        assert_eq!(one("discard: {a: [test]}", r#"{"a":"test"}"#), "filtered");
        assert_eq!(one("discard: {a: [test]}", r#"{"a":"live"}"#), r#"{"a":"live"}"#);
        assert_eq!(one("purge: {t: 31d}", r#"{"t":"2026-04-30T23:59:59Z"}"#), "filtered");
        assert_eq!(
            one("purge: {t: 31d}", r#"{"t":"2026-05-01T00:00:00Z"}"#),
            r#"{"t":"2026-05-01T00:00:00Z"}"#
        );
        assert_eq!(one("purge: {t: 31d}", r#"{"t":"old"}"#), "purge: t: no time of RFC 3339");
    }

    #[test]
    fn a_row_seen_lately_is_taken_out_and_one_that_was_rejected_hides_none() {
        let mut cleaner = cleaner("[dedupe: {key: [id], last: 2}, cast: {n: int}]");
        let mut said = |line: &str| run(&mut cleaner, line);
        assert!(said(r#"{"id":"\u0061","n":"x"}"#).starts_with("cast"));
        assert_eq!(said(r#"{"id":"a"}"#), r#"{"id":"a"}"#);
        assert_eq!(said(r#"{"id":"\u0061"}"#), "filtered");
        assert_eq!(said(r#"{"id":"b"}"#), r#"{"id":"b"}"#);
        assert_eq!(said(r#"{"id":"c"}"#), r#"{"id":"c"}"#);
        assert_eq!(said(r#"{"id":"a"}"#), r#"{"id":"a"}"#);
    }

    #[test]
    fn every_rule_reaches_into_objects() {
        let row = r#"{"id":1,"m":{"a":" X ","b":{"c":"1234567"},"t":"2026-04-01T00:00:00Z"}}"#;
        let left = |rule: &str, wanted: &str| {
            let m = one(rule, row);
            assert_eq!(m, format!(r#"{{"id":1,"m":{wanted}}}"#), "{rule}");
        };
        assert_eq!(one("require: [m.b.c, /m/a]", row), row);
        assert_eq!(one("require: [m.x.y]", row), "require: m.x.y: missing");
        assert_eq!(one("keep: [m.b.c]", row), r#"{"m":{"b":{"c":"1234567"}}}"#);
        assert_eq!(one("keep: [m.b, m, id.x]", row), row.replacen("\"id\":1,", "", 1));
        left("drop: [m.b, m.t, m.x]", r#"{"a":" X "}"#);
        left("trim: [m.a]", r#"{"a":"X","b":{"c":"1234567"},"t":"2026-04-01T00:00:00Z"}"#);
        left("[keep: [id, m.b], cast: {m.b.c: int}]", r#"{"b":{"c":1234567}}"#);
        left("[keep: [id, m.b], mask: {m.b.c: 2}]", r#"{"b":{"c":"*****67"}}"#);
        left(
            "[keep: [id, m.b], default: {m.b.c: x, m.b.d: 1, m.e.f: true}]",
            r#"{"b":{"c":"1234567","d":1},"e":{"f":true}}"#,
        );
        left("[keep: [id, m.b], copy: {m.c: m.b.c}]", r#"{"b":{"c":"1234567"},"c":"1234567"}"#);
        left("[keep: [id, m.b], rename: {m.b.c: m.b.d}]", r#"{"b":{"d":"1234567"}}"#);
        assert_eq!(
            one("[keep: [id, m.b], rename: {m.b.c: c, id: /m/b/id}]", row),
            r#"{"m":{"b":{"id":1}},"c":"1234567"}"#
        );
        assert_eq!(one("rename: {id: m.a}", row), "rename: m.a: another field has this name already");
        assert_eq!(one("[format: {x.y: '{m.a}|{m.b.c}'}, keep: [x]]", row), r#"{"x":{"y":" X |1234567"}}"#);
        assert_eq!(one("range: {m.b.c: '0..'}", row), "range: m.b.c: text is no number");
        assert_eq!(one("discard: {m.b.c: ['1234567']}", row), "filtered");
        assert_eq!(one("purge: {m.t: 31d}", row), "filtered");
        assert_eq!(one("default: {id.x: 1}", row), "default: id.x: what it lies in is no object");
        assert_eq!(
            one("mask: {m.a: 0}", r#"{"m":{"a":"1","a":"2"}}"#),
            "mask: m.a: a name in its path is there twice"
        );
        assert_eq!(
            one("[hash: {fields: [m.b.c]}, rename: {m.b.c: h}, keep: [h]]", row),
            one("hash: {fields: [h]}", r#"{"h":"1234567"}"#)
        );
        assert_eq!(
            one("trim: [/a.b, a.b]", r#"{"a.b":" x ","a":{"b":" y "}}"#),
            r#"{"a.b":"x","a":{"b":"y"}}"#
        );
    }

    #[test]
    fn jq_makes_one_row_of_a_row_or_takes_it_out() {
        assert_eq!(one("jq: '.n += 1 | del(.x)'", r#"{"n":1,"x":0,"d":1.50}"#), r#"{"n":2,"d":1.50}"#);
        assert_eq!(one("jq: 'select(.n > 1)'", r#"{"n":1}"#), "filtered");
        assert_eq!(one("[jq: '{a: .b}', require: [a]]", r#"{"b":"é"}"#), r#"{"a":"é"}"#);
        assert_eq!(
            one("jq: '.n'", r#"{"n":1}"#),
            "jq: : no JSON object: invalid type: integer `1`, expected a JSON object at byte 1"
        );
        assert_eq!(one("jq: '., .'", r#"{"n":1}"#), "jq: : more than one value comes out");
        assert_eq!(one("jq: '.n + 1'", r#"{"n":"x"}"#), "jq: : cannot calculate \"x\" + 1");
        assert_eq!(one("jq: '{a: nan}'", r#"{"n":1}"#), "jq: : expected value at byte 6");
        assert_eq!(
            one("jq: '[limit(3; repeat(1))] | last(repeat(.))'", "{}"),
            "jq: : takes more than 100000 steps"
        );
    }

    #[test]
    fn a_row_near_in_time_to_one_with_its_key_is_taken_out() {
        let mut cleaner = cleaner("dedupe: {key: [m.id], within: 10m, time: m.at}");
        let mut said = |id: u32, at: &str| {
            let out = run(&mut cleaner, &format!(r#"{{"m":{{"id":{id},"at":{at}}}}}"#));
            out == "filtered"
        };
        assert!(!said(1, "\"2026-01-01T00:00:00Z\""));
        assert!(!said(2, "\"2026-01-01T00:00:00Z\""));
        assert!(said(1, "\"2026-01-01T01:10:00+01:00\""));
        assert!(!said(1, "\"2026-01-01T00:10:00.001Z\""));
        assert!(!said(1, "null") && !said(1, "null"));
        assert!(!cleaner.overflowed());
        assert!(run(&mut cleaner, r#"{"m":{"id":1,"at":"x"}}"#).starts_with("dedupe: m.at: no time"));
    }

    #[test]
    fn a_time_format_that_is_none_is_found_before_the_first_row() {
        let rules = pipeline::clean::parse("cast: {a: 'timestamp:dd.mm.yyyy'}").unwrap();
        let key = |_: &pipeline::clean::Hash| unreachable!();
        assert_eq!(Cleaner::new(rules, NOW.parse().unwrap(), key).unwrap_err().status(), 2);
    }
}
