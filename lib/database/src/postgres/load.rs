//! A table that rows are loaded into.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::SinkExt;
use tokio_postgres::{CopyInSink, SimpleQueryMessage};

use super::connection::{Connection, literal};
use super::table;
use crate::{Error, Patience, Result, Url};

/// A conversation with a `PostgreSQL` server in which rows are loaded. What is
/// begun and not committed when it ends is undone.
#[derive(Debug)]
pub struct Session(Connection);

/// A table rows are loaded into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its schema, as it is called.
    pub schema: String,
    /// Its name there, as it is called.
    pub table: String,
    /// Its columns, in order.
    pub columns: Vec<Column>,
}

/// A column of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, as the database writes it.
    pub sql_type: String,
    /// What it holds.
    pub holds: Holds,
    /// Whether it holds no nulls.
    pub not_null: bool,
    /// Whether the database has a value where none is given.
    pub has_default: bool,
    /// Whether the database alone fills it.
    pub is_generated: bool,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// True or false.
    Bool,
    /// Whole numbers of so many bytes.
    Int(u8),
    /// Doubles.
    Real,
    /// Exact numbers: digits in all and after the point, where they are bounded.
    Decimal(Option<(u16, u16)>),
    /// Text of so many characters, where that is bounded.
    Text(Option<u32>),
    /// JSON.
    Json,
    /// Times that know their zone.
    Instant,
    /// Times of no zone.
    LocalTime,
    /// Days.
    Day,
    /// Bytes.
    Bytes,
    /// UUIDs.
    Uuid,
    /// What the database alone can judge.
    Other,
}

impl Session {
    /// Begins one.
    ///
    /// # Errors
    /// Fails if the server is of another kind, is not there, or does not let us in.
    pub fn open(url: &Url, password: Option<&str>, patience: &Patience) -> Result<Self> {
        match url {
            Url::Postgres(server) => Ok(Self(Connection::open(server, password, patience)?)),
            Url::Sqlite(_) | Url::Mysql(_) => Err(Error::invalid("rows are loaded into PostgreSQL alone")),
        }
    }

    /// Runs one statement and tells how many rows it touched.
    ///
    /// # Errors
    /// Fails if the server does.
    pub fn execute(&self, statement: &str) -> Result<u64> {
        let said = self.0.wait(self.0.client.simple_query(statement))??;
        Ok(said.iter().fold(0, |rows, message| match message {
            SimpleQueryMessage::CommandComplete(count) => *count,
            _ => rows,
        }))
    }

    /// The rows of a question, as text.
    ///
    /// # Errors
    /// Fails if the server does.
    pub fn ask(&self, question: &str) -> Result<Vec<Vec<Option<String>>>> {
        let said = self.0.wait(self.0.client.simple_query(question))??;
        let row = |message: &SimpleQueryMessage| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect())
            }
            _ => None,
        };
        Ok(said.iter().filter_map(row).collect())
    }

    /// A table by its name, as it is or as `SCHEMA.TABLE`.
    ///
    /// # Errors
    /// Fails if there is none, or the server does.
    pub fn table(&self, name: &str) -> Result<Target> {
        let found = table::find_table(&self.0, name)?;
        let asked = "SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1";
        let rows = self.0.rows(asked, &[&found.oid])?;
        let row = rows.first().ok_or_else(|| Error::no_table(name, &[]))?;
        let (schema, table) = (row.get(0), row.get(1));
        let types = self.0.types()?;
        let asked = "SELECT attname::text, pg_catalog.format_type(atttypid, atttypmod), atttypid, atttypmod, attnotnull,
            atthasdef OR attidentity <> '', attgenerated <> '' OR attidentity = 'a'
            FROM pg_catalog.pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum";
        let column = |row: &tokio_postgres::Row| {
            let (oid, modifier): (u32, i32) = (row.get(2), row.get(3));
            let oid = types.base.get(&oid).copied().unwrap_or(oid);
            Column {
                name: row.get(0),
                sql_type: row.get(1),
                holds: holds(oid, modifier),
                not_null: row.get(4),
                has_default: row.get(5),
                is_generated: row.get(6),
            }
        };
        let columns = self.0.rows(asked, &[&found.oid])?.iter().map(column).collect();
        Ok(Target { schema, table, columns })
    }

    /// Begins to copy: `COPY … FROM STDIN`.
    ///
    /// # Errors
    /// Fails if the server does.
    pub fn copy(&self, statement: &str) -> Result<Copy<'_>> {
        let sink = self.0.wait(self.0.client.copy_in(statement))??;
        Ok(Copy { session: self, sink: Box::pin(sink) })
    }
}

/// Rows on their way into a table. Dropped before its end it is an error of the
/// transaction.
pub struct Copy<'a> {
    session: &'a Session,
    sink: Pin<Box<CopyInSink<Bytes>>>,
}

impl std::fmt::Debug for Copy<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Copy")
    }
}

impl Copy<'_> {
    /// Sends rows in the text format of COPY.
    ///
    /// # Errors
    /// Fails if the server does.
    pub fn send(&mut self, rows: Vec<u8>) -> Result<()> {
        Ok(self.session.0.wait(self.sink.send(Bytes::from(rows)))??)
    }

    /// Ends it and tells how many rows were copied.
    ///
    /// # Errors
    /// Fails if the server does: a row that does not fit is told here or in [`Copy::send`].
    pub fn finish(mut self) -> Result<u64> {
        Ok(self.session.0.wait(self.sink.as_mut().finish())??)
    }
}

/// What a type holds; a modifier of -1 bounds nothing.
fn holds(oid: u32, modifier: i32) -> Holds {
    let bounded = u32::try_from(modifier - 4).ok().filter(|_| modifier >= 4);
    match oid {
        16 => Holds::Bool,
        21 => Holds::Int(2),
        23 => Holds::Int(4),
        20 => Holds::Int(8),
        700 | 701 => Holds::Real,
        1700 => {
            let digits = bounded.map(|bits| ((bits >> 16) as u16, (bits & 0x7ff) as u16));
            // A negative scale rounds before the point: nobody means that of a load.
            Holds::Decimal(digits.filter(|(_, scale)| *scale < 0x400))
        }
        25 => Holds::Text(None),
        1042 | 1043 => Holds::Text(bounded),
        114 | 3802 => Holds::Json,
        1184 => Holds::Instant,
        1114 => Holds::LocalTime,
        1082 => Holds::Day,
        17 => Holds::Bytes,
        2950 => Holds::Uuid,
        _ => Holds::Other,
    }
}

/// Text in SQL, whatever it says.
pub fn text_literal(text: &str) -> String {
    literal(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_column_holds_is_told_by_its_type_and_its_modifier() {
        assert_eq!(holds(1700, (12 << 16 | 2) + 4), Holds::Decimal(Some((12, 2))));
        assert_eq!(holds(1700, -1), Holds::Decimal(None));
        assert_eq!(holds(1043, 24), Holds::Text(Some(20)));
        assert_eq!(holds(25, -1), Holds::Text(None));
        assert_eq!(holds(600, -1), Holds::Other);
    }
}
