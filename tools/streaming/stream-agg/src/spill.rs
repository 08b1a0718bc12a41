//! Windows that are larger than the memory they may take.
//!
//! When the engine holds too much, all of it goes into a file: a run, ordered by window and key.
//! When a window closes, the engine's rows of it and those of all runs are merged. The file is only
//! added to; what no checkpoint needs any more is given back to the disk.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use cli::{Context, Error};
use nix::fcntl::{FallocateFlags, fallocate};
use serde::{Deserialize, Serialize};
use window::{Engine, Plan, Row};

use crate::checkpoint;

/// A row's part, and how long a window stays open after its start.
const DOING: &str = "spilling windows";

/// What was spilled.
pub(crate) struct Spill {
    file: File,
    end: u64,
    most_bytes: usize,
    /// Until when a window is open, after its start.
    open_us: i64,
    /// Where parts of a window stand: by its start, from the oldest run on.
    windows: BTreeMap<i64, Vec<(u64, u64)>>,
    /// Rows the engine brought out of windows of which there is more here.
    rows: BTreeMap<i64, Vec<Vec<u8>>>,
    /// What was read and is not given back yet.
    gone: Vec<(u64, u64)>,
    /// Whether a checkpoint may need what is gone.
    is_kept: bool,
}

/// What a checkpoint knows of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spilled {
    end: u64,
    windows: BTreeMap<i64, Vec<(u64, u64)>>,
    /// The SHA-256 of its last bytes, up to 4096 of them.
    end_sha256: String,
}

impl Spilled {
    pub(crate) fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }
}

impl Spill {
    /// Nothing yet; the file is below `dir`, and gone with the process.
    pub(crate) fn new(dir: &Path, most_bytes: usize, plan: &Plan) -> cli::Result<Self> {
        let open_us = Self::open_us(plan)?;
        let file = tempfile::tempfile_in(dir).doing(format!("making a file in {}", dir.display()))?;
        let (windows, rows, gone) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        Ok(Self { file, end: 0, most_bytes, open_us, windows, rows, gone, is_kept: false })
    }

    /// What a checkpoint knows of, in that file.
    pub(crate) fn kept(path: &Path, spilled: Spilled, most_bytes: usize, plan: &Plan) -> cli::Result<Self> {
        let open_us = Self::open_us(plan)?;
        let doing = format!("reading {}", path.display());
        let mut options = OpenOptions::new();
        let file = options.create(true).read(true).write(true).truncate(false).open(path).doing(&doing)?;
        let Spilled { end, windows, end_sha256 } = spilled;
        let there = file.metadata().doing(&doing)?.len();
        if there < end || (end > 0 && checkpoint::before(&file, end).doing(&doing)? != end_sha256) {
            return Err(Error::invalid(doing, "not the file the checkpoint is of")
                .hint("remove the checkpoint to begin anew"));
        }
        file.set_len(end).doing(&doing)?;
        let (rows, gone) = (BTreeMap::new(), Vec::new());
        Ok(Self { file, end, most_bytes, open_us, windows, rows, gone, is_kept: true })
    }

    /// How long a window is open, if it comes out once.
    fn open_us(plan: &Plan) -> cli::Result<i64> {
        let size_us = match plan.windows {
            window::Windows::Tumbling { size_us } | window::Windows::Hopping { size_us, .. } => size_us,
            window::Windows::Session { .. } => {
                return Err(Error::invalid("reading arguments", "sessions cannot be spilled")
                    .hint("--max-state goes with windows that come out once: tumbling and hop"));
            }
        };
        if plan.emit != window::Emit::Final {
            return Err(Error::invalid("reading arguments", "windows that are revised cannot be spilled")
                .hint("--max-state goes with --emit final"));
        }
        Ok(size_us.saturating_add(plan.lateness_us))
    }

    /// Whether a row of the engine is only a part of what there is; if so it is taken.
    #[inline]
    pub(crate) fn takes(&mut self, row: &Row) -> bool {
        let is_part = self.windows.contains_key(&row.start_us);
        if is_part {
            self.rows.entry(row.start_us).or_default().push(row.part());
        }
        is_part
    }

    /// Makes room if the engine holds too much, and, `at_last`, once more if there is something
    /// to be merged with: then nothing is twice in memory.
    pub(crate) fn relieve(&mut self, engine: &mut Engine, at_last: bool) -> cli::Result<()> {
        let most_bytes = if at_last && !self.windows.is_empty() { 0 } else { self.most_bytes };
        self.leave(engine, most_bytes)
    }

    /// Leaves the engine with no more than that.
    fn leave(&mut self, engine: &mut Engine, most_bytes: usize) -> cli::Result<()> {
        if engine.bytes() <= most_bytes {
            return Ok(());
        }
        self.file.seek(SeekFrom::Start(self.end)).doing(DOING)?;
        let mut to = BufWriter::with_capacity(1 << 20, &self.file);
        let (windows, end) = (&mut self.windows, &mut self.end);
        let mut went = Ok(());
        let mut run: Option<i64> = None;
        engine.shed(&mut |_, part| {
            if went.is_err() {
                return;
            }
            let start_us = window::part_of(&part).map_or(0, |(start_us, _)| start_us);
            let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
            went = to.write_all(&length.to_le_bytes()).and_then(|()| to.write_all(&part));
            let ranges = windows.entry(start_us).or_default();
            if run != Some(start_us) {
                ranges.push((*end, *end));
                run = Some(start_us);
            }
            *end += 4 + part.len() as u64;
            if let Some((_, to)) = ranges.last_mut() {
                *to = *end;
            }
        });
        went.and_then(|()| to.flush()).doing(DOING)
    }

