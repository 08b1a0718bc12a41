//! hosts(5): addresses and their names, with a block that is kept for us.
//!
//! Read as glibc reads it: `#` ends a line anywhere, fields are parted by
//! white space (a carriage return is some), a line whose first field is no
//! address says nothing. Bytes, not text: outside our block every byte stays.
//!
//! ```
//! let mut hosts = conf::hosts::Hosts::new("127.0.0.1 localhost\n");
//! hosts.put("lab", &["10.0.0.11 cp1".into()])?;
//! let text = "127.0.0.1 localhost\n# BEGIN bareplane lab\n10.0.0.11 cp1\n# END bareplane lab\n";
//! assert_eq!(hosts.as_bytes(), text.as_bytes());
//! # Ok::<(), conf::Error>(())
//! ```

use std::net::IpAddr;
use std::ops::Range;

use crate::{Error, Problem};

/// A table of hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts {
    bytes: Vec<u8>,
}

/// One line that names an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its line, from 1.
    pub line: u32,
    /// The address.
    pub address: IpAddr,
    /// The names, the canonical one first; at least one.
    pub names: Vec<String>,
}

/// A managed block, marks and all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Whose it is.
    pub name: String,
    /// The line of its first mark, from 1.
    pub first: u32,
    /// The line of its last mark.
    pub last: u32,
    range: Range<usize>,
}

/// What a line says about managed blocks.
enum Mark {
    Begin(String),
    End(String),
}

impl Hosts {
    /// Takes a table as it is.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self { bytes: bytes.into() }
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What it names, in order.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        (1..).zip(self.lines()).filter_map(|(line, range)| entry(&self.bytes[range], line))
    }

    /// The managed blocks.
    ///
    /// # Errors
    /// Everything that is wrong with their marks: nobody can tell what lies between them then.
    pub fn blocks(&self) -> Result<Vec<Block>, Vec<Error>> {
        let mut blocks: Vec<Block> = Vec::new();
        let mut wrong = Vec::new();
        let mut open: Option<Block> = None;
        for (line, range) in (1..).zip(self.lines()) {
            match mark(&self.bytes[range.clone()]) {
                None => {}
                Some(Mark::Begin(name)) => {
                    if open.is_some() {
                        wrong.push(Error { line, problem: Problem::NestedMark });
                    } else if blocks.iter().any(|block| block.name == name) {
                        wrong.push(Error { line, problem: Problem::SecondMark });
                    }
                    open = Some(Block { name, first: line, last: line, range });
                }
                Some(Mark::End(name)) => match open.take() {
                    Some(mut block) if block.name == name => {
                        block.last = line;
                        block.range.end = range.end;
                        blocks.push(block);
                    }
                    _ => wrong.push(Error { line, problem: Problem::StrayMark }),
                },
            }
        }
        wrong.extend(open.map(|block| Error { line: block.first, problem: Problem::OpenMark }));
        if wrong.is_empty() { Ok(blocks) } else { Err(wrong) }
    }

    /// Makes these lines the block of a name: where it is, or at the end.
    /// Line ends are those of the first line.
    ///
    /// # Errors
    /// The first thing that is wrong with the marks.
    pub fn put(&mut self, name: &str, lines: &[String]) -> Result<(), Error> {
        let blocks = self.blocks().map_err(|wrong| wrong[0].clone())?;
        let crlf = self
            .lines()
            .next()
            .is_some_and(|first| matches!(&self.bytes[first], [.., b'\r'] | [.., b'\r', b'\n']));
        let end = if crlf { "\r\n" } else { "\n" };
        let text = block(name, lines, end);
        if let Some(block) = blocks.into_iter().find(|block| block.name == name) {
            self.bytes.splice(block.range, text.into_bytes());
            return Ok(());
        }
        if !self.bytes.is_empty() && !self.bytes.ends_with(b"\n") {
            let end = if self.bytes.ends_with(b"\r") { "\n" } else { end };
            self.bytes.extend(end.bytes());
        }
        self.bytes.extend(text.into_bytes());
        Ok(())
    }

    /// Where its lines are, with their newlines.
    fn lines(&self) -> impl Iterator<Item = Range<usize>> {
        let mut at = 0;
        self.bytes.split_inclusive(|byte| *byte == b'\n').map(move |line| {
            let start = at;
            at += line.len();
            start..at
        })
    }
}

/// The block of a name with these lines.
pub fn block(name: &str, lines: &[String], end: &str) -> String {
    let mut text = format!("# BEGIN bareplane {name}{end}");
    for line in lines {
        text.push_str(line);
        text.push_str(end);
    }
    text + &format!("# END bareplane {name}{end}")
}

fn entry(line: &[u8], number: u32) -> Option<Entry> {
    let said = line.split(|byte| *byte == b'#').next()?;
    let said = String::from_utf8_lossy(said);
    let mut fields = said.split(|c: char| c.is_ascii_whitespace() || c == '\x0b').filter(|f| !f.is_empty());
    let address = fields.next()?;
    // A zone (`fe80::1%eth0`) is no part of the address.
    let address = address.split('%').next()?.parse().ok()?;
    let names: Vec<String> = fields.map(str::to_owned).collect();
    (!names.is_empty()).then_some(Entry { line: number, address, names })
}

