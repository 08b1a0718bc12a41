//! Values of another type, exactly or not at all.

use std::borrow::Cow;

use jiff::civil::{DateTime, Time};
use jiff::fmt::strtime;
use jiff::fmt::temporal::Pieces;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use pipeline::clean::{Cast, Decimal};

use crate::row::{Kind, kind, quoted, text};

/// What a value becomes, as JSON; `Ok(None)` if it stays as it is.
pub(crate) fn cast(json: &str, to: &Cast) -> Result<Option<String>, String> {
    let kind = kind(json);
    if kind == Kind::Nested && *to != Cast::Text {
        return Err(format!("{} is no {to}", kind.name()));
    }
    let written = text(json).ok_or("an escape in its text stands for no character")?;
    match to {
        Cast::Int => int(json, kind, &written),
        Cast::Decimal(digits) => decimal(json, kind, &written, *digits),
        Cast::Bool => boolean(kind, &written),
        Cast::Text => Ok((kind != Kind::Text).then(|| quoted(json))),
        Cast::Timestamp(formats) => {
            let time = timestamp(kind, &written, formats)?;
            let wanted = format!("\"{time}Z\"");
            Ok((wanted != json).then_some(wanted))
        }
    }
}

/// The digits before and after the point of a number that is written as it
/// comes out: most are, and need no arithmetic.
fn plain(written: &str) -> Option<(&str, &str)> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = written.strip_prefix('-').unwrap_or(written);
    let (whole, part) =
        unsigned.split_once('.').map_or((unsigned, None), |(whole, part)| (whole, Some(part)));
    let least = if unsigned.len() < written.len() { b'1' } else { b'0' };
    let fine = digits(whole)
        && part.is_none_or(digits)
        && (whole.len() == 1 || !whole.starts_with('0'))
        && whole.as_bytes()[0] >= least
        && unsigned.len() < 400;
    fine.then_some((whole, part.unwrap_or_default()))
}

fn int(json: &str, kind: Kind, written: &str) -> Result<Option<String>, String> {
    if plain(written).is_some_and(|(whole, part)| part.is_empty() && whole.len() < 19) {
        return Ok((written != json).then(|| written.to_owned()));
    }
    let wrong = || format!("`{}` is no whole number", shown(written));
    if kind == Kind::Bool {
        return Err(wrong());
    }
    let whole = Decimal::parse(written).filter(Decimal::is_whole).and_then(|number| number.with_part(0));
    let number: i64 = match whole {
        Some(whole) => whole
            .to_string()
            .parse()
            .map_err(|_| format!("`{}` does not fit into 64 bits", shown(written)))?,
        None => return Err(wrong()),
    };
    let wanted = number.to_string();
    Ok((wanted != json).then_some(wanted))
}

fn decimal(
    json: &str,
    kind: Kind,
    written: &str,
    digits: Option<(u8, u8)>,
) -> Result<Option<String>, String> {
    if let Some((whole, part)) = plain(written)
        && digits.is_none_or(|(all, after)| {
            part.len() == usize::from(after) && whole.len() <= usize::from(all - after)
        })
    {
        return Ok((written != json).then(|| written.to_owned()));
    }
    let number = (kind != Kind::Bool).then(|| Decimal::parse(written)).flatten();
    let mut number = number.ok_or_else(|| format!("`{}` is no number", shown(written)))?;
    if let Some((all, after)) = digits {
        let before = usize::from(all - after);
        if number.whole_digits() > before {
            return Err(format!("`{}` has more than {before} digits before the point", shown(written)));
        }
        number = number
            .with_part(usize::from(after))
            .ok_or_else(|| format!("`{}` has more than {after} digits after the point", shown(written)))?;
    }
    let wanted = number.to_string();
    Ok((wanted != json).then_some(wanted))
}

fn boolean(kind: Kind, written: &str) -> Result<Option<String>, String> {
    let word = match (kind, written.to_ascii_lowercase().as_str()) {
        (Kind::Bool, _) => return Ok(None),
        (_, "true" | "t" | "yes" | "y" | "on" | "1") => "true",
        (_, "false" | "f" | "no" | "n" | "off" | "0") => "false",
        _ => return Err(format!("`{}` is neither true nor false", shown(written))),
    };
    Ok(Some(word.to_owned()))
}

