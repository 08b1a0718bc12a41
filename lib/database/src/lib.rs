//! Databases: rows as lines of JSON, in an order that can be gone on from.
//!
//! A [`Reader`] gives one table batch by batch. Each [`Batch`] is a number of
//! whole lines and the [`Scalar`]s to go on after. [`Overlap`] knows which
//! rows were given before, where reading begins a little before the last row.
//! [`Changes`] gives a table's rows, then every change to it. [`load`] is the
//! way back: rows into a table.
//!
//! Values keep all they have: whole numbers and decimals are JSON numbers
//! with every digit, bytes are base64, times are as the database gives them.
//!
//! ```
//! # let dir = tempfile::tempdir().unwrap();
//! # let path = dir.path().join("a.db");
//! # rusqlite::Connection::open(&path).unwrap().execute_batch("create table t(id integer primary key, n); insert into t values(1,9007199254740993)").unwrap();
//! let url: database::Url = format!("sqlite:{}", path.display()).parse().unwrap();
//! let wanted = database::Wanted { table: "t".into(), ..database::Wanted::default() };
//! let mut reader = database::Reader::open(&url, None, wanted).unwrap();
//! let mut batch = database::Batch::default();
//! reader.next(&mut batch).unwrap();
//! assert_eq!(batch.lines, b"{\"id\":1,\"n\":9007199254740993}\n");
//! ```

mod changes;
mod error;
mod json;
pub mod load;
mod mysql;
mod overlap;
mod patience;
mod postgres;
mod reader;
mod scalar;
mod sqlite;
mod time;
mod tls;
mod url;

pub use changes::{ACCEPT, Changes, Follow, Got, difference};
pub use error::{Error, Result};
pub use overlap::{Overlap, Seen};
pub use patience::Patience;
pub use reader::{Batch, Reader, Wanted};
pub use scalar::Scalar;
pub use url::{Server, Tls, Url};
