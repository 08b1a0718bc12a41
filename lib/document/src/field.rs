//! A place in a document while a model is made from it.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::parse::join;
use crate::problem::{Problem, Problems};
use crate::tree::{Entry, Node, Value};
use crate::words;

/// A value, its path, and where its problems are noted.
///
/// Each way to read it gives `None` after noting why it could not.
#[derive(Clone, Debug)]
pub struct Field<'a> {
    node: &'a Node,
    path: String,
    problems: &'a Problems,
}

impl<'a> Field<'a> {
    /// The document as a whole.
    pub fn root(node: &'a Node, problems: &'a Problems) -> Self {
        Self { node, path: String::new(), problems }
    }

    /// Its path, such as `hosts[2].bmc.address`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The value itself.
    pub fn value(&self) -> &'a Value {
        &self.node.value
    }

    /// Notes that something is wrong with it.
    pub fn wrong(&self, message: impl Display) {
        self.note(message.to_string(), None);
    }

    /// The same, with the way out.
    pub fn wrong_hint(&self, message: impl Display, hint: impl Display) {
        self.note(message.to_string(), Some(hint.to_string()));
    }

    /// A mapping, to be read key by key.
    pub fn keys(&self) -> Option<Keys<'a>> {
        match &self.node.value {
            Value::Map(entries) => Some(Keys { of: self.clone(), entries, asked: Vec::new() }),
            other => self.unwanted("a mapping", other),
        }
    }

    /// A mapping whose keys are free: each key with its value.
    pub fn entries(&self) -> Option<Vec<(&'a str, Field<'a>)>> {
        match &self.node.value {
            Value::Map(entries) => {
                Some(entries.iter().map(|e| (e.key.as_str(), self.below(&e.node, &e.key))).collect())
            }
            other => self.unwanted("a mapping", other),
        }
    }

    /// A list, each item read by `read`; those that are wrong are left out.
    pub fn list<T>(&self, read: impl Fn(&Field<'a>) -> Option<T>) -> Option<Vec<T>> {
        match &self.node.value {
            Value::List(items) => {
                let places = items.iter().enumerate().map(|(n, node)| Self {
                    node,
                    path: format!("{}[{n}]", self.path),
                    problems: self.problems,
                });
                Some(places.filter_map(|item| read(&item)).collect())
            }
            other => self.unwanted("a list", other),
        }
    }

    /// Text.
    pub fn text(&self) -> Option<String> {
        match &self.node.value {
            Value::Text(text) => Some(text.clone()),
            Value::Number(number) => {
                // `1.30` would be 1.3 for every other reader.
                self.wrong_hint(format!("{number} is a number, not text"), format!("write \"{number}\""));
                None
            }
            Value::Boolean(word) => {
                self.wrong_hint(format!("{word} is a boolean, not text"), format!("write \"{word}\""));
                None
            }
            other => self.unwanted("text", other),
        }
    }

    /// Text that stands for a value of some type.
    pub fn parse<T: FromStr<Err: Display>>(&self) -> Option<T> {
        let text = self.text()?;
        text.parse().map_err(|error| self.wrong(error)).ok()
    }

    /// A whole number within bounds.
    pub fn number<T>(&self, range: RangeInclusive<T>) -> Option<T>
    where
        T: TryFrom<i64> + PartialOrd + Display,
    {
        let Value::Number(written) = &self.node.value else {
            return self.unwanted("a whole number", &self.node.value);
        };
        let number = written.parse::<i64>().ok().and_then(|n| T::try_from(n).ok());
        match number.filter(|n| range.contains(n)) {
            None => {
                let shown: String = written.chars().take(40).collect();
                let (from, to) = range.into_inner();
                self.wrong(format!("{shown} is not a whole number from {from} to {to}"));
                None
            }
            number => number,
        }
    }

    /// `true` or `false`.
    pub fn boolean(&self) -> Option<bool> {
        match &self.node.value {
            Value::Boolean(value) => Some(*value),
            Value::Text(text) if matches!(text.to_ascii_lowercase().as_str(), "yes" | "on" | "y") => {
                self.wrong_hint(format!("`{text}` is text, not a boolean"), "write true");
                None
            }
            Value::Text(text) if matches!(text.to_ascii_lowercase().as_str(), "no" | "off" | "n") => {
                self.wrong_hint(format!("`{text}` is text, not a boolean"), "write false");
                None
            }
            other => self.unwanted("true or false", other),
        }
    }

    /// One of some words, each with what it stands for.
    pub fn word<T: Clone>(&self, words: &[(&str, T)]) -> Option<T> {
        let text = self.text()?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| value.clone());
        if found.is_none() {
            let known = words.iter().map(|(word, _)| *word);
            let all = known.clone().collect::<Vec<_>>().join(", ");
            let shown: String = text.chars().take(64).collect();
            let meant = words::nearest(&text, known).map(|word| format!("did you mean `{word}`?"));
            self.note(format!("`{shown}` is none of: {all}"), meant);
        }
        found
    }

    fn below(&self, node: &'a Node, key: &str) -> Self {
        Self { node, path: join(&self.path, key), problems: self.problems }
    }

    fn unwanted<T>(&self, want: &str, value: &Value) -> Option<T> {
        self.wrong(format!("{want} is wanted here, not {}", value.kind()));
        None
    }

    fn note(&self, message: String, hint: Option<String>) {
        let (line, column) = (self.node.line, self.node.column);
        self.problems.note(Problem { line, column, path: self.path.clone(), message, hint });
    }
}

