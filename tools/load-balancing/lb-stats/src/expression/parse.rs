//! Reading an assertion.
//!
//! ```text
//! either     = both { "||" both }
//! both       = one { "&&" one }
//! one        = "!" one | "(" either ")" | term operator term
//! term       = number | status | function "(" [ backend [ "/" server ] ] ")"
//! operator   = ">=" | "<=" | "==" | "=" | "!=" | ">" | "<"
//! ```

use super::call::{Call, FUNCTIONS, Takes};
use super::{Node, Operator, Term};

/// Parentheses and negations one inside another: more are a mistake, and would exhaust the stack.
const DEPTH: u32 = 64;

/// Longest first, or `>` would hide `>=`.
const OPERATORS: [(&str, Operator); 7] = [
    (">=", Operator::GreaterOrEqual),
    ("<=", Operator::LessOrEqual),
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("=", Operator::Equal),
    (">", Operator::Greater),
    ("<", Operator::Less),
];

const STATUSES: [&str; 7] = ["up", "down", "drain", "maint", "stopping", "unchecked", "unknown"];

/// Reads a whole assertion.
pub(super) fn parse(text: &str) -> Result<Node, String> {
    let mut reader = Reader { text, at: 0, depth: 0 };
    let node = reader.either()?;
    match reader.rest() {
        "" => Ok(node),
        _ => Err(reader.wrong("`&&`, `||` or the end")),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: u32,
}

impl<'a> Reader<'a> {
    fn either(&mut self) -> Result<Node, String> {
        let mut node = self.both()?;
        while self.take("||") {
            node = Node::Or(Box::new(node), Box::new(self.both()?));
        }
        Ok(node)
    }

    fn both(&mut self) -> Result<Node, String> {
        let mut node = self.one()?;
        while self.take("&&") {
            node = Node::And(Box::new(node), Box::new(self.one()?));
        }
        Ok(node)
    }

    fn one(&mut self) -> Result<Node, String> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(format!("more than {DEPTH} levels deep"));
        }
        let node = if self.take("!") {
            Node::Not(Box::new(self.one()?))
        } else if self.take("(") {
            let node = self.either()?;
            self.need(")")?;
            node
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(node)
    }

    fn comparison(&mut self) -> Result<Node, String> {
        let left = self.term()?;
        let found = OPERATORS.iter().find(|(sign, _)| self.take(sign));
        let (sign, operator) = *found.ok_or_else(|| self.wrong("a comparison such as `>=`"))?;
        let right = self.term()?;
        if left.is_word() != right.is_word() {
            return Err("a number is compared with a status".into());
        }
        if left.is_word() && !matches!(operator, Operator::Equal | Operator::NotEqual) {
            return Err(format!("statuses have no order: `{sign}` compares numbers"));
        }
        Ok(Node::Compare(left, operator, right))
    }

    fn term(&mut self) -> Result<Term, String> {
        let start = self.rest();
        let word = self.word(|c| c.is_ascii_alphanumeric() || c == '_');
        if word.is_empty() {
            return Err(self.wrong("a number, a status or a function"));
        }
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            return word.parse().map(Term::Number).map_err(|_| format!("`{word}` is no number"));
        }
        if !self.take("(") {
            let known = STATUSES.contains(&word);
            return if known { Ok(Term::Word(word.to_owned())) } else { Err(unknown(word)) };
        }
        let (_, function, takes) =
            *FUNCTIONS.iter().find(|one| one.0 == word).ok_or_else(|| unknown(word))?;
        let name = |reader: &mut Self| {
            let name = reader.word(|c| c.is_ascii_alphanumeric() || "-_.:".contains(c));
            Some(name.to_owned()).filter(|name| !name.is_empty())
        };
        let backend = name(self);
        let server = if self.take("/") { name(self) } else { None };
        self.need(")")?;
        let shown = start[..start.len() - self.rest().len()].trim_end();
        match (takes, &backend, &server) {
            (Takes::Nothing, Some(_), _) => Err(format!("`{word}()` takes nothing")),
            (Takes::Backend, _, Some(_)) => Err(format!("`{shown}`: `{word}` takes a backend, not a server")),
            (Takes::Server, _, None) => Err(format!("`{shown}`: `{word}` takes BACKEND/SERVER")),
            (_, None, Some(_)) => Err(format!("`{shown}` lacks the backend")),
            _ => Ok(Term::Call(Call { function, backend, server })),
        }
    }

    fn rest(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let trimmed = rest.trim_start();
        self.at += rest.len() - trimmed.len();
        trimmed
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = self.rest().starts_with(sign);
        self.at += if found { sign.len() } else { 0 };
        found
    }

    fn need(&mut self, sign: &str) -> Result<(), String> {
        if self.take(sign) { Ok(()) } else { Err(self.wrong(&format!("`{sign}`"))) }
    }

    fn word(&mut self, of: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !of(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn wrong(&mut self, wanted: &str) -> String {
        match self.rest() {
            "" => format!("it ends where {wanted} should follow"),
            rest => format!("{wanted} should stand before `{rest}`"),
        }
    }
}

fn unknown(word: &str) -> String {
    let functions = FUNCTIONS.map(|(name, ..)| name).join(", ");
    format!("`{word}` is neither a status nor one of the functions {functions}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_makes_no_sense_is_refused_with_its_reason() {
        for (text, why) in [
            ("", "it ends where a number"),
            ("up(api)", "it ends where a comparison"),
            ("up(api) >=", "it ends where a number"),
            ("up(api >= 2", "`)` should stand before `>= 2`"),
            ("up(api) >= 2 up", "the end should stand before `up`"),
            ("upp(api) >= 2", "`upp` is neither"),
            ("up(api) >= many", "`many` is neither"),
            ("up(api) == up", "a number is compared with a status"),
            ("status(api/cp1) > down", "statuses have no order"),
            ("status(api) == up", "takes BACKEND/SERVER"),
            ("up(api/cp1) == 1", "takes a backend, not a server"),
            ("workers(api) == 1", "takes nothing"),
            ("up(/cp1) == 1", "not a server"),
            ("99999999999999999999 == 1", "is no number"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
        assert!(parse(&"(".repeat(100_000)).unwrap_err().contains("levels deep"));
    }

    #[test]
    fn both_binds_closer_than_either() {
        assert_eq!(parse("up()=1||up()=2&&up()=3"), parse("up()=1 || (up() == 2 && up() == 3)"));
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "[a-z0-9_()/<>=!&| é]{0,40}") {
            let _ = parse(&text);
        }
    }
}
