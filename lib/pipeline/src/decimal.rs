//! Decimal numbers of any length, exact.

use std::cmp::Ordering;
use std::fmt;

/// A decimal number: no digit is ever lost. `1.0` equals `1`.
#[derive(Clone, Debug)]
pub struct Decimal {
    negative: bool,
    /// Digits without leading zeros; none for zero.
    whole: String,
    /// Digits after the point, as they were written.
    part: String,
}

/// Digits at most on either side of the point; `1e999999999` is no number of a business.
const DIGITS: usize = 400;

impl Decimal {
    /// Reads `-12.50`, and what JSON writes with an exponent; `None` if it is no
    /// number or a monstrous one.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let pointless = mantissa.ends_with('.');
        if whole.is_empty() || pointless || !digits(whole) || !digits(part) {
            return None;
        }
        if whole.len() > DIGITS || part.len() > DIGITS || exponent.unsigned_abs() as usize > DIGITS {
            return None;
        }
        let mut whole = whole.to_owned();
        let mut part = part.to_owned();
        if exponent >= 0 {
            let moved = part.len().min(exponent.unsigned_abs() as usize);
            whole.push_str(&part[..moved]);
            whole.push_str(&"0".repeat(exponent.unsigned_abs() as usize - moved));
            part = part[moved..].to_owned();
        } else {
            let all = format!("{}{whole}", "0".repeat(exponent.unsigned_abs() as usize));
            let at = all.len() - exponent.unsigned_abs() as usize;
            part = format!("{}{part}", &all[at..]);
            all[..at].clone_into(&mut whole);
        }
        let whole = whole.trim_start_matches('0').to_owned();
        if whole.len() > DIGITS || part.len() > DIGITS {
            return None;
        }
        let zero = whole.is_empty() && part.bytes().all(|digit| digit == b'0');
        Some(Self { negative: negative && !zero, whole, part })
    }

    /// Its digits before the point, leading zeros apart.
    pub fn whole_digits(&self) -> usize {
        self.whole.len()
    }

    /// Whether it has no part after the point, zeros apart.
    pub fn is_whole(&self) -> bool {
        self.significant_part().is_empty()
    }

    /// The same number with exactly so many digits after the point; `None` if
    /// it has more that are not zero.
    #[must_use]
    pub fn with_part(&self, digits: usize) -> Option<Self> {
        let part = self.significant_part();
        (part.len() <= digits).then(|| Self { part: format!("{part:0<digits$}"), ..self.clone() })
    }

    fn significant_part(&self) -> &str {
        self.part.trim_end_matches('0')
    }

    fn magnitude(&self, other: &Self) -> Ordering {
        (self.whole.len(), &self.whole, self.significant_part()).cmp(&(
            other.whole.len(),
            &other.whole,
            other.significant_part(),
        ))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        let whole = if self.whole.is_empty() { "0" } else { &self.whole };
        let point = if self.part.is_empty() { "" } else { "." };
        write!(f, "{sign}{whole}{point}{}", self.part)
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.magnitude(other),
            (true, true) => other.magnitude(self),
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Decimal {
        Decimal::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn numbers_are_compared_exactly_however_long() {
        let ascending =
            ["-10.5", "-10.05", "-1e-3", "0", "0.001", "0.01", "9", "9.5", "10", "12345678901234567890.1"];
        for (n, low) in ascending.iter().enumerate() {
            for high in &ascending[n + 1..] {
                assert!(number(low) < number(high), "{low} < {high}");
            }
        }
        for (one, other) in [("1", "1.00"), ("-0.0", "0"), ("1.5e2", "150"), ("15e-1", "1.5"), ("007", "7")] {
            assert_eq!(number(one), number(other));
        }
    }

    #[test]
    fn what_is_no_number_is_none() {
        for bad in
            ["", "-", ".5", "5.", "1e", "1e5.0", "0x1", "NaN", "inf", "1,5", "1 ", "1e999999999", "--1"]
        {
            assert!(Decimal::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn digits_after_the_point_are_added_but_never_lost() {
        assert_eq!(number("12.5").with_part(2).unwrap().to_string(), "12.50");
        assert_eq!(number("12.500").with_part(1).unwrap().to_string(), "12.5");
        assert!(number("12.505").with_part(2).is_none());
        assert_eq!(number("-0.00").to_string(), "0.00");
    }
}
