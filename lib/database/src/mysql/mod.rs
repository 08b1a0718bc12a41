//! `MySQL` and `MariaDB`.

mod changes;
mod connection;
mod packed;
mod table;
mod value;

pub(crate) use changes::Changes;
pub(crate) use table::Reader;
