//! A table, batch by batch, whatever database it is in.

use crate::scalar::Scalar;
use crate::{Overlap, Patience, Result, Url, mysql, postgres, sqlite};

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
    /// How long the database is waited for.
    pub patience: Patience,
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
            patience: Patience::default(),
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
    /// The same for changes: a place in the log.
    pub log: Option<model::LogPlace>,
}

/// A kind of database.
pub(crate) trait Source: std::fmt::Debug {
    fn columns(&self) -> &[String];
    fn is_ordered(&self) -> bool;
    fn overlap(&self) -> Option<&Overlap>;
    fn null_cursor(&mut self) -> Result<Option<String>>;
    fn next(&mut self, batch: &mut Batch) -> Result<bool>;
}

/// An open table.
#[derive(Debug)]
pub struct Reader(Box<dyn Source>);

impl Reader {
    /// Opens a table.
    ///
    /// # Errors
    /// Fails if there is no such database or table, or it does not let us in.
    pub fn open(url: &Url, password: Option<&str>, wanted: Wanted) -> Result<Self> {
        Ok(Self(match url {
            Url::Sqlite(path) => Box::new(sqlite::Reader::open(path, wanted)?),
            Url::Postgres(server) => Box::new(postgres::Reader::open(server, password, wanted)?),
            Url::Mysql(server) => Box::new(mysql::Reader::open(server, password, wanted)?),
        }))
    }

    /// The columns that are read, each with its type: where one is another
    /// than before, the rows are no longer what they were.
    pub fn columns(&self) -> &[String] {
        self.0.columns()
    }

    /// Whether reading can go on in the middle: rows have an order.
    pub fn is_ordered(&self) -> bool {
        self.0.is_ordered()
    }

    /// A column of the cursor that is null in some row: such rows are not seen.
    ///
    /// # Errors
    /// Fails if the database does.
    pub fn null_cursor(&mut self) -> Result<Option<String>> {
        self.0.null_cursor()
    }

    /// The next rows; false if they are the last.
    ///
    /// # Errors
    /// Fails if the database does.
    pub fn next(&mut self, batch: &mut Batch) -> Result<bool> {
        batch.lines.clear();
        *batch = Batch { lines: std::mem::take(&mut batch.lines), ..Batch::default() };
        self.0.next(batch)
    }

    /// Rows given before that must be known to the next run.
    pub fn overlap(&self) -> Option<&Overlap> {
        self.0.overlap()
    }
}
