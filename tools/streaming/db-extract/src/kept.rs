//! A file that is written on and on, and cut back to where the state was.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use cli::{Context, Error};

/// An output file.
#[derive(Debug)]
pub(crate) struct Kept {
    path: PathBuf,
    file: BufWriter<File>,
    bytes: u64,
}

impl Kept {
    /// The file with its first `bytes` alone; 0 makes a new one.
    pub(crate) fn open(path: &Path, bytes: u64) -> cli::Result<Self> {
        let doing = format!("writing {}", path.display());
        let mut file =
            OpenOptions::new().create(true).write(true).truncate(bytes == 0).open(path).doing(&doing)?;
        if bytes > 0 {
            let there = file.metadata().doing(&doing)?.len();
            if there < bytes {
                let why = format!("{there} bytes, but the state knows of {bytes}");
                return Err(Error::invalid(doing, why).hint("remove the state to begin anew"));
            }
            file.set_len(bytes).doing(&doing)?;
            file.seek(SeekFrom::Start(bytes)).doing(&doing)?;
        }
        Ok(Self { path: path.to_owned(), file: BufWriter::with_capacity(256 << 10, file), bytes })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> cli::Result<()> {
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes).doing(format!("writing {}", self.path.display()))
    }

    pub(crate) fn flush(&mut self) -> cli::Result<()> {
        self.file.flush().doing(format!("writing {}", self.path.display()))
    }

    /// Hands it to the disk; how long it is now.
    pub(crate) fn sync(&mut self) -> cli::Result<u64> {
        self.flush()?;
        self.file.get_ref().sync_data().doing(format!("writing {}", self.path.display()))?;
        Ok(self.bytes)
    }
}
