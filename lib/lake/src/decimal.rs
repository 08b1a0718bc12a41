//! Decimals as whole numbers of their last digit.

/// How many digits a number of JSON without exponent has before and after the point, zeros at
/// either end left out.
pub(crate) fn digits(text: &str) -> (usize, usize) {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    (whole.trim_start_matches('0').len(), part.trim_end_matches('0').len())
}

/// A number of JSON in units of its `scale`th digit after the point; `None` if it has more digits
/// there, or more than `precision` in all.
pub(crate) fn unscaled(text: &str, precision: u8, scale: u8) -> Option<i128> {
    if let Some(short) = short(text.as_bytes(), precision, scale) {
        return Some(short);
    }
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (text, exponent) = match text.split_once(['e', 'E']) {
        Some((text, exponent)) => (text, exponent.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = [whole, part].concat();
    let digits = digits.trim_start_matches('0');
    let significant = digits.trim_end_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    let zeros = i64::try_from(digits.len() - significant.len()).ok()?;
    // Zeros to put after the significant digits.
    let shift = exponent
        .checked_sub(i64::try_from(part.len()).ok()?)?
        .checked_add(zeros)?
        .checked_add(i64::from(scale))?;
    let shift = usize::try_from(shift).ok()?;
    if significant.len().checked_add(shift)? > usize::from(precision) {
        return None;
    }
    let value = significant.parse::<i128>().ok()? * 10_i128.pow(u32::try_from(shift).ok()?);
    Some(if negative { -value } else { value })
}

/// Most numbers: up to 17 digits, no exponent.
#[inline]
fn short(text: &[u8], precision: u8, scale: u8) -> Option<i128> {
    const TENS: [i64; 18] = {
        let mut tens = [1; 18];
        let mut at = 1;
        while at < 18 {
            tens[at] = tens[at - 1] * 10;
            at += 1;
        }
        tens
    };
    let (negative, digits) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        _ => (false, text),
    };
    if digits.len() > 17 {
        return None;
    }
    let mut value = 0_i64;
    let mut point = digits.len();
    for (at, byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => value = value * 10 + i64::from(byte - b'0'),
            b'.' => point = at + 1,
            _ => return None,
        }
    }
    let missing = usize::from(scale).checked_sub(digits.len() - point)?;
    let value = i128::from(value) * i128::from(*TENS.get(missing)?);
    if digits.len() + missing > usize::from(precision) && value >= 10_i128.pow(u32::from(precision)) {
        return None;
    }
    Some(if negative { -value } else { value })
}

/// The number as JSON writes it.
pub(crate) fn written(unscaled: i128, scale: u8) -> String {
    let scale = usize::from(scale);
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let sign = if unscaled < 0 { "-" } else { "" };
    let (whole, part) = digits.split_at(digits.len() - scale);
    if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_value_or_are_refused() {
        for (text, unscaled_value) in [
            ("0", Some(0)),
            ("-0.00", Some(0)),
            ("12.5", Some(1250)),
            ("-12.50", Some(-1250)),
            ("12.500", Some(1250)),
            ("12.505", None),
            ("1e3", Some(100_000)),
            ("125e-1", Some(1250)),
            ("1e-3", None),
            ("1.5E1", Some(1500)),
            ("99999999.99", Some(9_999_999_999)),
            ("100000000", None),
            ("0.000000000000000000", Some(0)),
            ("1e99999999999999999999", None),
            ("0000", Some(0)),
        ] {
            assert_eq!(unscaled(text, 10, 2), unscaled_value, "{text}");
        }
        let long = "12345678901234567890123456789012345678";
        assert_eq!(unscaled(long, 38, 0), long.parse().ok());
        assert_eq!(unscaled(&format!("{long}9"), 38, 0), None);
    }

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["0.00", "-0.05", "12.50", "-123456789.01"] {
            assert_eq!(written(unscaled(text, 38, 2).unwrap(), 2), text);
        }
        assert_eq!(written(-7, 0), "-7");
    }
}
