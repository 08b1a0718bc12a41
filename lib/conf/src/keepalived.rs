//! `keepalived.conf`: nested blocks of statements.
//!
//! A statement is the words of one line; `{` after it, or on a line below,
//! opens its block, `}` closes it. `#` and `!` begin a comment anywhere outside
//! double quotes, braces part words anywhere outside them, and `${NAME}` is a
//! word (keepalived.conf(5); the corners tried with keepalived 2.2.7).

use std::fmt::{self, Display};

use crate::{Error, Problem};

/// The depth of blocks within one another beyond which a text is refused.
pub const DEPTH: usize = 32;

/// A whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The statements outside all blocks.
    pub nodes: Vec<Node>,
    /// What follows the last: blanks and comments.
    pub tail: String,
}

/// A statement, with its block if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The line its first word is on, from 1.
    pub line: u32,
    /// Its words, at least one.
    pub parts: Vec<Word>,
    /// Its block; `None` if it has none.
    pub block: Option<Block>,
}

/// A word and what lies before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Blanks, line ends and comments before it.
    pub gap: String,
    /// The word as it is written.
    pub raw: String,
    /// The word without quotes.
    pub text: String,
}

/// What stands between braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What lies between the statement and its `{`.
    pub gap: String,
    /// Its statements.
    pub nodes: Vec<Node>,
    /// What lies between the last of them and the `}`.
    pub tail: String,
}

impl Config {
    /// Parses a file.
    ///
    /// # Errors
    /// Fails at the first quote or block that has no end, and at the first
    /// brace that has no beginning.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut parser = Parser { text, at: 0, line: 1 };
        let mut open: Vec<Open> = Vec::new();
        let mut nodes: Vec<Node> = Vec::new();
        let mut ended = true;
        loop {
            let gap = parser.gap();
            ended |= gap.contains('\n');
            let line = parser.line;
            let fail = |problem| Err(Error { line, problem });
            match parser.peek() {
                None => match open.pop() {
                    Some(block) => return Err(Error { line: block.line, problem: Problem::OpenBlock }),
                    None => return Ok(Self { nodes, tail: gap.to_owned() }),
                },
                Some('{') => {
                    if nodes.last().is_none_or(|node| node.block.is_some()) {
                        return fail(Problem::StrayOpen);
                    }
                    if open.len() == DEPTH {
                        return fail(Problem::TooDeep);
                    }
                    parser.take(1);
                    open.push(Open { line, gap: gap.to_owned(), around: std::mem::take(&mut nodes) });
                    ended = true;
                }
                Some('}') => {
                    let Some(Open { gap: before, around, .. }) = open.pop() else {
                        return fail(Problem::StrayClose);
                    };
                    parser.take(1);
                    let block = Block {
                        gap: before,
                        nodes: std::mem::replace(&mut nodes, around),
                        tail: gap.to_owned(),
                    };
                    if let Some(owner) = nodes.last_mut() {
                        owner.block = Some(block);
                    }
                    ended = true;
                }
                Some(_) => {
                    let word = parser.word(gap)?;
                    match nodes.last_mut() {
                        Some(node) if !ended => node.parts.push(word),
                        _ => nodes.push(Node { line, parts: vec![word], block: None }),
                    }
                    ended = false;
                }
            }
        }
    }

    /// The statements outside all blocks that begin with this keyword.
    pub fn find<'a>(&'a self, keyword: &'a str) -> impl Iterator<Item = &'a Node> {
        self.nodes.iter().filter(move |node| node.keyword() == keyword)
    }
}

impl Node {
    /// Its words, unquoted.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|word| word.text.as_str())
    }

    /// One word, unquoted; empty beyond the last.
    pub fn word(&self, index: usize) -> &str {
        self.parts.get(index).map_or("", |word| &word.text)
    }

    /// The first word.
    pub fn keyword(&self) -> &str {
        self.word(0)
    }

    /// The statements of its block; none if it has no block.
    pub fn nodes(&self) -> &[Node] {
        self.block.as_ref().map_or(&[], |block| &block.nodes)
    }

    /// The statement of its block that counts for this keyword: the last.
    pub fn get(&self, keyword: &str) -> Option<&Node> {
        self.nodes().iter().rfind(|node| node.keyword() == keyword)
    }

    /// All statements of its block with this keyword.
    pub fn find<'a>(&'a self, keyword: &'a str) -> impl Iterator<Item = &'a Node> {
        self.nodes().iter().filter(move |node| node.keyword() == keyword)
    }

    /// Its words as written, with one space between them.
    pub fn statement(&self) -> String {
        self.parts.iter().map(|word| word.raw.as_str()).collect::<Vec<_>>().join(" ")
    }
}

