//! `PostgreSQL`.

mod changes;
mod connection;
mod pgoutput;
mod table;
mod value;

pub(crate) use changes::Changes;
pub(crate) use table::Reader;
