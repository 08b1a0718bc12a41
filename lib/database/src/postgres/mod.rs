//! `PostgreSQL`.

mod connection;
mod table;
mod value;

pub(crate) use table::Reader;
