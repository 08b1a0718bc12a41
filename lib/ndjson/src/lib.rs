//! Finds the fields a step needs in lines of JSON, and refuses what is broken.
//!
//! [`Fields`] holds the paths that are wanted. [`Fields::find`] goes over a
//! line once: it checks that the whole line is one JSON object, as strictly as
//! `serde_json` does, and borrows the wanted values from it. Nothing is copied,
//! numbers keep their exact text, and of fields that stand twice the last wins.
//! [`each`] hands out all fields of a row, wanted or not.
//! [`Lines`] splits input into lines without holding more than a bound, and
//! [`time`] reads the times rows have.
//!
//! ```
//! let mut fields = ndjson::Fields::new();
//! let country = fields.want("meta.country")?;
//! let mut found = fields.none();
//! fields.find(br#"{"id":1,"meta":{"country":"SE"}}"#, &mut found).unwrap();
//! assert_eq!(found[country].text().as_deref(), Some("SE"));
//!
//! let broken = fields.find(br#"{"id":01}"#, &mut found).unwrap_err();
//! assert_eq!(broken.to_string(), "column 8: a comma or the object's end should stand here");
//! # Ok::<(), ndjson::PathError>(())
//! ```

mod fields;
mod lines;
mod scan;
mod shape;
pub mod time;
mod value;

pub use fields::{Fields, PathError, names};
pub use lines::{Block, Line, Lines};
pub use scan::{Broken, Why, each};
pub use shape::Habit;
pub use value::{Text, Value, emptied};
