//! Decimals that add up exactly, in any order.

use std::fmt;
use std::str::FromStr;

/// Digits after the point that are kept, and digits before it that are taken.
const DIGITS: usize = 24;
const ONE: i128 = 10_i128.pow(24);

/// A decimal, or a sum of decimals: exact with 24 digits before and after the point.
///
/// Whole numbers and parts are summed apart, so that no sum of fewer than
/// 10^14 numbers can overflow, and none depends on the order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decimal {
    whole: i128,
    /// In units of 10^-24; in a sum it may be of another sign, and more than one.
    part: i128,
}

/// Why a text is no decimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotExact {
    /// It is no number.
    #[error("not a number")]
    NotANumber,
    /// It has too many digits to be added up exactly.
    #[error("more than 24 digits before or after the point")]
    TooLong,
}

impl Decimal {
    /// The sum.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { whole: self.whole.saturating_add(other.whole), part: self.part.saturating_add(other.part) }
    }

    /// The mean of `count` numbers of which this is the sum: 12 digits after
    /// the point, halves away from zero. `None` if there are none.
    pub fn mean(self, count: u64) -> Option<Self> {
        let sum = self.normal();
        let count = i128::from(count);
        let whole = sum.whole.checked_div(count)?;
        let part = (sum.whole % count).checked_mul(ONE)?.checked_add(sum.part)? / count;
        let step = ONE / 10_i128.pow(12);
        let part = (part + part.signum() * step / 2) / step * step;
        Some(Self { whole, part }.normal())
    }

    /// So many times as much, in whole numbers; what is left of one is dropped.
    pub fn times(self, factor: i128) -> Option<i128> {
        let Self { whole, part } = self.normal();
        whole.checked_mul(factor)?.checked_add(part.checked_mul(factor)? / ONE)
    }

    /// Roughly, as a double.
    #[expect(clippy::cast_precision_loss, reason = "roughly")]
    pub fn rough(self) -> f64 {
        self.whole as f64 + self.part as f64 / ONE as f64
    }

    /// The same number with a part below one and of the sign of the whole.
    #[must_use]
    pub(crate) fn normal(self) -> Self {
        let (mut whole, mut part) = (self.whole.saturating_add(self.part / ONE), self.part % ONE);
        if whole > 0 && part < 0 {
            (whole, part) = (whole - 1, part + ONE);
        } else if whole < 0 && part > 0 {
            (whole, part) = (whole + 1, part - ONE);
        }
        Self { whole, part }
    }

    pub(crate) fn halves(self) -> [i128; 2] {
        [self.whole, self.part]
    }

    pub(crate) fn of_halves([whole, part]: [i128; 2]) -> Self {
        Self { whole, part }
    }

    /// By its digits, wherever the point is.
    fn long(negative: bool, whole: &str, part: &str, exponent: i64) -> Result<Self, NotExact> {
        let digits: String = [whole, part].concat();
        let zeros = digits.len() - digits.trim_start_matches('0').len();
        let digits = digits.trim_matches('0');
        if digits.is_empty() {
            return Ok(Self::default());
        }
        let length = |text: &str| i64::try_from(text.len()).unwrap_or(i64::MAX);
        // How many of the digits stand before the point; below zero, zeros after it are missing.
        let point = (length(whole) - i64::try_from(zeros).unwrap_or(i64::MAX)).saturating_add(exponent);
        let most = i64::try_from(DIGITS).unwrap_or_default();
        if point > most || length(digits).saturating_sub(point) > most {
            return Err(NotExact::TooLong);
        }
        let digit = |place: i64| {
            let digit = usize::try_from(place).ok().and_then(|place| digits.as_bytes().get(place));
            i128::from(digit.map_or(0, |digit| digit - b'0'))
        };
        let whole = (0..point).fold(0, |value, place| value * 10 + digit(place));
        let part = (point..point + most).fold(0, |value, place| value * 10 + digit(place));
        Ok(if negative { Self { whole: -whole, part: -part } } else { Self { whole, part } })
    }
}

/// Numbers as JSON writes them.
impl FromStr for Decimal {
    type Err = NotExact;

    fn from_str(text: &str) -> Result<Self, NotExact> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        if let Some(short) = short(rest.as_bytes()) {
            return Ok(if negative { Self { whole: -short.whole, part: -short.part } } else { short });
        }
        let (digits, exponent) = match rest.split_once(['e', 'E']) {
            Some((digits, exponent)) => (digits, Some(exponent)),
            None => (rest, None),
        };
        let (whole, part) = match digits.split_once('.') {
            Some((whole, part)) => (whole, Some(part)),
            None => (digits, None),
        };
        let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let unsigned = exponent.map(|text| text.strip_prefix(['-', '+']).unwrap_or(text));
        if !all_digits(whole) || !part.is_none_or(all_digits) || !unsigned.is_none_or(all_digits) {
            return Err(NotExact::NotANumber);
        }
        // An exponent that is no i64 is far out on either side.
        let far =
            if exponent.is_some_and(|text| text.starts_with('-')) { i64::MIN / 2 } else { i64::MAX / 2 };
        let exponent = exponent.map_or(0, |text| text.parse().unwrap_or(far));
        Self::long(negative, whole, part.unwrap_or_default(), exponent)
    }
}