/// A time in UTC. Not a `Timestamp`: that ends a day before databases' end of all days,
/// 9999-12-31T23:59:59Z.
fn timestamp(kind: Kind, written: &str, formats: &[String]) -> Result<DateTime, String> {
    let fits = |format: &str| match (kind, format) {
        (_, "unix") => unix(written, 0),
        (_, "unix_ms") => unix(written, 3),
        (Kind::Text, "rfc3339") => rfc3339(written),
        (Kind::Text, format) => by_format(format, written),
        _ => None,
    };
    let time = match formats {
        [] => fits("rfc3339"),
        formats => formats.iter().find_map(|format| fits(format)),
    };
    let wanted = || if formats.is_empty() { "RFC 3339".to_owned() } else { formats.join(" or ") };
    time.ok_or_else(|| format!("`{}` is no time: {} is wanted", shown(written), wanted()))
}

/// A time as RFC 3339 writes it; UTC if it has no offset.
pub(crate) fn rfc3339(written: &str) -> Option<DateTime> {
    let pieces = Pieces::parse(written).ok().filter(|pieces| pieces.time_zone_annotation().is_none())?;
    let time = pieces.date().to_datetime(pieces.time().unwrap_or(Time::midnight()));
    utc(time, pieces.to_numeric_offset())
}

fn by_format(format: &str, written: &str) -> Option<DateTime> {
    let parsed = strtime::parse(format, written).ok()?;
    let date = parsed.to_date().ok()?;
    utc(parsed.to_datetime().unwrap_or_else(|_| date.at(0, 0, 0, 0)), parsed.offset())
}

fn utc(time: DateTime, offset: Option<Offset>) -> Option<DateTime> {
    let ahead = SignedDuration::from_secs(offset.map_or(0, |offset| offset.seconds().into()));
    // RFC 3339 has no years before 0.
    time.checked_sub(ahead).ok().filter(|time| time.year() >= 0)
}

/// Seconds since 1970, the point `shift` digits further to the right; down to nanoseconds.
fn unix(written: &str, shift: usize) -> Option<DateTime> {
    let number = Decimal::parse(written)?;
    let nanos = number.with_part(9 - shift)?.to_string().replace('.', "").parse::<i128>().ok()?;
    let seconds = i64::try_from(nanos.div_euclid(1_000_000_000)).ok()?;
    let rest = i32::try_from(nanos.rem_euclid(1_000_000_000)).ok()?;
    let time = Timestamp::from_duration(SignedDuration::new(seconds, rest)).ok()?;
    utc(Offset::UTC.to_datetime(time), None)
}

/// Whether a format can be used at all.
pub(crate) fn is_format(format: &str) -> bool {
    matches!(format, "rfc3339" | "unix" | "unix_ms")
        || strtime::format(format, Timestamp::UNIX_EPOCH).is_ok_and(|text| text != format)
}

