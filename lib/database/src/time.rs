//! Times as databases write them, to go back from one by so much.

/// A time as text: microseconds since 1970 on the clock it was read from, and
/// how it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written<'a> {
    pub(crate) us: i64,
    /// `T` or a blank; none for a date alone.
    between: Option<char>,
    has_seconds: bool,
    /// Digits after the point.
    fraction: usize,
    /// The zone as it stands there.
    zone: &'a str,
}

const DAY_US: i64 = 86_400_000_000;

impl<'a> Written<'a> {
    /// `2026-01-31`, `2026-01-31 12:30[:15[.123456]][zone]`, with a blank or a T.
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        let bytes = text.as_bytes();
        let number = |from: usize, to: usize| {
            let digits = bytes.get(from..to).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
            Some(digits.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
        };
        let is = |at: usize, byte: u8| bytes.get(at) == Some(&byte);
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        if !is(4, b'-') || !is(7, b'-') || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        let date = days(year, month, day) * DAY_US;
        if text.len() == 10 {
            return Some(Self { us: date, between: None, has_seconds: false, fraction: 0, zone: "" });
        }
        let between = char::from(bytes[10]);
        let (hour, minute) = (number(11, 13)?, number(14, 16)?);
        if !matches!(between, 'T' | ' ') || !is(13, b':') || hour > 24 || minute > 59 {
            return None;
        }
        let mut us = date + (hour * 60 + minute) * 60_000_000;
        let mut at = 16;
        let has_seconds = is(at, b':');
        let mut fraction = 0;
        if has_seconds {
            us += number(17, 19)? * 1_000_000;
            at = 19;
            if is(at, b'.') {
                fraction = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                if fraction == 0 || fraction > 9 {
                    return None;
                }
                let kept = fraction.min(6);
                us += number(20, 20 + kept)? * 10_i64.pow(6 - u32::try_from(kept).ok()?);
                at += 1 + fraction;
            }
        }
        let zone = text.get(at..)?;
        let fine = zone.is_empty()
            || zone == "Z"
            || (zone.starts_with(['+', '-'])
                && zone.len() <= 9
                && zone[1..].bytes().all(|b| b.is_ascii_digit() || b == b':'));
        fine.then_some(Self { us, between: Some(between), has_seconds, fraction, zone })
    }

    /// In the same form, so much earlier; rounded down where the form is coarser.
    pub(crate) fn back(&self, by_us: i64) -> String {
        let us = self.us.saturating_sub(by_us);
        let (day, rest) = (us.div_euclid(DAY_US), us.rem_euclid(DAY_US));
        let (year, month, day) = date(day);
        let mut text = format!("{year:04}-{month:02}-{day:02}");
        let Some(between) = self.between else { return text };
        let seconds = rest / 1_000_000;
        text += &format!("{between}{:02}:{:02}", seconds / 3600, seconds / 60 % 60);
        if self.has_seconds {
            text += &format!(":{:02}", seconds % 60);
        }
        if self.fraction > 0 {
            let digits = format!("{:06}000", rest % 1_000_000);
            text += &format!(".{}", &digits[..self.fraction]);
        }
        text + self.zone
    }
}

/// Where `PostgreSQL` counts from, counted from 1970.
pub(crate) const YEAR_2000_US: i64 = 946_684_800_000_000;

/// Microseconds since 1970 as RFC 3339.
pub(crate) fn rfc3339(us: i64) -> String {
    let zero = Written { us, between: Some('T'), has_seconds: true, fraction: 6, zone: "Z" };
    zero.back(0)
}

/// A number since 1970 in microseconds: seconds, from 10^11 on milliseconds,
/// from 10^14 on microseconds. With what one of its units is.
pub(crate) fn of_number(number: i64) -> (i64, i64) {
    let unit = match number.unsigned_abs() {
        0..100_000_000_000 => 1_000_000,
        100_000_000_000..100_000_000_000_000 => 1000,
        _ => 1,
    };
    (number.saturating_mul(unit), unit)
}

/// Days since 1970 of a date (Howard Hinnant's algorithm).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + i64::from(month <= 2), month, of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn going_back_keeps_the_form() {
        for (text, by_us, back) in [
            ("2026-01-01T00:00:03Z", 5_000_000, "2025-12-31T23:59:58Z"),
            ("2024-03-01 00:00:00.500", 1_000_000, "2024-02-29 23:59:59.500"),
            ("2026-01-01 12:00:00.123456+02:00", 1, "2026-01-01 12:00:00.123455+02:00"),
            ("2026-01-01T12:00", 1, "2026-01-01T11:59"),
            ("2026-01-01", 1, "2025-12-31"),
            ("0001-01-01 00:00:00", 1_000_000, "0000-12-31 23:59:59"),
        ] {
            assert_eq!(Written::read(text).unwrap().back(by_us), back);
        }
        for bad in [
            "",
            "2026",
            "2026-13-01",
            "2026-01-01 25:00",
            "01.01.2026",
            "2026-01-01T00:00:00 UTC",
            "2026-01-01x",
        ] {
            assert_eq!(Written::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_moment_is_rfc_3339() {
        assert_eq!(rfc3339(YEAR_2000_US + 1), "2000-01-01T00:00:00.000001Z");
    }

    #[test]
    fn numbers_are_seconds_until_they_are_too_large_for_it() {
        assert_eq!(of_number(1_767_225_600), (1_767_225_600_000_000, 1_000_000));
        assert_eq!(of_number(1_767_225_600_000), (1_767_225_600_000_000, 1000));
        assert_eq!(of_number(1_767_225_600_000_000), (1_767_225_600_000_000, 1));
    }

    proptest! {
        #[test]
        fn a_day_is_a_date_and_a_date_is_a_day(day in -800_000_i64..3_000_000) {
            let (year, month, of_month) = date(day);
            prop_assert_eq!(days(year, month, of_month), day);
        }
    }
}
