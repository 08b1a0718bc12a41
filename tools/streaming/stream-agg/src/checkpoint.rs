//! Where a run was: the input read, the outputs written, the windows open.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use cli::{Context, Error};
use serde::{Deserialize, Serialize};

use crate::run::Counts;
use crate::spill::Spilled;

/// What is kept beside the engine's state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// What the run was asked for.
    pub(crate) fingerprint: String,
    /// How much of the input was read.
    pub(crate) offset_bytes: u64,
    pub(crate) lines: u64,
    /// The SHA-256 of what stands before that, up to 4096 bytes of it.
    pub(crate) before_sha256: String,
    /// How much of each output was written.
    pub(crate) out_bytes: u64,
    pub(crate) late_bytes: u64,
    pub(crate) reject_bytes: u64,
    pub(crate) counts: Counts,
    /// Whether every window was closed at the input's end.
    pub(crate) done: bool,
    /// What is in the file beside the checkpoint.
    #[serde(default)]
    pub(crate) spilled: Spilled,
}

/// The file, held against other runs.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    path: PathBuf,
    _lock: files::Lock,
}

/// A place and the engine's state.
pub(crate) type Saved = (Place, Vec<u8>);

const LIMIT_BYTES: u64 = 8 << 30;

impl Checkpoint {
    /// Takes hold of it; with what was kept there, if anything was.
    pub(crate) fn open(path: &Path) -> cli::Result<(Self, Option<Saved>)> {
        let doing = format!("reading {}", path.display());
        let mut lock = path.as_os_str().to_owned();
        lock.push(".lock");
        let lock = files::Lock::acquire(Path::new(&lock)).doing("taking hold of the checkpoint")?;
        let this = Self { path: path.to_owned(), _lock: lock };
        if !path.try_exists().doing(&doing)? {
            return Ok((this, None));
        }
        let sealed = files::read(path, LIMIT_BYTES).doing("reading the checkpoint")?;
        let bytes = window::open(&sealed).invalid(&doing)?;
        let corrupt = || Error::invalid(&doing, "not a checkpoint of stream-agg");
        let (length, rest) = bytes.split_first_chunk::<8>().ok_or_else(corrupt)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| corrupt())?;
        let (place, state) = rest.split_at_checked(length).ok_or_else(corrupt)?;
        let place = serde_json::from_slice(place).invalid(&doing)?;
        Ok((this, Some((place, state.to_vec()))))
    }

    /// The file beside it.
    pub(crate) fn spool(&self) -> PathBuf {
        let mut path = self.path.as_os_str().to_owned();
        path.push(".spool");
        path.into()
    }

    pub(crate) fn write(&self, place: &Place, state: &[u8]) -> cli::Result<()> {
        let doing = "writing the checkpoint";
        let place = serde_json::to_vec(place).invalid(doing)?;
        let bytes = [&(place.len() as u64).to_le_bytes(), &place[..], state].concat();
        files::replace(&self.path, &window::seal(&bytes), &files::Attributes::mode(0o600)).doing(doing)
    }
}

/// The SHA-256 of what stands before `offset`, up to 4096 bytes of it.
pub(crate) fn before(file: &File, offset: u64) -> std::io::Result<String> {
    let length = offset.min(4096);
    let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
    file.read_exact_at(&mut bytes, offset - length)?;
    Ok(files::sha256_hex(&bytes))
}
