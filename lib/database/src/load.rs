//! Rows into a table of `PostgreSQL`: a transaction in which they are copied.

pub use crate::postgres::{Column, Copy, Holds, Session, Target, quoted, text_literal as literal};
