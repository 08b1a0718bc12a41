//! Parts of windows, brought to their windows' ends.
//!
//! Those who read a topic's partitions gather parts and write them to a topic of their own, in
//! one transaction with how far they have read. Whoever reads a partition of that topic absorbs
//! them and writes the rows, in one transaction with how far it has read. Its engine is what the
//! partition's messages make of it: after a crash they are read again, from the last snapshot on.

use std::time::{Duration, Instant};

use cli::{Context, Error};
use kafka::{Connection, Consumer, Event, Isolation, Place};
use serde::{Deserialize, Serialize};
use window::{Engine, Plan, Row};

/// A message of the topic of parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told<'a> {
    /// A part of a window.
    Part(&'a [u8]),
    /// How far a source is, in microseconds since 1970; `i64::MAX` at its end.
    Saw(usize, i64),
    /// A source from which nothing comes for now.
    Idle(usize),
    /// A piece of the engine as it was before the message at `upto`.
    Snapshot { upto: i64, piece: u32, pieces: u32, bytes: &'a [u8] },
}

/// How many bytes of a snapshot go into a message.
const PIECE_BYTES: usize = 512 << 10;

impl<'a> Told<'a> {
    /// As it is written.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let source = |at: usize| u32::try_from(at).unwrap_or(u32::MAX).to_le_bytes();
        match self {
            Self::Part(part) => [&[1], *part].concat(),
            Self::Saw(at, latest_us) => [&[2][..], &source(*at), &latest_us.to_le_bytes()].concat(),
            Self::Idle(at) => [&[3][..], &source(*at)].concat(),
            Self::Snapshot { upto, piece, pieces, bytes } => {
                [&[4][..], &upto.to_le_bytes(), &piece.to_le_bytes(), &pieces.to_le_bytes(), bytes].concat()
            }
        }
    }

    /// What was written; `None` if nobody of us wrote it.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        let source = |bytes: &[u8; 4]| usize::try_from(u32::from_le_bytes(*bytes)).ok();
        Some(match kind {
            1 => Self::Part(rest),
            2 => {
                let (at, latest) = rest.split_first_chunk()?;
                Self::Saw(source(at)?, i64::from_le_bytes(latest.try_into().ok()?))
            }
            3 => Self::Idle(source(rest.try_into().ok()?)?),
            4 => {
                let (upto, rest) = rest.split_first_chunk()?;
                let (piece, rest) = rest.split_first_chunk()?;
                let (pieces, bytes) = rest.split_first_chunk()?;
                Self::Snapshot {
                    upto: i64::from_le_bytes(*upto),
                    piece: u32::from_le_bytes(*piece),
                    pieces: u32::from_le_bytes(*pieces),
                    bytes,
                }
            }
            _ => return None,
        })
    }

    /// The engine in pieces.
    pub(crate) fn snapshot(upto: i64, saved: &'a [u8]) -> impl Iterator<Item = Self> {
        let pieces = u32::try_from(saved.len().div_ceil(PIECE_BYTES)).unwrap_or(u32::MAX);
        (0..).zip(saved.chunks(PIECE_BYTES)).map(move |(piece, bytes)| Self::Snapshot {
            upto,
            piece,
            pieces,
            bytes,
        })
    }
}

/// What stands beside the offset of a partition of parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// What was asked for.
    pub(crate) plan: String,
    /// Where to begin to read again.
    pub(crate) upto: i64,
    /// Whether a snapshot follows there.
    pub(crate) snapshot: bool,
}

/// The engine of a partition of parts.
pub(crate) struct End {
    pub(crate) engine: Engine,
    pub(crate) mark: Mark,
    /// The offset of the next message, and what of it was committed.
    pub(crate) next: i64,
    pub(crate) committed: i64,
    /// How much was read since the last snapshot, bytes.
    read_bytes: usize,
    snapshot_bytes: usize,
}

/// How much is read again at most, where the state itself is small.
const AGAIN_BYTES: usize = 64 << 20;

/// A message that nobody of us wrote.
fn foreign(place: &Place, offset: i64) -> Error {
    Error::invalid(format!("reading {place}"), format!("the message at {offset} is not of stream-agg"))
        .hint("the topic is stream-agg's own: nobody else may write to it")
}

impl End {
    pub(crate) fn new(plan: &Plan, sources: usize, mark: Mark, next: i64) -> cli::Result<Self> {
        let mut engine = Engine::new(plan.clone()).invalid("reading arguments")?;
        (0..sources).for_each(|source| engine.expect(source));
        Ok(Self { engine, mark, next, committed: next, read_bytes: 0, snapshot_bytes: 0 })
    }

