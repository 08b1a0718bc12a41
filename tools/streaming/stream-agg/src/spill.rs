//! Windows that are larger than the memory they may take.
//!
//! When the engine holds too much, all of it goes into a temporary file: a run, ordered by window
//! and key. When a window closes, the engine's rows of it and those of all runs are merged.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use cli::{Context, Error};
use window::{Engine, Plan, Row};

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
}

impl Spill {
    /// Nothing yet; the file is below `dir`, and gone with the process.
    pub(crate) fn new(dir: &Path, most_bytes: usize, plan: &Plan) -> cli::Result<Self> {
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
        let file = tempfile::tempfile_in(dir).doing(format!("making a file in {}", dir.display()))?;
        let open_us = size_us.saturating_add(plan.lateness_us);
        Ok(Self { file, end: 0, most_bytes, open_us, windows: BTreeMap::new(), rows: BTreeMap::new() })
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
            if self.windows.is_empty() {
                self.file.set_len(0).doing(DOING)?;
                self.end = 0;
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
