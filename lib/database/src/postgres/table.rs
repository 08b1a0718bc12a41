//! A table, by COPY.
//!
//! The server sends text, which is far cheaper for it than JSON; the JSON is
//! made here. All rows are of one moment.

use std::ops::Range;
use std::pin::Pin;

use futures_util::StreamExt;
use tokio_postgres::CopyOutStream;

use super::connection::{Connection, literal, quoted};
use super::value::{self, Kind};
use crate::reader::Source;
use crate::scalar::Scalar;
use crate::url::Server;
use crate::{Batch, Error, Overlap, Result, Wanted, json};

/// A column of a table.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// In the words of SQL.
    pub(crate) sql_type: String,
    pub(crate) oid: u32,
    pub(crate) not_null: bool,
    /// What stands in brackets behind the type, in a form of its own.
    pub(crate) modifier: i32,
}

pub(crate) struct Reader {
    connection: Connection,
    wanted: Wanted,
    columns: Vec<String>,
    /// How each field is written, and what stands before it.
    fields: Vec<(Vec<u8>, Kind)>,
    /// The fields rows are ordered by.
    order: Vec<Ordered>,
    table: String,
    rows: Option<Pin<Box<CopyOutStream>>>,
    asked: String,
    /// The part of a row that came without its end.
    part: Vec<u8>,
    places: Vec<Range<usize>>,
    scratch: Vec<u8>,
}

#[derive(Debug)]
struct Ordered {
    column: Column,
    /// Which field it is.
    field: usize,
}

impl Reader {
    pub(crate) fn open(server: &Server, password: Option<&str>, wanted: Wanted) -> Result<Self> {
        let connection = Connection::open(server, password, &wanted.patience)?;
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
        Self::within(connection, wanted)
    }