/// A block whose end has not been seen.
struct Open {
    line: u32,
    gap: String,
    around: Vec<Node>,
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    line: u32,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self, length: usize) -> &'a str {
        let taken = &self.rest()[..length];
        self.at += length;
        self.line += u32::try_from(taken.matches('\n').count()).unwrap_or(u32::MAX);
        taken
    }

    /// Blanks and comments.
    fn gap(&mut self) -> &'a str {
        let mut comment = false;
        let end = self.rest().find(|character: char| {
            comment = match character {
                '\n' => false,
                '#' | '!' => true,
                _ => comment,
            };
            !comment && !character.is_ascii_whitespace()
        });
        self.take(end.unwrap_or(self.rest().len()))
    }

    /// The word that begins here.
    fn word(&mut self, gap: &str) -> Result<Word, Error> {
        let rest = self.rest();
        let (mut text, mut quoted, mut variable, mut before) = (String::new(), false, false, ' ');
        let mut end = rest.len();
        for (at, character) in rest.char_indices() {
            match character {
                '\n' if quoted => break,
                '"' => {
                    quoted = !quoted;
                    before = character;
                    continue;
                }
                _ if quoted => {}
                '{' if before == '$' => variable = true,
                '}' if variable => variable = false,
                '{' | '}' | '#' | '!' => {
                    end = at;
                    break;
                }
                _ if character.is_ascii_whitespace() => {
                    end = at;
                    break;
                }
                _ => {}
            }
            before = character;
            text.push(character);
        }
        if quoted {
            return Err(Error { line: self.line, problem: Problem::OpenQuote });
        }
        Ok(Word { gap: gap.to_owned(), raw: self.take(end).to_owned(), text })
    }
}

impl Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.nodes.iter().try_for_each(|node| write!(f, "{node}"))?;
        f.write_str(&self.tail)
    }
}

impl Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|word| write!(f, "{}{}", word.gap, word.raw))?;
        let Some(Block { gap, nodes, tail }) = &self.block else { return Ok(()) };
        write!(f, "{gap}{{")?;
        nodes.iter().try_for_each(|node| write!(f, "{node}"))?;
        write!(f, "{tail}}}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn blocks_statements_and_comments_find_their_places() {
        let text = "! top\nvrrp_instance A {\n  state BACKUP # not MASTER\n  track_script { chk }\n  virtual_ipaddress\n  {\n    10.0.0.1/32 dev eth0!x\n  }\n}\n";
        let config = Config::parse(text).unwrap();
        let instance = config.find("vrrp_instance").next().unwrap();
        assert_eq!((instance.line, instance.word(1)), (2, "A"));
        assert_eq!(instance.get("state").unwrap().statement(), "state BACKUP");
        assert_eq!(instance.get("track_script").unwrap().nodes()[0].keyword(), "chk");
        let address = &instance.get("virtual_ipaddress").unwrap().nodes()[0];
        assert_eq!((address.line, address.statement().as_str()), (7, "10.0.0.1/32 dev eth0"));
        assert_eq!(config.to_string(), text);
    }

    #[test]
    fn braces_part_words_and_end_statements() {
        let config = Config::parse("a{b c}d e{\nf}g").unwrap();
        let shape: Vec<_> = config.nodes.iter().map(|node| (node.statement(), node.nodes().len())).collect();
        assert_eq!(shape, [("a".into(), 1), ("d e".into(), 1), ("g".into(), 0)]);
    }

    #[test]
    fn quotes_hold_blanks_and_comment_signs() {
        let config = Config::parse("script \"/bin/check -H '#!{}'\"\n$X=${Y}").unwrap();
        assert_eq!(config.nodes[0].word(1), "/bin/check -H '#!{}'");
        assert_eq!(config.nodes[1].keyword(), "$X=${Y}");
    }

    #[test]
    fn what_has_no_end_or_no_beginning_names_its_line() {
        let problem = |text: &str| Config::parse(text).map(drop).map_err(|error| (error.line, error.problem));
        assert_eq!(problem("a\nb {\n c\n"), Err((2, Problem::OpenBlock)));
        assert_eq!(problem("a\n}\n"), Err((2, Problem::StrayClose)));
        assert_eq!(problem("a {\n}\n{\n}"), Err((3, Problem::StrayOpen)));
        assert_eq!(problem("a\nb \"c\nd\""), Err((2, Problem::OpenQuote)));
        assert_eq!(problem(&"a {".repeat(DEPTH + 1)), Err((1, Problem::TooDeep)));
    }

    proptest! {
        #[test]
        fn printing_gives_the_text_back(text in "([ \t]{0,2}(vrrp_instance|a \\{|\\}|\"[^\"\n]{0,4}\"|\\$\\{V\\}|[a-zé:/.0-9]{1,4}|[#!][^\n]{0,4}|\r?\n)){0,40}") {
            if let Ok(config) = Config::parse(&text) {
                prop_assert_eq!(config.to_string(), text);
            }
        }

        #[test]
        fn balanced_texts_are_never_refused(text in "([ \t]{0,2}(a \\{ b \\}|c \\{\n\"d\\{\\}\"\n\\}|x{1,3}|[#!][^\n]{0,4}\n|\n)){0,30}") {
            prop_assert_eq!(Config::parse(&text).unwrap().to_string(), text);
        }

        #[test]
        fn any_text_is_parsed_whole_or_refused(text in any::<String>()) {
            if let Ok(config) = Config::parse(&text) {
                prop_assert_eq!(config.to_string(), text);
            }
        }
    }
}
