//! Parquet files in folders and buckets, with a commit log.
//!
//! A [`Lake`] is a place: data files in folders by partition, and `_log`
//! beside them. A [`Stream`] takes rows of one topic and partition, offset by
//! offset, and commits them: files are named by the offsets they hold, put
//! where nothing stands yet, and then made known by one entry of the log. An
//! entry says which offsets the lake holds after it, so that whoever comes
//! next knows where to go on; what a crash left behind between the two is
//! removed before anything else is put.
//!
//! Nothing here reads the environment, and the clock only signs requests.
//!
//! S3 is spoken by hand over `http`: it is a signature, a handful of calls and
//! four elements of XML, where a client library brings an executor, a calendar
//! and another HTTP stack.

mod cell;
mod check;
mod columns;
mod decimal;
mod error;
mod log;
mod rows;
mod schema;
mod store;
mod stream;
mod table;

pub use check::{Checked, Wrong};
pub use error::{Error, Result};
pub use log::{Commit, File, Held, Lake};
pub use rows::Rows;
pub use schema::{Column, Sample, Schema, Type};
pub use store::{Credentials, Pause, S3Options, Store};
pub use stream::{Bad, Limits, Stream, Taken, hash};
pub use table::Table;
