//! A table, by one query whose answer is read as it comes. All rows are of
//! one moment.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row, Value};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::connection::{Connection, busy, literal, quoted};
use super::value::{self, Column, Kind};
use crate::reader::Source;
use crate::scalar::Scalar;
use crate::url::Server;
use crate::{Batch, Error, Overlap, Result, Wanted, json};

/// Rows that are handed over at once, and how many times.
const HANDFUL: usize = 512;
const AHEAD: usize = 8;

pub(crate) struct Reader {
    connection: Connection,
    wanted: Wanted,
    columns: Vec<String>,
    fields: Vec<(Vec<u8>, Kind)>,
    order: Vec<Ordered>,
    table: String,
    asked: String,
    rows: Option<Rows>,
}

/// An answer that is being read.
struct Rows {
    handfuls: mpsc::Receiver<mysql_async::Result<Vec<Row>>>,
    task: JoinHandle<Conn>,
    here: std::vec::IntoIter<Row>,
}

#[derive(Debug)]
struct Ordered {
    column: Column,
    field: usize,
}

impl Reader {
    pub(crate) fn open(server: &Server, password: Option<&str>, wanted: Wanted) -> Result<Self> {
        let mut connection = Connection::open(server, password, &wanted.patience)?;
        connection.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")?;
        connection.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")?;
        Self::within(connection, server, wanted)
    }

    /// In a transaction that is open.
    pub(crate) fn within(mut connection: Connection, server: &Server, wanted: Wanted) -> Result<Self> {
        let (schema, name) = place(server, &wanted.table);
        let all = columns(&mut connection, &schema, &name)?;
        let find = |name: &String| {
            all.iter()
                .find(|column| column.name.eq_ignore_ascii_case(name))
                .ok_or_else(|| Error::no_column(&wanted.table, name, all.iter().map(|c| c.name.as_str())))
        };
        let chosen: Vec<&Column> = if wanted.columns.is_empty() {
            all.iter().collect()
        } else {
            wanted.columns.iter().map(find).collect::<Result<_>>()?
        };
        let heads = json::heads(chosen.iter().map(|column| column.name.as_str()));
        let fields = heads.into_iter().zip(chosen.iter().map(|column| column.kind.clone())).collect();
        let mut selected: Vec<Column> = chosen.iter().map(|column| (*column).clone()).collect();
        let mut names = wanted.cursor.clone();
        for name in key(&mut connection, &schema, &name)? {
            if !names.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
                names.push(name);
            }
        }
        let mut order = Vec::new();
        for name in &names {
            let column = find(name)?.clone();
            let field = selected.iter().position(|chosen| chosen.name == column.name).unwrap_or_else(|| {
                selected.push(column.clone());
                selected.len() - 1
            });
            order.push(Ordered { column, field });
        }
        let columns = chosen.iter().map(|column| format!("{} {}", column.name, column.sql_type)).collect();
        let table = format!("{}.{}", quoted(&schema), quoted(&name));
        let asked = query(&wanted, &table, &selected, &order)?;
        Ok(Self { connection, wanted, columns, fields, order, table, asked, rows: None })
    }

    fn start(&mut self) -> Result<Rows> {
        let conn = self.connection.conn.take().ok_or_else(busy)?;
        let (sender, handfuls) = mpsc::channel(AHEAD);
        let task = self.connection.runtime.spawn(pump(conn, self.asked.clone(), sender));
        Ok(Rows { handfuls, task, here: Vec::new().into_iter() })
    }

    fn row(&mut self, row: &Row, batch: &mut Batch) -> Result<()> {
        let begun = batch.lines.len();
        for (nth, (head, kind)) in self.fields.iter().enumerate() {
            batch.lines.extend_from_slice(head);
            match row.as_ref(nth) {
                Some(Value::Bytes(text)) => value::write_sent(kind, text, &mut batch.lines),
                _ => batch.lines.extend_from_slice(b"null"),
            }
        }
        batch.lines.extend_from_slice(b"}\n");
        batch.rows += 1;
        let Some(mut overlap) = self.wanted.overlap.take() else { return Ok(()) };
        let new =
            scalar(&self.order[0], row).and_then(|cursor| overlap.is_new(&cursor, &batch.lines[begun..]));
        self.wanted.overlap = Some(overlap);
        if !new? {
            batch.lines.truncate(begun);
            batch.rows -= 1;
            batch.again += 1;
        }
        Ok(())
    }

    fn position(&self, row: &Row, batch: &mut Batch) -> Result<()> {
        let position = self.order.iter().map(|ordered| scalar(ordered, row)).collect::<Result<Vec<_>>>()?;
        let behind = self.wanted.overlap.as_ref().is_some_and(|overlap| overlap.is_behind(&position[0]));
        if !behind && !position.is_empty() {
            batch.position = Some(position);
        }
        Ok(())
    }
}

