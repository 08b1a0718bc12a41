//! Plain scalars by the core schema of YAML 1.2 (section 10.3.2).

use crate::Value;

/// The value of a scalar written without quotes.
pub(crate) fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Boolean(true),
        "false" | "False" | "FALSE" => Value::Boolean(false),
        _ if is_number(text) => Value::Number(text.to_owned()),
        _ => Value::Text(text.to_owned()),
    }
}

fn is_number(text: &str) -> bool {
    let all = |digits: &str, radix| !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
    if let Some(digits) = text.strip_prefix("0x") {
        return all(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return all(digits, 8);
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    !(whole.is_empty() && part.is_empty())
        && digits(whole)
        && digits(part)
        && exponent.is_none_or(|exponent| all(exponent, 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_were_booleans_in_yaml_1_1_are_text() {
        for word in ["off", "on", "no", "yes", "y", "n", "Off", "NO"] {
            assert_eq!(plain(word), Value::Text(word.into()));
        }
    }

    #[test]
    fn numbers_are_what_the_core_schema_calls_so() {
        for number in ["0", "-1", "+1", "007", "0x1F", "0o17", "1.5", ".5", "1.", "1e3", "-1.5E-3", ".inf"] {
            assert_eq!(plain(number), Value::Number(number.into()), "{number}");
        }
        for text in ["1.36.3", "v1", "1_000", "0x", "0o9", ".", "-", "e3", "1e", "12:30", "10.0.0.0/8"] {
            assert_eq!(plain(text), Value::Text(text.into()), "{text}");
        }
    }

    #[test]
    fn nothing_has_five_spellings() {
        for text in ["", "~", "null", "Null", "NULL"] {
            assert_eq!(plain(text), Value::Null);
        }
        assert_eq!(plain("none"), Value::Text("none".into()));
    }
}
