//! A TOML text that is edited in place: what is not meant stays byte for byte.
//!
//! The parser tells where things are; the edits are made in the text itself,
//! since a document that is printed anew loses its line ends and some of its
//! comments.

use std::ops::Range;

use toml_edit::{Array, Document, Item, Value};

/// Why a text is no TOML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) line: u32,
    pub(crate) why: String,
}

/// A TOML text and what it says.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    document: Document<String>,
}

/// Where a key would have to go.
enum Home {
    /// Into the table of this header, at this place, so far indented.
    Table { at: usize, indent: String, key: String },
    /// Into an inline table that ends here.
    Inline { end: usize, empty: bool, key: String },
    /// Into a table of its own at the end.
    New,
}

impl Text {
    pub(crate) fn parse(text: impl Into<String>) -> Result<Self, Broken> {
        let text = text.into();
        match Document::parse(text.clone()) {
            Ok(document) => Ok(Self { document }),
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                Err(Broken { line: line(&text, at), why: error.message().to_owned() })
            }
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        self.document.raw()
    }

    /// What is at a path; none if nothing is.
    pub(crate) fn get(&self, path: &[&str]) -> Option<&Item> {
        path.iter().try_fold(self.document.as_item(), |item, key| item.get(key))
    }

    /// The line something stands in.
    pub(crate) fn line(&self, item: &Item) -> Option<u32> {
        item.span().map(|span| line(self.as_str(), span.start))
    }

