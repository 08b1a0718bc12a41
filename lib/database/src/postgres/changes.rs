//! The changes of a table, by logical decoding.
//!
//! A slot is asked what it holds (`pg_logical_slot_peek_binary_changes`), and
//! told how far that is safe (`pg_replication_slot_advance`): an ordinary
//! connection is enough. The rows that are there already come first. The
//! snapshot says which transactions it saw; these are passed over in the slot,
//! so that each change is in the rows or behind them, never both.

use std::collections::HashMap;
use std::pin::Pin;
use std::time::Instant;

use futures_util::StreamExt;
use model::LogPlace;
use tokio_postgres::RowStream;

use super::connection::{Connection, literal};
use super::pgoutput::{self, Message, Old, Relation, Saw, Tuple, Value};
use super::table::{self, Column, Table};
use super::value::{self, Kind, Types};
use crate::changes::{self, Follow, Got, Log};
use crate::reader::Source;
use crate::url::Server;
use crate::{Batch, Error, Result, Wanted, json, time};

/// From here on a batch ends with the next transaction.
const BATCH_BYTES: usize = 8 << 20;
/// And from here on in the middle of one.
const PART_BYTES: usize = 64 << 20;

pub(crate) struct Changes {
    server: Server,
    password: Option<String>,
    connection: Option<Connection>,
    follow: Follow,
    wanted: Wanted,
    /// The table, and its partitions.
    oids: Vec<u32>,
    columns: Vec<String>,
    /// The columns as they are now; the log may speak of earlier ones.
    catalog: Vec<Column>,
    types: Types,
    relations: HashMap<u32, Shape>,
    phase: Phase,
    place: LogPlace,
    /// What the snapshot saw, and until where that matters.
    saw: Option<(Saw, u64)>,
    /// How far changes were given.
    given: u64,
    /// How far they are safe, and how far the slot was told so.
    safe: u64,
    confirmed: u64,
    /// Where `until_now` ends.
    end: u64,
    idle_since: Instant,
    transaction: Transaction,
}

enum Phase {
    Begin,
    Rows(Box<table::Reader>),
    Ask,
    Answer(Pin<Box<RowStream>>),
}

/// The transaction that is being read.
#[derive(Debug, Default)]
struct Transaction {
    xid: u32,
    commit_lsn: String,
    at: String,
    changes: u64,
    /// The rows had it already.
    passed_over: bool,
    open: bool,
    /// Behind the last one that is complete.
    end: Option<u64>,
}

/// How a table's values are written.
#[derive(Debug)]
struct Shape {
    relation: Relation,
    /// What stands before each column's value, and how it is written; none for
    /// columns that nobody wants.
    columns: Vec<Option<(Vec<u8>, Kind)>>,
}

impl Changes {
    pub(crate) fn open(
        server: &Server,
        password: Option<&str>,
        wanted: Wanted,
        follow: Follow,
    ) -> Result<Self> {
        let connection = Connection::open(server, password, &wanted.patience)?;
        let level = connection.rows("SELECT current_setting('wal_level')", &[])?;
        if level.first().is_some_and(|row| row.get::<_, String>(0) != "logical") {
            return Err(Error::invalid("the server's log is not made for it: wal_level is not logical")
                .hint("ALTER SYSTEM SET wal_level = logical, then restart the server"));
        }
        let table = table::find_table(&connection, &wanted.table)?;
        let asked = "SELECT relid::oid FROM pg_partition_tree($1::oid::regclass) UNION SELECT $1::oid";
        let oids = connection.rows(asked, &[&table.oid])?.iter().map(|row| row.get(0)).collect();
        is_published(&connection, &follow.publication, &table)?;
        let all = table::columns(&connection, table.oid)?;
        for name in &wanted.columns {
            if !all.iter().any(|column| column.name == *name) {
                return Err(Error::no_column(&wanted.table, name, all.iter().map(|c| c.name.as_str())));
            }
        }
        let chosen = all.iter().filter(|c| wanted.columns.is_empty() || wanted.columns.contains(&c.name));
        let columns = chosen.map(|column| format!("{} {}", column.name, column.sql_type)).collect();
        let types = connection.types()?;
        let place = follow.from.clone().unwrap_or_default();
        let mut this = Self {
            server: server.clone(),
            password: password.map(str::to_owned),
            connection: None,
            wanted,
            oids,
            columns,
            catalog: all,
            types,
            relations: HashMap::new(),
            phase: Phase::Begin,
            saw: None,
            given: 0,
            safe: 0,
            confirmed: 0,
            end: 0,
            idle_since: Instant::now(),
            transaction: Transaction::default(),
            place,
            follow,
        };
        this.resume(&connection)?;
        this.connection = Some(connection);
        Ok(this)
    }

