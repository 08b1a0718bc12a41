//! One pass over a line, which checks all of it.

use crate::fields::Node;
use crate::shape::{Literal, Shape, Step};
use crate::value::{Text, Value};

/// Why a line is no record, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {why}")]
pub struct Broken {
    /// The byte of the line, from 1.
    pub column: usize,
    /// What is wrong there.
    pub why: Why,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// Bytes that are not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// The line's value is something else.
    #[error("not an object")]
    NotAnObject,
    /// The line ends too early.
    #[error("the line ends in the middle")]
    Cut,
    /// Something follows the object.
    #[error("something follows the object")]
    Trailing,
    /// No name where one should be.
    #[error("a name in quotes should stand here")]
    NoName,
    /// No colon after a name.
    #[error("a colon should stand here")]
    NoColon,
    /// Neither a comma nor the end of the object.
    #[error("a comma or the object's end should stand here")]
    NoCommaInObject,
    /// Neither a comma nor the end of the list.
    #[error("a comma or the list's end should stand here")]
    NoCommaInArray,
    /// What begins here is no value.
    #[error("no JSON value")]
    NoValue,
    /// A number JSON does not know.
    #[error("a digit should stand here")]
    NoDigit,
    /// Farther from zero than a double can be.
    #[error("a number out of range")]
    OutOfRange,
    /// A control character in a string.
    #[error("a control character in a string")]
    Control,
    /// A backslash before something JSON does not know.
    #[error("no such escape")]
    Escape,
    /// Half of a pair of surrogates.
    #[error("half a surrogate pair")]
    Surrogate,
    /// More than 127 levels.
    #[error("nested more than 127 levels deep")]
    Deep,
}

/// Nobody wants what is in it.
static NOTHING: Node = Node::NOTHING;

/// As many levels as `serde_json` takes.
const LEVELS: u32 = 127;

pub(crate) struct Scan<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    why: Why,
}

/// Hands out all fields of a line, as they stand in it: name and value. A
/// name may come twice.
///
/// # Errors
/// Fails if the line is not one JSON object; what was handed out then means nothing.
#[inline]
pub fn each<'a>(line: &'a [u8], mut take: impl FnMut(Text<'a>, Value<'a>)) -> Result<(), Broken> {
    let mut scan = Scan::new(line)?;
    scan.each(&mut take).map_err(|Stopped| Broken { column: scan.at + 1, why: scan.why })
}

/// The scan ended at `at`, for the reason in `why`: small enough for a register,
/// since every step answers with it.
struct Stopped;

impl<'a> Scan<'a> {
    pub(crate) fn new(line: &'a [u8]) -> Result<Self, Broken> {
        match std::str::from_utf8(line) {
            Ok(text) => Ok(Self { text, bytes: line, at: 0, why: Why::Cut }),
            Err(error) => Err(Broken { column: error.valid_up_to() + 1, why: Why::NotUtf8 }),
        }
    }

    pub(crate) fn of_text(text: &'a str) -> Self {
        Self { text, bytes: text.as_bytes(), at: 0, why: Why::Cut }
    }

