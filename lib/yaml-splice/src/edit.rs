//! Replacing bytes, and nothing else.

use std::ops::Range;

use crate::{Error, Node, Stream, Style, Value};

/// Edits of one stream, made all at once.
#[derive(Debug)]
pub struct Edits<'s, 't> {
    stream: &'s Stream<'t>,
    edits: Vec<(Range<usize>, String)>,
}

impl<'s, 't> Edits<'s, 't> {
    /// None so far.
    pub fn of(stream: &'s Stream<'t>) -> Self {
        Self { stream, edits: Vec::new() }
    }

    /// Whether nothing would change.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// Gives a scalar another text. Its quotes stay; without quotes it gets
    /// some only if the new text needs them.
    ///
    /// # Errors
    /// Fails if it is no scalar of one line, or carries an anchor or a tag.
    pub fn set(&mut self, node: &Node, text: &str) -> Result<(), Error> {
        self.write(node, text, is_plain)
    }

    /// The same for what has to be text for every reader: not a number, not a boolean.
    ///
    /// # Errors
    /// As those of [`set`](Self::set).
    pub fn set_text(&mut self, node: &Node, text: &str) -> Result<(), Error> {
        let was_text = !node.is_null();
        self.write(node, text, |text| was_text && is_plain(text) && is_text(text))
    }

    fn write(&mut self, node: &Node, text: &str, plain: impl Fn(&str) -> bool) -> Result<(), Error> {
        let refuse = |why| Err(Error::Place { line: node.line, why });
        let Value::Scalar(_, style) = &node.value else {
            return refuse("a list, a mapping or an alias is there, not one value");
        };
        if node.adorned {
            return refuse("the value carries an anchor or a tag");
        }
        let old = &self.stream.text[node.range.clone()];
        let new = match style {
            Style::Block => return refuse("the value is a block of text"),
            _ if old.is_empty() && !self.stream.text[..node.range.start].ends_with(':') => {
                return refuse("nothing is written there");
            }
            _ if old.contains('\n') => return refuse("the value spans several lines"),
            Style::Single if !text.contains(char::is_control) => format!("'{}'", text.replace('\'', "''")),
            Style::Plain if plain(text) => text.to_owned(),
            _ => quoted(text),
        };
        // Behind `key:` a blank comes first.
        let blank = if old.is_empty() { " " } else { "" };
        self.replace(node.range.clone(), format!("{blank}{new}"));
        Ok(())
    }

    /// Replaces some bytes; does nothing if they are these already.
    pub fn replace(&mut self, range: Range<usize>, by: String) {
        if self.stream.text[range.clone()] != by {
            self.edits.push((range, by));
        }
    }

    /// Replaces a line (from 1), its line end apart.
    pub fn replace_line(&mut self, number: u32, by: String) {
        self.replace(self.stream.line(number), by);
    }

    /// Adds lines behind a line (from 1); they are separated by `\n`, and get
    /// the text's own line ends.
    pub fn add_lines(&mut self, after: u32, lines: &str) {
        let end = self.stream.line(after).end;
        let newline = self.stream.line_end();
        self.edits.push((end..end, format!("{newline}{}", lines.replace('\n', newline))));
    }

    /// The edited text.
    ///
    /// # Errors
    /// Fails if edits overlap, or if the result would be no YAML or would
    /// change a document no edit lies in.
    pub fn apply(mut self) -> Result<String, Error> {
        self.edits.sort_by_key(|(range, _)| (range.start, range.end));
        let old = self.stream.text;
        let (mut text, mut done) = (String::with_capacity(old.len() + 256), 0);
        for (range, by) in &self.edits {
            let kept = old.get(done..range.start).ok_or_else(|| Error::Spread("two edits overlap".into()))?;
            text.push_str(kept);
            text.push_str(by);
            done = range.end;
        }
        text.push_str(&old[done..]);
        self.verify(&text)?;
        Ok(text)
    }

    fn verify(&self, text: &str) -> Result<(), Error> {
        let edited = Stream::parse(text).map_err(|error| Error::Spread(error.to_string()))?;
        let (before, after) = (&self.stream.documents, &edited.documents);
        if before.len() != after.len() {
            return Err(Error::Spread("another number of documents".into()));
        }
        for (n, (old, new)) in before.iter().zip(after).enumerate() {
            let end = before.get(n + 1).map_or(usize::MAX, |next| next.start);
            let meant = self.edits.iter().any(|(range, _)| range.end >= old.start && range.start <= end);
            if !meant && !old.root.same(&new.root) {
                return Err(Error::Spread(format!("document {}", n + 1)));
            }
        }
        Ok(())
    }
}