    /// Holds the slot against the state.
    fn resume(&mut self, connection: &Connection) -> Result<()> {
        let name = &self.follow.slot;
        let slot = Slot::find(connection, name)?;
        let again =
            "DROP the slot (SELECT pg_drop_replication_slot(…)), remove the state, and begin with all rows";
        match (&self.follow.from, slot) {
            (None, Some(_)) => {
                return Err(Error::invalid(format!("the slot {name} is there, and no state knows of it"))
                    .word("slot_exists")
                    .hint("name another slot, give the state it belongs to, or drop it"));
            }
            (None, None) => {}
            (Some(place), slot) => {
                let Some(at) = &place.at else { return Ok(()) };
                let at =
                    pgoutput::lsn(at).ok_or_else(|| Error::invalid("the state has no place in the log"))?;
                let slot = slot.ok_or_else(|| Slot::gone(name))?;
                slot.judge(name)?;
                if slot.confirmed > at {
                    let why = format!(
                        "the slot {name} is at {}, ahead of the state: somebody else read what lies between",
                        pgoutput::lsn_text(slot.confirmed)
                    );
                    return Err(Error::invalid(why).word("wal_lost").hint(again));
                }
                self.confirmed = slot.confirmed;
                let saw = place.saw.as_deref().zip(place.saw_until.as_deref());
                self.saw = saw.and_then(|(saw, until)| Some((Saw::parse(saw)?, pgoutput::lsn(until)?)));
                self.phase = Phase::Ask;
                // What the log holds next is of the columns that were, until it says otherwise.
                self.columns.clone_from(&self.follow.columns);
                (self.given, self.safe) = (at, at);
                self.tell(connection)?;
            }
        }
        self.end = current(connection)?;
        Ok(())
    }

    /// The slot first, then the rows: what happens between is in both, and told apart by the snapshot.
    fn begin(&mut self) -> Result<()> {
        let connection = self.connection.take().ok_or_else(broken)?;
        let name = &self.follow.slot;
        self.confirmed = if let Some(slot) = Slot::find(&connection, name)? {
            slot.judge(name)?;
            slot.confirmed
        } else {
            let asked = "SELECT lsn::text FROM pg_create_logical_replication_slot($1, 'pgoutput')";
            let rows = connection.rows(asked, &[name])?;
            rows.first().and_then(|row| pgoutput::lsn(row.get(0))).ok_or_else(broken)?
        };
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
        let asked = "SELECT pg_current_snapshot()::text, pg_current_wal_insert_lsn()::text";
        let rows = connection.rows(asked, &[])?;
        let row = rows.first().ok_or_else(broken)?;
        let (saw, until): (String, String) = (row.get(0), row.get(1));
        self.saw = Saw::parse(&saw).zip(pgoutput::lsn(&until));
        self.place =
            LogPlace { at: Some(pgoutput::lsn_text(self.confirmed)), saw: Some(saw), saw_until: Some(until) };
        let wanted = Wanted { cursor: Vec::new(), after: None, overlap: None, ..self.wanted.clone() };
        let reader = table::Reader::within(connection, wanted)?;
        self.phase = Phase::Rows(Box::new(reader));
        Ok(())
    }

