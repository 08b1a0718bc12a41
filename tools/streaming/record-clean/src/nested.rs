//! Fields within objects, in the text of the object: what no rule names stays as
//! it was written. The text has been checked; it is only walked here.

use std::ops::Range;

use crate::row::{quoted, text};

/// Why a path leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blocked {
    /// A name on the way is there twice.
    Twice,
    /// Something on the way is no object.
    NoObject,
}

impl Blocked {
    pub(crate) fn why(self) -> &'static str {
        match self {
            Self::Twice => "a name in its path is there twice",
            Self::NoObject => "what it lies in is no object",
        }
    }
}

/// Where the value at these names stands; none if there is none.
pub(crate) fn find(json: &str, names: &[String]) -> Result<Option<Range<usize>>, Blocked> {
    let mut range = 0..json.len();
    for name in names {
        match member(&json[range.clone()], name)? {
            Some(member) => range = range.start + member.value.start..range.start + member.value.end,
            None => return Ok(None),
        }
    }
    Ok(Some(range))
}

/// The object with this value at these names; objects that are missing on the way are made.
pub(crate) fn set(json: &str, names: &[String], value: &str) -> Result<String, Blocked> {
    let Some((name, below)) = names.split_first() else { return Ok(value.to_owned()) };
    if json == "null" {
        return Ok(made(names, value));
    }
    if !json.starts_with('{') {
        return Err(Blocked::NoObject);
    }
    if let Some(Member { value: at, .. }) = member(json, name)? {
        let inner = set(&json[at.clone()], below, value)?;
        return Ok(format!("{}{inner}{}", &json[..at.start], &json[at.end..]));
    }
    let open = json[..json.len() - 1].trim_end();
    let comma = if open.len() > 1 { "," } else { "" };
    Ok(format!("{open}{comma}{}:{}}}", quoted(name), made(below, value)))
}

/// A value within objects of these names.
pub(crate) fn made(names: &[String], value: &str) -> String {
    names.iter().rev().fold(value.to_owned(), |inner, name| format!("{{{}:{inner}}}", quoted(name)))
}

/// The object without the value at these names; none if there is none.
pub(crate) fn without(json: &str, names: &[String]) -> Result<Option<String>, Blocked> {
    let Some((name, below)) = names.split_first() else { return Ok(None) };
    let Some(Member { name: start, value, before }) = member(json, name)? else { return Ok(None) };
    if !below.is_empty() {
        let inner = without(&json[value.clone()], below)?;
        return Ok(inner.map(|inner| format!("{}{inner}{}", &json[..value.start], &json[value.end..])));
    }
    // Its comma is the one before it, or for the first the one after.
    let (from, to) = match (before, json[value.end..].trim_start().strip_prefix(',')) {
        (Some(comma), _) => (comma, value.end),
        (None, Some(rest)) => (start.start, json.len() - rest.trim_start().len()),
        (None, None) => (start.start, value.end),
    };
    Ok(Some(format!("{}{}", &json[..from], &json[to..])))
}

/// The object with these alone; none if nothing is left. An empty list of names keeps it whole.
pub(crate) fn only(json: &str, kept: &[&[String]]) -> Result<Option<String>, Blocked> {
    if kept.iter().any(|names| names.is_empty()) {
        return Ok(Some(json.to_owned()));
    }
    if !json.starts_with('{') {
        return Ok(None);
    }
    let mut out = String::from("{");
    for Member { name, value, .. } in members(json) {
        let word = text(&json[name.clone()]).unwrap_or_default();
        let below = kept.iter().filter(|names| names[0] == *word).map(|names| &names[1..]);
        let below: Vec<_> = below.collect();
        if below.is_empty() {
            continue;
        }
        if let Some(inner) = only(&json[value], &below)? {
            if out.len() > 1 {
                out.push(',');
            }
            out.push_str(&json[name]);
            out.push(':');
            out.push_str(&inner);
        }
    }
    out.push('}');
    Ok((out.len() > 2).then_some(out))
}

/// A member of an object.
struct Member {
    /// Its name with the quotes.
    name: Range<usize>,
    value: Range<usize>,
    /// The comma before it; none for the first.
    before: Option<usize>,
}

/// The one of this name.
fn member(json: &str, name: &str) -> Result<Option<Member>, Blocked> {
    let mut found = members(json).filter(|member| {
        let raw = &json[member.name.start + 1..member.name.end - 1];
        if raw.contains('\\') {
            text(&json[member.name.clone()]).is_some_and(|text| text == name)
        } else {
            raw == name
        }
    });
    let first = found.next();
    if first.is_some() && found.next().is_some() { Err(Blocked::Twice) } else { Ok(first) }
}

/// All of them; what is no object has none.
fn members(json: &str) -> impl Iterator<Item = Member> {
    let bytes = json.as_bytes();
    let mut at = if bytes.first() == Some(&b'{') { blanks(bytes, 1) } else { bytes.len() };
    let mut before = None;
    std::iter::from_fn(move || {
        if bytes.get(at) != Some(&b'"') {
            return None;
        }
        let name = at..string(bytes, at);
        let start = blanks(bytes, blanks(bytes, name.end) + 1);
        let member = Member { name, value: start..value(bytes, start), before };
        let next = blanks(bytes, member.value.end);
        before = Some(next);
        at = blanks(bytes, next + 1);
        Some(member)
    })
}

