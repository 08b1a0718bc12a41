//! What is wrong in a document.

use std::cell::RefCell;
use std::fmt;

use model::{Fault, Kind};

/// One thing that is wrong in a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The line, from 1.
    pub line: u32,
    /// The column, in characters, from 1.
    pub column: u32,
    /// The field, such as `hosts[2].bmc.address`; empty for the document as a whole.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// The way out, where it is known.
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} column {}: ", self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "; {hint}"))
    }
}

impl std::error::Error for Problem {}

impl Fault for Problem {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }
}

/// How many problems are kept; nobody reads more.
const LIMIT: usize = 1000;

/// Where problems are noted while a model is made.
#[derive(Debug, Default)]
pub struct Problems(RefCell<Vec<Problem>>);

impl Problems {
    /// Notes one; beyond a thousand they are dropped.
    pub fn note(&self, problem: Problem) {
        let mut noted = self.0.borrow_mut();
        if noted.len() < LIMIT {
            noted.push(problem);
        }
    }

    /// Whether nothing is wrong so far.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// Whether something is wrong at a path or below it.
    pub fn touch(&self, path: &str) -> bool {
        let below = |rest: &str| rest.is_empty() || rest.starts_with(['.', '[']);
        self.0.borrow().iter().any(|problem| problem.path.strip_prefix(path).is_some_and(below))
    }

    /// All of them in the order of the document.
    pub fn into_sorted(self) -> Vec<Problem> {
        let mut problems = self.0.into_inner();
        problems.sort();
        problems
    }
}
