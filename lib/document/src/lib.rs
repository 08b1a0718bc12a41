//! Documents a person writes: YAML in, all errors at once out.
//!
//! [`parse`] makes a tree of values that know their line and column. It is
//! bounded: at most [`LIMIT_BYTES`], [`LIMIT_DEPTH`] levels, one document, no
//! anchors, no tags, no key twice. Plain scalars are read by the core schema
//! of YAML 1.2: `off`, `no` and `yes` are text.
//!
//! A [`Field`] is a place in that tree while a model is made from it. What
//! is wrong is noted in [`Problems`] and the work goes on, so that the writer
//! hears of everything in one go:
//!
//! ```
//! use document::{Field, Problems};
//!
//! let tree = document::parse("name: lab\nprot: 6443\n").unwrap();
//! let problems = Problems::default();
//! if let Some(mut keys) = Field::root(&tree, &problems).keys() {
//!     let name: Option<String> = keys.required("name", Field::text);
//!     let port: Option<u16> = keys.optional("port", |field| field.number(1..=65535));
//!     assert_eq!((name.as_deref(), port), (Some("lab"), None));
//!     keys.finish();
//! }
//! let found = problems.into_sorted();
//! assert_eq!(found[0].to_string(), "line 2 column 1: prot: unknown key; did you mean `port`?");
//! ```

mod field;
mod parse;
mod problem;
mod scalar;
mod tree;
mod words;

pub use field::{Field, Keys};
pub use parse::{LIMIT_BYTES, LIMIT_DEPTH, parse};
pub use problem::{Problem, Problems};
pub use tree::{Entry, Node, Value};