/// What a message may quote of a value.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(64) {
        Some((at, _)) => format!("{}…", &text[..at]).into(),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(json: &str, kind: &str) -> Result<String, String> {
        cast(json, &kind.parse().unwrap()).map(|made| made.unwrap_or_else(|| json.to_owned()))
    }

    #[test]
    fn whole_numbers_come_from_numbers_and_text_that_lose_nothing() {
        for (json, wanted) in [("5", "5"), ("\"5\"", "5"), ("5.0", "5"), ("\"-5\"", "-5"), ("1e3", "1000")] {
            assert_eq!(to(json, "int").as_deref(), Ok(wanted), "{json}");
        }
        for bad in ["5.5", "\"\"", "\" 5\"", "true", "[5]", "\"5x\"", "9223372036854775808", "1e300"] {
            assert!(to(bad, "int").is_err(), "{bad}");
        }
    }

    #[test]
    fn decimals_are_never_rounded() {
        assert_eq!(to("\"12.5\"", "decimal(12,2)").as_deref(), Ok("12.50"));
        assert_eq!(to("12.500", "decimal(12,2)").as_deref(), Ok("12.50"));
        assert_eq!(to("0.1", "decimal").as_deref(), Ok("0.1"));
        assert_eq!(to("12345678901234567890.123", "decimal").as_deref(), Ok("12345678901234567890.123"));
        assert!(to("12.505", "decimal(12,2)").unwrap_err().contains("more than 2 digits after"));
        assert!(to("123.4", "decimal(3,1)").unwrap_err().contains("more than 2 digits before"));
        assert!(to("\"1,5\"", "decimal").is_err());
        assert_eq!(to("-0.00", "decimal").as_deref(), Ok("0.00"));
        assert_eq!(to("\"-0.50\"", "decimal(3,2)").as_deref(), Ok("-0.50"));
        assert_eq!(to("\"007.5\"", "decimal").as_deref(), Ok("7.5"));
    }

    #[test]
    fn truth_has_few_spellings() {
        for yes in ["true", "\"Yes\"", "\"t\"", "1", "\"on\"", "\"1\""] {
            assert_eq!(to(yes, "bool").as_deref(), Ok("true"), "{yes}");
        }
        for bad in ["2", "\"ja\"", "\"\"", "{}"] {
            assert!(to(bad, "bool").is_err(), "{bad}");
        }
    }

    #[test]
    fn anything_can_be_text() {
        assert_eq!(to("1.50", "text").as_deref(), Ok("\"1.50\""));
        assert_eq!(to("[\"a\"]", "text").as_deref(), Ok(r#""[\"a\"]""#));
        assert_eq!(to("\"a\\n\"", "text").as_deref(), Ok("\"a\\n\""));
    }

    #[test]
    fn times_come_out_in_utc_from_the_first_format_that_fits() {
        for (json, kind, wanted) in [
            ("\"2026-01-02T03:04:05Z\"", "timestamp", "2026-01-02T03:04:05Z"),
            ("\"2026-01-02T03:04:05.250+02:00\"", "timestamp", "2026-01-02T01:04:05.25Z"),
            ("\"2026-01-02 03:04:05\"", "timestamp", "2026-01-02T03:04:05Z"),
            ("\"02.01.2026 03:04\"", "timestamp:%d.%m.%Y %H:%M", "2026-01-02T03:04:00Z"),
            ("\"02.01.2026\"", "timestamp:rfc3339|%d.%m.%Y", "2026-01-02T00:00:00Z"),
            ("\"02/Jan/2026:03:04:05 +0200\"", "timestamp:%d/%b/%Y:%H:%M:%S %z", "2026-01-02T01:04:05Z"),
            ("1767323045", "timestamp:unix", "2026-01-02T03:04:05Z"),
            ("1767323045250", "timestamp:unix_ms", "2026-01-02T03:04:05.25Z"),
            ("\"1767323045.5\"", "timestamp:%Y|unix", "2026-01-02T03:04:05.5Z"),
            ("-1", "timestamp:unix", "1969-12-31T23:59:59Z"),
            ("\"9999-12-31T23:59:59Z\"", "timestamp", "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(to(json, kind).as_deref(), Ok(format!("\"{wanted}\"").as_str()), "{json} {kind}");
        }
        for (bad, kind) in [
            ("\"yesterday\"", "timestamp"),
            ("1767323045", "timestamp"),
            ("\"30.02.2026\"", "timestamp:%d.%m.%Y"),
            ("\"99999-01-01T00:00:00Z\"", "timestamp"),
            ("1e300", "timestamp:unix"),
            ("true", "timestamp:unix"),
        ] {
            assert!(to(bad, kind).is_err(), "{bad} {kind}");
        }
    }

    #[test]
    fn a_format_that_says_nothing_is_none() {
        assert!(is_format("%d.%m.%Y %H:%M:%S") && is_format("unix"));
        assert!(!is_format("dd.mm.yyyy") && !is_format("%!"));
    }
}
