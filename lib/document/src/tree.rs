//! The tree of values a document is.

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its line, from 1.
    pub line: u32,
    /// Its column, in characters, from 1.
    pub column: u32,
    /// The value.
    pub value: Value,
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `null`, `~` or nothing at all.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A number as it was written.
    Number(String),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the writer's order; no key is there twice.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The key's line, from 1.
    pub line: u32,
    /// The key's column, in characters, from 1.
    pub column: u32,
    /// What it stands for.
    pub node: Node,
}

impl Value {
    /// What kind of value it is, with its article.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Boolean(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

impl Node {
    /// Line and column of the value at a path such as `hosts[2].bmc.address`;
    /// of the nearest value above it where the document has none.
    pub fn locate(&self, path: &str) -> (u32, u32) {
        let mut node = self;
        let mut at = (self.line, self.column);
        for step in path.split(['.', '[']).filter(|step| !step.is_empty()) {
            let below = match &node.value {
                Value::Map(entries) => entries.iter().find(|entry| entry.key == step).map(|entry| {
                    // A mapping or list below a key is found by its key.
                    let nested = matches!(entry.node.value, Value::List(_) | Value::Map(_) | Value::Null);
                    let at = if nested {
                        (entry.line, entry.column)
                    } else {
                        (entry.node.line, entry.node.column)
                    };
                    (&entry.node, at)
                }),
                Value::List(items) => {
                    let number = step.trim_end_matches(']').parse::<usize>().ok();
                    number.and_then(|n| items.get(n)).map(|item| (item, (item.line, item.column)))
                }
                _ => None,
            };
            let Some((next, next_at)) = below else { break };
            (node, at) = (next, next_at);
        }
        at
    }
}
