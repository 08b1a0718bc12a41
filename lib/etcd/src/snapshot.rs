//! The database as a stream, and the hash it ends with.
//!
//! ```text
//! bolt database, a multiple of its page size | SHA-256 of the database, 32 bytes
//! ```

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;
use tonic::Streaming;

use crate::wire::SnapshotResponse;
use crate::{Error, Result};

/// The length of the hash at the end.
pub(crate) const TRAILER_BYTES: usize = 32;

/// A database on its way.
#[derive(Debug)]
pub struct Snapshot {
    stream: Streaming<SnapshotResponse>,
    runtime: Arc<Runtime>,
}

impl Snapshot {
    pub(crate) fn new(stream: Streaming<SnapshotResponse>, runtime: Arc<Runtime>) -> Self {
        Self { stream, runtime }
    }

    /// The next piece; `None` at the end. `until` bounds this one wait: after
    /// [`Error::Timeout`] the stream can be asked again.
    ///
    /// # Errors
    /// Fails if the stream breaks off, or nothing comes in time.
    pub fn next_piece(&mut self, until: Instant) -> Result<Option<Piece>> {
        let Self { stream, runtime } = self;
        let next = runtime.block_on(async {
            tokio::time::timeout_at(until.into(), stream.message()).await.map_err(|_| Error::Timeout)
        })?;
        let next = next.map_err(|status| Error::of_status(&status))?;
        Ok(next.map(|piece| Piece { bytes: piece.blob, remaining_bytes: piece.remaining_bytes }))
    }
}

/// A part of a database.
#[derive(Clone, Debug)]
pub struct Piece {
    /// What follows on the piece before.
    pub bytes: Bytes,
    /// How much of the database is to come after it; the trailer is not counted.
    pub remaining_bytes: u64,
}

/// Tells from the bytes that pass by whether the last 32 are the SHA-256 of
/// those before them.
#[derive(Clone, Debug, Default)]
pub struct Trailer {
    database: Sha256,
    /// The last 32 bytes so far; fewer at the beginning.
    tail: Vec<u8>,
    length: u64,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Whether the trailer is the hash of the database.
    pub holds: bool,
    /// The length of the whole, the trailer included.
    pub bytes: u64,
    /// SHA-256 of the whole, as `sha256sum` prints it.
    pub sha256: String,
}

impl Trailer {
    /// More bytes.
    pub fn update(&mut self, piece: &[u8]) {
        self.length += piece.len() as u64;
        // Of the tail and the piece together all but the last 32 bytes belong to the database.
        let settled = (self.tail.len() + piece.len()).saturating_sub(TRAILER_BYTES);
        let of_tail = settled.min(self.tail.len());
        let of_piece = settled - of_tail;
        self.database.update(&self.tail[..of_tail]);
        self.database.update(&piece[..of_piece]);
        self.tail.drain(..of_tail);
        self.tail.extend_from_slice(&piece[of_piece..]);
    }

    /// All bytes have passed.
    pub fn finish(self) -> Sealed {
        let whole = self.database.clone().chain_update(&self.tail);
        let holds = self.database.finalize().as_slice() == self.tail;
        let sha256 = whole.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Sealed { holds, bytes: self.length, sha256 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sealed(pieces: &[&[u8]]) -> Sealed {
        let mut trailer = Trailer::default();
        pieces.iter().for_each(|piece| trailer.update(piece));
        trailer.finish()
    }

    #[test]
    fn less_than_a_trailer_holds_nothing() {
        assert!(!sealed(&[]).holds);
        assert!(!sealed(&[b"short"]).holds);
    }

    proptest! {
        #[test]
        fn the_hash_is_found_however_the_bytes_arrive(
            database: Vec<u8>, cuts in prop::collection::vec(0usize..200, 0..8), flip in 0usize..1000,
        ) {
            let mut file = database.clone();
            file.extend_from_slice(&Sha256::digest(&database));
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(file.len())).collect();
            cuts.extend([0, file.len()]);
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|ends| &file[ends[0]..ends[1]]).collect();
            let found = sealed(&pieces);
            prop_assert!(found.holds);
            prop_assert_eq!(found.bytes, file.len() as u64);
            prop_assert_eq!(found.sha256, files::sha256_hex(&file));
            // Any bit that flipped, and any byte that is missing, is noticed.
            let mut bad = file.clone();
            bad[flip % file.len()] ^= 1;
            prop_assert!(!sealed(&[&bad]).holds);
            prop_assert!(!sealed(&[&file[..file.len() - 1]]).holds);
        }
    }
}