    /// Rows that are there already, as changes that read them.
    fn rows(&mut self, mut reader: Box<table::Reader>, batch: &mut Batch) -> Result<Got> {
        let mut plain = Batch::default();
        let more = reader.next(&mut plain)?;
        let at = self.place.saw_until.as_deref().unwrap_or_default();
        changes::of_rows(&plain, [&self.server.database, &self.wanted.table, at], batch);
        if more {
            self.phase = Phase::Rows(reader);
        } else {
            let connection = reader.into_connection();
            connection.execute("COMMIT")?;
            self.connection = Some(connection);
            self.phase = Phase::Ask;
            batch.log = Some(self.place.clone());
        }
        Ok(Got::More)
    }

    /// Asks the slot for what it holds.
    fn ask(&mut self, batch: &mut Batch) -> Result<Got> {
        let connection = self.connection.take().ok_or_else(broken)?;
        let told = self.tell(&connection);
        let connection = self.connection.insert(connection);
        told?;
        let now = current(connection)?;
        let slot = Slot::find(connection, &self.follow.slot)?;
        let slot = slot.ok_or_else(|| Slot::gone(&self.follow.slot))?;
        slot.judge(&self.follow.slot)?;
        let asked = format!(
            "SELECT xid::text, data FROM pg_logical_slot_peek_binary_changes({}, NULL, {}, 'proto_version', '1', 'publication_names', {})",
            literal(&self.follow.slot),
            self.wanted.batch_rows,
            literal(&format!("\"{}\"", self.follow.publication.replace('"', "\"\""))),
        );
        let none: [&str; 0] = [];
        let answer = connection.wait(connection.client.query_raw(&asked, none))??;
        self.transaction = Transaction::default();
        let got = self.answer(Box::pin(answer), batch)?;
        if got != Got::Idle {
            return Ok(got);
        }
        // Everything up to `now` was decoded, and nothing of it is ours.
        let due = self.idle_since.elapsed() >= self.follow.heartbeat;
        let ended = self.follow.until_now && now >= self.end;
        if (due || ended) && now > self.confirmed {
            self.idle_since = Instant::now();
            batch.log = Some(self.at(now));
        }
        let over = self.follow.max_slot_bytes.is_some_and(|most| slot.held_bytes > most);
        Ok(match () {
            () if over => Got::OverLimit(slot.held_bytes),
            () if ended => Got::End,
            () => Got::Idle,
        })
    }

    /// Where to go on once everything up to `lsn` is safe.
    fn at(&mut self, lsn: u64) -> LogPlace {
        if self.saw.as_ref().is_some_and(|(_, until)| lsn > *until) {
            self.saw = None;
            (self.place.saw, self.place.saw_until) = (None, None);
        }
        self.place.at = Some(pgoutput::lsn_text(lsn));
        self.place.clone()
    }

    fn answer(&mut self, mut answer: Pin<Box<RowStream>>, batch: &mut Batch) -> Result<Got> {
        loop {
            let connection = self.connection.as_ref().ok_or_else(broken)?;
            let Some(row) = connection.wait(answer.next())? else {
                self.phase = Phase::Ask;
                break;
            };
            let row = row.map_err(|error| lost(error, &self.follow.slot))?;
            self.message(row.get(1), batch)?;
            let size = batch.lines.len();
            if size >= PART_BYTES || size >= BATCH_BYTES && !self.transaction.open {
                self.phase = Phase::Answer(answer);
                break;
            }
        }
        if self.transaction.open {
            return Ok(Got::More);
        }
        Ok(match self.transaction.end.take() {
            Some(end) => {
                self.idle_since = Instant::now();
                batch.log = Some(self.at(end));
                let ended = self.follow.until_now && end >= self.end && matches!(self.phase, Phase::Ask);
                if ended { Got::End } else { Got::More }
            }
            None => Got::Idle,
        })
    }

