//! Rows of one partition, on their way into files.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use ndjson::{Broken, Value};
use parquet::file::writer::SerializedFileWriter;

use crate::cell::Cell;
use crate::columns::Columns;
use crate::error::at;
use crate::log::{Addition, Commit, File, Intent, Lake};
use crate::store::Put;
use crate::table::Table;
use crate::{Error, Result};

/// What a stream holds before it must be committed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Files of a commit, bytes.
    pub files_bytes: u64,
    /// Rows that are not written yet, bytes.
    pub rows_bytes: usize,
    /// Files that are open.
    pub folders: usize,
    /// Whether the lake keeps a hash of the last row: that of an input of lines, to be known again.
    pub keeps_last: bool,
}

/// How much of a row goes into its hash.
const LAST_BYTES: usize = 4096;

/// The hash of a row, by which an input is known again.
pub fn hash(line: &[u8]) -> String {
    files::sha256_hex(&line[..line.len().min(LAST_BYTES)])
}

/// What became of a row.
#[derive(Debug)]
pub enum Taken {
    /// It is in.
    In,
    /// It does not fit; [`Stream::reject`] moves on past it.
    Bad(Bad),
    /// It is not in: the stream must be committed first.
    Full,
}

/// Why a row does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    /// The field; `None` if it is the row as a whole.
    pub field: Option<String>,
    /// What is wrong.
    pub why: String,
}

impl Bad {
    fn field(name: &str, why: impl Into<String>) -> Self {
        Self { field: Some(name.to_owned()), why: why.into() }
    }
}

impl From<Broken> for Bad {
    fn from(broken: Broken) -> Self {
        Self { field: None, why: broken.to_string() }
    }
}

/// Rows of one partition of a topic.
#[derive(Debug)]
pub struct Stream {
    topic: String,
    partition: String,
    table: Arc<Table>,
    limits: Limits,
    spool: PathBuf,
    _lock: files::Lock,
    /// Whether the lake has nothing of it yet: it begins where the first row does.
    fresh: bool,
    /// The offset of the first row that is not committed.
    from: u64,
    /// The offset of the next row.
    to: u64,
    rejected: u64,
    /// A commit that a crash broke off: it is made again, of the same rows.
    pending: Option<Intent>,
    /// The last row, as far as it is kept.
    last: Vec<u8>,
    open: BTreeMap<String, Open>,
    /// Rows that are not written yet, bytes.
    waiting: usize,
    written: u64,
    busy: Option<Busy>,
    /// Room that is used again for each row.
    found: Vec<Value<'static>>,
    cells: Vec<Cell<'static>>,
    folder: String,
}

/// A file that is being put together.
#[derive(Debug)]
struct Open {
    /// Rows that are not written yet.
    columns: Columns,
    /// `None` while a thread of its own writes a row group.
    file: Option<Growing>,
}

/// A file that has its first row groups.
#[derive(Debug)]
struct Growing {
    rows: u64,
    path: PathBuf,
    writer: Option<SerializedFileWriter<fs::File>>,
    /// Room that is used again for the next rows.
    spare: Columns,
}

/// A row group that is being written beside the rows that come.
#[derive(Debug)]
struct Busy {
    folder: String,
    /// Its rows, bytes.
    rows_bytes: usize,
    thread: JoinHandle<(Growing, Result<u64>)>,
}

impl Stream {
    /// Goes on where the lake's rows of this partition end, or begins at `from`.
    /// A commit that a crash broke off is made again first, from the same rows.
    ///
    /// # Errors
    /// Fails if somebody else is at it, or the place cannot be written.
    pub fn open(
        lake: &Lake,
        topic: &str,
        partition: &str,
        from: u64,
        table: Arc<Table>,
        limits: Limits,
    ) -> Result<Self> {
        let who = format!("{topic}-{partition}");
        let (spool, lock) = lake.store.spool(&who)?;
        let pending = lake.pending(topic, partition)?;
        let fresh = pending.is_none() && lake.held(topic, partition).is_none() && !limits.keeps_last;
        let from = pending.as_ref().map_or(from, |pending| pending.from);
        let from = lake.held(topic, partition).map_or(from, |held| held.to);
        let columns = table.schema.columns().len();
        Ok(Self {
            topic: topic.to_owned(),
            partition: partition.to_owned(),
            table,
            limits,
            fresh,
            spool,
            _lock: lock,
            from,
            to: from,
            rejected: 0,
            pending,
            last: Vec::new(),
            open: BTreeMap::new(),
            waiting: 0,
            written: 0,
            busy: None,
            found: vec![Value::Missing; columns],
            cells: vec![Cell::Null; columns],
            folder: String::new(),
        })
    }

    /// The offset of the next row.
    pub fn next(&self) -> u64 {
        self.to
    }

    /// Whether nothing waits to be committed.
    pub fn is_empty(&self) -> bool {
        self.from == self.to
    }

    /// Whether a commit that was broken off is being made again: it ends where it did.
    pub fn is_again(&self) -> bool {
        self.pending.is_some()
    }