/// A text in double quotes (YAML 1.2, section 7.3.1).
pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            // Line breaks of YAML 1.1, and what may not stand in a text at all.
            '\u{85}' | '\u{a0}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                out.push_str(&format!("\\u{:04x}", character as u32));
            }
            _ if character.is_control() => out.push_str(&format!("\\u{:04x}", character as u32)),
            _ => out.push(character),
        }
    }
    out.push('"');
    out
}

/// Whether a text means itself without quotes: no sign of YAML's own in it.
fn is_plain(text: &str) -> bool {
    let harmless = |c: char| c.is_ascii_alphanumeric() || "./_-()".contains(c);
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(harmless)
}

/// Whether a text without quotes is text by YAML 1.1 and 1.2.
fn is_text(text: &str) -> bool {
    let word = text.to_ascii_lowercase();
    let other = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"].contains(&word.as_str());
    !other && (text.contains('/') || text.starts_with(|c: char| c.is_ascii_alphabetic()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn edited(text: &str, path: &[&str], to: &str) -> Result<String, Error> {
        let stream = Stream::parse(text)?;
        let mut edits = Edits::of(&stream);
        edits.set(stream.documents[0].root.at(path).unwrap(), to)?;
        edits.apply()
    }

    #[test]
    fn quotes_comments_and_line_ends_stay() {
        for (before, after) in [
            ("a: x # c\n", "a: 1.2/3 # c\n"),
            ("a: \"x\"   # ü\r\nb: 1", "a: \"1.2/3\"   # ü\r\nb: 1"),
            ("a: 'it''s' # '\n", "a: '1.2/3' # '\n"),
            ("{b: {c: 1}, a: x}", "{b: {c: 1}, a: 1.2/3}"),
            ("é: ü\na:\nb: 2\n", "é: ü\na: 1.2/3\nb: 2\n"),
            ("? a\n: x\n", "? a\n: 1.2/3\n"),
        ] {
            assert_eq!(edited(before, &["a"], "1.2/3").as_deref(), Ok(after), "{before:?}");
        }
    }

    #[test]
    fn what_would_mean_something_else_without_quotes_gets_some() {
        for value in ["fd00::/64", "", "- x", "a #b", "*x", "{}", "\u{85}", "a\nb", "\\\""] {
            let text = edited("a: x\n", &["a"], value).unwrap();
            let stream = Stream::parse(&text).unwrap();
            assert_eq!(stream.documents[0].root.get("a").and_then(Node::text), Some(value), "{text:?}");
        }
    }

    #[test]
    fn what_has_to_be_text_gets_quotes_where_it_looks_like_something_else() {
        for (before, to, after) in [
            ("a: x", "24", "a: \"24\""),
            ("a: x", "true", "a: \"true\""),
            ("a: x", "Never", "a: Never"),
            ("a: x", "10.0.0.0/8", "a: 10.0.0.0/8"),
            ("a:", "Never", "a: \"Never\""),
            ("a: 'x'", "24", "a: '24'"),
        ] {
            let stream = Stream::parse(before).unwrap();
            let mut edits = Edits::of(&stream);
            edits.set_text(stream.documents[0].root.get("a").unwrap(), to).unwrap();
            assert_eq!(edits.apply().as_deref(), Ok(after));
        }
    }

    #[test]
    fn what_is_no_value_of_one_line_is_refused() {
        for text in
            ["a: [1]", "a: {b: 1}", "a: |\n  x\n", "a: x\n  y\n", "a: &n x", "a: !!str x", "b: &n 1\na: *n\n"]
        {
            assert!(matches!(edited(text, &["a"], "1"), Err(Error::Place { .. })), "{text:?}");
        }
    }

    #[test]
    fn lines_are_added_with_the_texts_own_line_ends() {
        for (before, after) in [
            ("a: 1\nb: 2\n", "a: 1\nx: 1\ny: 2\nb: 2\n"),
            ("a: 1\r\nb: 2\r\n", "a: 1\r\nx: 1\r\ny: 2\r\nb: 2\r\n"),
            ("a: 1", "a: 1\nx: 1\ny: 2"),
        ] {
            let stream = Stream::parse(before).unwrap();
            let mut edits = Edits::of(&stream);
            edits.add_lines(1, "x: 1\ny: 2");
            assert_eq!(edits.apply().as_deref(), Ok(after));
        }
    }

    #[test]
    fn an_edit_that_spreads_is_not_handed_out() {
        let stream = Stream::parse("a: x\n---\nb: y\n").unwrap();
        let refused = |range: Range<usize>, by: &str| {
            let mut edits = Edits::of(&stream);
            edits.replace(range, by.into());
            matches!(edits.apply(), Err(Error::Spread(_)))
        };
        assert!(
            refused(3..4, "\"") && refused(3..4, "x\n---\nc: 1") && refused(3..4, "[") && !refused(3..4, "z")
        );
        let mut twice = Edits::of(&stream);
        twice.replace(0..4, "z: 1".into());
        twice.replace(3..4, "2".into());
        assert!(matches!(twice.apply(), Err(Error::Spread(_))));
    }

    #[test]
    fn a_comment_is_none_inside_a_text() {
        let stream = Stream::parse("# 1\na: |\n  # 2\n  x\n # 3\nb: 'x\n  # 4\n  '\n  # 5\n").unwrap();
        let comments: Vec<_> = (1..=stream.line_count()).filter_map(|line| stream.comment(line)).collect();
        assert_eq!(comments, [" 1", " 3", " 5"]);
    }

    #[test]
    fn depth_and_length_are_bounded() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(Stream::parse(&nested(crate::LIMIT_DEPTH)).is_ok());
        assert_eq!(Stream::parse(&nested(crate::LIMIT_DEPTH + 1)).unwrap_err(), Error::Deep { line: 1 });
        assert!(Stream::parse(&nested(100_000)).is_err());
        assert_eq!(Stream::parse(&"#".repeat(crate::LIMIT_BYTES + 1)).unwrap_err(), Error::Long);
    }

    /// Documents as people write them, and some they do not.
    const TEXT: &str = "((---|# c|[ ]{0,3}(- )?[abé]:( |  )(\"x\\\\\"é\" # k|'a''b'|plain w|[|]|>-|\\{a: 1, b: \\[x\\]\\}|12|&n y|\\*n|)|[ ]{0,4}(text|- a|# x|))(\n|\r\n)){0,12}";

    /// Every scalar of a stream that can be set.
    fn scalars<'n>(node: &'n Node, all: &mut Vec<&'n Node>) {
        match &node.value {
            Value::Scalar(..) => all.push(node),
            Value::List(items) => items.iter().for_each(|item| scalars(item, all)),
            Value::Map(entries) => entries.iter().for_each(|(_, value)| scalars(value, all)),
            Value::Alias => {}
        }
    }

    /// The texts of every scalar, in order.
    fn texts(stream: &Stream) -> Vec<String> {
        let mut all = Vec::new();
        stream.documents.iter().for_each(|document| scalars(&document.root, &mut all));
        all.iter().filter_map(|node| node.text().map(str::to_owned)).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..Default::default() })]

        #[test]
        fn a_value_that_is_set_is_the_one_that_differs(text in TEXT, pick: prop::sample::Index, to in "[ -~é\n]{0,12}") {
            let Ok(stream) = Stream::parse(&text) else { return Ok(()) };
            let mut all = Vec::new();
            stream.documents.iter().for_each(|document| scalars(&document.root, &mut all));
            if all.is_empty() {
                return Ok(());
            }
            let picked = pick.index(all.len());
            let mut edits = Edits::of(&stream);
            if edits.set(all[picked], &to).is_err() {
                return Ok(());
            }
            // What nothing was written for has no place of its own everywhere: then it is refused.
            let edited = edits.apply();
            if all[picked].range.is_empty() && edited.is_err() {
                return Ok(());
            }
            let edited = edited.unwrap();
            let range = &all[picked].range;
            prop_assert!(edited.starts_with(&text[..range.start]) && edited.ends_with(&text[range.end..]));
            let mut want = texts(&stream);
            want[picked] = to;
            prop_assert_eq!(texts(&Stream::parse(&edited).unwrap()), want, "{:?}", edited);
        }

        #[test]
        fn no_edits_give_the_text_back(text in TEXT) {
            let Ok(stream) = Stream::parse(&text) else { return Ok(()) };
            prop_assert_eq!(Edits::of(&stream).apply().unwrap(), text.clone());
        }

        #[test]
        fn no_text_panics(text in ".{0,200}") {
            if let Ok(stream) = Stream::parse(&text) {
                for line in 1..=stream.line_count() {
                    stream.comment(line);
                }
            }
        }
    }
}
