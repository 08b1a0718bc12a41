//! `OpenPGP` public keys: whose they are, and until when they are good.
//!
//! Enough of RFC 9580 (and of RFC 4880, which it replaces) to judge the key
//! of a package repository before a package manager does: armour with its
//! checksum, public keys and subkeys of versions 4 to 6, user ids, and what
//! self-signatures say of expiration and revocation.
//!
//! Signatures are read, not verified: that is for whoever trusts the key.
//! What makes a key the right one is its fingerprint, which is computed.
//!
//! ```
//! # let text = include_bytes!("../tests/key.asc");
//! let keyring = openpgp::parse(text)?;
//! assert_eq!(keyring.form, openpgp::Form::Armoured);
//! let key = &keyring.keys[0];
//! assert_eq!(key.user_ids, ["Example <key@example.org>"]);
//! assert!(!key.is_expired(1_800_000_000));
//! # Ok::<(), openpgp::Error>(())
//! ```

mod armour;
mod key;
mod packet;
mod signature;

pub use key::{Key, Subkey};

use model::{Fault, Kind};

/// No keyring is larger.
pub const LIMIT_BYTES: u64 = 1 << 20;

/// Public keys, and how they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyring {
    /// How they were written.
    pub form: Form,
    /// How many armoured blocks there were; apt reads the first alone.
    pub blocks: usize,
    /// The keys, in order; at least one.
    pub keys: Vec<Key>,
    /// The packets, without armour.
    pub bytes: Vec<u8>,
}

/// How a keyring is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As text: `-----BEGIN PGP PUBLIC KEY BLOCK-----`.
    Armoured,
    /// As bytes.
    Binary,
}

/// Why something is no keyring.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is neither armoured nor does it begin with a public key.
    #[error("no OpenPGP key")]
    NotAKey,
    /// The armour is broken.
    #[error("line {line}: {why}")]
    Armour {
        /// The line, from 1.
        line: u32,
        /// What is wrong there.
        why: &'static str,
    },
    /// A packet is cut short, or not what it claims to be.
    #[error("byte {at}: {why}")]
    Packet {
        /// Where it begins, in the bytes without armour.
        at: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// It holds a secret key.
    #[error("it holds a secret key, which belongs in no keyring of a machine")]
    Secret,
    /// The key is of a version nobody accepts any more, or not yet.
    #[error("a key of version {0} is not supported")]
    Version(u8),
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }
}

impl Keyring {
    /// The keys as one armoured block.
    pub fn armoured(&self) -> String {
        armour::armoured(&self.bytes)
    }
}

/// Reads a keyring, armoured or not.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn parse(bytes: &[u8]) -> Result<Keyring, Error> {
    // A packet's first byte has its high bit set; no text begins so.
    let binary = bytes.first().is_some_and(|first| first & 0x80 != 0 && !bytes.starts_with(b"\xef\xbb\xbf"));
    let (form, blocks, bytes) = if binary {
        (Form::Binary, 0, bytes.to_vec())
    } else {
        let blocks = armour::blocks(bytes)?;
        (Form::Armoured, blocks.len(), blocks.concat())
    };
    let keys = key::keys(&bytes)?;
    Ok(Keyring { form, blocks, keys, bytes })
}