    fn message(&mut self, bytes: &[u8], batch: &mut Batch) -> Result<()> {
        match pgoutput::parse(bytes)? {
            Message::Begin { commit_lsn, at_us, xid } => {
                let seen = |(saw, until): &(Saw, u64)| commit_lsn <= *until && saw.sees(xid);
                // A slot gives again what it was not told is safe.
                let again = commit_lsn < self.given;
                self.transaction = Transaction {
                    xid,
                    commit_lsn: pgoutput::lsn_text(commit_lsn),
                    at: time::rfc3339(at_us.saturating_add(time::YEAR_2000_US)),
                    passed_over: again || self.saw.as_ref().is_some_and(seen),
                    open: true,
                    ..Transaction::default()
                };
            }
            Message::Commit { end_lsn } => {
                self.transaction.open = false;
                self.given = self.given.max(end_lsn);
                self.transaction.end = Some(self.given);
            }
            Message::Relation(relation) => {
                if self.oids.contains(&relation.oid) {
                    self.learn(relation)?;
                }
            }
            Message::Insert(oid, new) => self.change(oid, b'c', None, Some(&new), batch)?,
            Message::Update(oid, old, new) => self.change(oid, b'u', old.as_ref(), Some(&new), batch)?,
            Message::Delete(oid, old) => self.change(oid, b'd', Some(&old), None, batch)?,
            Message::Truncate(oids) => {
                for oid in oids {
                    self.change(oid, b't', None, None, batch)?;
                }
            }
            Message::Other => {}
        }
        Ok(())
    }

    /// A table as it is from here on.
    fn learn(&mut self, relation: Relation) -> Result<()> {
        if self.relations.get(&relation.oid).is_some_and(|shape| shape.relation == relation) {
            return Ok(());
        }
        self.describe(&relation)?;
        self.follow.accepts(&self.columns)?;
        self.follow.columns.clone_from(&self.columns);
        let wanted = |name: &String| self.wanted.columns.is_empty() || self.wanted.columns.contains(name);
        let columns = relation.columns.iter().map(|column| {
            wanted(&column.name).then(|| {
                let mut head = Vec::new();
                json::text(column.name.as_bytes(), &mut head);
                head.push(b':');
                (head, self.types.kind(column.oid))
            })
        });
        let columns = columns.collect();
        self.relations.insert(relation.oid, Shape { relation, columns });
        Ok(())
    }

    /// The table's columns in words. The log names types by number; where the
    /// catalog's are others by now, the server is asked for the words.
    fn describe(&mut self, relation: &Relation) -> Result<()> {
        let mut busy = None;
        self.columns.clear();
        for part in &relation.columns {
            if !self.wanted.columns.is_empty() && !self.wanted.columns.contains(&part.name) {
                continue;
            }
            let same = |c: &&Column| c.name == part.name && c.oid == part.oid && c.modifier == part.modifier;
            let words = if let Some(column) = self.catalog.iter().find(same) {
                column.sql_type.clone()
            } else {
                // Our own connection is busy with the answer.
                let other = match busy.take() {
                    Some(other) => other,
                    None => Connection::open(&self.server, self.password.as_deref(), &self.wanted.patience)?,
                };
                self.types = other.types()?;
                let rows = other.rows("SELECT format_type($1, $2)", &[&part.oid, &part.modifier])?;
                busy = Some(other);
                rows.first().map(|row| row.get(0)).unwrap_or_default()
            };
            self.columns.push(format!("{} {words}", part.name));
        }
        Ok(())
    }

    fn change(
        &mut self,
        oid: u32,
        op: u8,
        old: Option<&Old>,
        new: Option<&Tuple>,
        batch: &mut Batch,
    ) -> Result<()> {
        if self.transaction.passed_over || !self.oids.contains(&oid) {
            return Ok(());
        }
        let shape = self.relations.get(&oid).ok_or_else(|| Error::invalid("a change of an unknown table"))?;
        let out = &mut batch.lines;
        out.extend_from_slice(b"{\"record\":\"row_change\",\"op\":\"");
        out.push(op);
        out.extend_from_slice(b"\",\"before\":");
        match old {
            None => out.extend_from_slice(b"null"),
            Some(Old::Key(tuple)) => shape.write(tuple, true, None, out),
            Some(Old::Whole(tuple)) => shape.write(tuple, false, None, out),
        }
        out.extend_from_slice(b",\"after\":");
        let whole = if let Some(Old::Whole(tuple)) = old { Some(tuple) } else { None };
        match new {
            None => out.extend_from_slice(b"null"),
            Some(tuple) => shape.write(tuple, false, whole, out),
        }
        if let Some(tuple) = new {
            shape.unchanged(tuple, whole, out);
        }
        let Transaction { xid, commit_lsn, at, changes, .. } = &mut self.transaction;
        *changes += 1;
        let tail = format!(
            ",\"src\":{{\"db\":{},\"table\":{},\"lsn\":\"{commit_lsn}\",\"tx\":{xid},\"seq\":{changes},\"ts\":\"{at}\"}}}}\n",
            json::quoted(&self.server.database),
            json::quoted(&self.wanted.table),
        );
        out.extend_from_slice(tail.as_bytes());
        batch.rows += 1;
        Ok(())
    }