    /// Whether the rows before `offset` must be committed before it is taken.
    #[inline]
    pub fn ends_before(&self, offset: u64) -> bool {
        self.pending.as_ref().is_some_and(|pending| offset >= pending.to)
    }

    /// Whether the files are as large as they should get.
    #[inline]
    pub fn is_full(&self) -> bool {
        if self.is_again() {
            return false;
        }
        // What is not written yet shrinks to about a quarter. How far the thread has come by now
        // does not count: the same rows make the same files.
        let rows = self.waiting + self.busy.as_ref().map_or(0, |busy| busy.rows_bytes);
        self.written + rows as u64 / 4 >= self.limits.files_bytes
    }

    /// Takes a row. Offsets that were passed over hold none.
    ///
    /// # Errors
    /// Fails if a file cannot be written.
    pub fn push(&mut self, offset: u64, line: &[u8]) -> Result<Taken> {
        if self.ends_before(offset) {
            return Ok(Taken::Full);
        }
        if line.is_empty() {
            return Ok(Taken::Bad(Bad { field: None, why: "there is no value".to_owned() }));
        }
        let mut found: Vec<Value> =
            std::mem::take(&mut self.found).into_iter().map(|_| Value::Missing).collect();
        let mut cells: Vec<Cell> = std::mem::take(&mut self.cells).into_iter().map(|_| Cell::Null).collect();
        let fits = self.table.cells(line, &mut found, &mut cells).and_then(|()| {
            let folder = self.table.folder(&self.topic, &cells, &mut self.folder);
            folder.map_err(|why| Bad { field: None, why })
        });
        let taken = match fits {
            Ok(()) => self.file(offset, line, &cells),
            Err(bad) => Ok(Taken::Bad(bad)),
        };
        self.found = ndjson::emptied(found);
        self.cells = cells.into_iter().map(|_| Cell::Null).collect();
        taken
    }

    /// Moves on past a row that was put aside.
    pub fn reject(&mut self, offset: u64, line: &[u8]) {
        self.rejected += 1;
        self.pass(offset, line);
    }

    #[inline]
    fn pass(&mut self, offset: u64, line: &[u8]) {
        if self.fresh {
            (self.fresh, self.from) = (false, offset);
        }
        self.to = offset + 1;
        if self.limits.keeps_last {
            self.last.clear();
            self.last.extend_from_slice(&line[..line.len().min(LAST_BYTES)]);
        }
    }

    /// Puts a row into the file of its folder.
    #[inline]
    fn file(&mut self, offset: u64, line: &[u8], cells: &[Cell]) -> Result<Taken> {
        let count = self.open.len();
        let open = match self.open.get_mut(&self.folder) {
            Some(open) => open,
            None if count >= self.limits.folders && self.pending.is_none() => return Ok(Taken::Full),
            None => self.open.entry(self.folder.clone()).or_insert(Open {
                columns: Columns::new(&self.table.schema),
                file: Some(Growing {
                    rows: 0,
                    path: self.spool.join(format!("{count}.part")),
                    writer: None,
                    spare: Columns::new(&self.table.schema),
                }),
            }),
        };
        let before = open.columns.bytes;
        open.columns.push(cells);
        self.waiting += open.columns.bytes - before;
        self.pass(offset, line);
        if self.waiting > self.limits.rows_bytes {
            self.spill()?;
        }
        Ok(Taken::In)
    }

    /// Writes the most that waits for one file, beside the rows that come.
    fn spill(&mut self) -> Result<()> {
        self.rest()?;
        let largest = self.open.iter_mut().max_by_key(|(_, open)| open.columns.bytes);
        let Some((folder, open)) = largest else { return Ok(()) };
        let Some(mut file) = open.file.take() else { return Ok(()) };
        let rows_bytes = open.columns.bytes;
        std::mem::swap(&mut open.columns, &mut file.spare);
        self.waiting -= rows_bytes;
        let table = Arc::clone(&self.table);
        let thread = thread::spawn(move || {
            let written = file.write(&table);
            (file, written)
        });
        self.busy = Some(Busy { folder: folder.clone(), rows_bytes, thread });
        Ok(())
    }

    /// Waits for the row group that is being written.
    fn rest(&mut self) -> Result<()> {
        let Some(busy) = self.busy.take() else { return Ok(()) };
        let (file, written) = busy.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        if let Some(open) = self.open.get_mut(&busy.folder) {
            open.file = Some(file);
        }
        self.written += written?;
        Ok(())
    }