    pub(crate) fn line(self, root: &Node, found: &mut [Value<'a>]) -> Result<(), Broken> {
        self.from(0, root, found)
    }

    fn whole(&mut self, root: &Node, found: &mut [Value<'a>]) -> Result<(), Stopped> {
        self.open()?;
        self.object(root, 1, found)?;
        self.close()
    }

    /// The line's object begins.
    fn open(&mut self) -> Result<(), Stopped> {
        self.space();
        match self.peek() {
            Some(b'{') => {
                self.at += 1;
                Ok(())
            }
            Some(_) => self.broken(Why::NotAnObject),
            None => self.broken(Why::Cut),
        }
    }

    /// Nothing follows it.
    fn close(&mut self) -> Result<(), Stopped> {
        self.space();
        if self.at < self.bytes.len() { self.broken(Why::Trailing) } else { Ok(()) }
    }

    /// The line this text begins with, as long as it has the shape of another: its length if all
    /// of it has, else where the last field of the line that has ends. What is wanted of the
    /// shape is found so far.
    #[inline]
    pub(crate) fn alike(&mut self, shape: &Shape, found: &mut [Value<'a>]) -> Result<usize, usize> {
        let mut upto = 0;
        for step in &shape.steps {
            if !step.between.begins(&self.bytes[self.at..]) {
                return Err(upto);
            }
            self.at += step.between.len();
            let start = self.at;
            let first = self.peek();
            let went = match step.slot.and_then(|slot| found.get_mut(slot)) {
                _ if first == Some(b'{') => return Err(upto),
                None => self.skip(step.level),
                Some(found) => self.value(step.level).map(|value| *found = value),
            };
            // To a list an end of line is space like any other.
            let ends = || first == Some(b'[') && memchr::memchr(b'\n', &self.bytes[start..self.at]).is_some();
            if went.is_err() || ends() {
                return Err(upto);
            }
            if step.level == 1 {
                upto = self.at;
            }
        }
        let rest = &self.bytes[self.at..];
        if shape.end.begins(rest) || shape.end.is_all_but_one(rest) {
            Ok(self.at + shape.end.len() - 1)
        } else {
            Err(upto)
        }
    }

    /// The rest of a line some fields of which were gone over, up to that place.
    pub(crate) fn from(mut self, upto: usize, root: &Node, found: &mut [Value<'a>]) -> Result<(), Broken> {
        let mut went = || {
            if upto == 0 {
                return self.whole(root, found);
            }
            self.at = upto;
            self.more(root, 1, found)?;
            self.close()
        };
        went().map_err(|Stopped| Broken { column: self.at + 1, why: self.why })
    }

    /// The shape of a line, if all that is wanted in it are plain values that stand once.
    pub(crate) fn shape(mut self, root: &Node) -> Option<Shape> {
        let mut shape = Shape::default();
        self.open().ok()?;
        let end = self.shape_of(root, 1, 0, &mut shape)?;
        self.close().ok()?;
        shape.end = Literal::new(&[&self.bytes[end..], b"\n"].concat());
        Some(shape)
    }

    /// Adds an object to a shape, from after its brace; `from` is where the value before it ended.
    fn shape_of(&mut self, node: &Node, level: u32, mut from: usize, shape: &mut Shape) -> Option<usize> {
        let mut once: Vec<*const Node> = Vec::new();
        self.space();
        if self.took(b'}') {
            return Some(from);
        }
        loop {
            if !self.took(b'"') {
                return None;
            }
            let start = self.at;
            let escaped = self.string().ok()?;
            let child = node.child(&self.text[start..self.at - 1], escaped);
            self.colon().ok()?;
            if let Some(child) = child {
                if once.contains(&std::ptr::from_ref(child)) {
                    return None;
                }
                once.push(child);
            }
            let slot = child.and_then(|child| child.slot);
            if self.peek() == Some(b'{') {
                if slot.is_some() || level == LEVELS {
                    return None;
                }
                self.at += 1;
                from = self.shape_of(child.unwrap_or(&NOTHING), level + 1, from, shape)?;
            } else {
                let between = Literal::new(&self.bytes[from..self.at]);
                shape.steps.push(Step { between, slot, level });
                self.skip(level).ok()?;
                from = self.at;
            }
            self.space();
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Some(from);
                }
                _ => return None,
            }
            self.space();
        }
    }

    /// An object whose fields may be wanted, from after its brace.
    fn object(&mut self, node: &Node, level: u32, found: &mut [Value<'a>]) -> Result<(), Stopped> {
        self.space();
        if self.took(b'}') {
            return Ok(());
        }
        self.field(node, level, found)?;
        self.more(node, level, found)
    }

    /// The rest of an object, from after one of its fields.
    fn more(&mut self, node: &Node, level: u32, found: &mut [Value<'a>]) -> Result<(), Stopped> {
        loop {
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return self.missing(Why::NoCommaInObject),
            }
            self.space();
            self.field(node, level, found)?;
        }
    }

    #[inline]
    fn field(&mut self, node: &Node, level: u32, found: &mut [Value<'a>]) -> Result<(), Stopped> {
        if !self.took(b'"') {
            return self.missing(Why::NoName);
        }
        let start = self.at;
        let escaped = self.string()?;
        let name = &self.text[start..self.at - 1];
        self.colon()?;
        match node.child(name, escaped) {
            None => self.skip(level),
            Some(child) => self.wanted(child, level, found),
        }
    }

    /// A name nobody wants, with its colon.
    #[inline]
    fn name(&mut self) -> Result<(), Stopped> {
        if !self.took(b'"') {
            return self.missing(Why::NoName);
        }
        self.string()?;
        self.colon()
    }

    /// A colon and the space around it.
    #[inline]
    fn colon(&mut self) -> Result<(), Stopped> {
        self.space();
        if !self.took(b':') {
            return self.missing(Why::NoColon);
        }
        self.space();
        Ok(())
    }

    fn wanted(&mut self, node: &Node, level: u32, found: &mut [Value<'a>]) -> Result<(), Stopped> {
        node.forget(found);
        let start = self.at;
        let value = if self.peek() == Some(b'{') && !node.children.is_empty() {
            if level == LEVELS {
                return self.broken(Why::Deep);
            }
            self.at += 1;
            self.object(node, level + 1, found)?;
            Value::Object(&self.text[start..self.at])
        } else {
            self.value(level)?
        };
        if let Some(slot) = node.slot {
            found[slot] = value;
        }
        Ok(())
    }

    /// A value, taken whole.
    #[inline]
    fn value(&mut self, level: u32) -> Result<Value<'a>, Stopped> {
        let start = self.at;
        if self.took(b'"') {
            let escaped = self.string()?;
            return Ok(Value::Text(Text { quoted: &self.text[start..self.at], escaped }));
        }
        let first = self.peek();
        self.skip(level)?;
        let written = &self.text[start..self.at];
        Ok(match first {
            Some(b'{') => Value::Object(written),
            Some(b'[') => Value::Array(written),
            Some(b't') => Value::Bool(true),
            Some(b'f') => Value::Bool(false),
            Some(b'n') => Value::Null,
            _ => Value::Number(written),
        })
    }

    /// The fields of the line's object, one after the other.
    fn each(&mut self, take: &mut impl FnMut(Text<'a>, Value<'a>)) -> Result<(), Stopped> {
        self.open()?;
        self.space();
        if !self.took(b'}') {
            loop {
                let start = self.at;
                if !self.took(b'"') {
                    return self.missing(Why::NoName);
                }
                let escaped = self.string()?;
                let name = Text { quoted: &self.text[start..self.at], escaped };
                self.colon()?;
                take(name, self.value(1)?);
                self.space();
                match self.peek() {
                    Some(b',') => self.at += 1,
                    Some(b'}') => {
                        self.at += 1;
                        break;
                    }
                    _ => return self.missing(Why::NoCommaInObject),
                }
                self.space();
            }
        }
        self.close()
    }

    /// Passes over a value nobody wants; containers by a bit each, not by recursion.
    #[inline]
    fn skip(&mut self, level: u32) -> Result<(), Stopped> {
        match self.peek() {
            Some(b'{' | b'[') => self.skip_container(level),
            Some(first) => self.scalar(first),
            None => self.broken(Why::Cut),
        }
    }

    fn skip_container(&mut self, level: u32) -> Result<(), Stopped> {
        // The containers that are open, the innermost in the lowest bit: 1 is an object.
        let mut open = 0_u128;
        let mut depth = 0;
        loop {
            // A value begins here.
            let Some(first) = self.peek() else { return self.broken(Why::Cut) };
            if first == b'{' || first == b'[' {
                if level + depth == LEVELS {
                    return self.broken(Why::Deep);
                }
                self.at += 1;
                depth += 1;
                open = open << 1 | u128::from(first == b'{');
                self.space();
                if !self.took(if first == b'{' { b'}' } else { b']' }) {
                    if first == b'{' {
                        self.name()?;
                    }
                    continue;
                }
                open >>= 1;
                depth -= 1;
            } else {
                self.scalar(first)?;
            }
            // A value ends here.
            loop {
                if depth == 0 {
                    return Ok(());
                }
                self.space();
                let object = open & 1 == 1;
                if self.took(b',') {
                    self.space();
                    if object {
                        self.name()?;
                    }
                    break;
                }
                if !self.took(if object { b'}' } else { b']' }) {
                    return self.missing(if object { Why::NoCommaInObject } else { Why::NoCommaInArray });
                }
                open >>= 1;
                depth -= 1;
            }
        }
    }

    #[inline]
    fn scalar(&mut self, first: u8) -> Result<(), Stopped> {
        match first {
            b'"' => {
                self.at += 1;
                self.string().map(|_| ())
            }
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            _ => self.broken(Why::NoValue),
        }
    }

    #[inline]
    fn word(&mut self, word: &str) -> Result<(), Stopped> {
        if self.bytes[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(());
        }
        for expected in word.bytes() {
            if !self.took(expected) {
                return self.missing(Why::NoValue);
            }
        }
        Ok(())
    }

    #[inline]
    fn number(&mut self) -> Result<(), Stopped> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        let has_exponent = matches!(self.peek(), Some(b'e' | b'E'));
        if has_exponent {
            self.at += 1;
            let _sign = self.took(b'+') || self.took(b'-');
            self.digits()?;
        }
        if has_exponent || self.at - start > 300 { self.in_range(start) } else { Ok(()) }
    }

    /// A double ends at 1.8e308; what is written so far out is refused, as `serde_json` does.
    #[cold]
    fn in_range(&mut self, start: usize) -> Result<(), Stopped> {
        if self.text[start..self.at].parse::<f64>().is_ok_and(|double| double.abs() < 1.797e308) {
            return Ok(());
        }
        self.at = start;
        self.broken(Why::OutOfRange)
    }

    #[inline]
    fn digits(&mut self) -> Result<(), Stopped> {
        let start = self.at;
        while let Some(eight) = self.eight() {
            let count = digits(eight);
            self.at += count;
            if count < 8 {
                return if self.at == start { self.missing(Why::NoDigit) } else { Ok(()) };
            }
        }
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { self.missing(Why::NoDigit) } else { Ok(()) }
    }

    /// A string, from after its quote to after its other quote; whether it has escapes.
    #[inline]
    fn string(&mut self) -> Result<bool, Stopped> {
        self.plain();
        if self.took(b'"') { Ok(false) } else { self.odd_string() }
    }

    /// The rest of a string, from a byte that may be anything.
    fn odd_string(&mut self) -> Result<bool, Stopped> {
        let mut escaped = false;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(0..=0x1f) => return self.broken(Why::Control),
                Some(_) => self.at += 1,
                None => return self.broken(Why::Cut),
            }
            self.plain();
        }
    }

    /// Passes over bytes of a string that mean themselves, but perhaps for the line's last.
    #[inline]
    fn plain(&mut self) {
        while let Some(eight) = self.eight() {
            let special = special(eight);
            if special != 0 {
                self.at += (special.trailing_zeros() / 8) as usize;
                return;
            }
            self.at += 8;
        }
    }

    /// An escape, from its backslash.
    fn escape(&mut self) -> Result<(), Stopped> {
        let start = self.at;
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                let half = self.hex()?;
                let paired = match half {
                    0xd800..=0xdbff => {
                        self.took(b'\\') && self.took(b'u') && (0xdc00..=0xdfff).contains(&self.hex()?)
                    }
                    0xdc00..=0xdfff => false,
                    _ => true,
                };
                if !paired {
                    self.at = start;
                    return self.broken(Why::Surrogate);
                }
            }
            _ => return self.missing(Why::Escape),
        }
        Ok(())
    }

    fn hex(&mut self) -> Result<u32, Stopped> {
        let mut value = 0;
        for _ in 0..4 {
            let Some(digit) = self.peek().and_then(|byte| char::from(byte).to_digit(16)) else {
                return self.missing(Why::Escape);
            };
            value = value << 4 | digit;
            self.at += 1;
        }
        Ok(value)
    }

    #[inline]
    fn space(&mut self) {
        // Most lines have none.
        if self.peek().is_some_and(|byte| byte > b' ') {
            return;
        }
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.at += 1;
        }
    }

    /// The next eight bytes, the first one lowest.
    #[inline]
    fn eight(&self) -> Option<u64> {
        self.bytes.get(self.at..).and_then(|rest| rest.first_chunk()).map(|eight| u64::from_le_bytes(*eight))
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn took(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    /// What should be here is not, perhaps because the line ends.
    #[cold]
    fn missing<T>(&mut self, why: Why) -> Result<T, Stopped> {
        self.broken(if self.at < self.bytes.len() { why } else { Why::Cut })
    }

    #[cold]
    fn broken<T>(&mut self, why: Why) -> Result<T, Stopped> {
        self.why = why;
        Err(Stopped)
    }
}

/// How many of eight bytes are digits before the first that is none.
#[inline]
fn digits(eight: u64) -> usize {
    const HIGH: u64 = 0xf0f0_f0f0_f0f0_f0f0;
    const THREE: u64 = 0x3030_3030_3030_3030;
    // 0x30 to 0x39 begin with a 3, and do so when six is added. What a byte carries into the
    // next one does no harm: it is no digit itself, and the first of those counts.
    let six_more = eight.wrapping_add(0x0606_0606_0606_0606);
    let other = ((eight & HIGH) ^ THREE) | ((six_more & HIGH) ^ THREE);
    (other.trailing_zeros() / 8) as usize
}

/// The high bit of bytes that are a quote, a backslash or a control character.
/// Bytes above such a one may be marked wrongly; the lowest mark is right.
#[inline]
fn special(eight: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let quote = eight ^ (ONES * u64::from(b'"'));
    let backslash = eight ^ (ONES * u64::from(b'\\'));
    let quote = quote.wrapping_sub(ONES) & !quote;
    let backslash = backslash.wrapping_sub(ONES) & !backslash;
    let control = eight.wrapping_sub(ONES * 0x20) & !eight;
    (quote | backslash | control) & HIGH
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fields;

    fn why(line: &str) -> (usize, Why) {
        let broken = Fields::new().find(line.as_bytes(), &mut []).unwrap_err();
        (broken.column, broken.why)
    }

    #[test]
    fn broken_lines_say_where_and_why() {
        assert_eq!(why(""), (1, Why::Cut));
        assert_eq!(why("[1]"), (1, Why::NotAnObject));
        assert_eq!(why(r#"{"a":1"#), (7, Why::Cut));
        assert_eq!(why(r#"{"a":1} x"#), (9, Why::Trailing));
        assert_eq!(why(r#"{"a" 1}"#), (6, Why::NoColon));
        assert_eq!(why(r#"{"a":1,}"#), (8, Why::NoName));
        assert_eq!(why(r#"{"a":[1,]}"#), (9, Why::NoValue));
        assert_eq!(why(r#"{"a":[1 2]}"#), (9, Why::NoCommaInArray));
        assert_eq!(why(r#"{"a":NaN}"#), (6, Why::NoValue));
        assert_eq!(why(r#"{"a":-}"#), (7, Why::NoDigit));
        assert_eq!(why(r#"{"a":1.}"#), (8, Why::NoDigit));
        assert_eq!(why(r#"{"a":1e999}"#), (6, Why::OutOfRange));
        assert_eq!(why("{\"a\":\"\t\"}"), (7, Why::Control));
        assert_eq!(why(r#"{"a":"\x"}"#), (8, Why::Escape));
        assert_eq!(why(r#"{"a":"\ud800"}"#), (7, Why::Surrogate));
        assert_eq!(why(r#"{"a":nul}"#), (9, Why::NoValue));
    }

    #[test]
    fn bytes_that_are_not_utf8_are_refused_even_where_nobody_looks() {
        let broken = Fields::new().find(b"{\"a\":\"\xff\"}", &mut []).unwrap_err();
        assert_eq!(broken, Broken { column: 7, why: Why::NotUtf8 });
    }

    #[test]
    fn digits_are_counted_up_to_the_first_other_byte() {
        for byte in 0..=255_u8 {
            for at in 0..8 {
                let mut eight = *b"01234567";
                eight[at] = byte;
                let expected = if byte.is_ascii_digit() { 8 } else { at };
                assert_eq!(digits(u64::from_le_bytes(eight)), expected, "{byte} at {at}");
            }
        }
    }

    #[test]
    fn every_byte_of_a_string_is_looked_at() {
        for byte in 0..=127_u8 {
            for at in 0..40 {
                let mut line = format!("{{\"a\":\"{}\",\"b\":1}}", "x".repeat(40)).into_bytes();
                line[6 + at] = byte;
                let theirs = serde_json::from_slice::<serde_json::Value>(&line);
                let ours = Fields::new().find(&line, &mut []);
                assert_eq!(ours.is_ok(), theirs.is_ok(), "{byte} at {at}");
            }
        }
    }

    #[test]
    fn every_field_is_handed_out_as_it_stands() {
        let mut seen = Vec::new();
        let line = br#" { "a" : 1 , "\u0062":"x\ty","a":[ {} ] } "#;
        each(line, |name, value| seen.push(format!("{} {value:?}", name.plain()))).unwrap();
        assert_eq!(seen.len(), 3);
        assert_eq!((&*seen[0], &*seen[2]), ("a Number(\"1\")", "a Array(\"[ {} ]\")"));
        assert!(seen[1].starts_with("b Text"));
        for broken in ["", "[1]", "{\"a\":1} x", "{\"a\":1,}", "{\"a\":}", "{\"a\":[1}"] {
            let found = Fields::new().find(broken.as_bytes(), &mut []);
            assert_eq!(each(broken.as_bytes(), |_, _| ()), found, "{broken}");
        }
    }

    #[test]
    fn it_goes_as_deep_as_serde_json() {
        for (levels, fits) in [(127, true), (128, false), (100_000, false)] {
            let line = format!("{{\"a\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
            let mut wanting = Fields::new();
            wanting.want("a").unwrap();
            for fields in [Fields::new(), wanting] {
                assert_eq!(fields.find(line.as_bytes(), &mut fields.none()).is_ok(), fits, "{levels}");
            }
            assert_eq!(serde_json::from_str::<serde_json::Value>(&line).is_ok(), fits, "{levels}");
        }
    }
}