    /// In a transaction that is open.
    pub(crate) fn within(connection: Connection, wanted: Wanted) -> Result<Self> {
        let table = find_table(&connection, &wanted.table)?;
        let all = columns(&connection, table.oid)?;
        let find = |name: &String| {
            all.iter()
                .find(|column| column.name == *name)
                .ok_or_else(|| Error::no_column(&wanted.table, name, all.iter().map(|c| c.name.as_str())))
        };
        let chosen: Vec<&Column> = if wanted.columns.is_empty() {
            all.iter().collect()
        } else {
            wanted.columns.iter().map(find).collect::<Result<_>>()?
        };
        let types = connection.types()?;
        let heads = json::heads(chosen.iter().map(|column| column.name.as_str()));
        let kinds = chosen.iter().map(|column| types.kind(column.oid));
        let fields: Vec<_> = heads.into_iter().zip(kinds).collect();
        let mut selected: Vec<_> = chosen.iter().map(|column| column.name.clone()).collect();
        let mut names = wanted.cursor.clone();
        for name in key(&connection, table.oid, &all)? {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let mut order = Vec::new();
        for name in &names {
            let column = find(name)?.clone();
            let field = selected.iter().position(|chosen| chosen == name).unwrap_or_else(|| {
                selected.push(name.clone());
                selected.len() - 1
            });
            order.push(Ordered { column, field });
        }
        let columns = chosen.iter().map(|column| format!("{} {}", column.name, column.sql_type)).collect();
        let asked = query(&wanted, &table.name, &selected, &order)?;
        Ok(Self {
            connection,
            wanted,
            columns,
            fields,
            order,
            table: table.name,
            rows: None,
            asked,
            part: Vec::new(),
            places: Vec::new(),
            scratch: Vec::new(),
        })
    }

    /// The connection, once all rows are read.
    pub(crate) fn into_connection(self) -> Connection {
        self.connection
    }

    /// One row of COPY as a line.
    fn row(&mut self, row: &[u8], batch: &mut Batch) -> Result<()> {
        self.places.clear();
        let mut start = 0;
        for (at, byte) in row.iter().enumerate() {
            if *byte == b'\t' {
                self.places.push(start..at);
                start = at + 1;
            }
        }
        self.places.push(start..row.len());
        let begun = batch.lines.len();
        for ((head, kind), place) in self.fields.iter().zip(&self.places) {
            batch.lines.extend_from_slice(head);
            match &row[place.clone()] {
                b"\\N" => batch.lines.extend_from_slice(b"null"),
                field => value::write_copied(kind, field, &mut self.scratch, &mut batch.lines),
            }
        }
        batch.lines.extend_from_slice(b"}\n");
        batch.rows += 1;
        let Some(mut overlap) = self.wanted.overlap.take() else { return Ok(()) };
        let new = self.scalar(0, row).and_then(|cursor| overlap.is_new(&cursor, &batch.lines[begun..]));
        self.wanted.overlap = Some(overlap);
        if !new? {
            batch.lines.truncate(begun);
            batch.rows -= 1;
            batch.again += 1;
        }
        Ok(())
    }

    /// A value of the row that was just read, of those rows are ordered by.
    fn scalar(&self, nth: usize, row: &[u8]) -> Result<Scalar> {
        let Ordered { column, field } = &self.order[nth];
        let mut text = Vec::new();
        value::unescape(&row[self.places[*field].clone()], &mut text);
        let text =
            String::from_utf8(text).map_err(|_| Error::invalid(format!("{} is no UTF-8", column.name)))?;
        let whole = matches!(column.oid, 20 | 21 | 23);
        Ok(match text.parse() {
            Ok(number) if whole => Scalar::Int(number),
            _ => Scalar::Text(text),
        })
    }

    fn position(&self, row: &[u8], batch: &mut Batch) -> Result<()> {
        let position = (0..self.order.len()).map(|nth| self.scalar(nth, row)).collect::<Result<Vec<_>>>()?;
        let behind = self.wanted.overlap.as_ref().is_some_and(|overlap| overlap.is_behind(&position[0]));
        if !behind && !position.is_empty() {
            batch.position = Some(position);
        }
        Ok(())
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
        let nullable = self.order.iter().filter(|ordered| !ordered.column.not_null);
        for Ordered { column, .. } in nullable {
            let name = quoted(&column.name);
            let asked = format!("SELECT EXISTS (SELECT FROM {} WHERE {name} IS NULL)", self.table);
            if self.connection.rows(&asked, &[])?.first().is_some_and(|row| row.get(0)) {
                return Ok(Some(column.name.clone()));
            }
        }
        Ok(None)
    }

    fn next(&mut self, batch: &mut Batch) -> Result<bool> {
        let mut rows = match self.rows.take() {
            Some(rows) => rows,
            None => Box::pin(self.connection.wait(self.connection.client.copy_out(&self.asked))??),
        };
        let mut last = Vec::new();
        let mut read = 0;
        while read < self.wanted.batch_rows {
            let Some(data) = self.connection.wait(rows.next())? else {
                if read > 0 {
                    self.position(&last, batch)?;
                }
                return Ok(false);
            };
            let data = data?;
            let Some(row) = data.strip_suffix(b"\n") else {
                self.part.extend_from_slice(&data);
                continue;
            };
            read += 1;
            if self.part.is_empty() {
                self.row(row, batch)?;
                last.clear();
                last.extend_from_slice(row);
            } else {
                self.part.extend_from_slice(row);
                last = std::mem::take(&mut self.part);
                self.row(&last, batch)?;
            }
        }
        self.position(&last, batch)?;
        self.rows = Some(rows);
        Ok(true)
    }
}

/// `COPY (SELECT …) TO STDOUT`.
fn query(wanted: &Wanted, table: &str, selected: &[String], order: &[Ordered]) -> Result<String> {
    let list = |names: &mut dyn Iterator<Item = &String>| {
        names.map(|name| quoted(name)).collect::<Vec<_>>().join(",")
    };
    let ordered = list(&mut order.iter().map(|ordered| &ordered.column.name));
    let nullable = order.iter().filter(|ordered| !ordered.column.not_null);
    let mut conditions: Vec<_> =
        nullable.map(|ordered| format!("{} IS NOT NULL", quoted(&ordered.column.name))).collect();
    let value = |ordered: &Ordered, scalar: &Scalar| {
        let text = match scalar {
            Scalar::Int(number) => number.to_string(),
            Scalar::Text(text) => text.clone(),
            Scalar::Real(_) | Scalar::Bytes(_) => {
                return Err(Error::invalid("the position is of another key").word("schema_changed"));
            }
        };
        Ok(format!("{}::{}", literal(&text), ordered.column.sql_type))
    };
    match (&wanted.after, &wanted.overlap) {
        (None, _) => {}
        (Some(position), _) if position.len() != order.len() => {
            return Err(Error::invalid("the position is of another key").word("schema_changed"));
        }
        (Some(position), Some(overlap)) => {
            let first = value(&order[0], &overlap.before(&position[0])?)?;
            conditions.push(format!("{} >= {first}", quoted(&order[0].column.name)));
        }
        (Some(position), None) => {
            let values = order.iter().zip(position).map(|(ordered, scalar)| value(ordered, scalar));
            let values = values.collect::<Result<Vec<_>>>()?.join(",");
            conditions.push(format!("({ordered}) > ({values})"));
        }
    }
    let mut asked = format!("COPY (SELECT {} FROM {table}", list(&mut selected.iter()));
    if !conditions.is_empty() {
        asked += &format!(" WHERE {}", conditions.join(" AND "));
    }
    if !order.is_empty() {
        asked += &format!(" ORDER BY {ordered}");
    }
    Ok(asked + ") TO STDOUT")
}

/// A table that was found.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) oid: u32,
    /// Quoted, with its schema.
    pub(crate) name: String,
}