    /// Makes all rows up to `to` part of the lake; `None` if there are none.
    ///
    /// # Errors
    /// Fails if the place does, or if somebody else has committed these offsets.
    pub fn commit(&mut self, lake: &mut Lake, to: u64) -> Result<Option<Commit>> {
        self.to = self.to.max(to);
        if self.from == self.to {
            return Ok(None);
        }
        self.rest()?;
        let (from, to) = (self.from, self.to);
        let name =
            |folder: &str| format!("{folder}{}-{}-{from}-{}.parquet", self.topic, self.partition, to - 1);
        let mut files = Vec::new();
        let mut spooled = Vec::new();
        for (folder, open) in std::mem::take(&mut self.open) {
            let (path, rows, bytes) = open.finish(&self.table)?;
            files.push(File { file: name(&folder), rows, bytes });
            spooled.push(path);
        }
        let folders: Vec<_> = self.table.folders.iter().map(ToString::to_string).collect();
        let names: Vec<_> = files.iter().map(|file| file.file.clone()).collect();
        let pending = self.pending.take().map(|pending| pending.files).unwrap_or_default();
        // Made of other rows, since those were nowhere to be had any more.
        for left in pending.iter().filter(|left| !names.contains(left)) {
            lake.store.remove(left)?;
        }
        if !files.is_empty() {
            let (schema, folders) = (self.table.schema.clone(), folders.clone());
            let who = format!("{}-{}", self.topic, self.partition);
            lake.intend(&who, &Intent { from, to, files: names, schema, folders })?;
        }
        let mut new = Vec::new();
        for (file, spooled) in files.iter().zip(&spooled) {
            match lake.store.publish(spooled, &file.file)? {
                Put::New => new.push(file.file.clone()),
                Put::There if lake.store.holds(&file.file, spooled)? => {
                    fs::remove_file(spooled).map_err(at(spooled))?;
                }
                Put::There if pending.contains(&file.file) => {
                    lake.store.remove(&file.file)?;
                    lake.store.publish(spooled, &file.file)?;
                }
                Put::There => return Err(Error::Taken(file.file.clone())),
            }
        }
        let commit = lake.commit(Addition {
            topic: self.topic.clone(),
            partition: self.partition.clone(),
            from,
            to,
            last_sha256: self.limits.keeps_last.then(|| hash(&self.last)),
            rejected: self.rejected,
            files,
            schema: self.table.schema.clone(),
            folders,
        });
        if let Err(Error::Fenced { .. }) = &commit {
            // Nobody will ever commit a file that begins where these do: what the log does not name
            // now is nobody's.
            for name in new {
                if !lake.names(&name)? {
                    lake.store.remove(&name)?;
                }
            }
        }
        let commit = commit?;
        (self.from, self.rejected, self.waiting, self.written) = (to, 0, 0, 0);
        Ok(Some(commit))
    }
}

impl Growing {
    /// Writes the spare rows as a row group; how much longer the file is now.
    fn write(&mut self, table: &Table) -> Result<u64> {
        let mut writer = if let Some(writer) = self.writer.take() {
            writer
        } else {
            let file = fs::File::create(&self.path).map_err(at(&self.path))?;
            SerializedFileWriter::new(file, Arc::clone(&table.node), Arc::clone(&table.properties))?
        };
        let before = writer.bytes_written();
        self.rows += self.spare.rows;
        self.spare.write(&mut writer)?;
        let after = writer.bytes_written();
        self.writer = Some(writer);
        Ok((after - before) as u64)
    }
}

impl Open {
    /// Ends the file: where it is, its rows, its bytes.
    fn finish(self, table: &Table) -> Result<(PathBuf, u64, u64)> {
        let Some(mut file) = self.file else { return Ok((PathBuf::new(), 0, 0)) };
        if self.columns.rows > 0 {
            file.spare = self.columns;
            file.write(table)?;
        }
        let Growing { rows, path, writer, .. } = file;
        let Some(writer) = writer else { return Ok((path, rows, 0)) };
        let file = writer.into_inner()?;
        file.sync_all().map_err(at(&path))?;
        let bytes = file.metadata().map_err(at(&path))?.len();
        Ok((path, rows, bytes))
    }
}

impl Table {
    /// What a row holds, one cell a column.
    #[inline]
    pub(crate) fn cells<'a>(
        &self,
        line: &'a [u8],
        found: &mut [Value<'a>],
        cells: &mut [Cell<'a>],
    ) -> std::result::Result<(), Bad> {
        let columns = self.schema.columns();
        // Rows have their fields in one order, mostly.
        let mut next = 0;
        let mut unknown = None;
        ndjson::each(line, |name, value| {
            let plain;
            let name = if let Some(name) = name.unescaped() {
                name
            } else {
                plain = name.plain();
                &plain
            };
            let place = match columns.get(next) {
                Some(column) if column.name == name => Some(next),
                _ => self.schema.position(name),
            };
            match place {
                Some(place) => {
                    found[place] = value;
                    next = place + 1;
                }
                None => unknown = Some(name.to_owned()),
            }
        })?;
        if let Some(name) = unknown {
            return Err(Bad::field(&name, "there is no such column"));
        }
        for ((cell, value), column) in cells.iter_mut().zip(found).zip(columns) {
            *cell = Cell::of(*value, column.of).map_err(|why| Bad::field(&column.name, why))?;
        }
        Ok(())
    }
}
