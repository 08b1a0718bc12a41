//! Rows that were put aside.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use cli::Context;
use model::Reject;
use ndjson::Line;

use crate::item::Bad;

/// Where rows go that are put aside.
pub(crate) struct Rejects(BufWriter<File>, String);

impl Rejects {
    /// Adds to the file.
    pub(crate) fn open(path: &Path) -> cli::Result<Self> {
        let doing = format!("writing {}", path.display());
        let file = File::options().append(true).create(true).mode(0o600).open(path).doing(&doing)?;
        Ok(Self(BufWriter::with_capacity(64 << 10, file), doing))
    }

    /// Puts a row aside, whole.
    pub(crate) fn put(&mut self, line: &Line, bad: Bad) -> cli::Result<()> {
        let reject = Reject {
            field: bad.field,
            rule: bad.rule.map(str::to_owned),
            error: bad.why,
            ..Reject::of(line.number, line.bytes, line.length_bytes)
        };
        let mut text = serde_json::to_vec(&reject).invalid(&self.1)?;
        text.push(b'\n');
        self.0.write_all(&text).doing(&self.1)
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
