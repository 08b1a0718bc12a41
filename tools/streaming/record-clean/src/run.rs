//! Rows in, rows out, and what was put aside.

use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};

use cli::{Context, Error, Out, Rejects};
use model::Reject;
use ndjson::{Line, Lines};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use process::Stop;

use crate::clean::{Cleaner, Verdict, Wrong};
use crate::row::Row;

/// The longest row.
const LINE_BYTES: usize = 16 << 20;

/// The closing counts: rows in are those out, filtered and rejected.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) rows: u64,
    pub(crate) out: u64,
    pub(crate) filtered: u64,
    pub(crate) rejected: u64,
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { rows, out, filtered, rejected } = self;
        write!(f, "{rows} in = {out} out + {filtered} filtered + {rejected} rejected")
    }
}

/// One run: from an input to standard output.
pub(crate) struct Run<'a> {
    pub(crate) name: String,
    pub(crate) cleaner: Cleaner,
    pub(crate) rejects: Option<Rejects>,
    pub(crate) counts: Counts,
    pub(crate) out: &'a mut Out,
    line: Vec<u8>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(name: String, cleaner: Cleaner, rejects: Option<Rejects>, out: &'a mut Out) -> Self {
        Self { name, cleaner, rejects, counts: Counts::default(), out, line: Vec::new() }
    }

    /// Cleans every row. All that was read is out before more is waited for.
    ///
    /// # Errors
    /// Fails at the first bad row if none may be put aside, if a signal ends
    /// it, or if reading or writing fails.
    pub(crate) fn all<R: Read + AsFd>(&mut self, input: R) -> cli::Result<()> {
        let stop = Stop::on_signals().unavailable("catching signals")?;
        let mut lines = Lines::new(input, LINE_BYTES);
        loop {
            while let Some(line) = lines.take() {
                self.one(&line)?;
                if self.out.is_closed() {
                    return Ok(());
                }
            }
            self.flush()?;
            let doing = format!("reading {}", self.name);
            if self.out.is_closed() {
                return Ok(());
            }
            if !wait(lines.input().as_fd(), &stop).unavailable(&doing)? {
                return Err(Error::unavailable(doing, "interrupted by a signal; what was read is out"));
            }
            if !lines.fill().doing(&doing)? {
                break;
            }
        }
        if let Some(line) = lines.last() {
            self.one(&line)?;
        }
        self.flush()
    }

    fn flush(&mut self) -> cli::Result<()> {
        self.rejects.as_mut().map_or(Ok(()), Rejects::flush)?;
        self.out.flush()
    }

    fn one(&mut self, line: &Line) -> cli::Result<()> {
        if line.bytes.trim_ascii().is_empty() && !line.is_too_long() {
            return Ok(());
        }
        self.counts.rows += 1;
        self.line.clear();
        let verdict = if line.is_too_long() {
            Err(Wrong::row("longer than 16 MiB"))
        } else {
            Row::parse(line.bytes).and_then(|mut row| {
                let verdict = self.cleaner.clean(&mut row)?;
                if verdict == Verdict::Out {
                    row.write(&mut self.line);
                }
                Ok(verdict)
            })
        };
        match verdict {
            Ok(Verdict::Out) => {
                self.counts.out += 1;
                self.out.write(&self.line)
            }
            Ok(Verdict::Filtered) => {
                self.counts.filtered += 1;
                Ok(())
            }
            Err(wrong) => {
                self.counts.rejected += 1;
                match &mut self.rejects {
                    Some(rejects) => rejects.put(&reject(line, wrong)),
                    None => Err(told(&self.name, line.number, &wrong)),
                }
            }
        }
    }
}

/// Waits for input; false if a signal came instead.
fn wait(input: BorrowedFd, stop: &Stop) -> nix::Result<bool> {
    let mut wanted = [PollFd::new(input, PollFlags::POLLIN), PollFd::new(stop.as_fd(), PollFlags::POLLIN)];
    while !stop.requested() {
        match poll(&mut wanted, PollTimeout::NONE) {
            Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error),
            Ok(_) => break,
        }
    }
    Ok(!stop.requested())
}

fn told(name: &str, number: u64, wrong: &Wrong) -> Error {
    let rule = wrong.rule.map(|rule| format!(" ({rule})")).unwrap_or_default();
    let field = wrong.field.as_ref().map(|field| format!("{field}: ")).unwrap_or_default();
    Error::invalid(format!("reading {name} line {number}"), format!("{field}{}{rule}", wrong.error))
        .hint("--reject FILE puts such rows aside and goes on")
}

/// The row that is put aside, whole.
fn reject(line: &Line, wrong: Wrong) -> Reject {
    let row = Reject::of(line.number, line.bytes, line.length_bytes);
    Reject { field: wrong.field, rule: wrong.rule.map(str::to_owned), error: wrong.error, ..row }
}
