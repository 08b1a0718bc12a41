//! Standard input or a file, and records read from it.

use std::convert::Infallible;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::marker::PhantomData;
use std::path::PathBuf;
use std::str::FromStr;

use serde::de::DeserializeOwned;

use crate::{Context, Error, Result};

/// Where a command reads from: a file, or standard input for `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
}

impl Input {
    /// Opens it for reading.
    ///
    /// # Errors
    /// Fails if the file cannot be opened.
    pub fn open(&self) -> Result<Box<dyn BufRead>> {
        Ok(match self {
            Self::Stdin => Box::new(io::stdin().lock()),
            Self::File(path) => Box::new(BufReader::new(File::open(path).doing(format!("reading {self}"))?)),
        })
    }

    /// Reads it whole, up to `limit_bytes`.
    ///
    /// # Errors
    /// Fails if it cannot be read or is longer.
    pub fn read(&self, limit_bytes: u64) -> Result<Vec<u8>> {
        let mut content = Vec::new();
        let doing = format!("reading {self}");
        self.open()?.take(limit_bytes + 1).read_to_end(&mut content).doing(&doing)?;
        if content.len() as u64 > limit_bytes {
            return Err(Error::invalid(doing, format!("longer than {limit_bytes} bytes")));
        }
        Ok(content)
    }

    /// Reads it whole as UTF-8, up to `limit_bytes`.
    ///
    /// # Errors
    /// Fails if it cannot be read, is longer, or is not UTF-8.
    pub fn read_text(&self, limit_bytes: u64) -> Result<String> {
        String::from_utf8(self.read(limit_bytes)?).invalid(format!("reading {self}"))
    }

    /// Reads it as records, one JSON object a line.
    ///
    /// # Errors
    /// Fails if the file cannot be opened.
    pub fn records<T: DeserializeOwned>(&self) -> Result<Records<T>> {
        Ok(Records { name: self.to_string(), lines: self.open()?, number: 0, of: PhantomData })
    }
}

impl FromStr for Input {
    type Err = Infallible;

    fn from_str(text: &str) -> std::result::Result<Self, Infallible> {
        Ok(if text == "-" { Self::Stdin } else { Self::File(text.into()) })
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdin => f.write_str("standard input"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// The longest line a record may have: 16 MiB.
const LINE_BYTES: u64 = 16 << 20;

/// Records read from an [`Input`], in order; blank lines are passed over.
///
/// An item is an error if its line is no such record: the message names the
/// input and the line, and the iterator can go on after it.
pub struct Records<T> {
    name: String,
    lines: Box<dyn BufRead>,
    number: u64,
    of: PhantomData<T>,
}

impl<T: DeserializeOwned> Iterator for Records<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut line = Vec::new();
            self.number += 1;
            let doing = format!("reading {} line {}", self.name, self.number);
            match self.lines.by_ref().take(LINE_BYTES).read_until(b'\n', &mut line) {
                Err(error) => return Some(Err(error).doing(doing)),
                Ok(0) => return None,
                Ok(_) if line.len() as u64 == LINE_BYTES && line.last() != Some(&b'\n') => {
                    return Some(Err(Error::invalid(doing, "line longer than 16 MiB")));
                }
                Ok(_) if line.trim_ascii().is_empty() => {}
                Ok(_) => return Some(serde_json::from_slice(&line).invalid(doing)),
            }
        }
    }
}
