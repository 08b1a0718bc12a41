//! The changes of a table, by the binary log.
//!
//! The rows that are there already come first; the server says which place in
//! the log they are of. From there on the log is read as a replica reads it.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use model::LogPlace;
use mysql_async::binlog::events::{Event, EventData, RowsEventData};
use mysql_async::binlog::row::BinlogRow;
use mysql_async::prelude::Queryable;
use mysql_async::{BinlogStream, BinlogStreamRequest};

use super::connection::{Connection, busy, purged};
use super::value::{self, Charset, Column, Kind};
use super::{packed, table};
use crate::changes::{self, Follow, Got, Log};
use crate::reader::Source;
use crate::url::Server;
use crate::{Batch, Error, Result, Wanted, json, time};

/// From here on a batch ends with the next transaction.
const BATCH_BYTES: usize = 8 << 20;
/// And from here on in the middle of one.
const PART_BYTES: usize = 64 << 20;
/// How long the log is waited for at once.
const WAIT: Duration = Duration::from_millis(200);
/// How often the server says that there is nothing.
const HEARTBEAT_NS: u64 = 100_000_000;
/// We know what `MariaDB`'s own events are.
const CAPABILITY: u32 = 4;

pub(crate) struct Changes {
    server: Server,
    connection: Connection,
    follow: Follow,
    wanted: Wanted,
    schema: String,
    table: String,
    columns: Vec<String>,
    /// The table's columns, with what stands before each that is wanted.
    shape: Vec<(Column, Option<Vec<u8>>)>,
    /// The number the log gives the table as `shape` has it.
    known: Option<u64>,
    phase: Phase,
    /// Whether the log has said how its events end.
    sums_known: bool,
    at: At,
    /// Where `until_now` ends.
    end: At,
    told_at: Instant,
    told: At,
    transaction: Transaction,
}

enum Phase {
    Begin,
    Rows(Box<table::Reader>),
    Open,
    Log(Box<BinlogStream>),
}

/// A place in the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct At {
    file: String,
    position: u64,
}

#[derive(Debug, Default)]
struct Transaction {
    gtid: Option<String>,
    changes: u64,
    open: bool,
    /// It ends by itself, as a change of the schema does, unless somebody said BEGIN.
    begun: bool,
}

impl At {
    fn parse(text: &str) -> Option<Self> {
        let (file, position) = text.rsplit_once(':')?;
        Some(Self { file: file.to_owned(), position: position.parse().ok()? })
    }

    fn text(&self) -> String {
        format!("{}:{}", self.file, self.position)
    }

    /// Whether all up to `end` was read: files are numbered.
    fn reached(&self, end: &Self) -> bool {
        let number = |file: &str| file.rsplit_once('.').and_then(|(_, number)| number.parse::<u64>().ok());
        (number(&self.file), self.position) >= (number(&end.file), end.position)
    }
}

impl Changes {
    pub(crate) fn open(
        server: &Server,
        password: Option<&str>,
        wanted: Wanted,
        follow: Follow,
    ) -> Result<Self> {
        let mut connection = Connection::open(server, password, &wanted.patience)?;
        check_settings(&mut connection)?;
        let (schema, table) = table::place(server, &wanted.table);
        let end = current(&mut connection)?;
        let from = follow.from.as_ref().and_then(|place| place.at.as_deref());
        let at =
            from.map(|at| At::parse(at).ok_or_else(|| Error::invalid("the state has no place in the log")));
        let at = at.transpose()?;
        if let Some(at) = &at {
            let files = connection.rows("SHOW BINARY LOGS")?;
            if !files.iter().any(|row| row.first().cloned().flatten().as_ref() == Some(&at.file)) {
                return Err(purged(&format!("the server has {} no more", at.file)));
            }
        }
        let mut this = Self {
            server: server.clone(),
            connection,
            columns: Vec::new(),
            shape: Vec::new(),
            known: None,
            sums_known: false,
            phase: if at.is_some() { Phase::Open } else { Phase::Begin },
            told: at.clone().unwrap_or_default(),
            at: at.unwrap_or_default(),
            end,
            told_at: Instant::now(),
            transaction: Transaction::default(),
            wanted,
            follow,
            schema,
            table,
        };
        this.learn()?;
        if from_state(&this.follow) {
            this.columns.clone_from(&this.follow.columns);
        }
        Ok(this)
    }

