//! Standard output: records, text, and readers that leave.

use std::io::{self, BufWriter, ErrorKind, Stdout, Write};

use serde::Serialize;

use crate::table::Table;
use crate::{Error, Format, Result};

/// Where a command's data goes.
///
/// Once the reader has left, writing does nothing and fails nothing: the
/// answer stays what it is. What runs without end looks at [`Out::is_closed`].
#[derive(Debug)]
pub struct Out {
    sink: BufWriter<Stdout>,
    closed: bool,
    table: Option<Table>,
}

impl Out {
    pub(crate) fn new(format: Format) -> Self {
        let table = (format == Format::Text).then(Table::default);
        Self { sink: BufWriter::with_capacity(64 << 10, io::stdout()), closed: false, table }
    }

    /// Prints one record: a line of JSON, or a row of the table for eyes.
    ///
    /// # Errors
    /// Fails if standard output does (a full disk); not if its reader left.
    pub fn emit<T: Serialize + ?Sized>(&mut self, record: &T) -> Result<()> {
        if let Some(table) = &mut self.table {
            let row = serde_json::to_value(record).map_err(io::Error::from);
            return match row {
                Ok(row) => {
                    let full = table.push(row);
                    self.write(full.as_bytes())
                }
                Err(error) => self.judge(Err(error)),
            };
        }
        if self.closed {
            return Ok(());
        }
        let written = serde_json::to_writer(&mut self.sink, record)
            .map_err(io::Error::from)
            .and_then(|()| self.sink.write_all(b"\n"));
        self.judge(written)
    }

    /// Whether records go out as JSON rather than as a table for eyes.
    pub fn is_json(&self) -> bool {
        self.table.is_none()
    }

    /// Prints bytes as they are.
    ///
    /// # Errors
    /// Fails if standard output does; not if its reader left.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if self.closed {
            return Ok(());
        }
        let written = self.sink.write_all(bytes);
        self.judge(written)
    }

    /// Hands everything printed so far to the reader.
    ///
    /// # Errors
    /// Fails if standard output does; not if its reader left.
    pub fn flush(&mut self) -> Result<()> {
        if let Some(table) = &mut self.table {
            let rows = table.finish();
            self.write(rows.as_bytes())?;
        }
        if self.closed {
            return Ok(());
        }
        let flushed = self.sink.flush();
        self.judge(flushed)
    }

    /// Whether the reader has left: nothing more needs to be found out.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    fn judge(&mut self, written: io::Result<()>) -> Result<()> {
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            Err(error) => {
                // What the buffer still holds would fail again when it is dropped.
                self.closed = true;
                Err(Error::unavailable("writing standard output", error))
            }
            Ok(()) => Ok(()),
        }
    }
}
