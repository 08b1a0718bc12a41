//! `PostgreSQL`.

mod changes;
mod connection;
mod load;
mod pgoutput;
mod table;
mod value;

pub(crate) use changes::Changes;
pub use connection::quoted;
pub use load::{Column, Copy, Holds, Session, Target, text_literal};
pub(crate) use table::Reader;
