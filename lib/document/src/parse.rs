//! From YAML text to a tree of values, within bounds.

use std::collections::HashSet;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput};

use crate::problem::{Problem, Problems};
use crate::scalar;
use crate::tree::{Entry, Node, Value};

/// The longest document: 1 MiB. What a person writes is far below.
pub const LIMIT_BYTES: u64 = 1 << 20;

/// How deep lists and mappings may nest.
pub const LIMIT_DEPTH: usize = 64;

/// Makes a tree of a YAML document.
///
/// # Errors
/// All that is wrong with the text as such. After a break of the syntax
/// itself the rest cannot be judged, so that one is the last.
pub fn parse(text: &str) -> Result<Node, Vec<Problem>> {
    if text.len() as u64 > LIMIT_BYTES {
        let message = format!("the document is longer than {LIMIT_BYTES} bytes");
        return Err(vec![problem((1, 1), "", message, None)]);
    }
    let mut builder = Builder { events: Parser::new_from_str(text), problems: Problems::default() };
    match builder.document() {
        Ok(root) if builder.problems.is_empty() => Ok(root),
        Ok(_) => Err(builder.problems.into_sorted()),
        Err(Stop(last)) => {
            let mut problems = builder.problems.into_sorted();
            problems.push(last);
            Err(problems)
        }
    }
}

/// What ends the reading: nothing behind it can be trusted.
struct Stop(Problem);

struct Builder<'a> {
    events: Parser<'a, StrInput<'a>>,
    problems: Problems,
}

impl<'a> Builder<'a> {
    fn document(&mut self) -> Result<Node, Stop> {
        let mut root = None;
        loop {
            match self.next("")? {
                (Event::StreamStart | Event::DocumentEnd | Event::Nothing, _) => {}
                (Event::DocumentStart(_), span) if root.is_some() => {
                    let message = "a second document begins here".to_owned();
                    let hint = "one file holds one document; remove what follows `---`";
                    return Err(Stop(problem(at(span.start), "", message, Some(hint))));
                }
                (Event::DocumentStart(_), _) => {
                    let event = self.next("")?;
                    root = Some(self.node(event, "", 0)?);
                }
                (Event::StreamEnd, _) => break,
                (_, span) => return Err(broken(at(span.start), "", "a value out of place")),
            }
        }
        root.ok_or_else(|| Stop(problem((1, 1), "", "the document is empty".to_owned(), None)))
    }

    /// The value that begins with `event`.
    fn node(&mut self, (event, span): (Event<'a>, Span), path: &str, depth: usize) -> Result<Node, Stop> {
        let start = at(span.start);
        let (anchor, tagged) = match &event {
            Event::Scalar(_, _, anchor, tag)
            | Event::SequenceStart(anchor, tag)
            | Event::MappingStart(anchor, tag) => (*anchor, tag.is_some()),
            _ => (0, false),
        };
        if anchor > 0 || matches!(event, Event::Alias(_)) {
            // Aliases make small documents huge, and places ambiguous.
            self.note(start, path, "anchors (&) and aliases (*) are not taken", Some("write the value out"));
        }
        if tagged {
            self.note(start, path, "tags (!) are not taken", Some("quote the text if it begins with `!`"));
        }
        let value = match event {
            Event::Scalar(text, ScalarStyle::Plain, _, _) => scalar::plain(&text),
            Event::Scalar(text, _, _, _) => Value::Text(text.into_owned()),
            Event::Alias(_) => Value::Null,
            Event::SequenceStart(..) | Event::MappingStart(..) if depth >= LIMIT_DEPTH => {
                let message = format!("nested deeper than {LIMIT_DEPTH} levels");
                return Err(Stop(problem(start, path, message, None)));
            }
            Event::SequenceStart(..) => self.list(path, depth)?,
            Event::MappingStart(..) => self.map(path, depth)?,
            _ => return Err(broken(start, path, "a value is missing")),
        };
        Ok(Node { line: start.0, column: start.1, value })
    }

    fn list(&mut self, path: &str, depth: usize) -> Result<Value, Stop> {
        let mut items = Vec::new();
        loop {
            match self.next(path)? {
                (Event::SequenceEnd, _) => return Ok(Value::List(items)),
                event => items.push(self.node(event, &format!("{path}[{}]", items.len()), depth + 1)?),
            }
        }
    }

    fn map(&mut self, path: &str, depth: usize) -> Result<Value, Stop> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen = HashSet::new();
        loop {
            let (event, span) = self.next(path)?;
            let (line, column) = at(span.start);
            let key = match event {
                Event::MappingEnd => return Ok(Value::Map(entries)),
                Event::Scalar(key, _, 0, None) => key.into_owned(),
                _ => {
                    let message = "a key is text without anchor or tag".to_owned();
                    return Err(Stop(problem((line, column), path, message, None)));
                }
            };
            let below = join(path, &key);
            let event = self.next(&below)?;
            let node = self.node(event, &below, depth + 1)?;
            if seen.insert(key.clone()) {
                entries.push(Entry { key, line, column, node });
            } else {
                self.note((line, column), &below, "the key is there twice", Some("keep one of the two"));
            }
        }
    }

