//! The changes of a table, whatever database it is in.

use std::time::Duration;

use model::LogPlace;

use crate::{Batch, Error, Result, Url, Wanted, postgres};

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
            Url::Mysql(_) => return Err(Error::invalid("MySQL and MariaDB are not there yet")),
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
