//! A value, borrowed from its line.

use std::borrow::Cow;

/// What stands at a path of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Value<'a> {
    /// Nothing does.
    #[default]
    Missing,
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as it was written.
    Number(&'a str),
    /// A string.
    Text(Text<'a>),
    /// A list, as it was written.
    Array(&'a str),
    /// An object, as it was written.
    Object(&'a str),
}

impl<'a> Value<'a> {
    /// The string, with its escapes resolved; `None` if it is something else.
    pub fn text(&self) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(text) => Some(text.plain()),
            _ => None,
        }
    }

    /// What kind of value it is, as a word for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::Array(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

/// The same room, for a line that lives elsewhere: no memory is asked for.
pub fn emptied<'b>(found: Vec<Value>) -> Vec<Value<'b>> {
    // Collecting in place keeps the allocation.
    found.into_iter().map(|_| Value::Missing).collect()
}

/// A string as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'a> {
    pub(crate) quoted: &'a str,
    pub(crate) escaped: bool,
}

impl<'a> Text<'a> {
    /// What it says, with its escapes resolved; borrowed if it has none.
    pub fn plain(&self) -> Cow<'a, str> {
        if self.escaped { Cow::Owned(unescaped(self.raw())) } else { Cow::Borrowed(self.raw()) }
    }

    /// What stands between its quotes, if no escape does: the text itself.
    pub fn unescaped(&self) -> Option<&'a str> {
        (!self.escaped).then(|| self.raw())
    }

    /// As it was written, quotes and escapes included.
    pub fn quoted(&self) -> &'a str {
        self.quoted
    }

    /// What stands between the quotes.
    #[inline]
    pub(crate) fn raw(&self) -> &'a str {
        &self.quoted[1..self.quoted.len() - 1]
    }
}

/// Resolves the escapes of a string the scanner has let through.
pub(crate) fn unescaped(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let (said, length) = escape(&rest[at + 1..]);
        text.push(said);
        rest = &rest[at + 1 + length..];
    }
    text.push_str(rest);
    text
}

/// The character an escape stands for, and its length without the backslash.
fn escape(after: &str) -> (char, usize) {
    let unit = |at: usize| after.get(at..at + 4).and_then(|hex| u16::from_str_radix(hex, 16).ok());
    match after.as_bytes().first() {
        Some(b'u') => {
            let units = [unit(1).unwrap_or_default(), unit(7).unwrap_or_default()];
            let said = char::decode_utf16(units).next().and_then(Result::ok);
            let said = said.unwrap_or(char::REPLACEMENT_CHARACTER);
            (said, if said.len_utf16() == 2 { 11 } else { 5 })
        }
        Some(b'n') => ('\n', 1),
        Some(b't') => ('\t', 1),
        Some(b'r') => ('\r', 1),
        Some(b'b') => ('\u{8}', 1),
        Some(b'f') => ('\u{c}', 1),
        Some(&other) => (char::from(other), 1),
        None => ('\\', 0),
    }
}