    fn next(&mut self, path: &str) -> Result<(Event<'a>, Span), Stop> {
        match self.events.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(broken(at(*error.marker()), path, &said(&error))),
            None => Err(broken((1, 1), path, "the document ends too early")),
        }
    }

    fn note(&self, at: (u32, u32), path: &str, message: &str, hint: Option<&str>) {
        self.problems.note(problem(at, path, message.to_owned(), hint));
    }
}

/// The path of a key below another; what is overlong is cut.
pub(crate) fn join(path: &str, key: &str) -> String {
    let shown: String = key.chars().take(64).map(|c| if c.is_control() { '?' } else { c }).collect();
    let cut = if key.chars().nth(64).is_some() { "…" } else { "" };
    match path {
        "" => format!("{shown}{cut}"),
        _ => format!("{path}.{shown}{cut}"),
    }
}

fn problem((line, column): (u32, u32), path: &str, message: String, hint: Option<&str>) -> Problem {
    Problem { line, column, path: path.to_owned(), message, hint: hint.map(str::to_owned) }
}

fn broken(at: (u32, u32), path: &str, why: &str) -> Stop {
    let hint = why.contains("tab").then_some("indent with spaces");
    Stop(problem(at, path, format!("no valid YAML: {why}"), hint))
}

/// The scanner's own words, on one line.
fn said(error: &ScanError) -> String {
    error.info().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Line and column, both from 1; the scanner counts columns from 0.
fn at(marker: Marker) -> (u32, u32) {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    (number(marker.line()).max(1), number(marker.col() + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(text: &str) -> Problem {
        let mut problems = parse(text).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems.remove(0)
    }

    #[test]
    fn values_know_where_they_stand() {
        let root = parse("a: 1\nlist:\n  - x\n  - {k: [v, w]}\n").unwrap();
        assert_eq!(root.locate("list[1].k[1]"), (4, 13));
        assert_eq!(root.locate("list"), (2, 1));
        assert_eq!(root.locate("list[1].gone.deeper"), (4, 5));
    }

    #[test]
    fn a_key_that_is_there_twice_is_found_where_it_is_the_second_time() {
        let found = only("a: 1\nb: {c: 1, c: 2}\n");
        assert_eq!((found.line, found.column, found.path.as_str()), (2, 11, "b.c"));
    }

    #[test]
    fn a_second_document_is_refused() {
        assert_eq!(only("a: 1\n---\nb: 2\n").line, 2);
        assert!(parse("---\na: 1\n...\n").is_ok());
    }

    #[test]
    fn anchors_aliases_and_tags_are_refused() {
        let found = parse("a: &x 1\nb: *x\nc: !!str 1\n").unwrap_err();
        assert_eq!(found.iter().map(|p| p.path.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    #[test]
    fn depth_and_length_are_bounded() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(parse(&nested(LIMIT_DEPTH)).is_ok());
        assert!(only(&nested(LIMIT_DEPTH + 1)).message.contains("64 levels"));
        // The scanner itself gives up on this one before the first event.
        only(&nested(100_000));
        assert!(only(&"#".repeat((1 << 20) + 1)).message.contains("1048576"));
    }

    #[test]
    fn an_empty_document_is_no_document() {
        for text in ["", "\n\n", "# nothing\n"] {
            assert_eq!(only(text).message, "the document is empty", "{text:?}");
        }
    }

    #[test]
    fn broken_syntax_tells_its_place_and_what_was_wrong_before_it() {
        let found = parse("a: 1\na: 2\nb: [1, 2\nc: 3\n").unwrap_err();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].path, "a");
        assert!(found[1].message.starts_with("no valid YAML"), "{}", found[1]);
    }
}
