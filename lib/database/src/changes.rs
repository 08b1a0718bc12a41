//! The changes of a table, whatever database it is in.

use std::time::Duration;

use model::LogPlace;

use crate::{Batch, Error, Result, Url, Wanted, json, mysql, postgres};

/// How a log of changes is followed.
#[derive(Clone, Debug, Default)]
pub struct Follow {
    /// The replication slot (`PostgreSQL`).
    pub slot: String,
    /// The publication (`PostgreSQL`).
    pub publication: String,
    /// Our number among the server's replicas (`MySQL`).
    pub server_id: u32,
    /// Where to go on; none if nothing was begun.
    pub from: Option<LogPlace>,
    /// The columns that were there until then, each with its type.
    pub columns: Vec<String>,
    /// Whether other columns are fine.
    pub accept_schema: bool,
    /// Ends where the log ends now.
    pub until_now: bool,
    /// How often an idle table lets the log go.
    pub heartbeat: Duration,
    /// How much of the log may be held for us.
    pub max_slot_bytes: Option<u64>,
}

/// What came of asking for changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Got {
    /// There may be more.
    More,
    /// Nothing new.
    Idle,
    /// Everything up to the end that was asked for.
    End,
    /// Nothing new, and the log holds more for us than it may: so many bytes.
    OverLimit(u64),
}

/// What is another between columns and columns, in words; none if nothing is.
pub fn difference(before: &[String], now: &[String]) -> Option<String> {
    let missing = |of: &[String], from: &[String]| {
        of.iter().filter(|column| !from.contains(column)).cloned().collect::<Vec<_>>().join(", ")
    };
    let (gone, new) = (missing(before, now), missing(now, before));
    match (gone.is_empty(), new.is_empty()) {
        _ if before == now => None,
        (true, true) => Some("columns stand in another order".to_owned()),
        (false, true) => Some(format!("gone: {gone}")),
        (true, false) => Some(format!("new: {new}")),
        (false, false) => Some(format!("was: {gone}; is: {new}")),
    }
}

impl Follow {
    /// Whether a table may go on with these columns.
    pub(crate) fn accepts(&self, columns: &[String]) -> Result<()> {
        let sorted = |columns: &[String]| {
            let mut columns = columns.to_vec();
            columns.sort();
            columns
        };
        let known = !self.columns.is_empty() && !self.accept_schema;
        match difference(&sorted(&self.columns), &sorted(columns)).filter(|_| known) {
            Some(why) => Err(Error::invalid(why).word("schema_changed").hint(ACCEPT)),
            None => Ok(()),
        }
    }
}

/// Rows that are there already, as changes that read them: of a database, a
/// table, at a place in the log.
pub(crate) fn of_rows(plain: &Batch, [db, table, at]: [&str; 3], batch: &mut Batch) {
    let tail = format!(
        ",\"src\":{{\"db\":{},\"table\":{},\"lsn\":{},\"tx\":null,\"seq\":null,\"ts\":null}}}}\n",
        json::quoted(db),
        json::quoted(table),
        json::quoted(at),
    );
    for line in plain.lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        batch.lines.extend_from_slice(b"{\"record\":\"row_change\",\"op\":\"r\",\"before\":null,\"after\":");
        batch.lines.extend_from_slice(line);
        batch.lines.extend_from_slice(tail.as_bytes());
    }
    batch.rows = plain.rows;
}

/// What to do about other columns.
pub const ACCEPT: &str =
    "--accept-schema goes on with the columns as they are now; removing the state begins anew";

/// A kind of log.
pub(crate) trait Log: std::fmt::Debug {
    fn columns(&self) -> &[String];
    fn next(&mut self, batch: &mut Batch) -> Result<Got>;
    fn confirm(&mut self, place: &LogPlace) -> Result<()>;
}

/// The rows of a table, then every change to it, in the order of commits.
#[derive(Debug)]
pub struct Changes(Box<dyn Log>);

impl Changes {
    /// Finds the table and the log. Nothing is changed yet: the first
    /// [`next`](Self::next) makes the slot.
    ///
    /// # Errors
    /// Fails if the database does, or the log no longer has what comes next.
    pub fn open(url: &Url, password: Option<&str>, wanted: Wanted, follow: Follow) -> Result<Self> {
        Ok(Self(match url {
            Url::Postgres(server) => Box::new(postgres::Changes::open(server, password, wanted, follow)?),
            Url::Mysql(server) => Box::new(mysql::Changes::open(server, password, wanted, follow)?),
            Url::Sqlite(_) => {
                return Err(Error::invalid("SQLite has no log of changes: snapshot or incremental"));
            }
        }))
    }

    /// The columns, each with its type.
    pub fn columns(&self) -> &[String] {
        self.0.columns()
    }

    /// The next changes. Where a batch has a place in the log, its lines end
    /// with a whole transaction.
    ///
    /// # Errors
    /// Fails if the database does.
    pub fn next(&mut self, batch: &mut Batch) -> Result<Got> {
        batch.lines.clear();
        *batch = Batch { lines: std::mem::take(&mut batch.lines), ..Batch::default() };
        self.0.next(batch)
    }

    /// Everything up to a place is safe: the log may let it go.
    ///
    /// # Errors
    /// Fails if the database does.
    pub fn confirm(&mut self, place: &LogPlace) -> Result<()> {
        self.0.confirm(place)
    }
}
