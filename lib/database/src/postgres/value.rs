//! Values as `PostgreSQL` writes them, as JSON.

use std::collections::HashMap;

use crate::json;

/// How a type's text becomes JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Bool,
    /// With every digit; NaN and Infinity are text.
    Number,
    /// As it is.
    Json,
    Bytes,
    /// With a T between date and time, and Z for UTC.
    Time,
    Array(Box<Kind>),
    Text,
}

/// What is known of types beyond those every server has: a domain's base and
/// an array's elements.
#[derive(Debug, Default)]
pub(crate) struct Types {
    pub(crate) base: HashMap<u32, u32>,
    pub(crate) element: HashMap<u32, u32>,
}

impl Types {
    pub(crate) fn kind(&self, oid: u32) -> Kind {
        match oid {
            16 => Kind::Bool,
            20 | 21 | 23 | 700 | 701 | 1700 => Kind::Number,
            114 | 3802 => Kind::Json,
            17 => Kind::Bytes,
            1114 | 1184 => Kind::Time,
            _ => match (self.base.get(&oid), self.element.get(&oid)) {
                (Some(base), _) if *base != oid => self.kind(*base),
                (_, Some(element)) if *element != oid => Kind::Array(Box::new(self.kind(*element))),
                _ => Kind::Text,
            },
        }
    }
}

/// A value that is not null.
pub(crate) fn write(kind: &Kind, text: &[u8], out: &mut Vec<u8>) {
    match kind {
        Kind::Bool => out.extend_from_slice(if text == b"t" { b"true" } else { b"false" }),
        Kind::Number => match text {
            [b'0'..=b'9', ..] | [b'-', b'0'..=b'9', ..] => out.extend_from_slice(text),
            _ => json::text_or_bytes(text, out),
        },
        // Line feeds of JSON stand between its parts, never inside.
        Kind::Json => {
            let blank = |byte: &u8| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte };
            out.extend(text.iter().map(blank));
        }
        Kind::Bytes => bytes(text, out),
        Kind::Time => time(text, out),
        Kind::Array(element) => {
            let begun = out.len();
            if array(element, text, out).is_none() {
                out.truncate(begun);
                json::text_or_bytes(text, out);
            }
        }
        Kind::Text => json::text_or_bytes(text, out),
    }
}

/// `\x00ff`, as `bytea_output = hex` writes it.
fn bytes(text: &[u8], out: &mut Vec<u8>) {
    let digits = text.strip_prefix(b"\\x").unwrap_or(text);
    match data_encoding::HEXLOWER_PERMISSIVE.decode(digits) {
        Ok(bytes) => json::base64(&bytes, out),
        Err(_) => json::text_or_bytes(text, out),
    }
}

/// `2026-01-01 12:00:00.5+00` is `2026-01-01T12:00:00.5Z`.
fn time(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let (time, era) = match text.strip_suffix(b" BC") {
        Some(time) => (time, &b" BC"[..]),
        None => (text, &b""[..]),
    };
    let (time, zone) = match time.strip_suffix(b"+00") {
        Some(time) => (time, &b"Z"[..]),
        None => (time, &b""[..]),
    };
    let start = out.len();
    json::inner(time, out);
    if let Some(blank) = out[start..].iter().position(|byte| *byte == b' ') {
        out[start + blank] = b'T';
    }
    out.extend_from_slice(zone);
    out.extend_from_slice(era);
    out.push(b'"');
}

