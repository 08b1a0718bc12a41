//! From text to the places of its values.

use std::ops::Range;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput};

use crate::{Error, Node, Style, Value};

/// The longest stream: 16 MiB. The manifests of a whole release are below one.
pub const LIMIT_BYTES: usize = 16 << 20;

/// How deep lists and mappings may nest.
pub const LIMIT_DEPTH: usize = 64;

/// Documents, and the place of every value in them.
#[derive(Debug)]
pub struct Stream<'t> {
    /// The text, as it was given.
    pub text: &'t str,
    /// The documents, those that hold nothing included.
    pub documents: Vec<Document>,
    /// Where each line begins.
    lines: Vec<usize>,
    /// Scalars of several lines: what looks like a comment in them is none.
    blocks: Vec<Range<usize>>,
}

/// One document.
#[derive(Debug)]
pub struct Document {
    /// Where it begins.
    pub start: usize,
    /// What it holds.
    pub root: Node,
}

impl<'t> Stream<'t> {
    /// Finds the place of every value.
    ///
    /// # Errors
    /// Fails if it is no YAML, too long or too deep.
    pub fn parse(text: &'t str) -> Result<Self, Error> {
        if text.len() > LIMIT_BYTES {
            return Err(Error::Long);
        }
        let offsets = text.char_indices().map(|(offset, _)| offset).chain([text.len()]).collect();
        let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(n, _)| n + 1);
        let lines = [0].into_iter().chain(newlines).collect();
        let events = Parser::new_from_str(text);
        let mut builder = Builder { text, offsets, lines, events, blocks: Vec::new() };
        let documents = builder.documents()?;
        Ok(Self { text, documents, lines: builder.lines, blocks: builder.blocks })
    }

    /// How many lines there are.
    pub fn line_count(&self) -> u32 {
        let open = usize::from(!self.text.is_empty() && !self.text.ends_with('\n'));
        u32::try_from(self.lines.len() - 1 + open).unwrap_or(u32::MAX)
    }

    /// The line an offset lies on, from 1.
    pub fn line_at(&self, offset: usize) -> u32 {
        line_at(&self.lines, offset)
    }

    /// The bytes of a line (from 1) without its line end; empty behind the last one.
    pub fn line(&self, number: u32) -> Range<usize> {
        let at = |n: usize| self.lines.get(n).copied().unwrap_or(self.text.len());
        let (start, end) = (at(number as usize - 1), at(number as usize));
        let line = &self.text[start..end];
        start..start + line.trim_end_matches('\n').trim_end_matches('\r').len()
    }

    /// The text of a line (from 1) without its line end.
    pub fn line_text(&self, number: u32) -> &'t str {
        &self.text[self.line(number)]
    }

    /// What a line (from 1) says behind its `#`; none if it is no comment, or
    /// part of a text of several lines.
    pub fn comment(&self, number: u32) -> Option<&'t str> {
        let line = self.line(number);
        let inside = self.blocks.iter().any(|block| block.start < line.end && line.start < block.end);
        let text = self.text[line].trim_start().strip_prefix('#')?;
        (!inside).then_some(text)
    }

    /// How the text ends its lines.
    pub fn line_end(&self) -> &'static str {
        match self.text.find('\n') {
            Some(end) if self.text[..end].ends_with('\r') => "\r\n",
            _ => "\n",
        }
    }
}

struct Builder<'t> {
    text: &'t str,
    /// The byte each character begins at: marks count characters.
    offsets: Vec<usize>,
    lines: Vec<usize>,
    events: Parser<'t, StrInput<'t>>,
    blocks: Vec<Range<usize>>,
}

