//! One load: rows read, checked, copied and noted, in one transaction.

use std::collections::BTreeSet;
use std::io::Read;

use cli::{Answer, Context, Error, Rejects};
use database::load::{Copy, Session, Target};
use model::{Load, LoadPlan};
use ndjson::{Line, Lines};
use process::Stop;
use sha2::{Digest, Sha256};

use crate::row::{Bad, Rows};
use crate::sql::Sql;

/// The longest row: 16 MiB.
const LINE_BYTES: usize = 16 << 20;

/// So many bytes are sent at a time.
const SEND_BYTES: usize = 256 << 10;

/// How a load is called, and where its rows come from.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    pub(crate) source: String,
    /// What tells it from others; none if its content does.
    pub(crate) id: Option<String>,
}

/// What every load of a run is made with.
pub(crate) struct Loader<'a> {
    pub(crate) session: Session,
    pub(crate) target: Target,
    pub(crate) key: &'a [String],
    pub(crate) ledger: &'a str,
    pub(crate) rejects: Option<Rejects>,
    pub(crate) max_reject: Option<u64>,
    pub(crate) stop: &'a Stop,
}

/// The database's own words.
pub(crate) fn told<T>(doing: &str, result: database::Result<T>) -> cli::Result<T> {
    let hint = result.as_ref().err().and_then(|error| error.hint.clone());
    result.doing(doing).map_err(|error| if let Some(hint) = hint { error.hint(hint) } else { error })
}

/// Hands rows out, one after the other, and tells what they were made of: a SHA-256.
pub(crate) type Feed<'f> = dyn FnMut(&mut dyn FnMut(&Line) -> cli::Result<()>) -> cli::Result<String> + 'f;

