//! `SQLite`: a file.
//!
//! Rows are read page by page in the order of the key or the cursor. In WAL
//! mode all pages are of one moment; otherwise a reader holds up writers, so
//! that each page is a moment of its own, and short.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, Row, ToSql};

use crate::reader::Source;
use crate::scalar::Scalar;
use crate::{Batch, Error, Overlap, Result, Wanted, json};

/// How long somebody else's lock is waited for.
const BUSY: Duration = Duration::from_secs(5);

/// How many steps `SQLite` does before it asks whether the answer is still wanted.
const OPERATIONS: i32 = 1_000_000;

#[derive(Debug)]
pub(crate) struct Reader {
    connection: Connection,
    wanted: Wanted,
    /// Name and type of each column that is given.
    columns: Vec<String>,
    names: Vec<String>,
    heads: Vec<Vec<u8>>,
    /// The columns rows are ordered by, quoted; none if nothing tells two rows apart.
    order: Vec<String>,
    /// The columns of the cursor that may be null, quoted.
    nullable: Vec<String>,
    after: Next,
}

/// Where the next page begins.
#[derive(Debug)]
enum Next {
    Start,
    /// The first column is this or more.
    At(Scalar),
    /// Behind this row.
    After(Vec<Scalar>),
    /// Where nothing tells rows apart: behind so many.
    Row(u64),
}

struct Column {
    name: String,
    kind: String,
    not_null: bool,
    /// Its place in the primary key, from 1; 0 if it has none.
    key: i64,
}

impl Reader {
    pub(crate) fn open(path: &Path, wanted: Wanted) -> Result<Self> {
        if !path.exists() {
            return Err(Error::invalid(format!("{}: no such file", path.display())));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        let patience = wanted.patience.clone();
        connection.progress_handler(OPERATIONS, Some(move || patience.over().is_some()))?;
        let all = columns(&connection, &wanted.table)?;
        let chosen = if wanted.columns.is_empty() {
            all.iter().collect()
        } else {
            wanted.columns.iter().map(|name| find(&all, name, &wanted.table)).collect::<Result<Vec<_>>>()?
        };
        let columns = chosen.iter().map(|column| format!("{} {}", column.name, column.kind)).collect();
        let names: Vec<_> = chosen.iter().map(|column| column.name.clone()).collect();
        let heads = json::heads(names.iter().map(String::as_str));
        let mut order = Vec::new();
        let mut nullable = Vec::new();
        for name in &wanted.cursor {
            let column = find(&all, name, &wanted.table)?;
            order.push(quoted(&column.name));
            if !column.not_null {
                nullable.push(quoted(&column.name));
            }
        }
        for name in key(&connection, &wanted.table, &all)? {
            if !order.contains(&name) {
                order.push(name);
            }
        }
        let after = match (&wanted.after, &wanted.overlap) {
            (None, _) => Next::Start,
            (Some(position), _) if position.len() != order.len() => {
                return Err(Error::invalid("the position is of another key").word("schema_changed"));
            }
            (Some(position), Some(overlap)) => Next::At(overlap.before(&position[0])?),
            (Some(position), None) => Next::After(position.clone()),
        };
        let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
        if mode == "wal" || order.is_empty() {
            connection.execute_batch("BEGIN")?;
        }
        Ok(Self { connection, wanted, columns, names, heads, order, nullable, after })
    }

    fn query(&self) -> String {
        let selected: Vec<_> =
            self.names.iter().map(|name| quoted(name)).chain(self.order.iter().cloned()).collect();
        let marks: Vec<_> = (1..=self.order.len()).map(|n| format!("?{n}")).collect();
        let order = self.order.join(",");
        let mut conditions: Vec<_> = self.nullable.iter().map(|name| format!("{name} IS NOT NULL")).collect();
        match &self.after {
            Next::Start | Next::Row(_) => {}
            Next::At(_) => conditions.push(format!("{} >= ?1", self.order[0])),
            Next::After(_) => conditions.push(format!("({order}) > ({})", marks.join(","))),
        }
        let mut asked = format!("SELECT {} FROM {}", selected.join(","), quoted(&self.wanted.table));
        if !conditions.is_empty() {
            asked += &format!(" WHERE {}", conditions.join(" AND "));
        }
        if !self.order.is_empty() {
            asked += &format!(" ORDER BY {order}");
        }
        asked += &format!(" LIMIT {}", self.wanted.batch_rows);
        if let Next::Row(so_far) = self.after {
            asked += &format!(" OFFSET {so_far}");
        }
        asked
    }
}

impl Source for Reader {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn is_ordered(&self) -> bool {
        !self.order.is_empty()
    }

    fn overlap(&self) -> Option<&Overlap> {
        self.wanted.overlap.as_ref()
    }

    fn null_cursor(&mut self) -> Result<Option<String>> {
        let table = quoted(&self.wanted.table);
        for name in &self.nullable {
            let asked = format!("SELECT EXISTS(SELECT 1 FROM {table} WHERE {name} IS NULL)");
            if self.connection.query_row(&asked, [], |row| row.get(0))? {
                return Ok(Some(name.trim_matches('"').to_owned()));
            }
        }
        Ok(None)
    }

