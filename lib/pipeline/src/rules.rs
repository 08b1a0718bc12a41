//! What the texts of the document must look like, each rule by itself.

use document::Field;

use crate::unit::Span;
use crate::words::Secret;

/// A name of a pipeline or a step: it goes into consumer groups, DAGs and files.
pub(crate) fn label(field: &Field) -> Option<String> {
    let text = field.text()?;
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let ok = (1..=63).contains(&text.len())
        && text.chars().all(fine)
        && !text.starts_with('-')
        && !text.ends_with('-');
    if !ok {
        field.wrong("a name is 1 to 63 of a-z, 0-9 and inner hyphens (RFC 1123)");
    }
    ok.then_some(text)
}

/// A topic's name, as Kafka takes it.
pub(crate) fn is_topic(text: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=249).contains(&text.len()) && text.chars().all(fine) && !matches!(text, "." | "..")
}

/// The same, of a field.
pub(crate) fn topic(field: &Field) -> Option<String> {
    let text = field.text()?;
    let ok = is_topic(&text);
    if !ok {
        field.wrong("a topic's name is 1 to 249 letters, digits, `.`, `_` and `-`");
    }
    ok.then_some(text)
}

/// A name of a field of a row.
pub(crate) fn is_field(text: &str) -> bool {
    (1..=256).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// The same, of a field of the document.
pub(crate) fn name(field: &Field) -> Option<String> {
    let text = field.text()?;
    let ok = is_field(&text);
    if !ok {
        field.wrong("a name of 1 to 256 bytes without control characters is wanted");
    }
    ok.then_some(text)
}

/// Names, at least one, none twice.
pub(crate) fn names(field: &Field) -> Option<Vec<String>> {
    let names = some(field, name)?;
    for (n, one) in names.iter().enumerate() {
        if names[..n].contains(one) {
            field.wrong(format!("`{one}` is there twice"));
        }
    }
    Some(names)
}

/// A list that is not empty.
pub(crate) fn some<'a, T>(field: &Field<'a>, read: impl Fn(&Field<'a>) -> Option<T>) -> Option<Vec<T>> {
    let items = field.list(read)?;
    if matches!(field.value(), document::Value::List(items) if items.is_empty()) {
        field.wrong("at least one is wanted");
    }
    Some(items)
}

/// The path of a file.
pub(crate) fn file(field: &Field) -> Option<String> {
    let text = field.text()?;
    let ok = (1..=4096).contains(&text.len()) && !text.chars().any(char::is_control);
    if !ok {
        field.wrong("the path of a file is wanted");
    }
    ok.then_some(text)
}

/// A duration that is not nothing.
pub(crate) fn span(field: &Field) -> Option<Span> {
    let span: Span = field.parse()?;
    if span.ms == 0 {
        field.wrong("more than nothing is wanted");
        return None;
    }
    Some(span)
}

/// A URL with one of these schemes and without a password, or where one is found.
pub(crate) fn url(field: &Field, schemes: &[&str]) -> Option<String> {
    let text = field.text()?;
    let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
    if matches!(scheme, "env" | "file") && !(scheme == "file" && schemes.contains(&"file")) {
        let ok = text.parse::<Secret>().is_ok();
        if !ok {
            field.wrong("a reference is env:NAME or file:PATH");
        }
        return ok.then_some(text);
    }
    let authority = text.split_once("://").map_or("", |(_, rest)| rest);
    let authority = authority.split(['/', '?']).next().unwrap_or_default();
    if authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':')) {
        field.wrong_hint("a URL here holds no password: many read this file", "env:NAME or file:PATH");
        return None;
    }
    let rest = text.get(scheme.len() + 1..).unwrap_or_default();
    let ok = schemes.contains(&scheme)
        && !rest.trim_matches('/').is_empty()
        && !text.chars().any(|c| c.is_control() || c.is_whitespace());
    if !ok {
        field.wrong(format!("{} is wanted, or env:NAME, file:PATH", forms(schemes)));
    }
    ok.then_some(text)
}

fn forms(schemes: &[&str]) -> String {
    let form = |scheme: &&str| match *scheme {
        "sqlite" | "file" => format!("{scheme}:PATH"),
        other => format!("{other}://…"),
    };
    schemes.iter().map(form).collect::<Vec<_>>().join(", ")
}

/// `HOST:PORT`.
pub(crate) fn authority(field: &Field) -> Option<String> {
    let text = field.text()?;
    let ok = text.rsplit_once(':').is_some_and(|(host, port)| {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let host_ok = match bare {
            Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.chars().all(plain),
        };
        host_ok && port.parse::<u16>().is_ok_and(|port| port > 0) && !port.starts_with('+')
    });
    if !ok {
        field.wrong("HOST:PORT is wanted, such as 127.0.0.1:9092 or [fd00::1]:9092");
    }
    ok.then_some(text)
}

/// The fields of a line of cron, each with its bounds.
const FIELDS: [(&str, u32, u32); 5] = [
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of the month", 1, 31),
    ("month", 1, 12),
    ("day of the week", 0, 7),
];

/// Minute, hour, day, month, weekday.
pub(crate) fn cron(field: &Field) -> Option<String> {
    let text = field.text()?;
    let words: Vec<_> = text.split_whitespace().collect();
    if words.len() != FIELDS.len() {
        field.wrong("five fields are wanted: minute, hour, day of the month, month, day of the week");
        return None;
    }
    for (word, (what, least, most)) in words.iter().zip(FIELDS) {
        if !word.split(',').all(|item| is_cron_item(item, least, most)) {
            let shown = crate::unit::shown(word);
            field.wrong(format!(
                "`{shown}` is no {what}: *, {least}-{most}, steps such as */5, lists with commas"
            ));
            return None;
        }
    }
    Some(words.join(" "))
}

fn is_cron_item(item: &str, least: u32, most: u32) -> bool {
    let number = |text: &str| {
        let plain = text.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| text.parse::<u32>().ok()).flatten().filter(|n| (least..=most).contains(n))
    };
    let (range, step) = item.split_once('/').map_or((item, None), |(range, step)| (range, Some(step)));
    let range_ok = match range.split_once('-') {
        _ if range == "*" => true,
        Some((from, to)) => matches!((number(from), number(to)), (Some(from), Some(to)) if from <= to),
        // A step from a single number is an extension some crons take and some do not.
        None => number(range).is_some() && step.is_none(),
    };
    range_ok && step.is_none_or(|step| step.parse::<u32>().is_ok_and(|step| (1..=most).contains(&step)))
}

/// A time zone's name.
pub(crate) fn timezone(field: &Field) -> Option<String> {
    let text = field.text()?;
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+');
    let ok = (1..=64).contains(&text.len()) && text.chars().all(fine) && !text.starts_with('/');
    if !ok {
        field.wrong("a time zone such as UTC or Europe/Berlin is wanted");
    }
    ok.then_some(text)
}
