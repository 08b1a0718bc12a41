//! Messages of a topic as lines of JSON, and back, byte for byte.
//!
//! ```
//! let mut line = Vec::new();
//! let message = envelope::Parts { topic: Some("V"), partition: Some(0), offset: Some(12),
//!     time_ms: Some(0), key: Some(b"k"), value: Some(br#"{"a":1.50}"#) };
//! envelope::Writer::default().write(&message, [(&b"h"[..], Some(&b"v"[..]))], &mut line);
//! assert_eq!(line, br#"{"record":"message","topic":"V","partition":0,"offset":12,"ts":"1970-01-01T00:00:00.000Z","key":"k","headers":[["h","v"]],"value":{"a":1.50}}"#);
//!
//! let read = envelope::read(&line)?;
//! assert_eq!(read.value.as_deref(), Some(&br#"{"a":1.50}"#[..]));
//! # Ok::<(), envelope::Wrong>(())
//! ```
//!
//! A value that is JSON stands as it is in `value`, every byte of it; text that
//! is none in `value_text`, so that it differs from a JSON string; what is not
//! even UTF-8 in `value_b64`. A tombstone is `"value":null`, so the four bytes
//! `null` are text. JSON with line feeds between its tokens, or blanks around
//! it, is text as well: a line is one line, and no byte is lost.

mod kcat;
mod read;
mod write;

pub use kcat::read as read_kcat;
pub use read::{Message, Name, Wrong, read};
pub use write::{Parts, Writer};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            "[\\PC\n\r\t\"\\\\]{0,20}".prop_map(String::into_bytes),
            r#"[ \n]?(\{("[a-c]":(1|"x"|null|\[1, 2\]),?){0,3}\}|-?[0-9]{1,3}(\.[0-9]+)?(e9)?|null|true|"[a-z\\]*"|\[\[\[\]\]\])[ ,\r]?"#
                .prop_map(String::into_bytes),
            (1..140_usize).prop_map(|depth| [vec![b'['; depth], vec![b']'; depth]].concat()),
            Just(br#"1,"topic":"evil""#.to_vec()),
            Just(br#"1,"value":1"#.to_vec()),
            Just(br#"1},{"a":1"#.to_vec()),
        ]
    }

    fn name() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(1..=255_u8, 0..10),
            "[a-zA-Z\"\\\\-]{0,8}".prop_map(String::into_bytes)
        ]
    }

    proptest! {
        #[test]
        fn any_message_comes_back_from_one_line_of_json(
            key in prop::option::of(bytes()),
            value in prop::option::of(bytes()),
            headers in prop::collection::vec((name(), prop::option::of(bytes())), 0..4),
            time_ms in prop::option::of(prop_oneof![0..4_000_000_000_000_i64, 0..i64::MAX]),
            offset in 0..i64::MAX,
        ) {
            let parts = Parts {
                topic: Some("V"),
                partition: Some(3),
                offset: Some(offset),
                time_ms,
                key: key.as_deref(),
                value: value.as_deref(),
            };
            let mut line = Vec::new();
            let borrowed = headers.iter().map(|(name, value)| (name.as_slice(), value.as_deref()));
            Writer::default().write(&parts, borrowed, &mut line);
            prop_assert!(!line.contains(&b'\n') && !line.contains(&b'\r'));
            let any: serde_json::Value = serde_json::from_slice(&line).unwrap();
            prop_assert_eq!(any["record"].as_str(), Some("message"));
            let read = read(&line).unwrap();
            prop_assert_eq!(read.topic.as_deref(), Some("V"));
            prop_assert_eq!((read.partition, read.offset, read.time_ms), (Some(3), Some(offset), time_ms));
            prop_assert_eq!(read.key.as_deref(), key.as_deref());
            prop_assert_eq!(read.value.as_deref(), value.as_deref());
            let back: Vec<_> = read.headers.iter().map(|(name, value)| (name.to_vec(), value.as_deref().map(<[u8]>::to_vec))).collect();
            prop_assert_eq!(back, headers);
        }

        #[test]
        fn no_line_makes_it_stumble(line in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = (read(&line), read_kcat(&line));
        }
    }
}
