//! Values and their places.

use std::ops::Range;

/// A value and its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// The line it begins on, from 1.
    pub line: u32,
    /// The bytes it is written in, quotes and brackets included; of a block
    /// scalar its content.
    pub range: Range<usize>,
    /// What it is.
    pub value: Value,
    /// Whether it carries an anchor or a tag.
    pub adorned: bool,
}

/// What a value is.
#[derive(Clone, Debug)]
pub enum Value {
    /// Text, a number, a boolean, nothing: as text, and how it is written.
    Scalar(String, Style),
    /// A list.
    List(Vec<Node>),
    /// A mapping: keys and values in the writer's order.
    Map(Vec<(Node, Node)>),
    /// `*name`, not followed.
    Alias,
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// In single quotes.
    Single,
    /// In double quotes.
    Double,
    /// As lines behind `|` or `>`.
    Block,
}

impl Node {
    /// The text of a scalar; none of what is no scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(text, _) => Some(text),
            _ => None,
        }
    }

    /// Whether it says nothing: `key:`, `~`, `null`.
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(text, Style::Plain) if ["", "~", "null", "Null", "NULL"].contains(&text.as_str()))
    }

    /// The value of a key; of one that is there twice, the last.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().rev().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
    }

    /// A key with its value.
    pub fn entry(&self, key: &str) -> Option<(&Self, &Self)> {
        self.entries()
            .iter()
            .rev()
            .find(|(name, _)| name.text() == Some(key))
            .map(|(key, value)| (key, value))
    }

    /// The value at a path of keys.
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// Keys and values of a mapping; none of what is no mapping.
    pub fn entries(&self) -> &[(Self, Self)] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none of what is no list.
    pub fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// Whether two values say the same, wherever and however they are written.
    pub fn same(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            (Value::Scalar(a, how), Value::Scalar(b, other)) => {
                a == b && (*how == Style::Plain) == (*other == Style::Plain)
            }
            (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b)),
            (Value::Map(a), Value::Map(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0.same(&b.0) && a.1.same(&b.1))
            }
            (Value::Alias, Value::Alias) => true,
            _ => false,
        }
    }
}
