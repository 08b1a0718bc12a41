//! `Retry-After`: seconds, or a date (RFC 9110 §10.2.3).

use std::time::{Duration, SystemTime};

/// How long the header asks to wait from `now` on; `None` if it makes no sense.
pub(crate) fn parse(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return value.parse().ok().map(Duration::from_secs);
    }
    // A moment that is over asks for no wait at all.
    httpdate::parse_http_date(value).ok().map(|moment| moment.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn seconds_and_dates_are_understood() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777 - 60);
        assert_eq!(parse(" 120 ", now), Some(Duration::from_mins(2)));
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(Duration::from_mins(1)));
        assert_eq!(parse("Sat, 06 Nov 1993 08:49:37 GMT", now), Some(Duration::ZERO));
        for nonsense in ["", "-1", "soon", "1.5", "99999999999999999999999"] {
            assert_eq!(parse(nonsense, now), None, "{nonsense}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text: String) {
            parse(&text, SystemTime::UNIX_EPOCH);
        }
    }
}
