//! Whether the log and the files of a lake agree.

use std::collections::{BTreeMap, BTreeSet};

use parquet::file::metadata::ParquetMetaDataReader;

use crate::log::{Commit, File, Lake};
use crate::{Error, Result};

/// Something that is not as the log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// What was looked at, in one word.
    pub check: &'static str,
    /// The file, or the topic and partition.
    pub target: String,
    /// What is there; `None` if nothing is.
    pub current: Option<String>,
    /// What ought to be.
    pub want: Option<String>,
    /// Whether it may be on its way still.
    pub passing: bool,
}

impl Wrong {
    fn new(check: &'static str, target: impl Into<String>) -> Self {
        Self { check, target: target.into(), current: None, want: None, passing: false }
    }

    fn current(self, current: impl Into<String>) -> Self {
        Self { current: Some(current.into()), ..self }
    }

    fn want(self, want: impl Into<String>) -> Self {
        Self { want: Some(want.into()), ..self }
    }
}

/// What was looked at, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Entries of the log.
    pub commits: u64,
    /// Files they name.
    pub files: u64,
    /// Rows these have.
    pub rows: u64,
    /// What is wrong.
    pub wrong: Vec<Wrong>,
}

impl Lake {
    /// Holds every entry of the log and every file against each other.
    ///
    /// # Errors
    /// Fails if the place cannot be read.
    pub fn check(&self) -> Result<Checked> {
        let mut checked = Checked::default();
        let mut commits = Vec::new();
        for entry in self.entries() {
            match entry {
                Ok(commit) => commits.push(commit),
                Err(Error::Log { name, why }) => {
                    checked.wrong.push(Wrong::new("log-damaged", name).current(why));
                }
                Err(error) => return Err(error),
            }
        }
        checked.commits = commits.len() as u64;
        checked.wrong.extend(offsets(&commits));
        let mut there: BTreeMap<String, u64> = self.store.files()?.into_iter().collect();
        let mut known = BTreeSet::new();
        for file in commits.iter().flat_map(|commit| &commit.files) {
            if !known.insert(&file.file) {
                checked.wrong.push(Wrong::new("file-twice", &*file.file));
                continue;
            }
            checked.files += 1;
            checked.rows += file.rows;
            let wrong = match there.remove(&file.file) {
                None => Some(Wrong::new("file-missing", &*file.file).want(format!("{} rows", file.rows))),
                Some(bytes) if bytes != file.bytes => Some(
                    Wrong::new("file-size", &*file.file)
                        .current(bytes.to_string())
                        .want(file.bytes.to_string()),
                ),
                Some(_) => self.rows(file)?,
            };
            checked.wrong.extend(wrong);
        }
        let passing = self.intended()?;
        for (name, bytes) in there {
            let wrong = Wrong::new("file-unknown", &*name).current(format!("{bytes} bytes"));
            checked.wrong.push(Wrong { passing: passing.contains(&name), ..wrong });
        }
        Ok(checked)
    }

    /// Whether a file has the rows the log says.
    fn rows(&self, file: &File) -> Result<Option<Wrong>> {
        let tail = self.store.tail(&file.file, file.bytes, 64 << 10)?;
        let rows = match rows(&tail) {
            Ok(rows) => Ok(rows),
            // The footer of many columns and row groups is longer.
            Err(Some(bytes)) if bytes <= file.bytes && bytes <= 256 << 20 => {
                rows(&self.store.tail(&file.file, file.bytes, bytes)?)
            }
            Err(other) => Err(other),
        };
        Ok(match rows {
            Ok(rows) if rows == file.rows => None,
            Ok(rows) => Some(
                Wrong::new("file-rows", &*file.file).current(rows.to_string()).want(file.rows.to_string()),
            ),
            Err(_) => {
                Some(Wrong::new("file-rows", &*file.file).current("no Parquet").want(file.rows.to_string()))
            }
        })
    }
}

