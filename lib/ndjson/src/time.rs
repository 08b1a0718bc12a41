//! Times as rows write them: RFC 3339, in microseconds since 1970.

use std::fmt::Write;

/// A day, in microseconds.
pub const DAY_US: i64 = 86_400_000_000;

/// A time as RFC 3339 writes it, in microseconds since 1970; finer digits are dropped.
pub fn of_text(text: &str) -> Option<i64> {
    Clock::default().of_text(text)
}

/// Reads times, many of which are of the same minute.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// The last minute as it was written, and in minutes since 1970.
    written: [u8; 16],
    minutes: i64,
}

impl Clock {
    /// As [`of_text`] does.
    #[inline]
    pub fn of_text(&mut self, text: &str) -> Option<i64> {
        let (minute, rest) = text.as_bytes().split_first_chunk()?;
        if *minute != self.written {
            (self.written, self.minutes) = (*minute, minutes(minute)?);
        }
        let (second, rest) = rest.split_first_chunk()?;
        let [b':', tens @ b'0'..=b'6', ones @ b'0'..=b'9'] = second else { return None };
        let seconds = i64::from(tens - b'0') * 10 + i64::from(ones - b'0');
        let (micros, zone) = match rest {
            [b'.', rest @ ..] => fraction(rest)?,
            _ => (0, rest),
        };
        let minutes = self.minutes - offset(zone)?;
        // A leap second is the first of the next minute.
        (seconds <= 60).then_some((minutes * 60 + seconds) * 1_000_000 + micros)
    }
}

/// The minute a time begins with.
fn minutes(text: &[u8; 16]) -> Option<i64> {
    let two = |at: usize| {
        let (tens, ones) = (text[at].wrapping_sub(b'0'), text[at + 1].wrapping_sub(b'0'));
        (tens < 10 && ones < 10).then(|| i64::from(tens) * 10 + i64::from(ones))
    };
    if text[4] != b'-' || text[7] != b'-' || text[13] != b':' || !matches!(text[10], b'T' | b't' | b' ') {
        return None;
    }
    let (year, month, day) = (two(0)? * 100 + two(2)?, two(5)?, two(8)?);
    let (hour, minute) = (two(11)?, two(14)?);
    if hour > 23 || minute > 59 || day < 1 || day > days_in(year, month)? {
        return None;
    }
    Some((days_before(year, month, day) * 24 + hour) * 60 + minute)
}

/// The microseconds of some digits, and what follows them.
#[inline]
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let (mut micros, mut unit, mut digits) = (0, 100_000, 0);
    while let Some(digit) = text.get(digits).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
        micros += i64::from(digit) * unit;
        unit /= 10;
        digits += 1;
    }
    (digits > 0).then(|| (micros, &text[digits..]))
}

/// A day such as 2026-01-31, in days since 1970.
pub fn days_of_text(text: &str) -> Option<i32> {
    let bytes: &[u8; 10] = text.as_bytes().try_into().ok()?;
    let number = |digits: &[u8]| {
        digits
            .iter()
            .try_fold(0, |value, digit| digit.is_ascii_digit().then(|| value * 10 + i64::from(digit - b'0')))
    };
    let (year, month, day) = (number(&bytes[..4])?, number(&bytes[5..7])?, number(&bytes[8..])?);
    let fits = bytes[4] == b'-' && bytes[7] == b'-' && day >= 1 && day <= days_in(year, month)?;
    fits.then(|| days_before(year, month, day)).and_then(|days| i32::try_from(days).ok())
}

/// Minutes east of Greenwich.
#[inline]
fn offset(zone: &[u8]) -> Option<i64> {
    let (sign, rest) = match zone {
        [b'Z' | b'z'] => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let [h, hh, b':', m, mm] = rest else { return None };
    let two = |tens: &u8, ones: &u8| {
        (tens.is_ascii_digit() && ones.is_ascii_digit())
            .then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
    };
    let (hours, minutes) = (two(h, hh)?, two(m, mm)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

/// RFC 3339 in UTC, with as many digits as it needs: none, three or six.
pub fn write(time_us: i64, to: &mut String) {
    let (days, rest) = (time_us.div_euclid(DAY_US), time_us.rem_euclid(DAY_US));
    let (year, month, day) = civil(days);
    let (seconds, micros) = (rest / 1_000_000, rest % 1_000_000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let _ = write!(to, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    let _ = match micros {
        0 => Ok(()),
        micros if micros % 1000 == 0 => write!(to, ".{:03}", micros / 1000),
        micros => write!(to, ".{micros:06}"),
    };
    to.push('Z');
}

fn days_in(year: i64, month: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 => Some(if leap { 29 } else { 28 }),
        _ => None,
    }
}

/// Days since 1970; years are counted from March, so that the leap day is the last.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = if month < 3 { year - 1 } else { year };
    let months = (month + 9) % 12;
    year * 365 + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (months * 306 + 5) / 10
        + day
        - 719_469
}

/// The other way round, after Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    (era * 400 + year + i64::from(month < 3), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(time_us: i64) -> String {
        let mut text = String::new();
        write(time_us, &mut text);
        text
    }

    #[test]
    fn times_are_read_and_written_as_rfc_3339_says() {
        for (text, same) in [
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
            ("2026-01-01t00:00:00.120z", "2026-01-01T00:00:00.120Z"),
            ("2026-01-01 00:30:00.123456789+01:00", "2025-12-31T23:30:00.123456Z"),
            ("2024-02-29T23:59:60Z", "2024-03-01T00:00:00Z"),
            ("2100-02-28T12:00:00-00:30", "2100-02-28T12:30:00Z"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ] {
            assert_eq!(of_text(text).map(written).as_deref(), Some(same), "{text}");
        }
    }

    #[test]
    fn a_clock_that_has_seen_other_times_reads_the_same() {
        let mut clock = Clock::default();
        for text in ["", "2026-01-01T00:01:02.5Z", "2026-01-01T00:01:59+01:00", "2026-01-01T00:61:00Z"] {
            assert_eq!(clock.of_text(text), of_text(text), "{text}");
        }
        // What is no minute is none the second time, either.
        assert_eq!(clock.of_text("2026-01-01T00:61:00Z"), None);
        assert_eq!(clock.of_text("2026-01-01T00:01:59Z"), of_text("2026-01-01T00:01:59Z"));
    }

    #[test]
    fn every_day_of_four_centuries_comes_back() {
        for day in -10_000..150_000 {
            let text = written(day * DAY_US);
            assert_eq!(of_text(&text), Some(day * DAY_US), "{text}");
        }
    }

    #[test]
    fn days_are_counted_from_1970() {
        assert_eq!(days_of_text("1970-01-01"), Some(0));
        assert_eq!(days_of_text("2026-03-01"), Some(20_513));
        for bad in ["2026-02-29", "2026-1-01", "2026/01/01", "2026-01-01T", "", "é026-01-1"] {
            assert_eq!(days_of_text(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2026-01-01",
            "2026-01-01T00:00:00",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00+0100",
            "2026-01-01T00:00:00Zx",
            "2026-01-01T00:00:61Z",
            "2026-01-01T00:00:70Z",
            "2026-01-01T00:00:0",
            "2026-01-01T00:0:000Z",
            "+026-01-01T00:00:00Z",
        ] {
            assert_eq!(of_text(text), None, "{text}");
        }
    }
}
