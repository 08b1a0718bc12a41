//! Packets and their headers, section 4 of RFC 9580.

use crate::Error;

/// A packet of a keyring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packet<'a> {
    pub(crate) at: usize,
    pub(crate) tag: u8,
    pub(crate) body: &'a [u8],
}

pub(crate) const SIGNATURE: u8 = 2;
pub(crate) const SECRET_KEY: u8 = 5;
pub(crate) const PUBLIC_KEY: u8 = 6;
pub(crate) const SECRET_SUBKEY: u8 = 7;
pub(crate) const USER_ID: u8 = 13;
pub(crate) const PUBLIC_SUBKEY: u8 = 14;
pub(crate) const USER_ATTRIBUTE: u8 = 17;

/// All packets of a keyring.
pub(crate) fn packets(bytes: &[u8]) -> Result<Vec<Packet<'_>>, Error> {
    let mut packets = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let (tag, start, length) =
            header(&bytes[at..]).ok_or(Error::Packet { at, why: "it is no packet" })?;
        let start = at + start;
        let body = start.checked_add(length).and_then(|end| bytes.get(start..end));
        let body = body.ok_or(Error::Packet { at, why: "the packet is cut short" })?;
        packets.push(Packet { at, tag, body });
        at = start + length;
    }
    Ok(packets)
}

/// Tag, where the body begins, how long it is. Partial and indeterminate
/// lengths are for data: no key has them.
fn header(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let first = *bytes.first()?;
    if first & 0x80 == 0 {
        return None;
    }
    if first & 0x40 == 0 {
        let octets = match first & 3 {
            0 => 1,
            1 => 2,
            2 => 4,
            _ => return None,
        };
        let length = bytes.get(1..=octets)?.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        return Some(((first >> 2) & 0xF, 1 + octets, length));
    }
    let (octets, length) = length(&bytes[1..])?;
    // From 224 to 254 a length is a partial one.
    let partial = (224..255).contains(bytes.get(1)?);
    (!partial).then_some((first & 0x3F, 1 + octets, length))
}

/// A length of one, two or five octets, as packets and subpackets have it.
pub(crate) fn length(bytes: &[u8]) -> Option<(usize, usize)> {
    let wide = |n: usize| bytes.get(n).map(|byte| usize::from(*byte));
    match wide(0)? {
        one @ 0..192 => Some((1, one)),
        first @ 192..255 => Some((2, ((first - 192) << 8) + wide(1)? + 192)),
        _ => Some((5, (1..5).try_fold(0, |sum, n| Some(sum << 8 | wide(n)?))?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_new_headers_are_read() {
        for (header, length) in [
            (&[0x99, 0x01, 0x02][..], 0x102),
            (&[0x98, 0x05], 5),
            (&[0x9A, 0, 0, 1, 0], 256),
            (&[0xC6, 191], 191),
            (&[0xC6, 192, 0], 192),
            (&[0xC6, 255, 0, 0, 1, 0], 256),
        ] {
            let bytes = [header, &vec![7; length]].concat();
            let found = packets(&bytes).unwrap();
            assert_eq!((found[0].tag, found[0].body.len()), (PUBLIC_KEY, length), "{header:x?}");
        }
    }

    #[test]
    fn what_is_cut_short_or_endless_is_refused() {
        for bytes in [
            &[0xC6, 5, 1][..],
            &[0xC6],
            &[0xC6, 224, 1],
            &[0x9B, 1],
            &[0x06, 1],
            &[0xC6, 255, 255, 255, 255, 255],
        ] {
            assert!(matches!(packets(bytes), Err(Error::Packet { at: 0, .. })), "{bytes:x?}");
        }
    }
}