/// The rows of a file whose end this is; how long that must be if it is too short.
fn rows(tail: &[u8]) -> std::result::Result<u64, Option<u64>> {
    let Some((rest, [a, b, c, d, b'P', b'A', b'R', b'1'])) = tail.split_last_chunk::<8>() else {
        return Err(None);
    };
    let length = u32::from_le_bytes([*a, *b, *c, *d]);
    let start = usize::try_from(length).ok().and_then(|length| rest.len().checked_sub(length));
    let start = start.ok_or(Some(u64::from(length) + 8))?;
    let metadata = ParquetMetaDataReader::decode_metadata(&rest[start..]).map_err(|_| None)?;
    u64::try_from(metadata.file_metadata().num_rows()).map_err(|_| None)
}

/// Whether the entries follow each other: their numbers, and the offsets of each partition.
fn offsets(commits: &[Commit]) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    let mut ends: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for (before, commit) in std::iter::once(None).chain(commits.iter().map(Some)).zip(commits) {
        let expected = before.map_or(1, |before| before.number + 1);
        if commit.number != expected {
            wrong.push(
                Wrong::new("log-gap", format!("commit {expected}"))
                    .want(format!("there are commits before it and after it, up to {}", commit.number)),
            );
        }
        let partition = format!("{} {}", commit.topic, commit.partition);
        let end = ends.insert((&commit.topic, &commit.partition), commit.to);
        let end = end.unwrap_or(commit.from);
        if commit.from > end {
            wrong.push(
                Wrong::new("offsets-gap", &*partition).current(commit.from.to_string()).want(end.to_string()),
            );
        }
        if commit.from < end {
            wrong.push(
                Wrong::new("offsets-overlap", &*partition)
                    .current(commit.from.to_string())
                    .want(end.to_string()),
            );
        }
        let held = commit.held.get(&commit.topic).and_then(|held| held.get(&commit.partition));
        if held.is_none_or(|held| held.to != commit.to) {
            let held = held.map_or_else(|| "nothing".to_owned(), |held| held.to.to_string());
            wrong.push(Wrong::new("offsets-held", partition).current(held).want(commit.to.to_string()));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Held;

    fn commit(number: u64, partition: &str, from: u64, to: u64) -> Commit {
        let held = Held { from: 0, to, last_sha256: None };
        Commit {
            version: 1,
            number,
            topic: "P".to_owned(),
            partition: partition.to_owned(),
            from,
            to,
            rejected: 0,
            files: Vec::new(),
            held: [("P".to_owned(), [(partition.to_owned(), held)].into())].into(),
            schemas: BTreeMap::new(),
            folders: BTreeMap::new(),
        }
    }

    fn told(commits: &[Commit]) -> Vec<String> {
        offsets(commits).iter().map(|wrong| format!("{} {}", wrong.check, wrong.target)).collect()
    }

    #[test]
    fn offsets_of_each_partition_follow_each_other() {
        let fine = [commit(1, "0", 5, 9), commit(2, "1", 0, 3), commit(3, "0", 9, 10)];
        assert_eq!(told(&fine), [""; 0]);
        assert_eq!(told(&[commit(1, "0", 0, 5), commit(2, "0", 6, 7)]), ["offsets-gap P 0"]);
        assert_eq!(told(&[commit(1, "0", 0, 5), commit(2, "0", 4, 7)]), ["offsets-overlap P 0"]);
        assert_eq!(told(&[commit(1, "0", 0, 5), commit(3, "0", 5, 7)]), ["log-gap commit 2"]);
        assert_eq!(told(&[commit(2, "0", 0, 5)]), ["log-gap commit 1"]);
    }

    #[test]
    fn what_is_no_parquet_is_told() {
        assert_eq!(rows(b""), Err(None));
        assert_eq!(rows(b"\x10\x00\x00\x00PAR1"), Err(Some(24)));
        assert_eq!(rows(b"xxxx\x04\x00\x00\x00PAR1"), Err(None));
    }
}