    fn next(&mut self, batch: &mut Batch) -> Result<bool> {
        let asked = self.query();
        let mut statement = self.connection.prepare_cached(&asked)?;
        let mut rows = match &self.after {
            Next::Start | Next::Row(_) => statement.query([])?,
            Next::At(first) => statement.query([first])?,
            Next::After(position) => statement.query(rusqlite::params_from_iter(position))?,
        };
        let (width, keys) = (self.heads.len(), self.order.len());
        let mut read = 0;
        let mut position = Vec::with_capacity(keys);
        while let Some(row) = rows.next()? {
            read += 1;
            let start = batch.lines.len();
            write(row, &self.heads, &mut batch.lines)?;
            position.clear();
            for at in width..width + keys {
                position.push(scalar(row.get_ref(at)?)?);
            }
            let new = match &mut self.wanted.overlap {
                Some(overlap) => overlap.is_new(&position[0], &batch.lines[start..])?,
                None => true,
            };
            if new {
                batch.rows += 1;
            } else {
                batch.again += 1;
                batch.lines.truncate(start);
            }
        }
        drop(rows);
        drop(statement);
        let more = read == u64::from(self.wanted.batch_rows);
        if keys == 0 {
            let so_far = if let Next::Row(so_far) = self.after { so_far } else { 0 };
            self.after = Next::Row(so_far + read);
        } else if read > 0 {
            let behind = self.wanted.overlap.as_ref().is_some_and(|overlap| overlap.is_behind(&position[0]));
            batch.position = (!behind).then(|| position.clone());
            self.after = Next::After(position);
        }
        Ok(more)
    }
}

/// One row as a line.
fn write(row: &Row, heads: &[Vec<u8>], out: &mut Vec<u8>) -> Result<()> {
    for (at, head) in heads.iter().enumerate() {
        out.extend_from_slice(head);
        match row.get_ref(at)? {
            ValueRef::Null => out.extend_from_slice(b"null"),
            ValueRef::Integer(number) => {
                let _ = write!(out, "{number}");
            }
            ValueRef::Real(number) => json::real(number, out),
            ValueRef::Text(text) => json::text_or_bytes(text, out),
            ValueRef::Blob(bytes) => json::base64(bytes, out),
        }
    }
    out.extend_from_slice(b"}\n");
    Ok(())
}

fn scalar(value: ValueRef) -> Result<Scalar> {
    Ok(match value {
        ValueRef::Integer(number) => Scalar::Int(number),
        ValueRef::Real(number) => Scalar::Real(number),
        ValueRef::Text(text) => {
            let text = std::str::from_utf8(text);
            Scalar::Text(text.map_err(|_| Error::invalid("a key is no UTF-8"))?.to_owned())
        }
        ValueRef::Blob(bytes) => Scalar::Bytes(bytes.to_owned()),
        ValueRef::Null => return Err(Error::invalid("a key is null")),
    })
}

impl ToSql for Scalar {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Real(number) => ValueRef::Real(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn find<'a>(columns: &'a [Column], name: &str, table: &str) -> Result<&'a Column> {
    let there = || columns.iter().map(|column| column.name.as_str());
    let found = columns.iter().find(|column| column.name.eq_ignore_ascii_case(name));
    found.ok_or_else(|| Error::no_column(table, name, there()))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The columns of a table or view, as `SELECT *` gives them.
fn columns(connection: &Connection, table: &str) -> Result<Vec<Column>> {
    let asked = "SELECT name, type, \"notnull\", pk FROM pragma_table_xinfo(?1) WHERE hidden <> 1";
    let mut statement = connection.prepare(asked)?;
    let columns = statement.query_map([table], |row| {
        Ok(Column { name: row.get(0)?, kind: row.get(1)?, not_null: row.get(2)?, key: row.get(3)? })
    })?;
    let columns = columns.collect::<rusqlite::Result<Vec<_>>>()?;
    if !columns.is_empty() {
        return Ok(columns);
    }
    let asked = "SELECT name FROM sqlite_schema WHERE type IN ('table','view') AND name NOT LIKE 'sqlite_%' ORDER BY name";
    let mut statement = connection.prepare(asked)?;
    let there = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
    Err(Error::no_table(table, &there))
}

/// What tells two rows apart: the primary key, else the row's number. Views have neither.
fn key(connection: &Connection, table: &str, columns: &[Column]) -> Result<Vec<String>> {
    let asked = "SELECT type, wr FROM pragma_table_list WHERE schema = 'main' AND name = ?1 COLLATE NOCASE";
    let (kind, without_rowid): (String, bool) =
        connection.query_row(asked, [table], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut keys: Vec<_> = columns.iter().filter(|column| column.key > 0).collect();
    keys.sort_by_key(|column| column.key);
    // A primary key may hold nulls here, unless it is the row's number.
    let is_number = keys.len() == 1 && keys[0].kind.eq_ignore_ascii_case("integer");
    let sure = without_rowid || is_number || keys.iter().all(|column| column.not_null);
    if sure && !keys.is_empty() {
        return Ok(keys.iter().map(|column| quoted(&column.name)).collect());
    }
    let hides = |word: &&str| columns.iter().any(|column| column.name.eq_ignore_ascii_case(word));
    let number = ["rowid", "_rowid_", "oid"].into_iter().find(|word| !hides(word));
    Ok(number.filter(|_| kind == "table").map(str::to_owned).into_iter().collect())
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        let text = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::unavailable(text).word("locked")
            }
            Some(ErrorCode::OperationInterrupted) => {
                Self::unavailable("the database has not answered yet").word("interrupted")
            }
            Some(ErrorCode::SystemIoFailure | ErrorCode::OutOfMemory | ErrorCode::DiskFull) => {
                Self::unavailable(text)
            }
            _ => Self::invalid(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(schema: &str, wanted: Wanted) -> Result<Vec<String>> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        Connection::open(&path).unwrap().execute_batch(schema).unwrap();
        let mut reader = Reader::open(&path, wanted)?;
        let mut lines = Vec::new();
        loop {
            let mut batch = Batch::default();
            let more = reader.next(&mut batch)?;
            let text = String::from_utf8(batch.lines).unwrap();
            assert_eq!(text.lines().count() as u64, batch.rows);
            lines.extend(text.lines().map(str::to_owned));
            if !more {
                return Ok(lines);
            }
        }
    }

    fn wanted(batch_rows: u32) -> Wanted {
        Wanted { table: "t".into(), batch_rows, ..Wanted::default() }
    }

    #[test]
    fn values_keep_all_they_have() {
        let lines = read(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, v);
             INSERT INTO t(v) VALUES(9223372036854775807),(0.1),(1e999),(-1e999),('ä\"'||char(10)),(x'00ff'),(NULL),
               (CAST(x'ff' AS TEXT)),(12345678901234567890),(1.0)",
            wanted(100),
        );
        let values = [
            "9223372036854775807",
            "0.1",
            "\"Infinity\"",
            "\"-Infinity\"",
            "\"ä\\\"\\n\"",
            "\"AP8=\"",
            "null",
            "{\"b64\":\"/w==\"}",
            "1.2345678901234567e+19",
            "1.0",
        ];
        let expected: Vec<_> =
            values.iter().enumerate().map(|(n, v)| format!("{{\"id\":{},\"v\":{v}}}", n + 1)).collect();
        assert_eq!(lines.unwrap(), expected);
    }

