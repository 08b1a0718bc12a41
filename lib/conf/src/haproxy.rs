//! `haproxy.cfg`: sections of lines of words.
//!
//! Words are parted by spaces and tabs. `\` escapes a character outside
//! quotes (`\ `, `\#`, `\n`, `\xHH`), `'…'` keeps everything as it is, `"…"`
//! knows `\"`, `\\` and `\$`; `#` outside quotes begins a comment, even within a
//! word. Environment variables stay as they are written.
//! (haproxy 2.6 configuration manual, section 2.2.)

use std::fmt::{self, Display};

use crate::{Error, Problem};

/// The keywords that begin a section.
const SECTIONS: [&str; 20] = [
    "global",
    "defaults",
    "frontend",
    "backend",
    "listen",
    "peers",
    "resolvers",
    "userlist",
    "mailers",
    "cache",
    "program",
    "http-errors",
    "ring",
    "log-forward",
    "log-profile",
    "fcgi-app",
    "crt-store",
    "traces",
    "acme",
    "healthcheck",
];

/// A whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Lines before the first section: comments, as a rule.
    pub preamble: Vec<Line>,
    /// The sections, in order.
    pub sections: Vec<Section>,
}

/// A section: its head line and what follows up to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// `frontend apiserver`
    pub head: Line,
    /// Its lines, blank ones and comments among them.
    pub lines: Vec<Line>,
}

/// One line, with its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number, from 1.
    pub number: u32,
    /// Its words.
    pub parts: Vec<Word>,
    /// What follows the last word: blanks, a comment, the line's end.
    pub tail: String,
}

/// A word and the blanks before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The blanks before it.
    pub gap: String,
    /// The word as it is written.
    pub raw: String,
    /// The word without quotes and escapes.
    pub text: String,
}

impl Config {
    /// Parses a file.
    ///
    /// # Errors
    /// Fails at the first line whose quotes or escapes have no end.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut config = Self::default();
        for (number, line) in (1..).zip(text.split_inclusive('\n')) {
            let line = Line::parse(number, line).map_err(|problem| Error { line: number, problem })?;
            match config.sections.last_mut() {
                _ if SECTIONS.contains(&line.keyword()) => {
                    config.sections.push(Section { head: line, lines: Vec::new() });
                }
                Some(section) => section.lines.push(line),
                None => config.preamble.push(line),
            }
        }
        Ok(config)
    }

    /// The sections of a kind (`backend`), in order.
    pub fn sections<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Section> {
        self.sections.iter().filter(move |section| section.kind() == kind)
    }
}

impl Section {
    /// The kind: `global`, `frontend`.
    pub fn kind(&self) -> &str {
        self.head.keyword()
    }

    /// The name; empty for a section that has none.
    pub fn name(&self) -> &str {
        self.head.word(1)
    }

    /// The lines that begin with these words, in order.
    pub fn find<'a>(&'a self, words: &'a [&'a str]) -> impl Iterator<Item = &'a Line> {
        self.lines.iter().filter(move |line| line.begins(words))
    }

    /// The line that counts among those that begin with these words: the last.
    pub fn last(&self, words: &[&str]) -> Option<&Line> {
        self.lines.iter().rfind(|line| line.begins(words))
    }
}

impl Line {
    /// Its words, unquoted.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|word| word.text.as_str())
    }

    /// One word, unquoted; empty beyond the last.
    pub fn word(&self, index: usize) -> &str {
        self.parts.get(index).map_or("", |word| &word.text)
    }

    /// The first word; empty on a blank line.
    pub fn keyword(&self) -> &str {
        self.word(0)
    }

    /// Whether its first words are these.
    pub fn begins(&self, words: &[&str]) -> bool {
        self.parts.len() >= words.len() && self.words().zip(words).all(|(a, b)| a == *b)
    }

    /// The word after this one: the value of `inter` in `check inter 2s`.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.words().skip_while(|word| *word != name).nth(1)
    }

    /// Whether one of its words is this.
    pub fn has(&self, name: &str) -> bool {
        self.words().any(|word| word == name)
    }

    /// Its words as written, with one space between them.
    pub fn statement(&self) -> String {
        self.parts.iter().map(|word| word.raw.as_str()).collect::<Vec<_>>().join(" ")
    }

    fn parse(number: u32, line: &str) -> Result<Self, Problem> {
        let mut parts = Vec::new();
        let mut rest = line;
        loop {
            let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
            let (gap, after) = rest.split_at(blanks);
            let (length, text) = word(after)?;
            if length == 0 {
                return Ok(Self { number, parts, tail: rest.to_owned() });
            }
            parts.push(Word { gap: gap.to_owned(), raw: after[..length].to_owned(), text });
            rest = &after[length..];
        }
    }
}