/// `orders` by the search path, `sales.orders` in its schema.
pub(crate) fn find_table(connection: &Connection, name: &str) -> Result<Table> {
    let asked = "SELECT c.oid, format('%I.%I', n.nspname, c.relname)
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r','p','v','m','f') AND (
            c.relname = $1 AND pg_catalog.pg_table_is_visible(c.oid)
            OR n.nspname || '.' || c.relname = $1)
        ORDER BY c.relname = $1 DESC LIMIT 1";
    if let Some(row) = connection.rows(asked, &[&name])?.first() {
        return Ok(Table { oid: row.get(0), name: row.get(1) });
    }
    let asked = "SELECT CASE WHEN pg_catalog.pg_table_is_visible(c.oid) THEN c.relname ELSE n.nspname || '.' || c.relname END
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r','p','v','m','f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        ORDER BY 1 LIMIT 50";
    let there: Vec<String> = connection.rows(asked, &[])?.iter().map(|row| row.get(0)).collect();
    Err(Error::no_table(name, &there))
}

pub(crate) fn columns(connection: &Connection, table: u32) -> Result<Vec<Column>> {
    let asked =
        "SELECT attname::text, pg_catalog.format_type(atttypid, atttypmod), atttypid, attnotnull, atttypmod
        FROM pg_catalog.pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum";
    let rows = connection.rows(asked, &[&table])?;
    let column = |row: &tokio_postgres::Row| Column {
        name: row.get(0),
        sql_type: row.get(1),
        oid: row.get(2),
        not_null: row.get(3),
        modifier: row.get(4),
    };
    Ok(rows.iter().map(column).collect())
}

/// The primary key, else columns that are unique and never null; none if nothing is.
fn key(connection: &Connection, table: u32, columns: &[Column]) -> Result<Vec<String>> {
    let asked = "SELECT ARRAY(SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(n, o)
            JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.n
            WHERE k.o <= i.indnkeyatts ORDER BY k.o)
        FROM pg_catalog.pg_index i
        WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
        ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid";
    let sure = |name: &String| columns.iter().any(|column| column.name == *name && column.not_null);
    let rows = connection.rows(asked, &[&table])?;
    let keys = rows.iter().map(|row| row.get::<_, Vec<String>>(0));
    Ok(keys.into_iter().find(|key| !key.is_empty() && key.iter().all(sure)).unwrap_or_default())
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("asked", &self.asked).finish_non_exhaustive()
    }
}