/// A mark is known however its blanks were edited, so that a damaged one is not passed over.
fn mark(line: &[u8]) -> Option<Mark> {
    let line = str::from_utf8(line).ok()?.trim().strip_prefix('#')?;
    let mut words = line.split_whitespace();
    let (word, ours) = (words.next()?, words.next()?);
    let name = words.collect::<Vec<_>>().join(" ");
    match (word, ours) {
        ("BEGIN", "bareplane") => Some(Mark::Begin(name)),
        ("END", "bareplane") => Some(Mark::End(name)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn put(text: &str) -> String {
        let mut hosts = Hosts::new(text);
        hosts.put("lab", &["10.0.0.1 cp1".into()]).unwrap();
        String::from_utf8(hosts.bytes).unwrap()
    }

    fn wrong(text: &str) -> Vec<(u32, Problem)> {
        let wrong = Hosts::new(text).blocks().unwrap_err();
        wrong.into_iter().map(|error| (error.line, error.problem)).collect()
    }

    const BLOCK: &str = "# BEGIN bareplane lab\n10.0.0.1 cp1\n# END bareplane lab\n";

    #[test]
    fn entries_are_those_glibc_sees() {
        let text = "127.0.0.1 localhost # home\r\n#10.0.0.1 a\n10.0.0.2\n\t::1\tip6 # x\nfe80::1%eth0 link\n\
                    10.0.0.300 b\n010.0.0.1 c\n10.0.0.4 d\x0be#f";
        let found: Vec<_> = Hosts::new(text)
            .entries()
            .map(|e| format!("{} {} {}", e.line, e.address, e.names.join(",")))
            .collect();
        assert_eq!(found, ["1 127.0.0.1 localhost", "4 ::1 ip6", "5 fe80::1 link", "8 10.0.0.4 d,e"]);
    }

    #[test]
    fn a_new_block_goes_to_the_end_and_an_old_one_stays_where_it_is() {
        assert_eq!(put("127.0.0.1 localhost\n"), format!("127.0.0.1 localhost\n{BLOCK}"));
        assert_eq!(put("127.0.0.1 localhost"), format!("127.0.0.1 localhost\n{BLOCK}"));
        assert_eq!(put(""), BLOCK);
        let old = "a\n#BEGIN  bareplane lab\n10.9.9.9 old\n# END bareplane lab\nb";
        assert_eq!(put(old), format!("a\n{BLOCK}b"));
        assert_eq!(
            put("127.0.0.1 localhost\r\n"),
            format!("127.0.0.1 localhost\r\n{}", BLOCK.replace('\n', "\r\n"))
        );
    }

    #[test]
    fn a_carriage_return_at_the_very_end_is_half_a_line_end() {
        assert_eq!(put("# a\r"), format!("# a\r\n{}", BLOCK.replace('\n', "\r\n")));
        assert_eq!(put(&put("# a\r")), put("# a\r"));
    }

    #[test]
    fn the_block_of_another_cluster_is_left_alone() {
        let other = BLOCK.replace("lab", "prod");
        assert_eq!(put(&other), format!("{other}{BLOCK}"));
    }

    #[test]
    fn damaged_marks_are_told_with_their_lines() {
        assert_eq!(wrong("\n# BEGIN bareplane lab\n10.0.0.1 a\n"), [(2, Problem::OpenMark)]);
        assert_eq!(wrong("# END bareplane lab\n"), [(1, Problem::StrayMark)]);
        assert_eq!(wrong(&format!("{BLOCK}{BLOCK}")), [(4, Problem::SecondMark)]);
        let nested =
            "# BEGIN bareplane lab\n# BEGIN bareplane prod\n# END bareplane prod\n# END bareplane lab\n";
        assert_eq!(wrong(nested), [(2, Problem::NestedMark), (4, Problem::StrayMark)]);
        assert_eq!(wrong("# BEGIN bareplane lab\n# END bareplane prod\n"), [(2, Problem::StrayMark)]);
    }

    proptest! {
        #[test]
        fn what_is_outside_the_block_keeps_every_byte(
            before in "([ \t]{0,2}(#|127\\.0\\.0\\.1|10\\.0\\.0\\.9|::1|\u{fc}|a)[ \ta-z#]{0,9}(\r\n|\n)){0,6}",
            old in proptest::option::of("(10\\.0\\.0\\.[0-9] [a-z]{1,4}\n){0,4}"),
            after in "([a-z#]{0,4}(\r\n|\n)){0,4}[a-z]{0,4}",
        ) {
            let block = old.map(|old| format!("# BEGIN bareplane lab\n{old}# END bareplane lab\n")).unwrap_or_default();
            let text = format!("{before}{block}{after}");
            let mut hosts = Hosts::new(text.clone());
            hosts.put("lab", &["10.0.0.1 cp1".into()]).unwrap();
            let found = hosts.blocks().unwrap().remove(0).range;
            let outside = [&hosts.bytes[..found.start], &hosts.bytes[found.end..]].concat();
            let outside = String::from_utf8(outside).unwrap();
            let plain = format!("{before}{after}");
            // A block at the end needs the last line to have ended.
            prop_assert!(outside == plain || outside.trim_end() == plain.trim_end() && block.is_empty());
            let once = hosts.clone();
            hosts.put("lab", &["10.0.0.1 cp1".into()]).unwrap();
            prop_assert_eq!(once, hosts);
        }

        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let hosts = Hosts::new(bytes.clone());
            prop_assert!(hosts.entries().count() <= bytes.len());
            prop_assert_eq!(hosts.as_bytes(), bytes);
        }
    }
}