    #[test]
    fn pages_of_any_size_give_every_row_once_in_the_order_of_the_key() {
        for schema in [
            "CREATE TABLE t(a TEXT NOT NULL COLLATE NOCASE, b INTEGER NOT NULL, PRIMARY KEY(a, b)) WITHOUT ROWID;",
            "CREATE TABLE t(a TEXT NOT NULL, b INTEGER NOT NULL, PRIMARY KEY(b, a));",
            "CREATE TABLE t(a TEXT, b INTEGER);",
            "CREATE TABLE s(a TEXT, b INTEGER); CREATE VIEW t AS SELECT * FROM s;",
        ] {
            let into = if schema.contains("VIEW") { "s" } else { "t" };
            let rows = format!("{schema} INSERT INTO {into} WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE i<20)
                SELECT char(65 + i % 7 + 32 * (i % 2)), i FROM n;");
            let whole = read(&rows, wanted(1000)).unwrap();
            assert_eq!(whole.len(), 21);
            for size in [1, 2, 3, 20, 21, 22] {
                assert_eq!(read(&rows, wanted(size)).unwrap(), whole, "{schema} by {size}");
            }
        }
    }

    #[test]
    fn rows_with_one_time_are_told_apart_by_their_key() {
        let schema = "CREATE TABLE t(id INTEGER PRIMARY KEY, at TEXT);
            INSERT INTO t(at) VALUES('2026-01-01'),('2026-01-01'),('2026-01-01'),(NULL),('2025-01-01')";
        let asked = Wanted { cursor: vec!["at".into()], columns: vec!["id".into()], ..wanted(2) };
        let order = ["{\"id\":5}", "{\"id\":1}", "{\"id\":2}", "{\"id\":3}"];
        assert_eq!(read(schema, asked.clone()).unwrap(), order);
        let later = Wanted { after: Some(vec![Scalar::Text("2026-01-01".into()), Scalar::Int(1)]), ..asked };
        assert_eq!(read(schema, later).unwrap(), order[2..]);
    }

    #[test]
    fn what_is_not_there_is_told_with_what_is() {
        let schema = "CREATE TABLE orders(id)";
        assert_eq!(read(schema, wanted(1)).unwrap_err().hint.unwrap(), "there are: orders");
        let schema = "CREATE TABLE t(id)";
        let told = read(schema, Wanted { cursor: vec!["at".into()], ..wanted(1) }).unwrap_err();
        assert_eq!(told.to_string(), "no_such_column: t has no column `at`");
    }
}