    /// The table's columns as the catalog has them.
    fn learn(&mut self) -> Result<()> {
        let all = table::columns(&mut self.connection, &self.schema, &self.table)?;
        let chosen = |column: &Column| {
            self.wanted.columns.is_empty()
                || self.wanted.columns.iter().any(|name| name.eq_ignore_ascii_case(&column.name))
        };
        for name in &self.wanted.columns {
            if !all.iter().any(|column| column.name.eq_ignore_ascii_case(name)) {
                return Err(Error::no_column(&self.table, name, all.iter().map(|c| c.name.as_str())));
            }
        }
        for column in all.iter().filter(|column| chosen(column)) {
            if matches!(column.kind, Kind::Other(_) | Kind::Text(Charset::Other)) {
                let why =
                    format!("{} is {}, which the log has in a form of its own", column.name, column.sql_type);
                return Err(
                    Error::invalid(why).hint("leave it out with --columns, or read by --mode incremental")
                );
            }
        }
        self.columns = all
            .iter()
            .filter(|column| chosen(column))
            .map(|column| format!("{} {}", column.name, column.sql_type))
            .collect();
        let head = |column: &Column| {
            chosen(column).then(|| {
                let mut head = Vec::new();
                json::text(column.name.as_bytes(), &mut head);
                head.push(b':');
                head
            })
        };
        let shape = all.iter().map(|column| (column.clone(), head(column))).collect();
        self.shape = shape;
        Ok(())
    }

    /// A transaction whose place in the log is known.
    fn begin(&mut self) -> Result<()> {
        let mut connection = self.connection_for_rows()?;
        connection.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")?;
        let consistent = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
        connection.execute(consistent)?;
        let status = connection.rows("SHOW STATUS LIKE 'binlog_snapshot_%'")?;
        let value = |name: &str| {
            let row =
                status.iter().find(|row| row[0].as_deref().is_some_and(|n| n.eq_ignore_ascii_case(name)));
            row.and_then(|row| row[1].clone()).filter(|value| !value.is_empty())
        };
        let position = value("binlog_snapshot_position").and_then(|text| text.parse().ok());
        if let Some((file, position)) = value("binlog_snapshot_file").zip(position) {
            self.at = At { file, position };
        } else {
            // MySQL knows no place of a snapshot: nobody may write for a moment.
            connection.execute("ROLLBACK")?;
            connection.execute("FLUSH TABLES WITH READ LOCK")?;
            connection.execute(consistent)?;
            self.at = current(&mut connection)?;
            connection.execute("UNLOCK TABLES")?;
        }
        let wanted = Wanted { cursor: Vec::new(), after: None, overlap: None, ..self.wanted.clone() };
        self.phase = Phase::Rows(Box::new(table::Reader::within(connection, &self.server, wanted)?));
        Ok(())
    }

    fn connection_for_rows(&mut self) -> Result<Connection> {
        let other = Connection::like(&self.connection)?;
        Ok(std::mem::replace(&mut self.connection, other))
    }

    /// Rows that are there already, as changes that read them.
    fn rows(&mut self, mut reader: Box<table::Reader>, batch: &mut Batch) -> Result<Got> {
        let mut plain = Batch::default();
        let more = reader.next(&mut plain)?;
        changes::of_rows(&plain, [&self.schema, &self.table, &self.at.text()], batch);
        if more {
            self.phase = Phase::Rows(reader);
        } else {
            self.phase = Phase::Open;
            self.tell(batch);
        }
        Ok(Got::More)
    }

    /// Where to go on once everything so far is safe.
    fn tell(&mut self, batch: &mut Batch) {
        self.told_at = Instant::now();
        self.told = self.at.clone();
        batch.log = Some(LogPlace { at: Some(self.at.text()), saw: None, saw_until: None });
    }

    fn request(&mut self) -> Result<BinlogStream> {
        self.known = None;
        self.sums_known = false;
        let mut conn = self.connection.another()?;
        let request = BinlogStreamRequest::new(self.follow.server_id)
            .with_filename(self.at.file.as_bytes())
            .with_pos(self.at.position);
        let settings = format!(
            "SET @master_heartbeat_period = {HEARTBEAT_NS}, @source_heartbeat_period = {HEARTBEAT_NS}, \
             @mariadb_slave_capability = {CAPABILITY}"
        );
        Ok(self.connection.wait(async move {
            conn.query_drop(settings).await?;
            conn.get_binlog_stream(request).await
        })??)
    }

