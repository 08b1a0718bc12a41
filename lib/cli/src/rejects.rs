//! Rows that were put aside.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use model::Reject;

use crate::{Context, Result};

/// The file `--reject` names. It holds what nobody has cleaned yet: it is its owner's alone.
#[derive(Debug)]
pub struct Rejects {
    file: BufWriter<File>,
    doing: String,
}

impl Rejects {
    /// Begins the file anew.
    ///
    /// # Errors
    /// Fails if it cannot be written.
    pub fn create(path: &Path) -> Result<Self> {
        Self::open(path, OpenOptions::new().write(true).truncate(true))
    }

    /// Adds to the file: what an earlier run put aside is not asked for again.
    ///
    /// # Errors
    /// Fails if it cannot be written.
    pub fn append(path: &Path) -> Result<Self> {
        Self::open(path, OpenOptions::new().append(true))
    }

    fn open(path: &Path, options: &mut OpenOptions) -> Result<Self> {
        let doing = format!("writing {}", path.display());
        let file = options.create(true).mode(0o600).open(path).doing(&doing)?;
        Ok(Self { file: BufWriter::with_capacity(64 << 10, file), doing })
    }

    /// Puts a row aside.
    ///
    /// # Errors
    /// Fails if it cannot be written.
    pub fn put(&mut self, reject: &Reject) -> Result<()> {
        let mut line = serde_json::to_vec(reject).invalid(&self.doing)?;
        line.push(b'\n');
        self.file.write_all(&line).doing(&self.doing)
    }

    /// Whoever reads the file finds all of them.
    ///
    /// # Errors
    /// Fails if they cannot be written.
    pub fn flush(&mut self) -> Result<()> {
        self.file.flush().doing(&self.doing)
    }

    /// They stay, whatever becomes of the machine.
    ///
    /// # Errors
    /// Fails if the disk does not take them.
    pub fn sync(&mut self) -> Result<()> {
        self.flush()?;
        match self.file.get_ref().sync_data() {
            // A pipe or a terminal.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            synced => synced.doing(&self.doing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_runs_rows_stay_only_if_they_are_not_asked_for_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rejects");
        let lines = || std::fs::read_to_string(&path).unwrap().lines().count();
        let row = Reject { error: "no number".to_owned(), ..Reject::of(7, b"{", 1) };
        for (open, expected) in
            [(Rejects::append as fn(&Path) -> Result<Rejects>, 1), (Rejects::append, 2), (Rejects::create, 1)]
        {
            let mut rejects = open(&path).unwrap();
            rejects.put(&row).unwrap();
            rejects.sync().unwrap();
            assert_eq!(lines(), expected);
        }
    }

    #[test]
    fn a_terminal_or_a_device_is_as_good_as_a_file() {
        let mut rejects = Rejects::append(Path::new("/dev/null")).unwrap();
        rejects.put(&Reject::of(1, b"", 0)).unwrap();
        rejects.sync().unwrap();
    }
}
