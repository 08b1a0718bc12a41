//! Armour: packets as text, section 6 of RFC 9580.

use data_encoding::BASE64;

use crate::Error;

const BEGIN: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
const END: &str = "-----END PGP PUBLIC KEY BLOCK-----";
const SECRET: &str = "-----BEGIN PGP PRIVATE KEY BLOCK-----";

/// The content of every armoured block; text around them is passed over.
pub(crate) fn blocks(bytes: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
    let text = str::from_utf8(bytes).map_err(|_| Error::NotAKey)?.trim_start_matches('\u{feff}');
    let mut lines = (1..).zip(text.lines().map(str::trim_end));
    let mut blocks = Vec::new();
    while let Some((line, found)) = lines.next() {
        match found {
            SECRET => return Err(Error::Secret),
            BEGIN => blocks.push(block(line, &mut lines)?),
            _ => {}
        }
    }
    if blocks.is_empty() { Err(Error::NotAKey) } else { Ok(blocks) }
}

/// Packets as one armoured block.
pub(crate) fn armoured(content: &[u8]) -> String {
    let text = BASE64.encode(content);
    let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|line| str::from_utf8(line).ok()).collect();
    let sum = BASE64.encode(&crc24(content).to_be_bytes()[1..]);
    format!("{BEGIN}\n\n{}\n={sum}\n{END}\n", lines.join("\n"))
}

/// The content of a block whose first line was just read.
fn block<'a>(begin: u32, lines: &mut impl Iterator<Item = (u32, &'a str)>) -> Result<Vec<u8>, Error> {
    let broken = |line, why| Err(Error::Armour { line, why });
    let mut in_headers = true;
    let mut text = String::new();
    let mut checksum = None;
    for (line, found) in lines {
        if found == END {
            let Ok(content) = BASE64.decode(text.as_bytes()) else { return broken(line, "it is no base64") };
            return match checksum {
                Some((line, sum)) if sum != crc24(&content) => broken(line, "the checksum does not match"),
                _ => Ok(content),
            };
        }
        if in_headers {
            if found.is_empty() {
                in_headers = false;
            } else if !found.contains(": ") && !found.ends_with(':') {
                return broken(line, "an empty line is missing before the data");
            }
        } else if let Some(sum) = found.strip_prefix('=') {
            let sum = BASE64.decode(sum.as_bytes()).ok().and_then(|sum| <[u8; 3]>::try_from(sum).ok());
            let Some(sum) = sum else { return broken(line, "the checksum is no checksum") };
            checksum = Some((line, u32::from_be_bytes([0, sum[0], sum[1], sum[2]])));
        } else if checksum.is_some() && !found.is_empty() {
            return broken(line, "data after the checksum");
        } else {
            text.push_str(found);
        }
    }
    broken(begin, "the block has no end")
}

/// Section 6.1 of RFC 9580.
fn crc24(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x00B7_04CE, |crc, byte| {
        (0..8).fold(crc ^ (u32::from(*byte) << 16), |crc, _| {
            let shifted = crc << 1;
            (if shifted & 0x0100_0000 == 0 { shifted } else { shifted ^ 0x0186_4CFB }) & 0x00FF_FFFF
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(body: &str) -> String {
        format!("{BEGIN}\n{body}\n{END}\n")
    }

    #[test]
    fn content_is_what_lies_between_the_marks() {
        assert_eq!(blocks(wrapped("\naGVs\nbG8=").as_bytes()).unwrap(), [b"hello"]);
        let text = format!(
            "Release.key\r\n{}",
            wrapped("Version: x\nComment:\n\naGVsbG8=\n=R/WK").replace('\n', "\r\n")
        );
        assert_eq!(blocks(text.as_bytes()).unwrap(), [b"hello"]);
        assert_eq!(blocks(wrapped("\naGVsbG8=").repeat(2).as_bytes()).unwrap().len(), 2);
    }

    #[test]
    fn what_is_armoured_reads_back() {
        let content: Vec<u8> = (0..=255).collect();
        assert_eq!(blocks(armoured(&content).as_bytes()).unwrap(), [content]);
        let text = include_str!("../tests/key.asc");
        assert_eq!(armoured(&blocks(text.as_bytes()).unwrap()[0]), text);
    }

    #[test]
    fn a_broken_block_is_told_with_its_line() {
        let why = |body: &str| match blocks(body.as_bytes()) {
            Err(Error::Armour { line, .. }) => line,
            other => panic!("{other:?}"),
        };
        assert_eq!(why(&wrapped("aGVsbG8=")), 2, "no empty line");
        assert_eq!(why(&wrapped("\naGVsbG8=\n=AAAA")), 4, "another checksum");
        assert_eq!(why(&wrapped("\naGVsbG8=\n=R/W")), 4, "half a checksum");
        assert_eq!(why(&wrapped("\na GVsbG8")), 4, "no base64");
        assert_eq!(why(&format!("{BEGIN}\n\naGVsbG8=\n")), 1, "no end");
    }

    #[test]
    fn what_is_no_key_is_none() {
        assert_eq!(blocks(b"<html>404</html>"), Err(Error::NotAKey));
        assert_eq!(blocks(format!("{SECRET}\n\n").as_bytes()), Err(Error::Secret));
    }
}
