//! Rows that were put aside.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use cli::Context;
use lake::Bad;
use model::Reject;

/// Where rows that do not fit go.
pub(crate) struct Rejects(BufWriter<File>, String);

impl Rejects {
    /// Adds to the file: what an earlier run put aside is not asked for again.
    pub(crate) fn open(path: &Path) -> cli::Result<Self> {
        let doing = format!("writing {}", path.display());
        let file = File::options().append(true).create(true).mode(0o600).open(path).doing(&doing)?;
        Ok(Self(BufWriter::with_capacity(64 << 10, file), doing))
    }

    /// Puts a row aside, whole; `bytes` is more than its length if it was cut.
    pub(crate) fn put(&mut self, number: u64, row: &[u8], bytes: u64, bad: Bad) -> cli::Result<()> {
        let mut line = serde_json::to_vec(&reject(number, row, bytes, bad)).invalid(&self.1)?;
        line.push(b'\n');
        self.0.write_all(&line).doing(&self.1)
    }

    pub(crate) fn sync(&mut self) -> cli::Result<()> {
        self.0.flush().doing(&self.1)?;
        match self.0.get_ref().sync_data() {
            // A pipe or a terminal.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            synced => synced.doing(&self.1),
        }
    }
}

fn reject(line: u64, row: &[u8], bytes: u64, bad: Bad) -> Reject {
    Reject {
        rule: bad.field.is_some().then(|| "column".to_owned()),
        field: bad.field,
        error: bad.why,
        ..Reject::of(line, row, bytes)
    }
}