    /// Tells the slot what is safe.
    fn tell(&mut self, connection: &Connection) -> Result<()> {
        let at = self.safe;
        if at <= self.confirmed {
            return Ok(());
        }
        let asked = format!(
            "SELECT pg_replication_slot_advance({}, {}::pg_lsn)",
            literal(&self.follow.slot),
            literal(&pgoutput::lsn_text(at))
        );
        let done = connection.wait(connection.client.batch_execute(&asked))?;
        done.map_err(|error| lost(error, &self.follow.slot))?;
        self.confirmed = at;
        Ok(())
    }
}

impl Log for Changes {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn next(&mut self, batch: &mut Batch) -> Result<Got> {
        match std::mem::replace(&mut self.phase, Phase::Ask) {
            Phase::Begin => {
                self.begin()?;
                Ok(Got::More)
            }
            Phase::Rows(reader) => self.rows(reader, batch),
            Phase::Ask => self.ask(batch),
            Phase::Answer(answer) => self.answer(answer, batch),
        }
    }

    /// While an answer is being read the slot is in use: it is told before it is asked again.
    fn confirm(&mut self, place: &LogPlace) -> Result<()> {
        let at = place.at.as_deref().and_then(pgoutput::lsn);
        self.safe = self.safe.max(at.unwrap_or_default());
        if !matches!(self.phase, Phase::Ask) {
            return Ok(());
        }
        let Some(connection) = self.connection.take() else { return Ok(()) };
        let told = self.tell(&connection);
        self.connection = Some(connection);
        told
    }
}

impl Shape {
    /// A row; of its key alone, or filled with what the row before had.
    fn write(&self, tuple: &Tuple, key_alone: bool, before: Option<&Tuple>, out: &mut Vec<u8>) {
        out.push(b'{');
        let mut first = true;
        for (nth, (value, column)) in tuple.iter().zip(&self.columns).enumerate() {
            let Some((head, kind)) = column else { continue };
            if key_alone && !self.relation.columns[nth].is_key {
                continue;
            }
            let value = match (value, before.and_then(|before| before.get(nth))) {
                (Value::Unchanged, Some(before)) => before,
                _ => value,
            };
            if *value == Value::Unchanged {
                continue;
            }
            if !first {
                out.push(b',');
            }
            first = false;
            out.extend_from_slice(head);
            match value {
                Value::Text(text) => value::write(kind, text, out),
                _ => out.extend_from_slice(b"null"),
            }
        }
        out.push(b'}');
    }

    /// The columns whose value the log does not have.
    fn unchanged(&self, tuple: &Tuple, before: Option<&Tuple>, out: &mut Vec<u8>) {
        let unknown =
            |nth: usize| before.and_then(|before| before.get(nth)).is_none_or(|v| *v == Value::Unchanged);
        let mut first = true;
        for (nth, value) in tuple.iter().enumerate() {
            let wanted = self.columns.get(nth).is_some_and(Option::is_some);
            if *value == Value::Unchanged && wanted && unknown(nth) {
                out.extend_from_slice(if first { b",\"unchanged\":[" } else { b"," });
                first = false;
                json::text(self.relation.columns[nth].name.as_bytes(), out);
            }
        }
        if !first {
            out.push(b']');
        }
    }
}