/// `{1,NULL,{"a b"}}`, perhaps with bounds before it: `[0:1]={…}`.
fn array(kind: &Kind, text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut rest = match text.first()? {
        b'[' => &text[text.iter().position(|byte| *byte == b'=')? + 1..],
        _ => text,
    };
    let mut depth = 0_u32;
    let mut scratch = Vec::new();
    loop {
        let (first, after) = rest.split_first()?;
        match first {
            b'{' => {
                depth += 1;
                out.push(b'[');
                rest = after;
            }
            b'}' => {
                depth = depth.checked_sub(1)?;
                out.push(b']');
                rest = after;
                if depth == 0 {
                    break;
                }
            }
            b',' => {
                out.push(b',');
                rest = after;
            }
            b'"' => {
                scratch.clear();
                rest = after;
                loop {
                    let (byte, after) = rest.split_first()?;
                    rest = after;
                    match byte {
                        b'"' => break,
                        b'\\' => {
                            let (escaped, after) = rest.split_first()?;
                            scratch.push(*escaped);
                            rest = after;
                        }
                        byte => scratch.push(*byte),
                    }
                }
                write(kind, &scratch, out);
            }
            _ => {
                let end = rest.iter().position(|byte| matches!(byte, b',' | b'}'))?;
                match &rest[..end] {
                    b"NULL" => out.extend_from_slice(b"null"),
                    item => write(kind, item, out),
                }
                rest = &rest[end..];
            }
        }
    }
    rest.is_empty().then_some(())
}

/// A field of COPY's text format. Null is not written here.
pub(crate) fn write_copied(kind: &Kind, field: &[u8], scratch: &mut Vec<u8>, out: &mut Vec<u8>) {
    if !field.contains(&b'\\') {
        return write(kind, field, out);
    }
    unescape(field, scratch);
    write(kind, scratch, out);
}

/// What COPY escaped.
pub(crate) fn unescape(field: &[u8], plain: &mut Vec<u8>) {
    plain.clear();
    let mut bytes = field.iter();
    while let Some(byte) = bytes.next() {
        plain.push(if *byte == b'\\' {
            match bytes.next() {
                Some(b'b') => 8,
                Some(b'f') => 12,
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b't') => b'\t',
                Some(b'v') => 11,
                Some(other) => *other,
                None => b'\\',
            }
        } else {
            *byte
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(kind: &Kind, text: &str) -> String {
        let mut out = Vec::new();
        write(kind, text.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_keep_their_digits_and_what_json_cannot_say_is_text() {
        for text in ["-1", "12345678901234567890.10", "1e+20"] {
            assert_eq!(written(&Kind::Number, text), text);
        }
        assert_eq!(written(&Kind::Number, "NaN"), "\"NaN\"");
        assert_eq!(written(&Kind::Number, "-Infinity"), "\"-Infinity\"");
    }

    #[test]
    fn times_are_iso() {
        for (text, iso) in [
            ("2026-01-01 12:00:00.5+00", "2026-01-01T12:00:00.5Z"),
            ("2026-01-01 12:00:00", "2026-01-01T12:00:00"),
            ("0044-03-15 00:00:00+00 BC", "0044-03-15T00:00:00Z BC"),
            ("infinity", "infinity"),
        ] {
            assert_eq!(written(&Kind::Time, text), format!("\"{iso}\""));
        }
    }

    #[test]
    fn arrays_are_arrays() {
        let numbers = Kind::Array(Box::new(Kind::Number));
        let texts = Kind::Array(Box::new(Kind::Text));
        assert_eq!(written(&numbers, "{1,NULL,3}"), "[1,null,3]");
        assert_eq!(written(&numbers, "[0:1]={{1},{2}}"), "[[1],[2]]");
        assert_eq!(written(&numbers, "{}"), "[]");
        assert_eq!(written(&texts, r#"{a b,"NULL","x\"y\\z,}",NULL}"#), r#"["a b","NULL","x\"y\\z,}",null]"#);
        assert_eq!(written(&texts, "{broken"), "\"{broken\"");
        assert_eq!(written(&texts, "{a}b"), "\"{a}b\"");
    }

    #[test]
    fn bytes_are_base64_and_json_is_one_line() {
        assert_eq!(written(&Kind::Bytes, "\\x00ff"), "\"AP8=\"");
        assert_eq!(written(&Kind::Json, "{\"a\":\n1}"), "{\"a\": 1}");
    }

    #[test]
    fn what_copy_escapes_comes_back() {
        let mut out = Vec::new();
        write_copied(&Kind::Text, br"a\tb\\\n\v", &mut Vec::new(), &mut out);
        assert_eq!(out, br#""a\tb\\\n\u000b""#);
    }
}
