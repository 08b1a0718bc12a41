//! Lines of any input, in bounded memory.

use std::io::{self, ErrorKind, Read};

/// What is kept of a line that is too long.
const HEAD_BYTES: usize = 1024;

/// Splits input into lines; a line is a slice of the buffer it was read into.
///
/// [`Lines::take`] hands out what is there, [`Lines::fill`] reads more: between
/// the two a caller can flush, or save its place, before it waits.
#[derive(Debug)]
pub struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
    /// What is not handed out yet lies from `start` to `end`.
    start: usize,
    end: usize,
    /// Before it there is no line's end.
    searched: usize,
    limit_bytes: usize,
    offset: u64,
    number: u64,
    /// The beginning of a line that turned out too long, and its length so far.
    head: Vec<u8>,
    dropped_bytes: u64,
}

/// Whole lines, to be gone over elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// Its lines lie from `start` to `end`.
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    offset: u64,
    number: u64,
    limit_bytes: usize,
}

impl Block {
    /// Its lines.
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        let mut start = 0;
        memchr::memchr_iter(b'\n', self.bytes()).enumerate().map(move |(index, end)| {
            let from = start;
            start = end + 1;
            self.line(index, from, end - from)
        })
    }

    /// The line of that number, from 0, which begins at that byte and is so long.
    #[inline]
    pub fn line(&self, index: usize, start: usize, length: usize) -> Line<'_> {
        let kept = if length > self.limit_bytes { HEAD_BYTES } else { length };
        Line {
            bytes: &self.bytes()[start..start + kept],
            number: self.number + index as u64 + 1,
            offset: self.offset + start as u64,
            length_bytes: length as u64,
        }
    }

    /// The bytes of its lines, their ends among them.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// The same as text, if all of it is UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(self.bytes()).ok()
    }

    /// Where the next line begins in the input, and how many lines there are up to there.
    pub fn end(&self, lines: u64) -> (u64, u64) {
        (self.offset + self.bytes().len() as u64, self.number + lines)
    }
}

/// A line without its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The line; of one that is too long its first kilobyte.
    pub bytes: &'a [u8],
    /// Its number, from 1.
    pub number: u64,
    /// Where it begins in the input, bytes.
    pub offset: u64,
    /// Its length, bytes.
    pub length_bytes: u64,
}

impl Line<'_> {
    /// Whether it was longer than the bound, so that the rest of it is gone.
    pub fn is_too_long(&self) -> bool {
        self.bytes.len() as u64 != self.length_bytes
    }
}

impl<R: Read> Lines<R> {
    /// Lines of `input`, each at most `limit_bytes` long.
    pub fn new(input: R, limit_bytes: usize) -> Self {
        Self::resumed(input, limit_bytes, 0, 0)
    }

    /// The same from `offset` bytes on, `number` lines of which are gone; the input is there already.
    pub fn resumed(input: R, limit_bytes: usize, offset: u64, number: u64) -> Self {
        let limit_bytes = limit_bytes.max(HEAD_BYTES);
        Self {
            input,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            searched: 0,
            limit_bytes,
            offset,
            number,
            head: Vec::new(),
            dropped_bytes: 0,
        }
    }

