//! Times of rows, and of windows.

use ndjson::time::DAY_US;
pub(crate) use ndjson::time::{Clock, write};

/// What a number that is a time counts, since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Unit {
    /// Seconds.
    S,
    /// Milliseconds.
    Ms,
    /// Microseconds.
    Us,
}

/// 2200-01-01, in microseconds since 1970.
const END_US: i64 = 84_006 * DAY_US;

/// A time as a number, in microseconds; a part of one is dropped.
pub(crate) fn of_number(text: &str, unit: Unit) -> Option<i64> {
    let factor = match unit {
        Unit::S => 1_000_000,
        Unit::Ms => 1000,
        Unit::Us => 1,
    };
    let number: window::Decimal = text.parse().ok()?;
    number.times(factor).and_then(|us| i64::try_from(us).ok())
}

/// Whether a time is one rows may have.
pub(crate) fn is_sane(time_us: i64) -> bool {
    (0..END_US).contains(&time_us)
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
    fn numbers_count_what_they_are_said_to() {
        assert_eq!(of_number("1.5", Unit::S), Some(1_500_000));
        assert_eq!(
            of_number("1767225600123", Unit::Ms).map(written).as_deref(),
            Some("2026-01-01T00:00:00.123Z")
        );
        assert_eq!(of_number("7", Unit::Us), Some(7));
        assert_eq!(of_number("1e23", Unit::S), None);
    }

    #[test]
    fn the_years_rows_may_be_of_end_in_2200() {
        let sane = |text: &str| ndjson::time::of_text(text).is_some_and(is_sane);
        assert!(sane("1970-01-01T00:00:00Z") && sane("2199-12-31T23:59:59.999999Z"));
        assert!(!sane("1969-12-31T23:59:59Z") && !sane("2200-01-01T00:00:00Z"));
    }
}
