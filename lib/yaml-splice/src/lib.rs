//! Byte-exact edits of YAML that others wrote.
//!
//! [`Stream::parse`] finds the place of every value in a stream of documents;
//! [`Edits`] replaces some of them, and lines around them. Every other byte
//! stays as it was: comments, quotes, indents, line ends. Nothing is printed
//! anew from a tree.
//!
//! It is bounded: at most [`LIMIT_BYTES`], [`LIMIT_DEPTH`] levels; aliases are
//! never followed. Before an edited text is handed out it is parsed again:
//! documents nobody meant to touch must read as before.
//!
//! ```
//! use yaml_splice::{Edits, Stream};
//! let text = "spec:\n  cidr: \"10.0.0.0/8\"   # pods\n";
//! let stream = Stream::parse(text)?;
//! let cidr = stream.documents[0].root.at(&["spec", "cidr"]).unwrap();
//! let mut edits = Edits::of(&stream);
//! edits.set(cidr, "10.244.0.0/16")?;
//! assert_eq!(edits.apply()?, "spec:\n  cidr: \"10.244.0.0/16\"   # pods\n");
//! # Ok::<(), yaml_splice::Error>(())
//! ```

mod edit;
mod node;
mod stream;

pub use edit::{Edits, quoted};
pub use node::{Node, Style, Value};
pub use stream::{Document, LIMIT_BYTES, LIMIT_DEPTH, Stream};

use model::{Fault, Kind};

/// Why a stream cannot be read or edited.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is too long.
    #[error("longer than {LIMIT_BYTES} bytes")]
    Long,
    /// It nests too deep.
    #[error("line {line}: nested deeper than {LIMIT_DEPTH} levels")]
    Deep {
        /// The line, from 1.
        line: u32,
    },
    /// It is no YAML.
    #[error("line {line} column {column}: no valid YAML: {why}")]
    Syntax {
        /// The line, from 1.
        line: u32,
        /// The column, in characters, from 1.
        column: u32,
        /// What the scanner says.
        why: String,
    },
    /// A value is written in a way that is not edited.
    #[error("line {line}: {why}")]
    Place {
        /// The line, from 1.
        line: u32,
        /// What is in the way.
        why: &'static str,
    },
    /// The edited text does not say what was meant; nothing is handed out.
    #[error("the edit would change more than it should ({0}): left alone")]
    Spread(String),
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }
}
