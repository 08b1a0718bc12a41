//! Quantities with their unit: `90s`, `128MiB`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// A length of time, in whole milliseconds: `250ms`, `30s`, `2m`, `1h`, `7d`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// How many milliseconds.
    pub ms: u64,
}

const SPANS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

impl Span {
    /// So many milliseconds.
    pub const fn ms(ms: u64) -> Self {
        Self { ms }
    }
}

impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        Self::from_millis(span.ms)
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A hundred years: what is longer was not meant.
        let ms = quantity(text, &SPANS).filter(|ms| *ms <= 36_525 * 86_400_000);
        ms.map(Self::ms)
            .ok_or_else(|| format!("`{}` is no duration such as 250ms, 30s, 2m, 1h or 7d", shown(text)))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        written(self.ms, &SPANS, "0s", f)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A number of bytes: `512B`, `64KiB`, `128MiB`, `2GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size {
    /// How many bytes.
    pub bytes: u64,
}

const SIZES: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bytes = quantity(text, &SIZES).filter(|bytes| *bytes <= 1 << 50);
        bytes
            .map(|bytes| Self { bytes })
            .ok_or_else(|| format!("`{}` is no size such as 512B, 64KiB, 128MiB or 2GiB", shown(text)))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        written(self.bytes, &SIZES, "0B", f)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A whole number and one of these units.
fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(end);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// In the largest unit that leaves a whole number.
fn written(value: u64, units: &[(&str, u64)], none: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match units.iter().find(|(_, factor)| value > 0 && value.is_multiple_of(*factor)) {
        Some((unit, factor)) => write!(f, "{}{unit}", value / factor),
        None => f.write_str(none),
    }
}

/// What somebody wrote, cut where it is overlong.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_and_a_unit_and_prints_as_short_as_it_can() {
        for (text, ms, again) in
            [("250ms", 250, "250ms"), ("90s", 90_000, "90s"), ("120s", 120_000, "2m"), ("0s", 0, "0s")]
        {
            let span: Span = text.parse().unwrap();
            assert_eq!((span.ms, span.to_string().as_str()), (ms, again));
        }
        for bad in ["", "5", "s", "-5s", "1.5h", "5 s", "5S", "99999999999999999999s", "999999d"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_size_counts_in_powers_of_two_and_says_so() {
        assert_eq!("128MiB".parse::<Size>().unwrap().bytes, 128 << 20);
        assert_eq!("2048KiB".parse::<Size>().unwrap().to_string(), "2MiB");
        for bad in ["128MB", "128", "1.5GiB", "9999999GiB"] {
            assert!(bad.parse::<Size>().is_err(), "{bad}");
        }
    }
}
