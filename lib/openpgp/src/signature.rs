//! What a signature says, section 5.2 of RFC 9580.

use crate::packet::length;

/// A signature over a key, as far as expiration goes by it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Signature {
    pub(crate) kind: u8,
    /// When it was made, seconds since 1970.
    pub(crate) created: u64,
    /// How long the key is good, seconds after it was made.
    pub(crate) key_good_for: Option<u64>,
    issuer: Option<[u8; 8]>,
    issuer_fingerprint: Option<Vec<u8>>,
}

pub(crate) const CERTIFICATIONS: std::ops::RangeInclusive<u8> = 0x10..=0x13;
pub(crate) const SUBKEY_BINDING: u8 = 0x18;
pub(crate) const DIRECT_KEY: u8 = 0x1F;
pub(crate) const KEY_REVOCATION: u8 = 0x20;
pub(crate) const SUBKEY_REVOCATION: u8 = 0x28;
pub(crate) const CERTIFICATION_REVOCATION: u8 = 0x30;

impl Signature {
    /// Reads a signature; none if it is broken or of an unknown version.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let version = *body.first()?;
        if matches!(version, 2 | 3) {
            let issuer = <[u8; 8]>::try_from(body.get(7..15)?).ok();
            return Some(Self {
                kind: *body.get(2)?,
                created: number(body.get(3..7)?),
                issuer,
                ..Self::default()
            });
        }
        // Version 6 counts its subpackets with four octets.
        let octets = match version {
            4 | 5 => 2,
            6 => 4,
            _ => return None,
        };
        let (hashed, rest) = counted(body.get(4..)?, octets)?;
        let (unhashed, _) = counted(rest, octets)?;
        let mut signature = Self { kind: *body.get(1)?, ..Self::default() };
        signature.subpackets(hashed, true)?;
        signature.subpackets(unhashed, false)?;
        Some(signature)
    }

    fn subpackets(&mut self, mut bytes: &[u8], hashed: bool) -> Option<()> {
        while !bytes.is_empty() {
            let (octets, length) = length(bytes)?;
            let end = octets.checked_add(length)?;
            let (kind, body) = bytes.get(octets..end)?.split_first()?;
            match kind & 0x7F {
                2 if hashed => self.created = number(body.get(..4)?),
                9 if hashed => {
                    self.key_good_for = Some(number(body.get(..4)?)).filter(|seconds| *seconds > 0);
                }
                16 => self.issuer = body.try_into().ok(),
                33 => self.issuer_fingerprint = body.get(1..).map(<[u8]>::to_vec),
                _ => {}
            }
            bytes = &bytes[end..];
        }
        Some(())
    }

    /// Whether it says it was made by this key.
    pub(crate) fn is_by(&self, fingerprint: &[u8], id: [u8; 8]) -> bool {
        match (&self.issuer_fingerprint, self.issuer) {
            (Some(issuer), _) => issuer == fingerprint,
            (None, Some(issuer)) => issuer == id,
            // Who says nothing is checked against the primary key.
            (None, None) => true,
        }
    }
}

/// Bytes with their count before them, and what follows.
fn counted(bytes: &[u8], octets: usize) -> Option<(&[u8], &[u8])> {
    let count = usize::try_from(number(bytes.get(..octets)?)).ok()?;
    bytes[octets..].split_at_checked(count)
}

pub(crate) fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}