    fn log(&mut self, mut stream: Box<BinlogStream>, batch: &mut Batch) -> Result<Got> {
        let mut got = Got::More;
        loop {
            let next = self.connection.wait(async { tokio::time::timeout(WAIT, stream.next()).await })?;
            match next {
                Err(_) => got = Got::Idle,
                Ok(None) => return Err(Error::unavailable("the server ended the log").word("network")),
                Ok(Some(event)) => {
                    let event = event?;
                    let beat = event.header().event_type_raw() == HEARTBEAT;
                    self.event(&stream, &event, batch)?;
                    if beat && !self.transaction.open {
                        got = Got::Idle;
                    }
                }
            }
            let size = batch.lines.len();
            let full = size >= PART_BYTES || size >= BATCH_BYTES && !self.transaction.open;
            let enough = batch.rows >= u64::from(self.wanted.batch_rows) && !self.transaction.open;
            let ended = self.follow.until_now && !self.transaction.open && self.at.reached(&self.end);
            if full || enough || ended || got == Got::Idle {
                if ended {
                    got = Got::End;
                }
                break;
            }
        }
        self.phase = Phase::Log(stream);
        if !self.transaction.open && self.at != self.told {
            let due = self.told_at.elapsed() >= self.follow.heartbeat;
            if batch.rows > 0 || !batch.lines.is_empty() || due || got == Got::End {
                self.tell(batch);
            }
        }
        Ok(got)
    }