    /// The next line, if its end has been read.
    #[inline]
    pub fn take(&mut self) -> Option<Line<'_>> {
        let Some(at) = memchr::memchr(b'\n', &self.buffer[self.searched..self.end]) else {
            self.searched = self.end;
            if self.dropped_bytes > 0 || self.end - self.start > self.limit_bytes {
                self.drop_read();
            }
            return None;
        };
        let end = self.searched + at;
        Some(self.hand_out(end, 1))
    }

    /// All lines whose ends have been read, in the room of an earlier block; the others are
    /// for [`Lines::take`]: there are none, or one that is too long.
    pub fn block(&mut self, room: Block) -> Option<Block> {
        let read = &self.buffer[self.start..self.end];
        let length = memchr::memrchr(b'\n', read).filter(|_| self.dropped_bytes == 0)? + 1;
        // The block takes the buffer; what is left of a line goes over to its room.
        let (start, end) = (self.start, self.start + length);
        let left = self.end - end;
        let mut bytes = room.bytes;
        bytes.resize(bytes.len().max(left), 0);
        bytes[..left].copy_from_slice(&self.buffer[end..self.end]);
        std::mem::swap(&mut self.buffer, &mut bytes);
        (self.start, self.end, self.searched) = (0, left, left);
        let (offset, number, limit_bytes) = (self.offset, self.number, self.limit_bytes);
        let block = Block { bytes, start, end, offset, number, limit_bytes };
        self.number += memchr::memchr_iter(b'\n', block.bytes()).count() as u64;
        self.offset += length as u64;
        Some(block)
    }

    /// Reads more; false at the input's end.
    ///
    /// # Errors
    /// Fails if the input does.
    pub fn fill(&mut self) -> io::Result<bool> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.searched -= self.start;
            self.start = 0;
        }
        // Little enough at a time for the processor's cache to keep it until it is gone over; the
        // buffer grows only for lines that need it.
        let room = self.end + (128 << 10);
        if self.buffer.len() < room {
            self.buffer.resize(room, 0);
        }
        loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(read) => {
                    self.end += read;
                    return Ok(read > 0);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// What stands after the last line's end; to be asked for at the input's end.
    pub fn last(&mut self) -> Option<Line<'_>> {
        if self.start == self.end && self.dropped_bytes == 0 {
            return None;
        }
        Some(self.hand_out(self.end, 0))
    }

    /// Where the next line begins, bytes from the input's start.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// How many lines were handed out.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// What is read from.
    pub fn input(&mut self) -> &mut R {
        &mut self.input
    }

    fn hand_out(&mut self, end: usize, gap: usize) -> Line<'_> {
        let start = self.start;
        let read = end - start;
        let length_bytes = self.dropped_bytes + read as u64;
        let offset = self.offset;
        self.offset += length_bytes + gap as u64;
        self.number += 1;
        self.start = end + gap;
        self.searched = self.start;
        let bytes = if self.dropped_bytes > 0 {
            self.dropped_bytes = 0;
            &self.head[..]
        } else if read > self.limit_bytes {
            &self.buffer[start..start + HEAD_BYTES]
        } else {
            &self.buffer[start..end]
        };
        Line { bytes, number: self.number, offset, length_bytes }
    }

    /// Lets go of a line that is too long as far as it was read.
    fn drop_read(&mut self) {
        if self.dropped_bytes == 0 {
            self.head.clear();
            self.head.extend_from_slice(&self.buffer[self.start..self.start + HEAD_BYTES]);
        }
        self.dropped_bytes += (self.end - self.start) as u64;
        (self.start, self.end, self.searched) = (0, 0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a few bytes at a time.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let step = self.1.min(into.len());
            self.0.read(&mut into[..step])
        }
    }

    fn all(text: &[u8], step: usize, limit: usize) -> Vec<(u64, u64, u64, Vec<u8>)> {
        let mut lines = Lines::new(Slow(text, step), limit);
        let mut seen = Vec::new();
        let mut keep = |line: Line| {
            seen.push((line.number, line.offset, line.length_bytes, line.bytes.to_vec()));
        };
        loop {
            while let Some(line) = lines.take() {
                keep(line);
            }
            if !lines.fill().unwrap() {
                break;
            }
        }
        if let Some(line) = lines.last() {
            keep(line);
        }
        assert_eq!(lines.offset(), text.len() as u64);
        seen
    }

    #[test]
    fn lines_come_whole_however_they_are_read() {
        let text = b"one\n\nthree\r\nfour";
        let expected: Vec<_> = [(1, 0, "one"), (2, 4, ""), (3, 5, "three\r"), (4, 12, "four")]
            .map(|(number, offset, line)| (number, offset, line.len() as u64, line.as_bytes().to_vec()))
            .to_vec();
        for step in [1, 2, 3, 5, 100] {
            assert_eq!(all(text, step, 1 << 20), expected, "{step} bytes at a time");
        }
    }

    #[test]
    fn a_line_too_long_is_told_with_its_length_and_the_next_one_is_whole() {
        let mut text = vec![b'x'; 3_000_000];
        text.extend_from_slice(b"\nnext\n");
        for step in [1000, 4096, 10_000_000] {
            let seen = all(&text, step, 2000);
            assert_eq!((seen[0].2, seen[0].3.len()), (3_000_000, 1024));
            assert_eq!(seen[1], (2, 3_000_001, 4, b"next".to_vec()));
        }
    }

    #[test]
    fn blocks_hold_the_same_lines() {
        let mut text = b"one\n\nthree\r\n".to_vec();
        text.extend_from_slice(&[b'x'; 5000]);
        text.extend_from_slice(b"\nfive\nsix");
        for step in [1, 2, 3, 5, 100, 6000] {
            let mut lines = Lines::new(Slow(&text, step), 2000);
            let (mut seen, mut room) = (Vec::new(), Block::default());
            let mut keep = |line: Line| {
                seen.push((line.number, line.offset, line.length_bytes, line.bytes.to_vec()));
            };
            loop {
                if let Some(block) = lines.block(room) {
                    block.lines().for_each(&mut keep);
                    assert_eq!(block.end(block.lines().count() as u64), (lines.offset(), lines.number()));
                    room = block;
                } else {
                    room = Block::default();
                }
                while let Some(line) = lines.take() {
                    keep(line);
                }
                if !lines.fill().unwrap() {
                    break;
                }
            }
            lines.last().map(keep);
            assert_eq!(seen, all(&text, step, 2000), "{step} bytes at a time");
        }
    }

    #[test]
    fn memory_stays_bounded_while_a_line_has_no_end() {
        let mut lines = Lines::new(io::repeat(b'x').take(50 << 20), 1 << 20);
        while lines.fill().unwrap() {
            assert!(lines.take().is_none());
        }
        assert!(lines.buffer.len() <= 2 << 20, "{}", lines.buffer.len());
        assert!(lines.last().unwrap().is_too_long());
    }

    #[test]
    fn a_line_too_long_at_the_very_end_is_told() {
        let seen = all(&[b'x'; 5000], 5000, 2000);
        assert_eq!((seen.len(), seen[0].2, seen[0].3.len()), (1, 5000, 1024));
    }
}
