//! A file that is written on and on, and cut back to where a checkpoint was.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::{Context, Error, Result};

/// An output file.
#[derive(Debug)]
pub struct Kept {
    path: PathBuf,
    file: BufWriter<File>,
    bytes: u64,
}

impl Kept {
    /// The file with its first `bytes` alone; 0 makes a new one.
    ///
    /// # Errors
    /// Fails if it cannot be written, or is shorter.
    pub fn open(path: &Path, bytes: u64) -> Result<Self> {
        let doing = format!("writing {}", path.display());
        let mut file =
            OpenOptions::new().create(true).write(true).truncate(bytes == 0).open(path).doing(&doing)?;
        if bytes > 0 {
            let there = file.metadata().doing(&doing)?.len();
            if there < bytes {
                let why = format!("{there} bytes, but {bytes} were written before");
                return Err(Error::invalid(doing, why).hint("remove the state or checkpoint to begin anew"));
            }
            file.set_len(bytes).doing(&doing)?;
            file.seek(SeekFrom::Start(bytes)).doing(&doing)?;
        }
        Ok(Self { path: path.to_owned(), file: BufWriter::with_capacity(256 << 10, file), bytes })
    }

    /// Adds to it.
    ///
    /// # Errors
    /// Fails if the disk does.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes).doing(format!("writing {}", self.path.display()))
    }

    /// Hands it to the system.
    ///
    /// # Errors
    /// Fails if the disk does.
    pub fn flush(&mut self) -> Result<()> {
        self.file.flush().doing(format!("writing {}", self.path.display()))
    }

    /// Hands it to the disk; how long it is now.
    ///
    /// # Errors
    /// Fails if the disk does.
    pub fn sync(&mut self) -> Result<u64> {
        self.flush()?;
        self.file.get_ref().sync_data().doing(format!("writing {}", self.path.display()))?;
        Ok(self.bytes)
    }
}