    fn event(&mut self, stream: &BinlogStream, event: &Event, batch: &mut Batch) -> Result<()> {
        let header = event.header();
        let strange =
            |error: std::io::Error| Error::invalid(format!("an event of the log cannot be read: {error}"));
        // MariaDB's transactions begin with an event of its own.
        if header.event_type_raw() == MARIADB_GTID {
            let data = event.data();
            let number = data.first_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes)).unwrap_or_default();
            let domain =
                data.get(8..12).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes).unwrap_or_default();
            let standalone = data.get(12).is_some_and(|flags| flags & 1 == 1);
            let gtid = Some(format!("{domain}-{}-{number}", header.server_id()));
            self.transaction = Transaction { gtid, changes: 0, open: !standalone, begun: !standalone };
            return Ok(());
        }
        if let Some(plain) = packed::unpacked(event).map_err(strange)? {
            return self.event(stream, &plain, batch);
        }
        match event.read_data().map_err(strange)? {
            Some(EventData::RotateEvent(rotate)) => {
                // The first one comes before it is known that events end with a
                // checksum, and takes it for a part of the name: it is the file asked for.
                let name = rotate.name();
                let file = if self.sums_known { name.into_owned() } else { self.at.file.clone() };
                self.at = At { file, position: rotate.position() };
                return Ok(());
            }
            Some(EventData::FormatDescriptionEvent(_)) => {
                self.sums_known = true;
                return Ok(());
            }
            Some(EventData::GtidEvent(gtid)) => {
                let sid = data_encoding::HEXLOWER.encode(&gtid.sid());
                let gtid = Some(format!("{sid}:{}", gtid.gno()));
                self.transaction = Transaction { gtid, open: true, ..Transaction::default() };
            }
            Some(EventData::AnonymousGtidEvent(_)) => {
                self.transaction = Transaction { open: true, ..Transaction::default() };
            }
            Some(EventData::QueryEvent(query)) => {
                let text = query.query();
                let here = query.schema() == self.schema;
                match Statement::of(&text, &self.table) {
                    Statement::Begin => (self.transaction.open, self.transaction.begun) = (true, true),
                    Statement::End => self.transaction.open = false,
                    Statement::Truncate if here => {
                        self.change(b't', None, None, header.timestamp(), batch)?;
                    }
                    Statement::Rows if here => {
                        return Err(Error::invalid(
                            "the log has a statement in place of the rows it changed",
                        )
                        .hint("SET GLOBAL binlog_format = 'ROW', remove the state and begin with all rows"));
                    }
                    _ => {}
                }
                self.transaction.open &= self.transaction.begun;
            }
            Some(EventData::XidEvent(_)) => self.transaction.open = false,
            Some(EventData::TransactionPayloadEvent(_)) => {
                return Err(Error::invalid("the log holds compressed transactions, which are not read here")
                    .hint("SET GLOBAL binlog_transaction_compression = OFF, remove the state and begin with all rows"));
            }
            Some(EventData::TableMapEvent(map)) => {
                let ours = map.database_name() == self.schema && map.table_name() == self.table;
                if !ours && self.known == Some(map.table_id()) {
                    self.known = None;
                }
                if ours && self.known != Some(map.table_id()) {
                    self.learn()?;
                    self.follow.accepts(&self.columns)?;
                    if map.columns_count() != self.shape.len() as u64 {
                        let why = "the log is of other columns than the table has now";
                        return Err(Error::invalid(why)
                            .word("schema_changed")
                            .hint("remove the state and begin with all rows"));
                    }
                    self.follow.columns.clone_from(&self.columns);
                    self.known = Some(map.table_id());
                }
            }
            Some(EventData::RowsEvent(rows)) => self.row_events(stream, &rows, header.timestamp(), batch)?,
            _ => {}
        }
        if header.log_pos() > 0 {
            self.at.position = u64::from(header.log_pos());
        }
        Ok(())
    }

    fn row_events(
        &mut self,
        stream: &BinlogStream,
        rows: &RowsEventData,
        seconds: u32,
        batch: &mut Batch,
    ) -> Result<()> {
        if self.known != Some(rows.table_id()) {
            return Ok(());
        }
        let map =
            stream.get_tme(rows.table_id()).ok_or_else(|| Error::invalid("rows of an unknown table"))?;
        for row in rows.rows(map) {
            let (before, after) =
                row.map_err(|error| Error::invalid(format!("a row of the log: {error}")))?;
            let op = match (&before, &after) {
                (None, Some(_)) => b'c',
                (Some(_), None) => b'd',
                _ => b'u',
            };
            self.change(op, before.as_ref(), after.as_ref(), seconds, batch)?;
        }
        Ok(())
    }

    fn change(
        &mut self,
        op: u8,
        before: Option<&BinlogRow>,
        after: Option<&BinlogRow>,
        seconds: u32,
        batch: &mut Batch,
    ) -> Result<()> {
        let out = &mut batch.lines;
        out.extend_from_slice(b"{\"record\":\"row_change\",\"op\":\"");
        out.push(op);
        out.extend_from_slice(b"\",\"before\":");
        write(&self.shape, before, out)?;
        out.extend_from_slice(b",\"after\":");
        write(&self.shape, after, out)?;
        self.transaction.changes += 1;
        let Transaction { gtid, changes, .. } = &self.transaction;
        let tail = format!(
            ",\"src\":{{\"db\":{},\"table\":{},\"lsn\":{},\"tx\":{},\"seq\":{changes},\"ts\":\"{}\"}}}}\n",
            json::quoted(&self.schema),
            json::quoted(&self.table),
            json::quoted(&self.at.text()),
            gtid.as_deref().map_or("null".to_owned(), json::quoted),
            time::rfc3339(i64::from(seconds) * 1_000_000),
        );
        out.extend_from_slice(tail.as_bytes());
        batch.rows += 1;
        Ok(())
    }
}

const HEARTBEAT: u8 = 27;
const MARIADB_GTID: u8 = 162;

/// Whether the state has a place: its columns are those of the log, until the log says otherwise.
fn from_state(follow: &Follow) -> bool {
    follow.from.as_ref().is_some_and(|place| place.at.is_some())
}

fn write(shape: &[(Column, Option<Vec<u8>>)], row: Option<&BinlogRow>, out: &mut Vec<u8>) -> Result<()> {
    let Some(row) = row else {
        out.extend_from_slice(b"null");
        return Ok(());
    };
    if row.len() != shape.len() {
        return Err(
            Error::invalid("the log has parts of rows alone").hint("SET GLOBAL binlog_row_image = 'FULL'")
        );
    }
    let mut between = b'{';
    for (nth, (column, head)) in shape.iter().enumerate() {
        let (Some(head), Some(value)) = (head, row.as_ref(nth)) else { continue };
        out.push(between);
        between = b',';
        out.extend_from_slice(head);
        value::write_logged(&column.kind, value, out)?;
    }
    if between == b'{' {
        out.push(b'{');
    }
    out.push(b'}');
    Ok(())
}

