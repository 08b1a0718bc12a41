//! Saved bytes with a version and a checksum.

use sha2::{Digest, Sha256};

const MAGIC: &[u8; 12] = b"bareplane-cp";
const VERSION: u8 = 1;
const HEAD_BYTES: usize = MAGIC.len() + 1 + 32;

/// Why sealed bytes cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsealed {
    /// Something else entirely.
    #[error("not a checkpoint")]
    Foreign,
    /// A later form.
    #[error("a checkpoint of version {0}; this command knows version {VERSION}")]
    Version(u8),
    /// Bytes are missing or changed.
    #[error("a damaged checkpoint: its checksum does not fit")]
    Damaged,
}

/// Adds what makes sure that bytes come back as they were.
pub fn seal(bytes: &[u8]) -> Vec<u8> {
    let mut sealed = MAGIC.to_vec();
    sealed.push(VERSION);
    sealed.extend_from_slice(&Sha256::digest(bytes));
    sealed.extend_from_slice(bytes);
    sealed
}

/// The bytes that were sealed.
///
/// # Errors
/// Fails if they are not there as they were.
pub fn open(sealed: &[u8]) -> Result<&[u8], Unsealed> {
    let (head, bytes) = sealed.split_at_checked(HEAD_BYTES).ok_or(Unsealed::Foreign)?;
    let (magic, head) = head.split_at(MAGIC.len());
    match head {
        _ if magic != MAGIC => Err(Unsealed::Foreign),
        [VERSION, sum @ ..] if *sum == Sha256::digest(bytes)[..] => Ok(bytes),
        [VERSION, ..] => Err(Unsealed::Damaged),
        [version, ..] => Err(Unsealed::Version(*version)),
        [] => Err(Unsealed::Foreign),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_comes_back_and_no_change_goes_unseen() {
        let sealed = seal(b"state");
        assert_eq!(open(&sealed), Ok(&b"state"[..]));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 4;
            assert!(open(&changed).is_err(), "byte {at}");
            assert!(open(&sealed[..at]).is_err(), "cut at {at}");
        }
        assert_eq!(open(b"short"), Err(Unsealed::Foreign));
    }

    #[test]
    fn a_later_version_is_told() {
        let mut sealed = seal(b"state");
        sealed[MAGIC.len()] = 2;
        assert_eq!(open(&sealed), Err(Unsealed::Version(2)));
    }
}