impl Loader<'_> {
    /// Whether the key is one, and the database keeps it unique.
    pub(crate) fn check(&self) -> cli::Result<()> {
        let doing = format!("looking at {}", self.name());
        for name in self.key {
            if !self.target.columns.iter().any(|column| column.name == *name) {
                let there: Vec<_> = self.target.columns.iter().map(|column| &*column.name).collect();
                return Err(Error::invalid(doing, format!("no_such_column: there is no column `{name}`"))
                    .hint(format!("there are: {}", there.join(", "))));
            }
        }
        if !self.key.is_empty() && told(&doing, self.session.ask(&self.sql(Vec::new()).unique()))?.is_empty()
        {
            let key = self.key.join(", ");
            return Err(Error::invalid(
                doing,
                format!("no unique index of ({key}): rows could be there twice"),
            )
            .hint(format!("CREATE UNIQUE INDEX ON {} ({key})", self.name())));
        }
        Ok(())
    }

    pub(crate) fn name(&self) -> String {
        format!("{}.{}", self.target.schema, self.target.table)
    }

    fn sql(&self, columns: Vec<database::load::Column>) -> Sql {
        Sql::new(&self.target, self.ledger, columns, self.key)
    }

    /// The load under that name, if it was made.
    pub(crate) fn known(&self, source: &str, id: &str) -> cli::Result<Option<Load>> {
        let (doing, sql) = ("reading the ledger", self.sql(Vec::new()));
        let there = told(doing, self.session.ask(&sql.ledger_there()))?;
        if there.first().is_none_or(|row| row[0].is_none()) {
            return Ok(None);
        }
        let found = told(doing, self.session.ask(&sql.known(id)))?;
        let Some(row) = found.first() else { return Ok(None) };
        let count = |at: usize| row[at].as_ref().and_then(|text| text.parse().ok()).unwrap_or_default();
        Ok(Some(Load {
            target: self.name(),
            load_id: id.to_owned(),
            source: source.to_owned(),
            sha256: row[0].clone().unwrap_or_default(),
            already: true,
            rows: count(1),
            inserted: count(2),
            updated: count(3),
            unchanged: count(4),
            superseded: count(5),
            rejected: count(6),
        }))
    }

    /// Reads all rows and tells what a load of them would be; touches nothing.
    pub(crate) fn plan(&mut self, name: &Name, feed: &mut Feed) -> cli::Result<LoadPlan> {
        let mut load = Loading::new(self, name, false);
        let sha256 = feed(&mut |line| load.take(line))?;
        let (rows, rejected) = (load.rows, load.rejected());
        let sql = load.sql.map(|sql| sql.all(load.staged)).unwrap_or_default();
        Ok(LoadPlan {
            target: self.name(),
            load_id: name.id.clone().unwrap_or_else(|| by_content(&sha256)),
            source: name.source.clone(),
            rows,
            rejected,
            sql,
        })
    }

    /// Makes a load; `No` if it was not to be made after all.
    pub(crate) fn apply(&mut self, name: &Name, feed: &mut Feed) -> cli::Result<(Answer, Load)> {
        let doing = format!("loading {} into {}", name.source, self.name());
        let plain = self.sql(Vec::new());
        self.run(&doing, "BEGIN")?;
        self.run(&doing, &plain.alone())?;
        if let Some(id) = &name.id
            && let Some(known) = self.known(&name.source, id)?
        {
            self.run(&doing, "ROLLBACK")?;
            return Ok((Answer::Yes, known));
        }
        let mut loading = Loading::new(self, name, true);
        let sha256 = feed(&mut |line| loading.take(line))?;
        let done = loading.finish()?;
        let id = name.id.clone().unwrap_or_else(|| by_content(&sha256));
        let Done { sql, staged, rows, sent, copied, rejected } = done;
        if name.id.is_none()
            && let Some(known) = self.known(&name.source, &id)?
        {
            self.run(&doing, "ROLLBACK")?;
            return Ok((Answer::Yes, known));
        }
        let mut load = Load {
            target: self.name(),
            load_id: id,
            source: name.source.clone(),
            sha256,
            rows,
            rejected,
            ..Load::default()
        };
        if let Some(sql) = &sql {
            self.place(&doing, sql, staged, copied, &mut load)?;
        }
        let Load { inserted, updated, unchanged, superseded, .. } = load;
        let placed = inserted + updated + unchanged + superseded;
        if copied != sent || placed != sent {
            self.run(&doing, "ROLLBACK")?;
            cli::warn(format!(
                "{doing}: counts differ: {sent} rows were sent, {copied} copied, {placed} are in the table; nothing is loaded"
            ));
            return Ok((Answer::No, load));
        }
        if let Some(most) = self.max_reject.filter(|most| rejected > *most) {
            self.run(&doing, "ROLLBACK")?;
            cli::warn(format!("{doing}: {rejected} rows were rejected, more than {most}; nothing is loaded"));
            return Ok((Answer::No, load));
        }
        self.rejects.as_mut().map_or(Ok(()), Rejects::sync)?;
        if told(&doing, self.session.ask(&plain.ledger_there()))?.first().is_none_or(|row| row[0].is_none()) {
            self.run(&doing, &plain.make_ledger())?;
        }
        self.run(&doing, &plain.note(&load))?;
        self.run(&doing, "COMMIT")?;
        Ok((Answer::Yes, load))
    }

    /// From the staging table into the other.
    fn place(&self, doing: &str, sql: &Sql, staged: bool, copied: u64, load: &mut Load) -> cli::Result<()> {
        if self.key.is_empty() {
            load.inserted = if staged { self.run(doing, &sql.append())? } else { copied };
            return Ok(());
        }
        self.run(doing, &Sql::weigh())?;
        load.superseded = self.run(doing, &sql.supersede())?;
        let merged = told(doing, self.session.ask(&sql.merge()))?;
        let count = |at: usize| -> u64 {
            let text = merged.first().and_then(|row| row.get(at)).and_then(Option::as_ref);
            text.and_then(|text| text.parse().ok()).unwrap_or_default()
        };
        (load.inserted, load.updated) = (count(0), count(1));
        let astray = told(doing, self.session.ask(&sql.astray()))?;
        let astray = astray.first().and_then(|row| row[0].as_ref()).and_then(|text| text.parse().ok());
        let in_table = copied.saturating_sub(load.superseded + astray.unwrap_or(copied));
        load.unchanged = in_table.saturating_sub(load.inserted + load.updated);
        Ok(())
    }

    fn run(&self, doing: &str, statement: &str) -> cli::Result<u64> {
        told(doing, self.session.execute(statement))
    }
}

/// A load that goes by its content.
pub(crate) fn by_content(sha256: &str) -> String {
    format!("sha256:{sha256}")
}

/// Rows on their way.
struct Loading<'a> {
    session: &'a Session,
    target: &'a Target,
    key: &'a [String],
    ledger: &'a str,
    rejects: &'a mut Option<Rejects>,
    stop: &'a Stop,
    doing: String,
    /// Whether anything is sent at all.
    sends: bool,
    staged: bool,
    /// What the first row decides on.
    sql: Option<Sql>,
    rows_of: Option<Rows>,
    copy: Option<Copy<'a>>,
    buffer: Vec<u8>,
    rows: u64,
    /// The lines that were put aside: the server counts without them.
    aside: BTreeSet<u64>,
}

