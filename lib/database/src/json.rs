//! Values as JSON, written by hand: this is where the time goes.

use std::io::Write;

use data_encoding::BASE64;

/// What stands for a byte inside a JSON string; 0 for itself.
const ESCAPES: [u8; 256] = {
    let mut escapes = [0; 256];
    let mut byte = 0;
    while byte < 32 {
        escapes[byte] = b'u';
        byte += 1;
    }
    escapes[b'"' as usize] = b'"';
    escapes[b'\\' as usize] = b'\\';
    escapes[b'\n' as usize] = b'n';
    escapes[b'\r' as usize] = b'r';
    escapes[b'\t' as usize] = b't';
    escapes
};

/// A string: the text is UTF-8.
pub(crate) fn text(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    inner(text, out);
    out.push(b'"');
}

/// The same by itself.
pub(crate) fn quoted(plain: &str) -> String {
    let mut out = Vec::with_capacity(plain.len() + 2);
    text(plain.as_bytes(), &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// A string without its quotes.
pub(crate) fn inner(text: &[u8], out: &mut Vec<u8>) {
    let mut plain = 0;
    for (at, byte) in text.iter().enumerate() {
        let escape = ESCAPES[usize::from(*byte)];
        if escape == 0 {
            continue;
        }
        out.extend_from_slice(&text[plain..at]);
        plain = at + 1;
        match escape {
            b'u' => {
                let _ = write!(out, "\\u{byte:04x}");
            }
            escape => out.extend_from_slice(&[b'\\', escape]),
        }
    }
    out.extend_from_slice(&text[plain..]);
}

/// Text as a string; what is no UTF-8 as `{"b64":"…"}`.
pub(crate) fn text_or_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    if std::str::from_utf8(bytes).is_ok() {
        text(bytes, out);
    } else {
        out.extend_from_slice(b"{\"b64\":");
        base64(bytes, out);
        out.push(b'}');
    }
}

pub(crate) fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(BASE64.encode(bytes).as_bytes());
    out.push(b'"');
}

/// The shortest number that reads back the same; JSON has no other way to say
/// NaN and Infinity than as text.
pub(crate) fn real(number: f64, out: &mut Vec<u8>) {
    if number.is_finite() {
        let _ = serde_json::to_writer(out, &number);
    } else {
        let word: &[u8] = match () {
            () if number.is_nan() => b"\"NaN\"",
            () if number > 0.0 => b"\"Infinity\"",
            () => b"\"-Infinity\"",
        };
        out.extend_from_slice(word);
    }
}

/// What stands before each value of a row: `{"id":`, `,"name":`.
pub(crate) fn heads<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<Vec<u8>> {
    let mut heads = Vec::new();
    for name in names {
        let mut head = vec![if heads.is_empty() { b'{' } else { b',' }];
        text(name.as_bytes(), &mut head);
        head.push(b':');
        heads.push(head);
    }
    heads
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_reads_back_the_same(any in ".*") {
            let mut out = Vec::new();
            text(any.as_bytes(), &mut out);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), any);
        }

        #[test]
        fn any_number_reads_back_the_same(any: f64) {
            let mut out = Vec::new();
            real(any, &mut out);
            let read: f64 = String::from_utf8(out).unwrap().trim_matches('"').parse().unwrap();
            prop_assert!(read.to_bits() == any.to_bits() || (read.is_nan() && any.is_nan()));
        }
    }

    #[test]
    fn control_characters_are_escaped_and_bytes_are_told_from_text() {
        let mut out = Vec::new();
        text_or_bytes(b"a\0\n\"\\\x7f", &mut out);
        text_or_bytes(b"\xff", &mut out);
        assert_eq!(out, b"\"a\\u0000\\n\\\"\\\\\x7f\"{\"b64\":\"/w==\"}");
    }
}
