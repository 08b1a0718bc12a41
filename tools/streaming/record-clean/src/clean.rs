//! What becomes of a row, one rule after the other.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;

use jiff::SignedDuration;
use jiff::civil::DateTime;
use pipeline::clean::{Cast, Decimal, Part, Rule, Scalar, Template};
use regex::Regex;
use ring::hmac;

use crate::cast::{self, shown};
use crate::row::{Field, Kind, Row, quoted, text};
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

    pub(crate) fn field(name: &str, error: impl Into<String>) -> Self {
        Self { field: Some(name.to_owned()), error: error.into(), rule: None }
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
    patterns: BTreeMap<String, Regex>,
    /// Of `hash`.
    key: Option<hmac::Key>,
    /// Of `dedupe`.
    seen: Option<Seen>,
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
            let mut step = Step { patterns: BTreeMap::new(), key: None, seen: None, rule };
            match &step.rule {
                Rule::Match(patterns) => {
                    for (field, pattern) in patterns {
                        let regex = cli::Context::invalid(Regex::new(pattern), "reading rules")?;
                        step.patterns.insert(field.clone(), regex);
                    }
                }
                Rule::Hash(hash) => step.key = Some(key(hash)?),
                Rule::Dedupe(dedupe) => step.seen = Some(Seen::last(dedupe.last as usize)),
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
    fn apply(&mut self, row: &mut Row, now: DateTime) -> Result<Verdict, Wrong> {
        match &self.rule {
            Rule::Require(names) => names.iter().try_for_each(|name| require(row, name))?,
            Rule::Keep(names) => row.fields.retain(|field| names.iter().any(|name| *name == field.name)),
            Rule::Drop(names) => row.fields.retain(|field| names.iter().all(|name| *name != field.name)),
            Rule::Rename(names) => rename(row, names)?,
            Rule::Copy(names) => {
                let copies: Vec<_> =
                    names.iter().filter_map(|(new, old)| Some((new, row.get(old)?.json.clone()))).collect();
                copies.into_iter().for_each(|(new, json)| row.set(new, json));
            }
            Rule::Format(templates) => {
                let made = templates.iter().map(|(new, template)| Ok((new, format(row, template)?)));
                let made: Vec<_> = made.collect::<Result<_, Wrong>>()?;
                made.into_iter().for_each(|(new, text)| row.set(new, Cow::Owned(quoted(&text))));
            }
            Rule::Cast(casts) => each(row, casts, cast_field)?,
            Rule::Default(values) => {
                for (name, value) in values {
                    if row.valued(name).is_none() {
                        row.set(name, Cow::Owned(value.json()));
                    }
                }
            }
            Rule::Trim(names) => each_text(row, names, |text| text.trim().into())?,
            Rule::Lower(names) => each_text(row, names, |text| text.to_lowercase().into())?,
            Rule::Upper(names) => each_text(row, names, |text| text.to_uppercase().into())?,
            Rule::Range(ranges) => each(row, ranges, |field, range| in_range(field, range))?,
            Rule::Match(_) => each(row, &self.patterns, |field, pattern| matches(field, pattern))?,
            Rule::OneOf(values) => each(row, values, |field, values| among(field, values))?,
            Rule::Mask(ends) => each(row, ends, |field, end| mask(field, *end as usize))?,
            Rule::Hash(hash) => {
                for name in &hash.fields {
                    if let (Some(field), Some(key)) = (row.valued(name), &self.key) {
                        let code = hmac::sign(key, field.text()?.as_bytes());
                        field.set_text(&data_encoding::HEXLOWER.encode(code.as_ref()));
                    }
                }
            }
            Rule::Discard(values) => {
                for (name, values) in values {
                    if let Some(field) = row.valued(name)
                        && is_among(field, values)?
                    {
                        return Ok(Verdict::Filtered);
                    }
                }
            }
            Rule::Purge(ages) => {
                for (name, age) in ages {
                    let Some(field) = row.valued(name) else { continue };
                    let time = cast::rfc3339(&field.text()?);
                    let time = time.ok_or_else(|| field.wrong("no time of RFC 3339"))?;
                    if now.duration_since(time) > SignedDuration::from_millis(age.ms.cast_signed()) {
                        return Ok(Verdict::Filtered);
                    }
                }
            }
            Rule::Dedupe(dedupe) => {
                let key = key(row, &dedupe.key);
                if let Some(seen) = &mut self.seen
                    && !seen.is_new(key)
                {
                    return Ok(Verdict::Filtered);
                }
            }
        }
        Ok(Verdict::Out)
    }
}

/// Does something to each of these fields that has a value.
fn each<T>(
    row: &mut Row,
    wanted: &BTreeMap<String, T>,
    mut act: impl FnMut(&mut Field, &T) -> Result<(), Wrong>,
) -> Result<(), Wrong> {
    wanted.iter().try_for_each(|(name, wanted)| row.valued(name).map_or(Ok(()), |field| act(field, wanted)))
}

fn require(row: &Row, name: &str) -> Result<(), Wrong> {
    match row.get(name) {
        None => Err(Wrong::field(name, "missing")),
        Some(field) if field.kind() == Kind::Null => Err(Wrong::field(name, "null")),
        Some(field) if field.json == "\"\"" => Err(Wrong::field(name, "empty")),
        Some(_) => Ok(()),
    }
}

/// All at once: fields can change places.
fn rename(row: &mut Row, names: &BTreeMap<String, String>) -> Result<(), Wrong> {
    for field in &mut row.fields {
        if let Some(new) = names.get(&*field.name) {
            field.name = Cow::Owned(new.clone());
        }
    }
    match names.values().find(|new| row.fields.iter().filter(|field| field.name == **new).count() > 1) {
        Some(new) => Err(Wrong::field(new, "another field has this name already")),
        None => Ok(()),
    }
}

fn format(row: &Row, template: &Template) -> Result<String, Wrong> {
    let mut made = String::new();
    for part in &template.0 {
        match part {
            Part::Text(text) => made.push_str(text),
            Part::Field(name) => {
                if let Some(field) = row.get(name).filter(|field| field.kind() != Kind::Null) {
                    made.push_str(&field.text()?);
                }
            }
        }
    }
    Ok(made)
}

fn cast_field(field: &mut Field, to: &Cast) -> Result<(), Wrong> {
    if let Some(json) = cast::cast(&field.json, to).map_err(|error| field.wrong(error))? {
        field.json = Cow::Owned(json);
    }
    Ok(())
}

fn each_text(row: &mut Row, names: &[String], change: impl Fn(&str) -> Cow<str>) -> Result<(), Wrong> {
    for name in names {
        if let Some(field) = row.valued(name).filter(|field| field.kind() == Kind::Text) {
            let text = field.text()?;
            let changed = change(&text);
            if changed != text {
                let json = quoted(&changed);
                field.json = Cow::Owned(json);
            }
        }
    }
    Ok(())
}

fn in_range(field: &Field, range: &pipeline::clean::Range) -> Result<(), Wrong> {
    let number = match field.kind() {
        Kind::Number => Decimal::parse(&field.json),
        other => return Err(field.wrong(format!("{} is no number", other.name()))),
    };
    let inside = number.as_ref().is_some_and(|number| {
        range.from.as_ref().is_none_or(|from| from <= number)
            && range.to.as_ref().is_none_or(|to| number <= to)
    });
    if inside { Ok(()) } else { Err(field.wrong(format!("{} is not in {range}", shown(&field.json)))) }
}

fn matches(field: &Field, pattern: &Regex) -> Result<(), Wrong> {
    if field.kind() != Kind::Text {
        return Err(field.wrong(format!("{} is no text", field.kind().name())));
    }
    let text = field.text()?;
    // The value may be what somebody wants hidden by a later rule: it is in the row, not in messages.
    if pattern.is_match(&text) { Ok(()) } else { Err(field.wrong(format!("does not match {pattern}"))) }
}

fn among(field: &Field, values: &[Scalar]) -> Result<(), Wrong> {
    if is_among(field, values)? {
        return Ok(());
    }
    Err(field.wrong(format!("{} is not among the {} allowed", shown(&field.json), values.len())))
}

fn is_among(field: &Field, values: &[Scalar]) -> Result<bool, Wrong> {
    Ok(match field.kind() {
        Kind::Text => {
            let text = field.text()?;
            values.iter().any(|value| matches!(value, Scalar::Text(wanted) if *wanted == *text))
        }
        Kind::Number => {
            let number = Decimal::parse(&field.json);
            values.iter().any(|value| match value {
                Scalar::Int(wanted) => Decimal::parse(&wanted.to_string()) == number,
                _ => false,
            })
        }
        Kind::Bool => {
            values.iter().any(|value| matches!(value, Scalar::Bool(_)) && value.json() == field.json)
        }
        Kind::Null | Kind::Nested => false,
    })
}

fn mask(field: &mut Field, end: usize) -> Result<(), Wrong> {
    if field.kind() == Kind::Nested {
        return Err(field.wrong("a list or an object cannot be masked"));
    }
    let text = field.text()?;
    let length = text.chars().count();
    let shown = if length > end { end } else { 0 };
    let mut masked = "*".repeat(length - shown);
    masked.extend(text.chars().skip(length - shown));
    field.set_text(&masked);
    Ok(())
}

/// What makes rows the same: the values of these fields as they are written,
/// however their text is escaped.
fn key(row: &Row, names: &[String]) -> String {
    let mut key = String::new();
    for name in names {
        let json = row.get(name).map_or("", |field| &*field.json);
        match text(json).filter(|_| json.contains('\\')) {
            Some(plain) => key.push_str(&quoted(&plain)),
            None => key.push_str(json),
        }
        // No value holds a bare line feed outside of lists and objects.
        let _ = writeln!(key);
    }
    key
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
    fn a_time_format_that_is_none_is_found_before_the_first_row() {
        let rules = pipeline::clean::parse("cast: {a: 'timestamp:dd.mm.yyyy'}").unwrap();
        let key = |_: &pipeline::clean::Hash| unreachable!();
        assert_eq!(Cleaner::new(rules, NOW.parse().unwrap(), key).unwrap_err().status(), 2);
    }
}