/// All rows are sent.
struct Done {
    sql: Option<Sql>,
    staged: bool,
    rows: u64,
    sent: u64,
    copied: u64,
    rejected: u64,
}

impl<'a> Loading<'a> {
    fn new(loader: &'a mut Loader, name: &Name, sends: bool) -> Self {
        Self {
            doing: format!("loading {} into {}", name.source, loader.name()),
            // Rows that may be there already must not touch the table before that is known.
            staged: !loader.key.is_empty() || name.id.is_none(),
            session: &loader.session,
            target: &loader.target,
            key: loader.key,
            ledger: loader.ledger,
            rejects: &mut loader.rejects,
            stop: loader.stop,
            sends,
            sql: None,
            rows_of: None,
            copy: None,
            buffer: Vec::with_capacity(SEND_BYTES + (64 << 10)),
            rows: 0,
            aside: BTreeSet::new(),
        }
    }

    fn rejected(&self) -> u64 {
        self.aside.len() as u64
    }

    fn take(&mut self, line: &Line) -> cli::Result<()> {
        self.rows += 1;
        if line.is_too_long() {
            return self.reject(line, Bad { field: None, rule: None, why: "longer than 16 MiB".to_owned() });
        }
        if self.rows_of.is_none()
            && let Err(bad) = self.begin(line.bytes)?
        {
            return self.reject(line, bad);
        }
        let Some(rows_of) = &mut self.rows_of else { return Ok(()) };
        let before = self.buffer.len();
        match rows_of.write(line.bytes, &mut self.buffer) {
            Ok(()) if !self.sends => self.buffer.truncate(before),
            Ok(()) => {
                if !self.key.is_empty() {
                    self.buffer.push(b'\t');
                    self.buffer.extend_from_slice(line.number.to_string().as_bytes());
                }
                self.buffer.push(b'\n');
                if self.buffer.len() >= SEND_BYTES {
                    self.send()?;
                }
            }
            Err(bad) => {
                self.buffer.truncate(before);
                return self.reject(line, bad);
            }
        }
        Ok(())
    }

    /// The first row decides which columns are loaded: those the database fills itself are
    /// loaded if it has them.
    fn begin(&mut self, row: &[u8]) -> cli::Result<Result<(), Bad>> {
        let mut names = BTreeSet::new();
        if let Err(broken) = ndjson::each(row, |name, _| {
            names.insert(name.plain().into_owned());
        }) {
            return Ok(Err(Bad { field: None, rule: None, why: broken.to_string() }));
        }
        let columns = self.target.columns.iter();
        let columns = columns.filter(|column| !column.is_generated);
        let columns = columns.filter(|column| !column.has_default || names.contains(&column.name));
        let columns: Vec<_> = columns.cloned().collect();
        if columns.is_empty() {
            return Err(Error::invalid(&self.doing, "the first row has no field that is a column"));
        }
        if let Some(key) = self.key.iter().find(|key| !columns.iter().any(|column| column.name == **key)) {
            let why = "the database fills it, and the first row does not have it";
            return Err(Error::invalid(&self.doing, format!("key {key}: {why}")));
        }
        let sql = Sql::new(self.target, self.ledger, columns, self.key);
        if self.sends {
            if self.staged {
                told(&self.doing, self.session.execute(&sql.stage()))?;
            }
            self.copy = Some(told(&self.doing, self.session.copy(&sql.copy(self.staged)))?);
        }
        self.rows_of = Some(Rows::new(sql.columns().to_vec(), self.key));
        self.sql = Some(sql);
        Ok(Ok(()))
    }

    fn reject(&mut self, line: &Line, bad: Bad) -> cli::Result<()> {
        if let Some(rejects) = self.rejects {
            self.aside.insert(line.number);
            return if self.sends { rejects.put(&bad.of(line)) } else { Ok(()) };
        }
        let at = match &bad.field {
            Some(field) => format!("{}: line {}: {field}", self.doing, line.number),
            None => format!("{}: line {}", self.doing, line.number),
        };
        let hint = if bad.rule == Some("column") {
            "ALTER TABLE … ADD COLUMN …, or --reject FILE puts such rows aside"
        } else {
            "--reject FILE puts such rows aside"
        };
        Err(Error::invalid(at, bad.why).hint(hint))
    }

