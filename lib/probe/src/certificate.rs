//! When a certificate expires: the one field of X.509 this crate reads.
//!
//! ```text
//! Certificate ::= SEQUENCE { tbsCertificate ::= SEQUENCE {
//!     [0] version OPTIONAL, serialNumber, signature, issuer,
//!     validity ::= SEQUENCE { notBefore, notAfter }, … } … }      RFC 5280 §4.1
//! ```

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// When the certificate expires; `None` if it cannot be read.
pub(crate) fn not_after(der: &[u8]) -> Option<SystemTime> {
    let (_, certificate, _) = element(der)?;
    let (_, mut body, _) = element(certificate)?;
    // The version is absent in version 1.
    if body.first() == Some(&0xa0) {
        body = element(body)?.2;
    }
    for _ in ["serialNumber", "signature", "issuer"] {
        body = element(body)?.2;
    }
    let (_, validity, _) = element(body)?;
    let (_, _, validity) = element(validity)?;
    let (tag, time, _) = element(validity)?;
    moment(tag, time)
}

/// Tag, content and what follows the first element of `der`.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |length, &byte| length << 8 | usize::from(byte)), rest)
        }
        _ => return None,
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((tag, content, after))
}

/// `UTCTime` (tag 23, `YYMMDDhhmmssZ`, 1950 to 2049) or `GeneralizedTime` (tag 24, `YYYYMMDDhhmmssZ`).
fn moment(tag: u8, text: &[u8]) -> Option<SystemTime> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = match (tag, text.len()) {
        (23, 12) => {
            let year: i64 = text[..2].parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, &text[2..])
        }
        (24, 14) => (text[..4].parse().ok()?, &text[4..]),
        _ => return None,
    };
    let two = |n: usize| rest[2 * n..2 * n + 2].parse::<i64>().ok();
    let seconds = days(year, two(0)?, two(1)?) * 86_400 + two(2)? * 3600 + two(3)? * 60 + two(4)?;
    Some(match u64::try_from(seconds) {
        Ok(seconds) => UNIX_EPOCH + Duration::from_secs(seconds),
        Err(_) => UNIX_EPOCH,
    })
}

/// Days from 1970-01-01 to a Gregorian date, with the year taken to begin in
/// March so that the leap day is its last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    // 719_468 days lie between 0000-03-01 and 1970-01-01.
    365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seconds(time: Option<SystemTime>) -> u64 {
        time.unwrap().duration_since(UNIX_EPOCH).unwrap().as_secs()
    }

    #[test]
    fn both_forms_of_time_are_read() {
        assert_eq!(seconds(moment(23, b"700101000000Z")), 0);
        assert_eq!(seconds(moment(23, b"240229120000Z")), 1_709_208_000);
        assert_eq!(seconds(moment(24, b"20500101000000Z")), 2_524_608_000);
        assert_eq!(moment(23, b"2402291200Z"), None);
        assert_eq!(moment(24, b"2050010100000xZ"), None);
    }

    #[test]
    fn the_expiry_of_a_real_certificate_is_found() {
        let mut params = rcgen::CertificateParams::new(vec!["kubernetes".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2031, 7, 9);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        assert_eq!(seconds(not_after(certificate.der())), 1_941_321_600);
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(bytes: Vec<u8>) {
            not_after(&bytes);
            moment(23, &bytes);
            moment(24, &bytes);
        }
    }
}
