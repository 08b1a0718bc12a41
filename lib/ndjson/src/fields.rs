//! The paths that are wanted, as a tree.

use crate::scan::{Broken, Scan};
use crate::shape::Habit;
use crate::value::{Value, unescaped};

/// Why a path makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// A name in it is empty.
    #[error("`{0}` has an empty name; write a.b, or /a/b where a name holds a dot")]
    Empty(String),
    /// `~` stands for `~0` and `/` for `~1` in the form that begins with a slash.
    #[error("`{0}` has a ~ that is neither ~0 nor ~1")]
    Tilde(String),
}

/// The fields a step needs.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    root: Node,
    count: usize,
}

/// A name on the way to wanted values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    name: String,
    pub(crate) slot: Option<usize>,
    pub(crate) children: Vec<Node>,
    /// A bit for each length a child's name has: most names are passed over by it.
    lengths: u64,
}

impl Fields {
    /// Wants nothing yet; lines are checked nonetheless.
    pub fn new() -> Self {
        Self::default()
    }

    /// Wants one more field and tells its place among those found; the same
    /// path has the same place. `meta.country` and `/meta/country` are the same;
    /// the second form (RFC 6901) also writes names that hold a dot. Lists are
    /// not entered.
    ///
    /// # Errors
    /// Fails if the path makes no sense.
    pub fn want(&mut self, path: &str) -> Result<usize, PathError> {
        let mut node = &mut self.root;
        for name in names(path)? {
            node = node.grow(&name);
        }
        let slot = *node.slot.get_or_insert(self.count);
        self.count = self.count.max(slot + 1);
        Ok(slot)
    }

    /// Room for what is found in a line.
    pub fn none<'a>(&self) -> Vec<Value<'a>> {
        vec![Value::Missing; self.count]
    }

    /// Goes over a line, checks all of it, and puts what is wanted into `found`,
    /// which comes from [`Fields::none`].
    ///
    /// # Errors
    /// Fails if the line is not one JSON object; `found` then means nothing.
    pub fn find<'a>(&self, line: &'a [u8], found: &mut [Value<'a>]) -> Result<(), Broken> {
        found.fill(Value::Missing);
        Scan::new(line)?.line(&self.root, found)
    }

    /// Does the same with the first line of a text, and tells its length: much faster if it has
    /// the names of lines before it in the same order.
    ///
    /// # Errors
    /// Fails if the line is not one JSON object; `found` then means nothing.
    #[inline]
    pub fn first<'a>(
        &self,
        text: &'a str,
        habit: &mut Habit,
        found: &mut [Value<'a>],
    ) -> (usize, Result<(), Broken>) {
        found.fill(Value::Missing);
        let shape = habit.shape.as_ref();
        match shape.map_or(Err(0), |shape| Scan::of_text(text).alike(shape, found)) {
            Ok(length) => (length, Ok(())),
            Err(upto) => self.otherwise(text, upto, habit, found),
        }
    }

    /// Goes over a line that is like the ones before it only up to there.
    fn otherwise<'a>(
        &self,
        text: &'a str,
        upto: usize,
        habit: &mut Habit,
        found: &mut [Value<'a>],
    ) -> (usize, Result<(), Broken>) {
        let end = memchr::memchr(b'\n', &text.as_bytes()[upto..]);
        let length = end.map_or(text.len(), |end| upto + end);
        let line = &text[..length];
        if upto == 0 {
            found.fill(Value::Missing);
        }
        let read = Scan::of_text(line).from(upto, &self.root, found);
        if read.is_ok()
            && habit.is_new()
            && let Some(shape) = Scan::of_text(line).shape(&self.root)
        {
            habit.shape = Some(shape);
        }
        (length, read)
    }
}

impl Node {
    /// One with nothing wanted below it.
    pub(crate) const NOTHING: Self =
        Self { name: String::new(), slot: None, children: Vec::new(), lengths: 0 };

    fn grow(&mut self, name: &str) -> &mut Node {
        let at = self.children.iter().position(|child| child.name == name).unwrap_or_else(|| {
            self.children.push(Node { name: name.into(), ..Node::default() });
            self.lengths |= bit(name.len());
            self.children.len() - 1
        });
        &mut self.children[at]
    }

    /// The child of that name, as it stands in the line.
    pub(crate) fn child(&self, raw: &str, escaped: bool) -> Option<&Node> {
        if escaped {
            let name = unescaped(raw);
            return self.children.iter().find(|child| child.name == *name);
        }
        if self.lengths & bit(raw.len()) == 0 {
            return None;
        }
        self.children.iter().find(|child| child.name == *raw)
    }

    /// Forgets what was found here and below: the field stands once more.
    pub(crate) fn forget(&self, found: &mut [Value]) {
        if let Some(slot) = self.slot {
            found[slot] = Value::Missing;
        }
        self.children.iter().for_each(|child| child.forget(found));
    }
}

fn bit(length: usize) -> u64 {
    1 << length.min(63)
}

/// The names on the way to a field: of `meta.country` and of `/meta/country` the same.
///
/// # Errors
/// Fails if the path makes no sense.
pub fn names(path: &str) -> Result<Vec<String>, PathError> {
    let Some(pointer) = path.strip_prefix('/') else {
        let names: Vec<_> = path.split('.').map(str::to_owned).collect();
        let empty = names.iter().any(String::is_empty);
        return if empty { Err(PathError::Empty(path.to_owned())) } else { Ok(names) };
    };
    let plain = |name: &str| {
        let stray = name.split('~').skip(1).any(|after| !after.starts_with(['0', '1']));
        if stray {
            Err(PathError::Tilde(path.to_owned()))
        } else {
            Ok(name.replace("~1", "/").replace("~0", "~"))
        }
    };
    pointer.split('/').map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_path_are_the_same_field() {
        let mut fields = Fields::new();
        assert_eq!(fields.want("meta.country"), Ok(0));
        assert_eq!(fields.want("/meta/country"), Ok(0));
        assert_eq!(fields.want("/a.b/c~1d"), Ok(1));
        let mut found = fields.none();
        fields.find(br#"{"a.b":{"c/d":7}}"#, &mut found).unwrap();
        assert_eq!(found, [Value::Missing, Value::Number("7")]);
    }

    #[test]
    fn a_path_without_sense_is_refused() {
        for path in ["", "a..b", ".a", "a."] {
            assert!(matches!(Fields::new().want(path), Err(PathError::Empty(_))), "{path}");
        }
        assert!(matches!(Fields::new().want("/a~2"), Err(PathError::Tilde(_))));
    }

    #[test]
    fn an_object_and_a_field_in_it_are_both_found() {
        let mut fields = Fields::new();
        let (all, one) = (fields.want("m").unwrap(), fields.want("m.x").unwrap());
        let mut found = fields.none();
        fields.find(br#"{"m": {"x": "1"} }"#, &mut found).unwrap();
        assert_eq!(found[all], Value::Object(r#"{"x": "1"}"#));
        assert_eq!(found[one].text().as_deref(), Some("1"));
    }

    #[test]
    fn of_fields_that_stand_twice_the_last_wins_with_all_below_it() {
        let mut fields = Fields::new();
        let (x, y) = (fields.want("m.x").unwrap(), fields.want("y").unwrap());
        let mut found = fields.none();
        fields.find(br#"{"y":1,"m":{"x":1},"\u0079":2,"m":{"z":3}}"#, &mut found).unwrap();
        assert_eq!((found[x], found[y]), (Value::Missing, Value::Number("2")));
    }
}
