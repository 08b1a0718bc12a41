//! The head of an HTTP/1 response (RFC 9112 §4), as far as a health check cares.

/// The longest head that is read.
pub(crate) const HEAD_BYTES: usize = 64 << 10;

/// The status and how the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) body: Body,
}

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// After so many bytes.
    Length(u64),
    /// With an empty chunk.
    Chunked,
    /// When the server closes.
    Close,
}

/// What a buffer holds so far.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// The end of the head has not come.
    Partial,
    /// The head, and how many bytes it takes.
    Whole(Head, usize),
    /// Not HTTP/1.
    Garbled(&'static str),
}

/// Reads the head at the start of `bytes`; informational ones (1xx) are passed over.
pub(crate) fn parse(bytes: &[u8]) -> Parsed {
    let mut start = 0;
    loop {
        let rest = &bytes[start..];
        let known = rest.len().min(b"HTTP/1.".len());
        if rest[..known] != b"HTTP/1."[..known] {
            return Parsed::Garbled("the answer is not HTTP/1");
        }
        let Some(length) = rest.windows(4).position(|four| four == b"\r\n\r\n").map(|end| end + 4) else {
            return if bytes.len() >= HEAD_BYTES {
                Parsed::Garbled("the head of the answer is longer than 64 KiB")
            } else {
                Parsed::Partial
            };
        };
        match head(&rest[..length]) {
            Some(Head { status: 100 | 102..=199, .. }) => start += length,
            Some(head) => return Parsed::Whole(head, start + length),
            None => return Parsed::Garbled("the status line of the answer makes no sense"),
        }
    }
}

fn head(bytes: &[u8]) -> Option<Head> {
    let mut lines = bytes.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii_end);
    // HTTP/1.x SP 3DIGIT
    let line = lines.next()?.get(8..)?;
    let (digits, after) = line.strip_prefix(b" ")?.split_at_checked(3)?;
    if !digits.iter().all(u8::is_ascii_digit) || after.first().is_some_and(|&byte| byte != b' ') {
        return None;
    }
    let status = std::str::from_utf8(digits).ok()?.parse().ok().filter(|status| *status >= 100)?;
    let mut body = if matches!(status, 204 | 304) { Body::Length(0) } else { Body::Close };
    for line in lines {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"transfer-encoding") && value.to_ascii_lowercase().ends_with(b"chunked")
        {
            body = Body::Chunked;
        } else if name.eq_ignore_ascii_case(b"content-length") && body == Body::Close {
            body = Body::Length(std::str::from_utf8(value).ok()?.parse().ok()?);
        }
    }
    Some(Head { status, body })
}

/// Whether a chunked body that ends in `tail` is complete.
pub(crate) fn last_chunk(tail: &[u8]) -> bool {
    tail == b"0\r\n\r\n" || tail.ends_with(b"\r\n0\r\n\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_status_and_the_end_of_the_body_are_found() {
        let text = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        assert_eq!(parse(text), Parsed::Whole(Head { status: 200, body: Body::Length(2) }, text.len() - 2));
        let text = b"HTTP/1.0 503\r\nTransfer-Encoding: Chunked\r\nContent-Length: 7\r\n\r\n";
        assert_eq!(parse(text), Parsed::Whole(Head { status: 503, body: Body::Chunked }, text.len()));
    }

    #[test]
    fn a_continue_before_the_answer_is_passed_over() {
        let text = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 401 No\r\n\r\n";
        assert_eq!(parse(text), Parsed::Whole(Head { status: 401, body: Body::Close }, text.len()));
    }

    #[test]
    fn what_is_not_http_is_known_from_its_first_byte() {
        for text in [
            &b"S"[..],
            b"SSH-2.0-x\r\n",
            b"HTTP/2 200\r\n\r\n",
            b"HTTP/1.1 20\r\n\r\n",
            b"HTTP/1.1 2000 \r\n\r\n",
        ] {
            assert!(matches!(parse(text), Parsed::Garbled(_)), "{}", String::from_utf8_lossy(text));
        }
        assert_eq!(parse(b"HTTP"), Parsed::Partial);
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(bytes: Vec<u8>, tail: Vec<u8>) {
            parse(&bytes);
            parse(&[&b"HTTP/1.1 200 OK\r\n"[..], &bytes, b"\r\n\r\n", &tail].concat());
        }
    }
}