/// Reads an answer and hands it over; the connection comes back.
async fn pump(mut conn: Conn, asked: String, to: mpsc::Sender<mysql_async::Result<Vec<Row>>>) -> Conn {
    let read = async {
        let mut answer = conn.query_iter(asked).await?;
        let mut handful = Vec::with_capacity(HANDFUL);
        while let Some(row) = answer.next().await? {
            handful.push(row);
            if handful.len() == HANDFUL && to.send(Ok(std::mem::take(&mut handful))).await.is_err() {
                return Ok(());
            }
        }
        let _ = to.send(Ok(handful)).await;
        Ok(())
    };
    if let Err(error) = read.await {
        let _ = to.send(Err(error)).await;
    }
    conn
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
        let nullable: Vec<_> =
            self.order.iter().filter(|o| !o.column.not_null).map(|o| o.column.name.clone()).collect();
        for name in nullable {
            let asked = format!("SELECT 1 FROM {} WHERE {} IS NULL LIMIT 1", self.table, quoted(&name));
            if self.connection.value(&asked)?.is_some() {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    fn next(&mut self, batch: &mut Batch) -> Result<bool> {
        let mut rows = match self.rows.take() {
            Some(rows) => rows,
            None => self.start()?,
        };
        let mut last = None;
        for _ in 0..self.wanted.batch_rows {
            let row = loop {
                if let Some(row) = rows.here.next() {
                    break Some(row);
                }
                match self.connection.wait(rows.handfuls.recv())? {
                    Some(handful) => rows.here = handful?.into_iter(),
                    None => break None,
                }
            };
            let Some(row) = row else {
                let conn = self.connection.wait(rows.task)?;
                self.connection.conn = Some(conn.map_err(|error| Error::unavailable(error.to_string()))?);
                if let Some(row) = last {
                    self.position(&row, batch)?;
                }
                return Ok(false);
            };
            self.row(&row, batch)?;
            last = Some(row);
        }
        if let Some(row) = last {
            self.position(&row, batch)?;
        }
        self.rows = Some(rows);
        Ok(true)
    }
}

/// A value rows are ordered by.
fn scalar(ordered: &Ordered, row: &Row) -> Result<Scalar> {
    let Some(Value::Bytes(bytes)) = row.as_ref(ordered.field) else {
        return Err(Error::invalid(format!("{} is null", ordered.column.name)));
    };
    if matches!(ordered.column.kind, Kind::Bytes(_) | Kind::Bit) {
        return Ok(Scalar::Bytes(bytes.clone()));
    }
    let text = String::from_utf8_lossy(bytes).into_owned();
    Ok(match text.parse() {
        Ok(number) if matches!(ordered.column.kind, Kind::Int { .. }) => Scalar::Int(number),
        _ => Scalar::Text(text),
    })
}

fn query(wanted: &Wanted, table: &str, selected: &[Column], order: &[Ordered]) -> Result<String> {
    // A float is sent with six digits, unless it is made a double.
    let expression = |column: &Column| match column.kind {
        Kind::Float => format!("{} + 0e0", quoted(&column.name)),
        _ => quoted(&column.name),
    };
    let names: Vec<_> = order.iter().map(|ordered| quoted(&ordered.column.name)).collect();
    let nullable = order.iter().filter(|ordered| !ordered.column.not_null);
    let mut conditions: Vec<_> =
        nullable.map(|ordered| format!("{} IS NOT NULL", quoted(&ordered.column.name))).collect();
    let value = |scalar: &Scalar| match scalar {
        Scalar::Int(number) => number.to_string(),
        Scalar::Real(number) => format!("{number:?}"),
        Scalar::Text(text) => literal(text),
        Scalar::Bytes(bytes) => format!("x'{}'", data_encoding::HEXLOWER.encode(bytes)),
    };
    match (&wanted.after, &wanted.overlap) {
        (None, _) => {}
        (Some(position), _) if position.len() != order.len() => {
            return Err(Error::invalid("the position is of another key").word("schema_changed"));
        }
        (Some(position), Some(overlap)) => {
            conditions.push(format!("{} >= {}", names[0], value(&overlap.before(&position[0])?)));
        }
        (Some(position), None) => {
            let values: Vec<_> = position.iter().map(value).collect();
            // Spelt out: the server finds no index for (a,b) > (1,2).
            let mut ways = Vec::new();
            for nth in 0..names.len() {
                let mut way: Vec<_> = (0..nth).map(|n| format!("{} = {}", names[n], values[n])).collect();
                way.push(format!("{} > {}", names[nth], values[nth]));
                ways.push(format!("({})", way.join(" AND ")));
            }
            conditions.push(format!("{} >= {} AND ({})", names[0], values[0], ways.join(" OR ")));
        }
    }
    let selected: Vec<_> = selected.iter().map(expression).collect();
    let mut asked = format!("SELECT {} FROM {table}", selected.join(","));
    if !conditions.is_empty() {
        asked += &format!(" WHERE {}", conditions.join(" AND "));
    }
    if !names.is_empty() {
        asked += &format!(" ORDER BY {}", names.join(","));
    }
    Ok(asked)
}

/// `orders` in the URL's database, `sales.orders` in another.
pub(crate) fn place(server: &Server, table: &str) -> (String, String) {
    match table.split_once('.') {
        Some((schema, name)) => (schema.to_owned(), name.to_owned()),
        None => (server.database.clone(), table.to_owned()),
    }
}

pub(crate) fn columns(connection: &mut Connection, schema: &str, table: &str) -> Result<Vec<Column>> {
    let asked = format!(
        "SELECT column_name, data_type, column_type, is_nullable, character_set_name, character_octet_length, datetime_precision
        FROM information_schema.columns WHERE table_schema = {} AND table_name = {} ORDER BY ordinal_position",
        literal(schema),
        literal(table)
    );
    let rows = connection.rows(&asked)?;
    if rows.is_empty() {
        let asked = format!(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = {} ORDER BY 1 LIMIT 50",
            literal(schema)
        );
        let there: Vec<_> = connection.rows(&asked)?.into_iter().flatten().flatten().collect();
        return Err(Error::no_table(table, &there));
    }
    let column = |row: Vec<Option<String>>| {
        let text = |nth: usize| row.get(nth).cloned().flatten();
        let full = text(2).unwrap_or_default();
        let kind = value::kind(
            &text(1).unwrap_or_default(),
            &full,
            text(4).as_deref(),
            text(5).as_deref(),
            text(6).as_deref(),
        );
        Column {
            name: text(0).unwrap_or_default(),
            sql_type: full,
            kind,
            not_null: text(3).as_deref() == Some("NO"),
        }
    };
    Ok(rows.into_iter().map(column).collect())
}

/// The primary key, else columns that are unique and never null; none if nothing is.
fn key(connection: &mut Connection, schema: &str, table: &str) -> Result<Vec<String>> {
    let asked = format!(
        "SELECT index_name, column_name, nullable = '' AND sub_part IS NULL FROM information_schema.statistics
        WHERE table_schema = {} AND table_name = {} AND non_unique = 0
        ORDER BY index_name <> 'PRIMARY', index_name, seq_in_index",
        literal(schema),
        literal(table)
    );
    let mut keys: Vec<(String, Vec<String>, bool)> = Vec::new();
    for row in connection.rows(&asked)? {
        let [Some(index), Some(column), sure] = &row[..] else { continue };
        let sure = sure.as_deref() == Some("1");
        match keys.last_mut() {
            Some((name, columns, all)) if name == index => {
                columns.push(column.clone());
                *all &= sure;
            }
            _ => keys.push((index.clone(), vec![column.clone()], sure)),
        }
    }
    Ok(keys.into_iter().find(|(_, _, sure)| *sure).map(|(_, columns, _)| columns).unwrap_or_default())
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("asked", &self.asked).finish_non_exhaustive()
    }
}