/// What the server says of a slot.
#[derive(Debug)]
struct Slot {
    plugin: String,
    active: bool,
    lost: bool,
    confirmed: u64,
    held_bytes: u64,
}

impl Slot {
    fn find(connection: &Connection, name: &str) -> Result<Option<Self>> {
        let asked = "SELECT coalesce(plugin, ''), active, coalesce(wal_status = 'lost', false),
            coalesce(confirmed_flush_lsn, '0/0')::text,
            coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::int8
            FROM pg_catalog.pg_replication_slots WHERE slot_name = $1";
        let rows = connection.rows(asked, &[&name])?;
        Ok(rows.first().map(|row| Self {
            plugin: row.get(0),
            active: row.get(1),
            lost: row.get(2),
            confirmed: pgoutput::lsn(row.get(3)).unwrap_or_default(),
            held_bytes: u64::try_from(row.get::<_, i64>(4)).unwrap_or_default(),
        }))
    }

    /// Whether it can be read.
    fn judge(&self, name: &str) -> Result<()> {
        if self.lost {
            return Err(wal_lost(name, "the server has removed what the slot had yet to give"));
        }
        if self.plugin != "pgoutput" {
            return Err(Error::invalid(format!("the slot {name} is of `{}`, not of pgoutput", self.plugin))
                .hint("name another slot"));
        }
        if self.active {
            return Err(Error::unavailable(format!("somebody else reads the slot {name}")).word("locked"));
        }
        Ok(())
    }

    fn gone(name: &str) -> Error {
        wal_lost(name, "the slot is gone")
    }
}

fn wal_lost(slot: &str, why: &str) -> Error {
    Error::invalid(format!("{why} ({slot}): changes since are lost")).word("wal_lost").hint(format!(
        "SELECT pg_drop_replication_slot('{slot}') if it is there, remove the state, and begin with all rows; a larger max_slot_wal_keep_size keeps more"
    ))
}

/// What a slot's error means.
fn lost(error: tokio_postgres::Error, slot: &str) -> Error {
    let code = error.code().map(|code| code.code().to_owned());
    match code.as_deref() {
        // Not in a state for it; no such object; a segment that was removed.
        Some("55000" | "42704" | "58P01") => {
            let words = error.as_db_error().map(|answer| answer.message().to_owned()).unwrap_or_default();
            wal_lost(slot, &words)
        }
        _ => error.into(),
    }
}

fn is_published(connection: &Connection, publication: &str, table: &Table) -> Result<()> {
    let asked = "SELECT EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = $1),
        EXISTS (SELECT FROM pg_catalog.pg_publication_tables t WHERE pubname = $1 AND
            format('%I.%I', t.schemaname, t.tablename) IN (SELECT format('%I.%I', n.nspname, c.relname)
                FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                WHERE c.oid = $2 OR c.oid IN (SELECT relid FROM pg_partition_tree($2::oid::regclass))))";
    let rows = connection.rows(asked, &[&publication, &table.oid])?;
    let (there, holds) = rows.first().map_or((false, false), |row| (row.get(0), row.get(1)));
    let wrong = |why: String| Error::invalid(why).word("no_publication");
    match (there, holds) {
        (true, true) => Ok(()),
        (false, _) => Err(wrong(format!("there is no publication `{publication}`"))
            .hint(format!("CREATE PUBLICATION {publication} FOR TABLE {}", table.name))),
        (true, false) => Err(wrong(format!("the publication {publication} is not of {}", table.name))
            .hint(format!("ALTER PUBLICATION {publication} ADD TABLE {}", table.name))),
    }
}

/// How far the log is written.
fn current(connection: &Connection) -> Result<u64> {
    let rows = connection.rows("SELECT pg_current_wal_flush_lsn()::text", &[])?;
    rows.first().and_then(|row| pgoutput::lsn(row.get(0))).ok_or_else(broken)
}

fn broken() -> Error {
    Error::unavailable("the server's answer makes no sense")
}

impl std::fmt::Debug for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Changes").field("place", &self.place).finish_non_exhaustive()
    }
}