    /// Brings out the windows the watermark has passed; all of them at the input's end.
    pub(crate) fn close(
        &mut self,
        plan: &Plan,
        watermark_us: i64,
        sink: &mut impl FnMut(&Row),
    ) -> cli::Result<()> {
        while let Some(first) = self.windows.first_entry() {
            let start_us = *first.key();
            if start_us.saturating_add(self.open_us) > watermark_us {
                return Ok(());
            }
            let ranges = first.remove();
            let rows = self.rows.remove(&start_us).unwrap_or_default();
            let runs = ranges.iter().map(|&(from, to)| Run::stored(&self.file, from, to));
            merge(runs.chain([Run::held(rows)]).collect(), plan, sink)?;
            self.gone.extend(ranges);
            if !self.is_kept {
                self.give_back()?;
            }
        }
        Ok(())
    }

    /// Hands the file to the disk, for a checkpoint, which holds what the engine still has: little
    /// enough to be copied a few times.
    pub(crate) fn keep(&mut self, engine: &mut Engine) -> cli::Result<Spilled> {
        self.leave(engine, self.most_bytes / 4)?;
        if self.windows.is_empty() {
            return Ok(Spilled::default());
        }
        self.file.sync_data().doing(DOING)?;
        let end_sha256 = checkpoint::before(&self.file, self.end).doing(DOING)?;
        Ok(Spilled { end: self.end, windows: self.windows.clone(), end_sha256 })
    }

    /// Gives back to the disk what was read: no checkpoint needs it now.
    pub(crate) fn give_back(&mut self) -> cli::Result<()> {
        if self.windows.is_empty() && self.end > 0 {
            self.file.set_len(0).doing(DOING)?;
            (self.end, self.gone) = (0, Vec::new());
        }
        let hole = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        for (from, to) in self.gone.drain(..) {
            // A disk that cannot do this keeps it until all windows are closed.
            if let (Ok(from), Ok(length)) = (i64::try_from(from), i64::try_from(to - from)) {
                let _cannot = fallocate(&self.file, hole, from, length);
            }
        }
        Ok(())
    }

    /// Whether something is spilled of windows the watermark has passed.
    #[inline]
    pub(crate) fn is_due(&self, watermark_us: i64) -> bool {
        self.windows
            .first_key_value()
            .is_some_and(|(start, _)| start.saturating_add(self.open_us) <= watermark_us)
    }
}

/// Parts in the order of their keys.
struct Run<'a> {
    from: Box<dyn Iterator<Item = std::io::Result<Vec<u8>>> + 'a>,
    next: Option<Vec<u8>>,
}

impl<'a> Run<'a> {
    fn stored(file: &'a File, from: u64, to: u64) -> Self {
        let mut bytes = BufReader::with_capacity(256 << 10, Range { file, at: from, to });
        let mut length = [0; 4];
        let parts = std::iter::from_fn(move || match bytes.read_exact(&mut length) {
            Ok(()) => {
                let mut part = vec![0; usize::try_from(u32::from_le_bytes(length)).unwrap_or_default()];
                Some(bytes.read_exact(&mut part).map(|()| part))
            }
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => None,
            Err(error) => Some(Err(error)),
        });
        Self { from: Box::new(parts), next: None }
    }

    fn held(parts: Vec<Vec<u8>>) -> Self {
        Self { from: Box::new(parts.into_iter().map(Ok)), next: None }
    }

    fn advance(&mut self) -> cli::Result<()> {
        self.next = self.from.next().transpose().doing(DOING)?;
        Ok(())
    }

    fn key(&self) -> Option<&[u8]> {
        self.next.as_ref().and_then(|part| window::part_of(part).ok()).map(|(_, key)| key)
    }
}

/// A piece of a file.
struct Range<'a> {
    file: &'a File,
    at: u64,
    to: u64,
}

impl Read for Range<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let left = usize::try_from(self.to - self.at).unwrap_or(usize::MAX);
        let most = into.len().min(left);
        let read = self.file.read_at(&mut into[..most], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// One row for each key, from all runs, the oldest first.
fn merge(mut runs: Vec<Run>, plan: &Plan, sink: &mut impl FnMut(&Row)) -> cli::Result<()> {
    runs.iter_mut().try_for_each(Run::advance)?;
    let mut parts = Vec::new();
    while let Some(least) = runs.iter().filter_map(Run::key).min().map(<[u8]>::to_vec) {
        parts.clear();
        for run in &mut runs {
            if run.key() == Some(&least) {
                parts.extend(run.next.take());
                run.advance()?;
            }
        }
        window::merged(plan, &parts, sink).invalid(DOING)?;
    }
    Ok(())
}
