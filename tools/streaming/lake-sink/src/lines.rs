//! Rows from standard input or a file.

use std::borrow::Cow;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use cli::{Context, Error};
use lake::Bad;
use ndjson::{Line, Lines};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use process::Stop;

use crate::Args;
use crate::run::{Cut, Row, Run, Whole};

/// The longest line.
const LINE_BYTES: usize = 16 << 20;

/// Reads all there is.
pub(crate) fn all<R: Read + AsFd>(run: &mut Run, input: R, args: &Args, stop: &Stop) -> cli::Result<()> {
    let mut lines = Lines::new(input, LINE_BYTES);
    let doing = format!("reading {}", args.input);
    let mut known = Known::of(run, args);
    let mut interrupted = false;
    if let Some(topic) = run.job.topic.as_ref().filter(|topic| run.lake.has(topic)) {
        // Other columns or folders are told before anything is read.
        run.stream(topic, &known.source)?;
    }
    loop {
        while let Some(line) = lines.take() {
            let taken = take(run, &line, &mut known);
            run.whole(taken)?;
        }
        run.commit_old()?;
        match wait(lines.input().as_fd(), stop, run.left()).unavailable(&doing)? {
            Woken::Input => {}
            Woken::Time => continue,
            Woken::Signal => {
                interrupted = true;
                break;
            }
        }
        if !lines.fill().doing(&doing)? {
            break;
        }
    }
    if interrupted {
        run.commit_all(Cut::Early)?;
        return Err(Error::unavailable(doing, format!("{}; what was read is in the lake", stop.why())));
    }
    if let Some(line) = lines.last() {
        let taken = take(run, &line, &mut known);
        run.whole(taken)?;
    }
    known.finish()?;
    run.commit_all(Cut::End)
}

fn take(run: &mut Run, line: &Line, known: &mut Known) -> cli::Result<()> {
    if line.bytes.trim_ascii().is_empty() && !line.is_too_long() {
        return Ok(());
    }
    run.counts.read += 1;
    let job = run.job;
    let Some(topic) = &job.topic else { return message(run, line, known) };
    let offset = known.base + line.number - 1;
    if offset < known.to {
        run.counts.held += 1;
        return known.check(offset, line.bytes);
    }
    let whole = Whole::Line { bytes: line.bytes, name: &known.name };
    let row = Row { offset, number: line.number, whole, value: line.bytes };
    if line.is_too_long() {
        run.settle(topic)?;
        let bad = Bad { field: None, why: "longer than 16 MiB".to_owned() };
        return run.rejected(topic, &known.source, &row, line.length_bytes, bad);
    }
    run.row(topic, &known.source, row)
}

/// A message: its value is the row. Without an offset it could not be told from others.
fn message(run: &mut Run, line: &Line, known: &Known) -> cli::Result<()> {
    let doing = || format!("reading {} line {}", known.name, line.number);
    if line.is_too_long() {
        return Err(Error::invalid(doing(), "longer than 16 MiB"));
    }
    let message = envelope::read(line.bytes)
        .invalid(doing())
        .map_err(|error| error.hint("--messages wants the messages of kafka-relay"))?;
    let place = message.topic.as_deref().zip(message.partition).zip(message.offset);
    let Some(((topic, partition), offset)) = place.filter(|((topic, _), _)| crate::job::is_name(topic))
    else {
        return Err(Error::invalid(doing(), "a message without topic, partition or offset"));
    };
    let (partition, offset) = (partition.to_string(), u64::try_from(offset).unwrap_or_default());
    if offset < run.lake.held(topic, &partition).map_or(0, |held| held.to) {
        run.counts.held += 1;
        return Ok(());
    }
    let value = message.value.as_ref().map_or(&b""[..], Cow::as_ref);
    let whole = Whole::Line { bytes: line.bytes, name: &known.name };
    run.row(topic, &partition, Row { offset, number: line.number, whole, value })
}

/// What the lake holds of an input of lines.
struct Known {
    name: String,
    source: String,
    /// The offset of the input's first row.
    base: u64,
    to: u64,
    last_sha256: Option<String>,
    checked: bool,
}

impl Known {
    fn of(run: &Run, args: &Args) -> Self {
        let source = args.source.0.clone();
        let held = run.job.topic.as_ref().and_then(|topic| run.lake.held(topic, &source));
        let to = held.map_or(0, |held| held.to);
        Self {
            name: args.input.to_string(),
            source,
            base: if args.append { to } else { 0 },
            to,
            last_sha256: held.and_then(|held| held.last_sha256.clone()),
            checked: args.append || to == 0,
        }
    }

    /// The last row the lake holds says whether this is the same input.
    fn check(&mut self, offset: u64, line: &[u8]) -> cli::Result<()> {
        if offset + 1 < self.to {
            return Ok(());
        }
        if self.last_sha256.as_ref().is_some_and(|known| *known != lake::hash(line)) {
            return Err(self.other());
        }
        self.checked = true;
        Ok(())
    }

    /// An input that ends before what the lake holds of it is another one.
    fn finish(&self) -> cli::Result<()> {
        if self.checked { Ok(()) } else { Err(self.other()) }
    }

    fn other(&self) -> Error {
        let why = format!("not the input the lake holds {} rows of as source {}", self.to, self.source);
        Error::invalid(format!("reading {}", self.name), why)
            .hint("--source NAME tells inputs apart; --append adds these rows after those")
    }
}

enum Woken {
    Input,
    Time,
    Signal,
}

/// Waits for input, a signal, or so long.
fn wait(input: BorrowedFd, stop: &Stop, left: Option<Duration>) -> nix::Result<Woken> {
    let mut wanted = [PollFd::new(input, PollFlags::POLLIN), PollFd::new(stop.as_fd(), PollFlags::POLLIN)];
    let left = left.map_or(PollTimeout::NONE, |left| {
        PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX)
    });
    match poll(&mut wanted, left) {
        _ if stop.requested() => Ok(Woken::Signal),
        Ok(0) | Err(nix::errno::Errno::EINTR) => Ok(Woken::Time),
        Err(error) => Err(error),
        Ok(_) => Ok(Woken::Input),
    }
}
