//! Whether a file is a whole backup.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Instant;

use cli::{Context, Error};
use etcd::bolt::{self, Database};
use etcd::{Sealed, Trailer};
use model::EtcdBackup;

/// So much is read and hashed at once.
const PIECE_BYTES: usize = 1 << 20;
/// The hash behind the database.
const TRAILER_BYTES: u64 = 32;

/// Reads a file to its end and says whether it is a whole backup.
pub(crate) fn file(path: &Path) -> cli::Result<EtcdBackup> {
    let start = Instant::now();
    let doing = || format!("reading {}", path.display());
    let file = File::open(path).doing(doing())?;
    if !file.metadata().doing(doing())?.is_file() {
        return Err(Error::invalid(doing(), "is not a file"));
    }
    let sealed = hash(&file).doing(doing())?;
    Ok(judge(path, &file, &sealed, start))
}

fn hash(mut file: &File) -> io::Result<Sealed> {
    let (mut trailer, mut piece) = (Trailer::default(), vec![0; PIECE_BYTES]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(trailer.finish()),
            length => trailer.update(&piece[..length]),
        }
    }
}

/// The verdict on a file whose bytes have been hashed.
pub(crate) fn judge(path: &Path, file: &File, sealed: &Sealed, start: Instant) -> EtcdBackup {
    let database = bolt::check(file, sealed.bytes.saturating_sub(TRAILER_BYTES));
    let wrong = match &database {
        // As long as a database alone: a copy of member/snap/db, or a cut at a page.
        _ if !sealed.holds && sealed.bytes.is_multiple_of(512) => {
            Some(("no-trailer", "no hash at its end: not written by a snapshot, or cut off".to_owned()))
        }
        _ if !sealed.holds => Some(("hash", "its content does not match the hash at its end".to_owned())),
        Err(damage) => Some(("structure", damage.to_string())),
        Ok(_) => None,
    };
    let known = |of: fn(&Database) -> Option<u64>| database.as_ref().ok().and_then(of);
    EtcdBackup {
        path: path.display().to_string(),
        ok: wrong.is_none(),
        size_bytes: Some(sealed.bytes),
        sha256: Some(sealed.sha256.clone()),
        db_bytes: known(|database| database.pages.checked_mul(database.page_bytes)),
        revision: known(|database| database.revision),
        keys: known(|database| Some(database.keys)),
        endpoint: None,
        elapsed_ms: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
        error: wrong.as_ref().map(|(word, _)| (*word).to_owned()),
        error_text: wrong.map(|(_, text)| text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    const REAL: &[u8] =
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/fixtures/examples/etcd.db"));

    fn verdict(content: &[u8]) -> EtcdBackup {
        let dir = tempfile::tempdir().unwrap();
        let path: PathBuf = dir.path().join("f");
        std::fs::write(&path, content).unwrap();
        file(&path).unwrap()
    }

    fn word(content: &[u8]) -> Option<String> {
        verdict(content).error
    }

    #[test]
    fn a_real_backup_is_whole_and_counted_as_etcdctl_counts() {
        let found = verdict(REAL);
        assert!(found.ok, "{found:?}");
        assert_eq!((found.revision, found.keys, found.db_bytes), (Some(32), Some(35), Some(36864)));
        assert_eq!(found.sha256, Some(files::sha256_hex(REAL)));
    }

    #[test]
    fn every_way_to_be_broken_has_its_word() {
        let mut flipped = REAL.to_vec();
        flipped[20_000] ^= 1;
        assert_eq!(word(&flipped).as_deref(), Some("hash"));
        assert_eq!(word(&REAL[..REAL.len() - 32]).as_deref(), Some("no-trailer"));
        assert_eq!(word(&REAL[..8192]).as_deref(), Some("no-trailer"));
        assert_eq!(word(&REAL[..30_001]).as_deref(), Some("hash"));
        assert_eq!(word(b"").as_deref(), Some("no-trailer"));
        // A hash that is right over what is no database.
        let mut nonsense = Trailer::default();
        nonsense.update(&[0; 32]);
        let hash = "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925";
        let bytes: Vec<u8> =
            (0..32).map(|at| u8::from_str_radix(&hash[2 * at..2 * at + 2], 16).unwrap()).collect();
        assert_eq!(word(&[&[0; 32][..], &bytes].concat()).as_deref(), Some("structure"));
    }
}