    /// The engine as it was when `next` was committed.
    pub(crate) fn recover(
        plan: &Plan,
        sources: usize,
        mark: Mark,
        next: i64,
        connection: &Connection,
        place: &Place,
    ) -> cli::Result<Self> {
        let upto = mark.upto;
        let mut end = Self::new(plan, sources, mark, upto)?;
        if end.mark.snapshot {
            let mut saved = Vec::new();
            again(connection, place, upto, i64::MAX, &mut |offset, bytes| match Told::read(bytes)
                .ok_or_else(|| foreign(place, offset))?
            {
                Told::Snapshot { upto: of, piece, pieces, bytes } if of == upto => {
                    saved.extend_from_slice(bytes);
                    Ok(piece + 1 == pieces)
                }
                _ => Ok(false),
            })?;
            end.engine = Engine::restore(plan.clone(), &saved).invalid(format!("restoring {place}"))?;
            (0..sources).for_each(|source| end.engine.expect(source));
            end.snapshot_bytes = saved.len();
        }
        again(connection, place, upto, next, &mut |offset, bytes| {
            end.take(place, offset, bytes, &mut |_| {}, &mut |_| {})?;
            Ok(false)
        })?;
        (end.next, end.committed) = (next, next);
        Ok(end)
    }

    /// Takes a message: rows come out through `sink`, those of windows that were closed without
    /// a source that was idle through `late`.
    pub(crate) fn take(
        &mut self,
        place: &Place,
        offset: i64,
        bytes: &[u8],
        sink: &mut impl FnMut(&Row),
        late: &mut impl FnMut(&Row),
    ) -> cli::Result<()> {
        self.next = offset + 1;
        self.read_bytes += bytes.len();
        match Told::read(bytes).ok_or_else(|| foreign(place, offset))? {
            Told::Part(part) => {
                let taken = if self.engine.is_closed(part) {
                    self.engine.absorb(part, late)
                } else {
                    self.engine.absorb(part, sink)
                };
                taken.map_err(|_| foreign(place, offset))?;
            }
            Told::Saw(source, latest_us) => self.engine.saw(source, latest_us, sink),
            Told::Idle(source) => self.engine.idle(source, sink),
            Told::Snapshot { .. } => {}
        }
        Ok(())
    }

    /// Whether every source has come to its end.
    pub(crate) fn is_over(&self, plan: &Plan) -> bool {
        self.engine.watermark_us().is_some_and(|now| now >= i64::MAX - plan.bound_us)
    }

    /// The engine's bytes if it is time to keep them.
    pub(crate) fn snapshot(&mut self) -> Option<Vec<u8>> {
        if self.read_bytes < AGAIN_BYTES.max(4 * self.snapshot_bytes) {
            return None;
        }
        let saved = self.engine.save();
        (self.read_bytes, self.snapshot_bytes) = (0, saved.len());
        self.mark.upto = self.next;
        self.mark.snapshot = true;
        Some(saved)
    }
}

/// Reads a partition again, up to an offset, or until `take` has enough.
pub(crate) fn again(
    connection: &Connection,
    place: &Place,
    from: i64,
    to: i64,
    take: &mut impl FnMut(i64, &[u8]) -> cli::Result<bool>,
) -> cli::Result<()> {
    if from >= to {
        return Ok(());
    }
    let doing = || format!("reading {place} again from {from}");
    let reader = Consumer::assigned(
        connection,
        None,
        Isolation::Committed,
        &[(place.clone(), from)].into_iter().collect(),
    )
    .doing(doing())?;
    let mut heard = Instant::now();
    loop {
        match reader.poll(Duration::from_millis(100)).doing(doing())? {
            Event::Message(message) => {
                heard = Instant::now();
                if message.offset() >= to || take(message.offset(), message.value().unwrap_or_default())? {
                    return Ok(());
                }
            }
            Event::End(..) => return Ok(()),
            _ if heard.elapsed() > connection.patience() => {
                return Err(reader.explain(kafka::Error::Timeout)).doing(doing());
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_comes_back() {
        for told in [
            Told::Part(b"part"),
            Told::Saw(7, -3),
            Told::Saw(0, i64::MAX),
            Told::Idle(70_000),
            Told::Snapshot { upto: 12, piece: 1, pieces: 3, bytes: b"\x00\x01" },
        ] {
            assert_eq!(Told::read(&told.bytes()), Some(told));
        }
        for foreign in [&b""[..], b"{}", b"\x02", b"\x03\x00\x00\x00", b"\x04\x00"] {
            assert_eq!(Told::read(foreign), None);
        }
        let saved = vec![7; PIECE_BYTES + 1];
        let pieces: Vec<_> = Told::snapshot(5, &saved).collect();
        assert!(matches!(
            pieces[..],
            [Told::Snapshot { piece: 0, pieces: 2, .. }, Told::Snapshot { piece: 1, .. }]
        ));
    }
}