    /// A value on one line, a text without its quotes; none for a table.
    pub(crate) fn written(&self, item: &Item) -> Option<String> {
        if let Some(text) = item.as_str() {
            return Some(text.to_owned());
        }
        let written = &self.as_str()[item.as_value()?.span()?];
        Some(written.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    pub(crate) fn string(&self, path: &[&str]) -> Option<&str> {
        self.get(path)?.as_str()
    }

    /// The texts of a list; none if it is no list.
    pub(crate) fn strings(&self, path: &[&str]) -> Option<Vec<&str>> {
        Some(self.get(path)?.as_array()?.iter().filter_map(Value::as_str).collect())
    }

    /// The keys of a table, in order.
    pub(crate) fn keys(&self, path: &[&str]) -> Vec<String> {
        let table = self.get(path).and_then(Item::as_table_like);
        table.map(|table| table.iter().map(|(key, _)| key.to_owned()).collect()).unwrap_or_default()
    }

    /// Gives a key a value, TOML as it is to be written.
    pub(crate) fn set(&mut self, path: &[&str], value: &str) -> Result<(), Broken> {
        if let Some(span) = self.get(path).and_then(Item::span) {
            return self.splice(span, value);
        }
        let end = self.newline();
        match self.home(path) {
            Home::Table { at, indent, key } => self.splice(at..at, &format!("{indent}{key} = {value}{end}")),
            Home::Inline { end, empty, key } => {
                let text = if empty { format!(" {key} = {value} ") } else { format!(", {key} = {value}") };
                let space = if empty {
                    0
                } else {
                    self.as_str()[..end].len() - self.as_str()[..end].trim_end().len()
                };
                self.splice(end - space..end - space, &text)
            }
            Home::New => {
                let (table, key) = path.split_at(path.len() - 1);
                let text = self.as_str();
                let gap = if text.is_empty() { "" } else { end };
                let gap =
                    if text.is_empty() || text.ends_with('\n') { gap.to_owned() } else { gap.repeat(2) };
                let section = format!("{gap}[{}]{end}{} = {value}{end}", dotted(table), quoted(key[0]));
                self.splice(text.len()..text.len(), &section)
            }
        }
    }

    /// Puts a line before all others.
    pub(crate) fn put_first(&mut self, line: &str) -> Result<(), Broken> {
        let end = self.newline();
        let start = if self.as_str().starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        self.splice(start..start, &format!("{line}{end}"))
    }

    /// Adds a text to a list.
    pub(crate) fn push(&mut self, path: &[&str], text: &str) -> Result<(), Broken> {
        let value = format!("\"{text}\"");
        let last = self.array(path).and_then(|array| array.iter().last()?.span());
        match last {
            Some(last) => self.splice(last.end..last.end, &format!(", {value}")),
            None => self.set(path, &format!("[{value}]")),
        }
    }

    /// Takes a text out of a list.
    pub(crate) fn remove(&mut self, path: &[&str], text: &str) -> Result<(), Broken> {
        while let Some(array) = self.array(path) {
            let Some(at) = array.iter().position(|value| value.as_str() == Some(text)) else { break };
            let spans: Vec<Range<usize>> = array.iter().filter_map(Value::span).collect();
            match (spans.get(at + 1), at.checked_sub(1)) {
                (Some(next), _) => self.splice(spans[at].start..next.start, "")?,
                (None, Some(before)) => self.splice(spans[before].end..spans[at].end, "")?,
                (None, None) => self.set(path, "[]")?,
            }
        }
        Ok(())
    }

    fn array(&self, path: &[&str]) -> Option<&Array> {
        self.get(path)?.as_array()
    }

    /// Finds the deepest table on the way that is there.
    fn home(&self, path: &[&str]) -> Home {
        let depth = (0..path.len()).rev().find(|n| self.get(&path[..*n]).is_some_and(Item::is_table_like));
        let deepest = depth.unwrap_or_default();
        let mut depth = deepest;
        loop {
            let rest = dotted(&path[depth..]);
            match self.get(&path[..depth]) {
                Some(Item::Value(Value::InlineTable(table))) => match (table.span(), table.is_dotted()) {
                    (Some(span), false) => {
                        return Home::Inline { end: span.end - 1, empty: table.is_empty(), key: rest };
                    }
                    _ => depth -= 1,
                },
                // Header tables take new tables below them anywhere.
                Some(Item::Table(table)) if !table.is_dotted() => {
                    let headed = depth == 0 || !table.is_implicit();
                    if headed && (depth < deepest || depth + 1 == path.len()) {
                        return self.in_table(table, &path[..depth], rest);
                    }
                    return Home::New;
                }
                _ if depth == 0 => return Home::New,
                _ => depth -= 1,
            }
        }
    }

    /// After the last key of a table, or after its header.
    fn in_table(&self, table: &toml_edit::Table, path: &[&str], key: String) -> Home {
        let text = self.as_str();
        let last = table.iter().filter_map(|(key, item)| {
            let end = own_end(item)?;
            let start = table.key(key).and_then(toml_edit::Key::span).map_or(end, |span| span.start);
            Some((end, start))
        });
        let (end, start, deeper) = match (last.max(), table.span()) {
            (Some((end, start)), _) => (end, start, ""),
            (None, Some(header)) if !path.is_empty() => (header.end, header.start, "  "),
            _ => return Home::Table { at: 0, indent: String::new(), key },
        };
        let begin = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let mut indent: String = text[begin..start].chars().take_while(|c| c.is_whitespace()).collect();
        if !indent.is_empty() {
            indent.push_str(deeper);
        }
        match text[end..].find('\n') {
            Some(newline) => Home::Table { at: end + newline + 1, indent, key },
            None => {
                // The last line of all has no newline: it gets one before the key.
                Home::Table { at: text.len(), indent: format!("{}{indent}", self.newline()), key }
            }
        }
    }

    fn splice(&mut self, range: Range<usize>, by: &str) -> Result<(), Broken> {
        let mut text = self.as_str().to_owned();
        text.replace_range(range, by);
        *self = Self::parse(text)?;
        Ok(())
    }

    /// The line end of the first line.
    fn newline(&self) -> &'static str {
        match self.as_str().find('\n') {
            Some(at) if self.as_str()[..at].ends_with('\r') => "\r\n",
            _ => "\n",
        }
    }
}

/// Where a value that belongs to its table's own lines ends; none for a table with a header.
fn own_end(item: &Item) -> Option<usize> {
    match item {
        Item::Value(value) => match (value.span(), value.as_inline_table()) {
            (Some(span), _) => Some(span.end),
            (None, Some(table)) => {
                table.iter().filter_map(|(_, value)| value.span()).map(|span| span.end).max()
            }
            _ => None,
        },
        Item::Table(table) if table.is_dotted() => table.iter().filter_map(|(_, item)| own_end(item)).max(),
        _ => None,
    }
}

fn line(text: &str, at: usize) -> u32 {
    let before = text.get(..at).unwrap_or(text).matches('\n').count();
    u32::try_from(before + 1).unwrap_or(u32::MAX)
}

/// Keys joined by dots, quoted where they must be.
pub(crate) fn dotted(path: &[&str]) -> String {
    path.iter().map(|key| quoted(key)).collect::<Vec<_>>().join(".")
}

fn quoted(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(bare) { key.to_owned() } else { format!("\"{key}\"") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str, path: &str, value: &str) -> String {
        let mut text = Text::parse(text).unwrap();
        text.set(&path.split('/').collect::<Vec<_>>(), value).unwrap();
        text.as_str().to_owned()
    }

    #[test]
    fn a_value_is_replaced_where_it_stands() {
        let text = "# top\r\n[a.\"b.c\"]\r\n\tx = 'old' # why\r\ny = 1";
        assert_eq!(set(text, "a/b.c/x", "\"new\""), text.replace("'old'", "\"new\""));
    }

    #[test]
    fn a_new_key_follows_the_last_one_of_its_table() {
        let text = "[a]\n  x = 1 # one\n\n  [a.b]\n    y = [\n 1,\n ]\n\n[c]\n";
        assert_eq!(set(text, "a/z", "2"), text.replace("# one\n", "# one\n  z = 2\n"));
        assert_eq!(set(text, "a/b/z", "2"), text.replace("]\n\n[c]", "]\n    z = 2\n\n[c]"));
        assert_eq!(set(text, "c/z", "2"), format!("{text}z = 2\n"));
        assert_eq!(set("[c]", "c/z", "2"), "[c]\nz = 2\n");
        assert_eq!(
            set("[a]\n  [a.b]\n    [a.b.c]\n", "a/b/z", "2"),
            "[a]\n  [a.b]\n    z = 2\n    [a.b.c]\n"
        );
        assert_eq!(set("x = 1\n[c]\n", "z", "2"), "x = 1\nz = 2\n[c]\n");
        assert_eq!(set("[c]\n", "z", "2"), "z = 2\n[c]\n");
    }

    #[test]
    fn a_new_table_comes_last() {
        assert_eq!(set("", "a/b.c/x", "1"), "[a.\"b.c\"]\nx = 1\n");
        assert_eq!(set("[a.b]\r\ny = 1", "a/c/x", "1"), "[a.b]\r\ny = 1\r\n\r\n[a.c]\r\nx = 1\r\n");
        assert_eq!(set("[a.b]\ny = 1\n", "a/x", "1"), "[a.b]\ny = 1\n\n[a]\nx = 1\n");
    }

    #[test]
    fn what_is_written_with_dots_or_inline_goes_on_so() {
        assert_eq!(set("[a]\nb.c.d = 1\n", "a/b/c/x", "1"), "[a]\nb.c.d = 1\nb.c.x = 1\n");
        assert_eq!(set("[a]\nb.c.d = 1\n", "a/b/e/x", "1"), "[a]\nb.c.d = 1\nb.e.x = 1\n");
        assert_eq!(set("a = { b = { c = 1 } }\n", "a/b/x", "1"), "a = { b = { c = 1, x = 1 } }\n");
        assert_eq!(set("a = {}\n", "a/b/x", "1"), "a = { b.x = 1 }\n");
        assert_eq!(set("a.b = 1\n", "a/c/x", "1"), "a.b = 1\na.c.x = 1\n");
    }

    #[test]
    fn lists_lose_and_gain_texts_in_place() {
        let list = |text: &str, gone: &str| {
            let mut text = Text::parse(text).unwrap();
            text.remove(&["l"], gone).unwrap();
            text.as_str().to_owned()
        };
        assert_eq!(list("l = [\"a\", \"cri\"] # x\n", "cri"), "l = [\"a\"] # x\n");
        assert_eq!(list("l = [\n  'cri',\n  'b', # B\n]\n", "cri"), "l = [\n  'b', # B\n]\n");
        assert_eq!(list("l = ['cri', 'cri']\n", "cri"), "l = []\n");
        let mut text = Text::parse("l = ['a', # A\n]\nm = []\n").unwrap();
        text.push(&["l"], "b").unwrap();
        text.push(&["m"], "b").unwrap();
        assert_eq!(text.as_str(), "l = ['a', \"b\", # A\n]\nm = [\"b\"]\n");
    }

    #[test]
    fn what_is_no_toml_is_told_with_its_line() {
        assert_eq!(Text::parse("a = 1\nb = = 2\n").unwrap_err().line, 2);
    }
}