impl<'t> Builder<'t> {
    fn documents(&mut self) -> Result<Vec<Document>, Error> {
        let mut documents = Vec::new();
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(documents),
                (Event::DocumentStart(_), span) => {
                    let event = self.next()?;
                    let root = self.node(event, 0)?;
                    documents.push(Document { start: self.offset(span.start), root });
                }
                _ => {}
            }
        }
    }

    /// The value that begins with an event.
    fn node(&mut self, (event, span): (Event<'t>, Span), depth: usize) -> Result<Node, Error> {
        let start = self.offset(span.start);
        // The scanner counts a lone CR as well.
        let line = line_at(&self.lines, start);
        let written = start..self.offset(span.end).max(start);
        let nested = matches!(event, Event::SequenceStart(..) | Event::MappingStart(..));
        if nested && depth >= LIMIT_DEPTH {
            return Err(Error::Deep { line });
        }
        let adorned = match &event {
            Event::Scalar(_, _, anchor, tag)
            | Event::SequenceStart(anchor, tag)
            | Event::MappingStart(anchor, tag) => *anchor > 0 || tag.is_some(),
            _ => false,
        };
        let (value, range) = match event {
            Event::Scalar(text, style, _, _) => {
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted => Style::Single,
                    ScalarStyle::DoubleQuoted => Style::Double,
                    ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
                };
                let range = if text.is_empty() && style == Style::Plain {
                    start..start
                } else {
                    self.scalar(written, style)
                };
                if self.text[range.clone()].contains('\n') {
                    self.blocks.push(range.clone());
                }
                (Value::Scalar(text.into_owned(), style), range)
            }
            Event::Alias(_) => (Value::Alias, written),
            Event::SequenceStart(..) => {
                let mut items = Vec::new();
                let end = loop {
                    match self.next()? {
                        (Event::SequenceEnd, span) => break self.offset(span.end),
                        event => items.push(self.node(event, depth + 1)?),
                    }
                };
                let last = items.last().map(|item: &Node| item.range.end);
                (Value::List(items), self.collection(written, last, end))
            }
            Event::MappingStart(..) => {
                let mut entries = Vec::new();
                let end = loop {
                    match self.next()? {
                        (Event::MappingEnd, span) => break self.offset(span.end),
                        event => {
                            let key = self.node(event, depth + 1)?;
                            let event = self.next()?;
                            let mut value = self.node(event, depth + 1)?;
                            if value.range.is_empty() && !value.adorned {
                                value.range = self.behind(&key, value.range);
                            }
                            entries.push((key, value));
                        }
                    }
                };
                let last =
                    entries.last().map(|(key, value): &(Node, Node)| value.range.end.max(key.range.end));
                (Value::Map(entries), self.collection(written, last, end))
            }
            _ => return Err(Error::Syntax { line, column: 1, why: "a value out of place".into() }),
        };
        Ok(Node { line, range, value, adorned })
    }

    /// The bytes of a scalar. The scanner's marks of a quoted one may reach
    /// over the blanks and the comment behind it.
    fn scalar(&self, written: Range<usize>, style: Style) -> Range<usize> {
        let text = &self.text[written.clone()];
        let length = match style {
            Style::Single => closing(text, '\'', None),
            Style::Double => closing(text, '"', Some('\\')),
            // A block's may reach into the indent of the comment behind it.
            Style::Plain | Style::Block => Some(text.trim_end().len()),
        };
        written.start..written.start + length.unwrap_or(text.len())
    }

    /// The bytes of a list or mapping: to its bracket, or to the end of what is last in it.
    fn collection(&self, begun: Range<usize>, last: Option<usize>, end: usize) -> Range<usize> {
        let flow = self.text[begun.clone()].ends_with(['[', '{']);
        begun.start..if flow { end } else { last.unwrap_or(begun.end) }
    }

    /// Where a value goes that is not written yet: behind the colon of its key.
    fn behind(&self, key: &Node, range: Range<usize>) -> Range<usize> {
        let rest = &self.text[key.range.end..];
        let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        let colon = key.range.end + blanks;
        if self.text[colon..].starts_with(':') { colon + 1..colon + 1 } else { range }
    }

    fn next(&mut self) -> Result<(Event<'t>, Span), Error> {
        match self.events.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let column = u32::try_from(error.marker().col() + 1).unwrap_or(u32::MAX);
                let why = error.info().split_whitespace().collect::<Vec<_>>().join(" ");
                Err(Error::Syntax { line: line_at(&self.lines, self.offset(*error.marker())), column, why })
            }
            None => Err(Error::Syntax { line: 1, column: 1, why: "it ends too early".into() }),
        }
    }

    fn offset(&self, mark: Marker) -> usize {
        self.offsets.get(mark.index()).copied().unwrap_or(self.text.len())
    }
}

fn line_at(lines: &[usize], offset: usize) -> u32 {
    u32::try_from(lines.partition_point(|start| *start <= offset)).unwrap_or(u32::MAX)
}

/// How long a quoted text is that begins at its quote. Doubled single quotes
/// end it and begin it again, which comes to the same.
fn closing(text: &str, quote: char, escape: Option<char>) -> Option<usize> {
    let mut characters = text.char_indices().peekable();
    if characters.next()?.1 != quote {
        return None;
    }
    while let Some((at, character)) = characters.next() {
        if Some(character) == escape {
            characters.next();
        } else if character == quote {
            let doubled = escape.is_none() && characters.peek().is_some_and(|(_, next)| *next == quote);
            if !doubled {
                return Some(at + 1);
            }
            characters.next();
        }
    }
    None
}