fn blanks(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// Where a string that begins here ends.
fn string(bytes: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while let Some(byte) = bytes.get(end) {
        match byte {
            b'"' => return end + 1,
            b'\\' => end += 2,
            _ => end += 1,
        }
    }
    bytes.len()
}

/// Where a value that begins here ends.
fn value(bytes: &[u8], at: usize) -> usize {
    let (mut end, mut depth) = (at, 0_usize);
    while let Some(byte) = bytes.get(end) {
        match byte {
            b'"' => {
                end = string(bytes, end);
                if depth == 0 {
                    return end;
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' | b',' if depth == 0 => return end,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return end + 1;
                }
            }
            byte if depth == 0 && byte.is_ascii_whitespace() => return end,
            _ => {}
        }
        end += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn names(path: &[&str]) -> Vec<String> {
        path.iter().map(|&name| name.to_owned()).collect()
    }

    /// Objects in objects, with few names, so that paths meet them.
    fn tree() -> impl Strategy<Value = Value> {
        let leaf = prop::sample::select(vec![
            json!(1),
            json!("a,}\"\\é"),
            json!(null),
            json!([{"a": 1}, "]"]),
            json!(-0.5),
        ]);
        leaf.prop_recursive(4, 24, 4, |inner| {
            let name = prop::sample::select(vec!["a", "b", "ü\"", "c d"]);
            prop::collection::btree_map(name, inner, 0..4).prop_map(|fields| json!(fields))
        })
    }

    fn path() -> impl Strategy<Value = Vec<String>> {
        let name = prop::sample::select(vec!["a", "b", "ü\"", "c d"]).prop_map(str::to_owned);
        prop::collection::vec(name, 1..4)
    }

    fn written(value: &Value, pretty: bool) -> String {
        if pretty { serde_json::to_string_pretty(value).unwrap() } else { value.to_string() }
    }

    fn pointer(names: &[String]) -> String {
        names.iter().map(|name| format!("/{name}")).collect()
    }

    fn take(value: &mut Value, names: &[String]) -> Option<Value> {
        let (last, above) = names.split_last()?;
        value.pointer_mut(&pointer(above))?.as_object_mut()?.remove(last)
    }

    proptest! {
        #[test]
        fn what_is_found_set_and_taken_out_is_what_serde_json_says(mut tree in tree(), path in path(), pretty: bool) {
            prop_assume!(tree.is_object());
            let json = written(&tree, pretty);
            let found = find(&json, &path).unwrap();
            let found: Option<Value> = found.map(|at| serde_json::from_str(&json[at]).unwrap());
            let there = path.iter().try_fold(&tree, |value, name| value.as_object()?.get(name));
            prop_assert_eq!(found.as_ref(), there);
            if let Ok(json) = set(&json, &path, "[7]") {
                let mut tree: Value = serde_json::from_str(&json).unwrap();
                prop_assert_eq!(take(&mut tree, &path), Some(json!([7])));
            } else {
                prop_assert!(there.is_none());
            }
            let left = without(&json, &path).unwrap();
            prop_assert_eq!(take(&mut tree, &path).is_some(), left.is_some());
            if let Some(left) = left {
                prop_assert_eq!(serde_json::from_str::<Value>(&left).unwrap(), tree);
            }
        }

        #[test]
        fn what_is_kept_is_what_a_filter_over_the_tree_keeps(tree in tree(), paths in prop::collection::vec(path(), 1..4)) {
            let kept: Vec<&[String]> = paths.iter().map(Vec::as_slice).collect();
            let left = only(&tree.to_string(), &kept).unwrap();
            let left: Option<Value> = left.map(|left| serde_json::from_str(&left).unwrap());
            prop_assert_eq!(left, filtered(&tree, &kept));
        }
    }

    fn filtered(value: &Value, kept: &[&[String]]) -> Option<Value> {
        if kept.iter().any(|names| names.is_empty()) {
            return Some(value.clone());
        }
        let mut fields = serde_json::Map::new();
        for (name, value) in value.as_object()? {
            let below: Vec<_> =
                kept.iter().filter(|names| names[0] == *name).map(|names| &names[1..]).collect();
            if !below.is_empty()
                && let Some(value) = filtered(value, &below)
            {
                fields.insert(name.clone(), value);
            }
        }
        (!fields.is_empty()).then_some(Value::Object(fields))
    }

    #[test]
    fn the_text_around_stays_as_it_was_written() {
        let json = r#"{ "a" : 1.50 , "b":{"x": "\u0041","y":[1, 2] } }"#;
        let x = names(&["b", "x"]);
        assert_eq!(&json[find(json, &x).unwrap().unwrap()], r#""\u0041""#);
        assert_eq!(set(json, &x, "9").unwrap(), r#"{ "a" : 1.50 , "b":{"x": 9,"y":[1, 2] } }"#);
        assert_eq!(without(json, &x).unwrap().unwrap(), r#"{ "a" : 1.50 , "b":{"y":[1, 2] } }"#);
        assert_eq!(without(json, &names(&["b"])).unwrap().unwrap(), r#"{ "a" : 1.50  }"#);
        assert_eq!(set("{}", &names(&["p", "q"]), "1").unwrap(), r#"{"p":{"q":1}}"#);
        assert_eq!(set("null", &names(&["p"]), "1").unwrap(), r#"{"p":1}"#);
        assert_eq!(set("[]", &names(&["p"]), "1"), Err(Blocked::NoObject));
        assert_eq!(find("[1]", &names(&["p"])), Ok(None));
    }

    #[test]
    fn a_name_that_is_there_twice_is_no_way() {
        assert_eq!(find(r#"{"a":1,"\u0061":2}"#, &names(&["a"])), Err(Blocked::Twice));
        assert_eq!(find(r#"{"a":1,"b":2,"b":3}"#, &names(&["a"])), Ok(Some(5..6)));
    }
}