    fn send(&mut self) -> cli::Result<()> {
        if self.stop.requested() {
            return Err(Error::unavailable(&self.doing, self.stop.why()));
        }
        let Some(copy) = &mut self.copy else { return Ok(()) };
        let room = Vec::with_capacity(SEND_BYTES + (64 << 10));
        let sent = copy.send(std::mem::replace(&mut self.buffer, room));
        sent.map_err(|error| self.refused(error))
    }

    fn finish(mut self) -> cli::Result<Done> {
        if !self.buffer.is_empty() {
            self.send()?;
        }
        let copied = match self.copy.take() {
            Some(copy) => copy.finish().map_err(|error| self.refused(error))?,
            None => 0,
        };
        let rejected = self.rejected();
        Ok(Done {
            staged: self.staged,
            rows: self.rows,
            sent: self.rows - rejected,
            copied,
            rejected,
            sql: self.sql,
        })
    }

    /// What the server says of a row, with the row's line in the input.
    fn refused(&self, error: database::Error) -> Error {
        let place = error.context.as_deref().and_then(place);
        let doing = match &place {
            Some((line, column)) => {
                let line = self.line_of(*line);
                let column = column.as_ref().map(|name| format!(": {name}")).unwrap_or_default();
                format!("{}: line {line}{column}", self.doing)
            }
            None => self.doing.clone(),
        };
        match told(&doing, Err::<(), _>(error)) {
            Err(error) => error,
            Ok(()) => Error::invalid(doing, ""),
        }
    }

    /// The line of the input that is the server's line.
    fn line_of(&self, theirs: u64) -> u64 {
        self.aside.iter().fold(theirs, |line, aside| if *aside <= line { line + 1 } else { line })
    }
}

/// The line and column of `COPY orders, line 3, column amount: "x"`.
fn place(context: &str) -> Option<(u64, Option<String>)> {
    let rest = &context[context.find(", line ")? + 7..];
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let line = rest[..digits].parse().ok()?;
    let column = rest[digits..].strip_prefix(", column ").map(|rest| {
        let end = rest.rfind(": \"").or_else(|| rest.find(": null input")).unwrap_or(rest.len());
        rest[..end].to_owned()
    });
    Some((line, column))
}

/// Rows of an input, one JSON object a line; empty lines are passed over.
pub(crate) fn lines(
    input: impl Read,
    doing: &str,
    take: &mut dyn FnMut(&Line) -> cli::Result<()>,
) -> cli::Result<String> {
    let mut lines = Lines::new(Hashed { input, hash: Sha256::new() }, LINE_BYTES);
    loop {
        while let Some(line) = lines.take() {
            if !line.bytes.trim_ascii().is_empty() {
                take(&line)?;
            }
        }
        if !lines.fill().doing(doing)? {
            break;
        }
    }
    if let Some(line) = lines.last()
        && !line.bytes.trim_ascii().is_empty()
    {
        take(&line)?;
    }
    Ok(data_encoding::HEXLOWER.encode(&lines.input().hash.finalize_reset()))
}

/// The SHA-256 of a whole input.
pub(crate) fn hash(mut input: impl Read) -> std::io::Result<String> {
    let (mut hash, mut room) = (Sha256::new(), vec![0; 256 << 10]);
    loop {
        match input.read(&mut room)? {
            0 => return Ok(data_encoding::HEXLOWER.encode(&hash.finalize())),
            read => hash.update(&room[..read]),
        }
    }
}

/// Knows what was read.
struct Hashed<R> {
    input: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        let read = self.input.read(room)?;
        self.hash.update(&room[..read]);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_says_where_a_row_does_not_fit() {
        assert_eq!(place(r#"COPY orders, line 3, column amount: "x""#), Some((3, Some("amount".into()))));
        assert_eq!(place("COPY orders, line 12"), Some((12, None)));
        assert_eq!(place(r#"COPY a, line 1: "1	2""#), Some((1, None)));
        assert_eq!(place("SQL statement"), None);
    }

    #[test]
    fn empty_lines_are_no_rows_and_every_byte_is_hashed() {
        let (mut seen, text) = (Vec::new(), b"{}\n\n{\"a\":1}");
        let hashed = lines(&text[..], "reading", &mut |line| {
            seen.push((line.number, line.bytes.to_vec()));
            Ok(())
        });
        assert_eq!(seen, [(1, b"{}".to_vec()), (3, b"{\"a\":1}".to_vec())]);
        assert_eq!(hashed.unwrap(), hash(&text[..]).unwrap());
    }
}