/// A mapping read key by key; [`finish`](Self::finish) notes what nobody asked for.
#[derive(Debug)]
pub struct Keys<'a> {
    of: Field<'a>,
    entries: &'a [Entry],
    asked: Vec<&'static str>,
}

impl<'a> Keys<'a> {
    /// The value of a key; `None` if it is absent or null.
    pub fn get(&mut self, key: &'static str) -> Option<Field<'a>> {
        self.asked.push(key);
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        (entry.node.value != Value::Null).then(|| self.of.below(&entry.node, key))
    }

    /// A key that may be left out.
    pub fn optional<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&Field<'a>) -> Option<T>,
    ) -> Option<T> {
        self.get(key).and_then(|field| read(&field))
    }

    /// A key that must be there.
    pub fn required<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&Field<'a>) -> Option<T>,
    ) -> Option<T> {
        let field = self.get(key);
        if field.is_none() {
            let (line, column) = match self.entries.iter().find(|entry| entry.key == key) {
                Some(entry) => (entry.line, entry.column),
                None => (self.of.node.line, self.of.node.column),
            };
            self.note(line, column, key, "missing", None);
        }
        read(&field?)
    }

    /// A key that has a default.
    pub fn or<T>(&mut self, key: &'static str, default: T, read: impl FnOnce(&Field<'a>) -> Option<T>) -> T {
        self.optional(key, read).unwrap_or(default)
    }

    /// Notes every key nobody asked for, with the one that was perhaps meant.
    pub fn finish(self) {
        for entry in self.entries.iter().filter(|entry| !self.asked.contains(&entry.key.as_str())) {
            let meant = words::nearest(&entry.key, self.asked.iter().copied());
            let hint = match meant {
                Some(word) => format!("did you mean `{word}`?"),
                None => format!("known here: {}", self.asked.join(", ")),
            };
            self.note(entry.line, entry.column, &entry.key, "unknown key", Some(hint));
        }
    }

    fn note(&self, line: u32, column: u32, key: &str, message: &str, hint: Option<String>) {
        let path = join(&self.of.path, key);
        self.of.problems.note(Problem { line, column, path, message: message.to_owned(), hint });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The problems one reading of a document notes, as they are printed.
    fn noted(text: &str, read: impl FnOnce(&Field)) -> Vec<String> {
        let tree = crate::parse(text).unwrap();
        let problems = Problems::default();
        read(&Field::root(&tree, &problems));
        problems.into_sorted().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn everything_that_is_wrong_is_noted_in_one_reading() {
        let found = noted("port: 0\nnmae: x\nlist: [1, a]\n", |root| {
            let mut keys = root.keys().unwrap();
            keys.required("name", Field::text);
            keys.required::<u16>("port", |f| f.number(1..=65535));
            keys.required("list", |f| f.list(|item| item.number(0..=9_u8)));
            keys.finish();
        });
        assert_eq!(
            found,
            [
                "line 1 column 1: name: missing",
                "line 1 column 7: port: 0 is not a whole number from 1 to 65535",
                "line 2 column 1: nmae: unknown key; did you mean `name`?",
                "line 3 column 11: list[1]: a whole number is wanted here, not text",
            ]
        );
    }

    #[test]
    fn a_number_where_text_is_wanted_is_refused_so_that_no_digit_is_lost() {
        let tree = crate::parse("version: 1.30\n").unwrap();
        let problems = Problems::default();
        Field::root(&tree, &problems).keys().unwrap().required("version", Field::text);
        assert_eq!(problems.into_sorted()[0].hint.as_deref(), Some("write \"1.30\""));
    }

    #[test]
    fn an_optional_key_may_be_null_and_a_required_one_may_not() {
        let found = noted("a:\nb: ~\n", |root| {
            let mut keys = root.keys().unwrap();
            assert_eq!(keys.optional("a", Field::text), None);
            assert_eq!(keys.required("b", Field::text), None);
            keys.finish();
        });
        assert_eq!(found, ["line 2 column 1: b: missing"]);
    }

    #[test]
    fn numbers_beyond_every_type_are_out_of_range_and_not_a_panic() {
        for number in ["99999999999999999999", "-1", "1.5", "0x10", ".inf", "1e400"] {
            let found = noted(&format!("n: {number}"), |root| {
                root.keys().unwrap().required::<u8>("n", |f| f.number(0..=255));
            });
            assert_eq!(found.len(), 1, "{number}");
        }
    }

    #[test]
    fn a_yes_is_no_boolean_and_the_hint_says_what_is() {
        let found = noted("b: yes", |root| {
            root.keys().unwrap().required("b", Field::boolean);
        });
        assert_eq!(found, ["line 1 column 4: b: `yes` is text, not a boolean; write true"]);
    }
}
