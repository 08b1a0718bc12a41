//! A table, batch by batch, whatever database it is in.

use crate::scalar::Scalar;
use crate::{Overlap, Result, Url, sqlite};

/// What is read.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The table or view.
    pub table: String,
    /// Its columns; none for all.
    pub columns: Vec<String>,
    /// The columns new rows are told by; none for a snapshot in key order.
    pub cursor: Vec<String>,
    /// Where to go on; none to begin.
    pub after: Option<Vec<Scalar>>,
    /// Rows given before, where reading goes back a little.
    pub overlap: Option<Overlap>,
    /// How many rows make a batch.
    pub batch_rows: u32,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            table: String::new(),
            columns: Vec::new(),
            cursor: Vec::new(),
            after: None,
            overlap: None,
            batch_rows: 10_000,
        }
    }
}

/// Some rows.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The rows, one JSON object a line.
    pub lines: Vec<u8>,
    /// How many they are.
    pub rows: u64,
    /// How many more were read, and had been given before.
    pub again: u64,
    /// Where to go on once they are safe; none if that has not changed, or
    /// nothing could go on there.
    pub position: Option<Vec<Scalar>>,
}

/// An open table.
#[derive(Debug)]
pub struct Reader {
    of: Of,
    columns: Vec<String>,
}

#[derive(Debug)]
enum Of {
    Sqlite(sqlite::Reader),
}

impl Reader {
    /// Opens a table.
    ///
    /// # Errors
    /// Fails if there is no such database or table, or it does not let us in.
    pub fn open(url: &Url, _password: Option<&str>, wanted: Wanted) -> Result<Self> {
        let of = match url {
            Url::Sqlite(path) => Of::Sqlite(sqlite::Reader::open(path, wanted)?),
        };
        let Of::Sqlite(reader) = &of;
        let columns = reader.columns().to_vec();
        Ok(Self { of, columns })
    }

    /// The columns that are read, each with its type: where one is another
    /// than before, the rows are no longer what they were.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Whether reading can go on in the middle: rows have an order.
    pub fn is_ordered(&self) -> bool {
        let Of::Sqlite(reader) = &self.of;
        reader.is_ordered()
    }

    /// A column of the cursor that is null in some row: such rows are not seen.
    ///
    /// # Errors
    /// Fails if the database does.
    pub fn null_cursor(&mut self) -> Result<Option<String>> {
        let Of::Sqlite(reader) = &mut self.of;
        reader.null_cursor()
    }

    /// The next rows; false if they are the last.
    ///
    /// # Errors
    /// Fails if the database does.
    pub fn next(&mut self, batch: &mut Batch) -> Result<bool> {
        batch.lines.clear();
        *batch = Batch { lines: std::mem::take(&mut batch.lines), ..Batch::default() };
        let Of::Sqlite(reader) = &mut self.of;
        reader.next(batch)
    }

    /// Rows given before that must be known to the next run.
    pub fn overlap(&self) -> Option<&Overlap> {
        let Of::Sqlite(reader) = &self.of;
        reader.overlap()
    }
}
