//! Events `MariaDB` has compressed (`log_bin_compress`).

use std::io::{Error, ErrorKind, Read, Result};

use flate2::read::ZlibDecoder;
use mysql_async::binlog::events::Event;

/// The largest packet a server takes, so the largest row or statement.
const LARGEST_BYTES: u64 = 1 << 30;
const HEADER_BYTES: usize = 19;

/// The event as it was before; `None` if it is not compressed.
pub(crate) fn unpacked(event: &Event) -> Result<Option<Event>> {
    let header = event.header();
    let (kind, data) = (header.event_type_raw(), event.data());
    let Some((plain, at)) = packed(kind, data) else { return Ok(None) };
    let (before, rest) = at
        .and_then(|at| data.split_at_checked(at))
        .ok_or_else(|| Error::new(ErrorKind::InvalidData, "a compressed event that is cut off"))?;
    let unzipped = unzipped(rest, LARGEST_BYTES)?;
    // What follows the data is a checksum, which nobody looks at any more.
    let data_bytes = before.len() + unzipped.len();
    let end = (header.event_size() as usize).saturating_sub(HEADER_BYTES + data.len());
    let size = u32::try_from(HEADER_BYTES + data_bytes + end).map_err(Error::other)?;
    let mut bytes = Vec::with_capacity(HEADER_BYTES + data_bytes + end);
    bytes.extend(header.timestamp().to_le_bytes());
    bytes.push(plain);
    bytes.extend(header.server_id().to_le_bytes());
    bytes.extend(size.to_le_bytes());
    bytes.extend(header.log_pos().to_le_bytes());
    bytes.extend(header.flags_raw().to_le_bytes());
    bytes.extend(before);
    bytes.extend(unzipped);
    bytes.resize(HEADER_BYTES + data_bytes + end, 0);
    Event::read(event.fde(), &bytes[..]).map(Some)
}

/// What kind of event it was, and where in its data the compressed part begins.
fn packed(kind: u8, data: &[u8]) -> Option<(u8, Option<usize>)> {
    Some(match kind {
        165 => (2, statement_at(data)),
        166..=168 => (kind - 166 + 23, rows_at(data, 8, kind == 167)),
        169..=171 => {
            let extra = data.get(8..10).map(|extra| usize::from(u16::from_le_bytes([extra[0], extra[1]])));
            (kind - 169 + 30, extra.and_then(|extra| rows_at(data, 8 + extra, kind == 170)))
        }
        _ => return None,
    })
}

/// Behind the fixed part, the variables and the database's name.
fn statement_at(data: &[u8]) -> Option<usize> {
    let variables = usize::from(u16::from_le_bytes([*data.get(11)?, *data.get(12)?]));
    Some(13 + variables + usize::from(*data.get(8)?) + 1)
}

/// Behind the number of columns, and the bits that say which of them are there, before and after.
fn rows_at(data: &[u8], at: usize, is_update: bool) -> Option<usize> {
    let (columns, length) = match *data.get(at)? {
        0xfc => (usize::from(u16::from_le_bytes([*data.get(at + 1)?, *data.get(at + 2)?])), 3),
        few @ 0..=250 => (usize::from(few), 1),
        _ => return None,
    };
    Some(at + length + columns.div_ceil(8) * if is_update { 2 } else { 1 })
}

/// A byte that says how, the length in as many bytes as it says, then zlib's.
fn unzipped(packed: &[u8], largest_bytes: u64) -> Result<Vec<u8>> {
    let wrong = |why: &str| Error::new(ErrorKind::InvalidData, why.to_owned());
    let (how, rest) = packed.split_first().ok_or_else(|| wrong("a compressed event without its data"))?;
    let digits = usize::from(how & 7);
    if how & 0xf8 != 0x80 || !(1..=4).contains(&digits) {
        return Err(wrong("an event compressed in a way nobody knows"));
    }
    let (length, rest) =
        rest.split_at_checked(digits).ok_or_else(|| wrong("a compressed event is cut off"))?;
    let length = length.iter().fold(0, |length, byte| length << 8 | u64::from(*byte));
    if length > largest_bytes {
        return Err(wrong("a compressed event larger than any packet"));
    }
    let mut plain = Vec::new();
    ZlibDecoder::new(rest).take(length + 1).read_to_end(&mut plain)?;
    if plain.len() as u64 != length {
        return Err(wrong("a compressed event of another length than it says"));
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn zipped(plain: &[u8], said: u32) -> Vec<u8> {
        let mut zip = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        zip.write_all(plain).unwrap();
        [&[0x84], &said.to_be_bytes()[..], &zip.finish().unwrap()].concat()
    }

    #[test]
    fn what_was_compressed_comes_back() {
        assert_eq!(unzipped(&zipped(b"rows", 4), 100).unwrap(), b"rows");
    }

    #[test]
    fn what_says_less_or_more_than_it_is_or_too_much_is_refused() {
        let bomb = zipped(&vec![0; 1 << 20], 4);
        assert!(unzipped(&bomb, 100).unwrap_err().to_string().contains("another length"));
        assert!(unzipped(&zipped(b"rows", 5), 100).is_err());
        let large = unzipped(&zipped(b"rows", 101), 100).unwrap_err();
        assert_eq!(large.to_string(), "a compressed event larger than any packet");
        for broken in [&b""[..], b"\x84", b"\x84\0\0\0\x04", b"\x94\0\0\0\x04xxxx", b"\x80x"] {
            assert!(unzipped(broken, 100).is_err());
        }
    }

    #[test]
    fn the_rows_begin_behind_the_bits_of_their_columns() {
        assert_eq!(rows_at(b"tableidf\x09..", 8, false), Some(11));
        assert_eq!(rows_at(b"tableidf\x09..", 8, true), Some(13));
        assert_eq!(rows_at(b"tableidf\xfc\x00\x01", 8, false), Some(11 + 32));
        assert_eq!(rows_at(b"table", 8, false), None);
        assert_eq!(statement_at(b"proxexec\x04er\x02\x00"), Some(13 + 2 + 4 + 1));
    }
}