/// What a statement of the log is to us.
#[derive(Debug, PartialEq, Eq)]
enum Statement {
    Begin,
    End,
    /// It removes all rows of the table.
    Truncate,
    /// It changes rows of the table, and the log does not say which.
    Rows,
    Other,
}

impl Statement {
    fn of(text: &str, table: &str) -> Self {
        let between = |c: char| c.is_whitespace() || matches!(c, '`' | ';' | '.' | '(' | ')' | ',');
        let mut words = text.split(between).filter(|word| !word.is_empty());
        let first = words.next().unwrap_or_default().to_ascii_uppercase();
        let named = words.any(|word| word == table);
        match first.as_str() {
            "BEGIN" => Self::Begin,
            "COMMIT" => Self::End,
            // To a savepoint is not to the beginning.
            "ROLLBACK" if text.split_whitespace().count() == 1 => Self::End,
            "TRUNCATE" if named => Self::Truncate,
            "INSERT" | "UPDATE" | "DELETE" | "REPLACE" | "LOAD" if named => Self::Rows,
            _ => Self::Other,
        }
    }
}

/// What the log must be for rows to be in it.
fn check_settings(connection: &mut Connection) -> Result<()> {
    for (name, wanted) in [("log_bin", "1"), ("binlog_format", "ROW"), ("binlog_row_image", "FULL")] {
        let found = connection.value(&format!("SELECT @@GLOBAL.{name}"))?.unwrap_or_default();
        if !found.eq_ignore_ascii_case(wanted) {
            let want = if name == "log_bin" {
                "start the server with log_bin".to_owned()
            } else {
                format!("SET GLOBAL {name} = '{wanted}'")
            };
            return Err(
                Error::invalid(format!("the server's log is not made for it: {name} is {found}")).hint(want)
            );
        }
    }
    Ok(())
}

/// How far the log is written.
fn current(connection: &mut Connection) -> Result<At> {
    // MySQL 8.4 has it by another name.
    let rows = match connection.rows("SHOW MASTER STATUS") {
        Err(error) if error.word.is_none() => connection.rows("SHOW BINARY LOG STATUS"),
        rows => rows,
    }?;
    let row = rows.into_iter().next().ok_or_else(|| Error::invalid("the server writes no binary log"))?;
    match (row.first().cloned().flatten(), row.get(1).cloned().flatten().and_then(|text| text.parse().ok())) {
        (Some(file), Some(position)) => Ok(At { file, position }),
        _ => Err(busy()),
    }
}

impl Log for Changes {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn next(&mut self, batch: &mut Batch) -> Result<Got> {
        match std::mem::replace(&mut self.phase, Phase::Open) {
            Phase::Begin => {
                self.begin()?;
                Ok(Got::More)
            }
            Phase::Rows(reader) => self.rows(reader, batch),
            Phase::Open => {
                let stream = Box::new(self.request()?);
                self.log(stream, batch)
            }
            Phase::Log(stream) => self.log(stream, batch),
        }
    }

    /// The server keeps its log by its own rules.
    fn confirm(&mut self, _place: &LogPlace) -> Result<()> {
        Ok(())
    }
}

impl std::fmt::Debug for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Changes").field("at", &self.at).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_behind_another_by_file_and_by_position() {
        let at = |text| At::parse(text).unwrap();
        assert!(at("bin.000010:4").reached(&at("bin.000009:999")));
        assert!(!at("bin.000009:998").reached(&at("bin.000009:999")));
        assert_eq!(at("bin.000009:998").text(), "bin.000009:998");
        assert_eq!(At::parse("bin.000009"), None);
    }

    #[test]
    fn a_statement_is_told_from_others() {
        for (text, what) in [
            ("BEGIN", Statement::Begin),
            ("COMMIT", Statement::End),
            ("ROLLBACK", Statement::End),
            ("ROLLBACK TO `a`", Statement::Other),
            ("SAVEPOINT `a`", Statement::Other),
            ("TRUNCATE TABLE `shop`.`t`", Statement::Truncate),
            ("truncate t;", Statement::Truncate),
            ("TRUNCATE u", Statement::Other),
            ("insert into t(id) values(1)", Statement::Rows),
            ("INSERT INTO u VALUES('x')", Statement::Other),
            ("ALTER TABLE t ADD COLUMN x int", Statement::Other),
        ] {
            assert_eq!(Statement::of(text, "t"), what, "{text}");
        }
    }
}