/// The common case: at most 18 digits on either side, no exponent.
#[inline]
fn short(digits: &[u8]) -> Option<Decimal> {
    const TENS: [i128; 19] = {
        let mut tens = [ONE; 19];
        let mut at = 1;
        while at < 19 {
            tens[at] = tens[at - 1] / 10;
            at += 1;
        }
        tens
    };
    let run = |from: usize| {
        let mut value = 0_u64;
        let mut at = from;
        while let Some(digit) = digits.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10)
        {
            if at - from == 18 {
                return None;
            }
            value = value * 10 + u64::from(digit);
            at += 1;
        }
        (at > from).then_some((value, at))
    };
    let (whole, at) = run(0)?;
    let whole = i128::from(whole);
    if at == digits.len() {
        return Some(Decimal { whole, part: 0 });
    }
    if digits[at] != b'.' {
        return None;
    }
    let (part, end) = run(at + 1)?;
    (end == digits.len()).then(|| Decimal { whole, part: i128::from(part) * TENS[end - at - 1] })
}

/// A number of JSON, without zeros at its end.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { whole, part } = self.normal();
        let sign = if whole < 0 || part < 0 { "-" } else { "" };
        write!(f, "{sign}{}", whole.unsigned_abs())?;
        if part == 0 {
            return Ok(());
        }
        let digits = format!("{:0DIGITS$}", part.unsigned_abs());
        write!(f, ".{}", digits.trim_end_matches('0'))
    }
}

/// By value.
impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.normal().halves().cmp(&other.normal().halves())
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn said(text: &str) -> String {
        text.parse::<Decimal>().unwrap().to_string()
    }

    #[test]
    fn numbers_keep_every_digit() {
        for (text, same) in [
            ("0", "0"),
            ("-0", "0"),
            ("-0.50", "-0.5"),
            ("12.50", "12.5"),
            ("1e3", "1000"),
            ("1.5E-3", "0.0015"),
            ("-12.5e+1", "-125"),
            ("0e999999999999999999999", "0"),
            ("0.000e5", "0"),
            ("0.30000000000000004", "0.30000000000000004"),
            (
                "123456789012345678901234.123456789012345678901234",
                "123456789012345678901234.123456789012345678901234",
            ),
            ("100000000000000000000000000000e-10", "10000000000000000000"),
            ("0.00000000000000000000000000001e20", "0.000000001"),
        ] {
            assert_eq!(said(text), same, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_exact_or_is_no_number_is_refused() {
        for text in [
            "1e24",
            "1e-25",
            "1e999999999999999999999",
            "1e-999999999999999999999",
            "1234567890123456789012345",
        ] {
            assert_eq!(text.parse::<Decimal>(), Err(NotExact::TooLong), "{text}");
        }
        for text in ["", "-", ".", "1.", ".5", "1e", "1e+", "--1", "NaN", "1.5.1", "+1", " 1", "1e5e5"] {
            assert_eq!(text.parse::<Decimal>(), Err(NotExact::NotANumber), "{text}");
        }
    }

    #[test]
    fn a_mean_has_twelve_digits() {
        let mean = |text: &str, count| text.parse::<Decimal>().unwrap().mean(count).unwrap().to_string();
        assert_eq!(mean("10", 4), "2.5");
        assert_eq!(mean("1", 3), "0.333333333333");
        assert_eq!(mean("2", 3), "0.666666666667");
        assert_eq!(mean("-2", 3), "-0.666666666667");
        assert_eq!(mean("0.9999999999999", 1), "1");
        assert_eq!(Decimal::default().mean(0), None);
    }

    proptest! {
        #[test]
        fn sums_are_those_of_integers_in_any_order(cents in prop::collection::vec(any::<i64>(), 0..50)) {
            let decimal = |cents: &i64| {
                let sign = if *cents < 0 { "-" } else { "" };
                let cents = cents.unsigned_abs();
                format!("{sign}{}.{:02}", cents / 100, cents % 100).parse::<Decimal>().unwrap()
            };
            let forward = cents.iter().map(decimal).fold(Decimal::default(), Decimal::plus);
            let backward = cents.iter().rev().map(decimal).fold(Decimal::default(), Decimal::plus);
            let total: i128 = cents.iter().map(|cents| i128::from(*cents)).sum();
            prop_assert_eq!(forward.normal(), backward.normal());
            prop_assert_eq!(forward.to_string(), format!("{total}e-2").parse::<Decimal>().unwrap().to_string());
        }

        #[test]
        fn order_is_that_of_numbers(one in -1000_i32..1000, other in -1000_i32..1000) {
            let decimal = |tenths: i32| format!("{tenths}e-1").parse::<Decimal>().unwrap();
            prop_assert_eq!(decimal(one).cmp(&decimal(other)), one.cmp(&other));
        }
    }
}