/// The word at the start of a text: its length as written, and its meaning.
fn word(text: &str) -> Result<(usize, String), Problem> {
    let mut meaning = String::new();
    let mut quote = None;
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match (quote, character) {
            (None, ' ' | '\t' | '\r' | '\n' | '#') => return Ok((at, meaning)),
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            (Some(_), '\n') => return Err(Problem::OpenQuote),
            (None, '\\') => {
                let escaped = characters.next().filter(|(_, c)| !matches!(c, '\r' | '\n'));
                meaning.push(match escaped.ok_or(Problem::BadEscape)?.1 {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'x' => {
                        let digits = [characters.next(), characters.next()];
                        let value = digits.into_iter().try_fold(0, |value, digit| {
                            Some(value * 16 + digit.and_then(|(_, digit)| digit.to_digit(16))?)
                        });
                        value.and_then(char::from_u32).ok_or(Problem::BadEscape)?
                    }
                    other => other,
                });
            }
            (Some('"'), '\\') => match characters.clone().next() {
                Some((_, escaped @ ('"' | '\\' | '$'))) => {
                    characters.next();
                    meaning.push(escaped);
                }
                _ => meaning.push('\\'),
            },
            (_, plain) => meaning.push(plain),
        }
    }
    if quote.is_some() { Err(Problem::OpenQuote) } else { Ok((text.len(), meaning)) }
}

impl Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.preamble.iter().try_for_each(|line| write!(f, "{line}"))?;
        self.sections.iter().try_for_each(|section| write!(f, "{section}"))
    }
}

impl Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.head)?;
        self.lines.iter().try_for_each(|line| write!(f, "{line}"))
    }
}

impl Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|word| write!(f, "{}{}", word.gap, word.raw))?;
        f.write_str(&self.tail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(line: &str) -> Vec<String> {
        let config = Config::parse(line).unwrap();
        config.preamble[0].words().map(str::to_owned).collect()
    }

    #[test]
    fn quotes_and_escapes_mean_what_haproxy_says() {
        assert_eq!(words(r"a\ b c\#d"), ["a b", "c#d"]);
        assert_eq!(words(r#"x "a \"b\" \x" 'c \d'"#), ["x", r#"a "b" \x"#, r"c \d"]);
        assert_eq!(words("string \"{\\\"kind\\\":1}\"# gone"), ["string", r#"{"kind":1}"#]);
        assert_eq!(words(r"\x41\x62"), ["Ab"]);
        assert_eq!(words("''"), [""]);
    }

    #[test]
    fn a_comment_ends_the_line_even_within_a_word() {
        assert_eq!(words("mode tcp#http"), ["mode", "tcp"]);
        assert!(words("   # all of it").is_empty());
    }

    #[test]
    fn sections_begin_where_their_keyword_does() {
        let config =
            Config::parse("# top\nglobal\n daemon\n\nbackend b # x\n  server s 1.2.3.4:1 check\n").unwrap();
        assert_eq!(config.preamble.len(), 1);
        let kinds: Vec<_> = config.sections.iter().map(|s| (s.kind(), s.name(), s.head.number)).collect();
        assert_eq!(kinds, [("global", "", 2), ("backend", "b", 5)]);
        let server = config.sections[1].last(&["server"]).unwrap();
        assert_eq!((server.number, server.value("s"), server.has("check")), (6, Some("1.2.3.4:1"), true));
    }

    #[test]
    fn an_open_quote_names_its_line() {
        let error = Config::parse("global\n log \"a\n b\"\n").unwrap_err();
        assert_eq!(error, Error { line: 2, problem: Problem::OpenQuote });
        assert_eq!(Config::parse("a \\").unwrap_err().problem, Problem::BadEscape);
        assert_eq!(Config::parse("a \\xg0").unwrap_err().problem, Problem::BadEscape);
    }

    proptest! {
        #[test]
        fn printing_gives_the_text_back(text in "([ \t]{0,2}(global|mode|\\\\ |\\\\#|'[^'\n]{0,3}'|\"[^\"\\\\\n]{0,3}\"|[a-zé:/.]{1,4}|#[^\n]{0,4}|\r?\n)){0,40}") {
            let config = Config::parse(&text).unwrap();
            prop_assert_eq!(config.to_string(), text);
        }

        #[test]
        fn any_text_is_parsed_whole_or_refused(text in any::<String>()) {
            if let Ok(config) = Config::parse(&text) {
                prop_assert_eq!(config.to_string(), text);
            }
        }
    }
}
