//! Which hosts are meant: `role=worker && zone!=b`.
//!
//! ```text
//! either = both { "||" both }
//! both   = term { "&&" term }
//! term   = "!" term | "(" either ")" | KEY ("=" | "!=") PATTERN
//! ```
//! A KEY is `role`, `name`, `os`, `ip`, `ip6`, `interface`, `kubernetes`, or
//! a label; `*` in a PATTERN stands for any text.

use std::str::FromStr;

use model::HostEntry;

/// A choice among hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// A key has a value that matches the pattern.
    Is(String, String),
    /// Not that.
    Not(Box<Selector>),
    /// Both.
    And(Box<Selector>, Box<Selector>),
    /// At least one.
    Or(Box<Selector>, Box<Selector>),
}

impl Selector {
    /// Whether it means this host.
    pub fn matches(&self, host: &HostEntry) -> bool {
        match self {
            Self::Is(key, pattern) => values(host, key).iter().any(|value| fits(value, pattern)),
            Self::Not(term) => !term.matches(host),
            Self::And(a, b) => a.matches(host) && b.matches(host),
            Self::Or(a, b) => a.matches(host) || b.matches(host),
        }
    }
}

fn values(host: &HostEntry, key: &str) -> Vec<String> {
    match key {
        "role" => host.roles.clone(),
        "name" => vec![host.name.clone()],
        "os" => host.os.iter().cloned().collect(),
        "ip" => host.ip.iter().map(ToString::to_string).collect(),
        "ip6" => host.ip6.iter().map(ToString::to_string).collect(),
        "interface" => host.interface.iter().cloned().collect(),
        "kubernetes" => vec![host.kubernetes.clone()],
        label => host.labels.get(label).iter().map(ToString::to_string).collect(),
    }
}

/// Whether a value fits a pattern in which `*` stands for any text.
fn fits(value: &str, pattern: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return value == pattern };
    let Some(rest) = value.strip_prefix(head) else { return false };
    // Each piece is taken where it comes first: what is left over is longest so.
    let mut rest = rest;
    let mut pieces = tail.split('*').peekable();
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    true
}

/// How deep an expression may nest.
const DEPTH: usize = 64;

impl FromStr for Selector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = words(text).into_iter().peekable();
        let all = either(&mut words, DEPTH)?;
        match words.next() {
            None => Ok(all),
            Some(word) => Err(format!("`{word}` is one too many, `&&` or `||` is missing before it")),
        }
    }
}

type Words<'a> = std::iter::Peekable<std::vec::IntoIter<&'a str>>;

/// Operators, and what stands between them and blanks.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let operators = ["&&", "||", "!=", "=", "!", "(", ")"];
        let length = match operators.iter().find(|operator| rest.starts_with(**operator)) {
            Some(operator) => operator.len(),
            None => rest
                .find(|c: char| c.is_whitespace() || "&|!=()".contains(c))
                // A single `&` or `|` is a word of its own, and refused as such.
                .map_or(rest.len(), |at| at.max(1)),
        };
        words.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    words
}

fn either(words: &mut Words, depth: usize) -> Result<Selector, String> {
    let mut all = both(words, depth)?;
    while words.next_if_eq(&"||").is_some() {
        all = Selector::Or(Box::new(all), Box::new(both(words, depth)?));
    }
    Ok(all)
}

fn both(words: &mut Words, depth: usize) -> Result<Selector, String> {
    let mut all = term(words, depth)?;
    while words.next_if_eq(&"&&").is_some() {
        all = Selector::And(Box::new(all), Box::new(term(words, depth)?));
    }
    Ok(all)
}

fn term(words: &mut Words, depth: usize) -> Result<Selector, String> {
    let depth = depth.checked_sub(1).ok_or("nested too deep")?;
    match words.next() {
        None => Err("KEY=VALUE is wanted at the end, such as role=worker".into()),
        Some("!") => Ok(Selector::Not(Box::new(term(words, depth)?))),
        Some("(") => {
            let inner = either(words, depth)?;
            words.next_if_eq(&")").ok_or("a `)` is missing")?;
            Ok(inner)
        }
        Some(key) if is_word(key) => {
            let operator = words.next();
            let pattern = words.next().filter(|word| is_word(word));
            match (operator, pattern) {
                (Some("="), Some(pattern)) => Ok(Selector::Is(key.into(), pattern.into())),
                (Some("!="), Some(pattern)) => {
                    Ok(Selector::Not(Box::new(Selector::Is(key.into(), pattern.into()))))
                }
                _ => Err(format!("`{key}` is followed by `=` or `!=` and a value, such as role=worker")),
            }
        }
        Some(word) => Err(format!("`{word}` is out of place; KEY=VALUE is wanted, such as role=worker")),
    }
}

fn is_word(word: &str) -> bool {
    !word.contains(['&', '|', '!', '=', '(', ')'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::EXAMPLE;

    fn selected(expression: &str) -> String {
        let selector: Selector = expression.parse().unwrap();
        let platform = crate::parse(EXAMPLE).unwrap();
        let names: Vec<_> =
            platform.entries().filter(|host| selector.matches(host)).map(|host| host.name).collect();
        names.join(" ")
    }

    #[test]
    fn keys_are_joined_as_in_other_languages() {
        assert_eq!(selected("role=worker && zone!=b"), "w1");
        assert_eq!(selected("role=lb||zone=a&&role=etcd"), "lb1 lb2 cp1");
        assert_eq!(selected("(role=lb || zone=a) && !role=etcd"), "lb1 lb2 w1");
        assert_eq!(selected("name=*1&&name!=lb*"), "cp1 w1");
    }

    #[test]
    fn a_label_a_host_lacks_is_not_the_value() {
        assert_eq!(selected("zone!=a && role=lb"), "lb1 lb2");
        assert_eq!(selected("rack=*"), "");
    }

    #[test]
    fn patterns_hold_to_both_ends() {
        for (value, pattern) in [("cp1", "cp*"), ("cp1", "*"), ("abab", "*ab"), ("abc", "a*b*c"), ("", "*")] {
            assert!(fits(value, pattern), "{value} {pattern}");
        }
        for (value, pattern) in
            [("cp1", "cp"), ("cp", "cp*p"), ("abc", "*b"), ("aab", "ab*"), ("ab", "a*b*b")]
        {
            assert!(!fits(value, pattern), "{value} {pattern}");
        }
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        let deep = format!("{}role=lb{}", "(".repeat(100), ")".repeat(100));
        for text in [
            "",
            "role",
            "role=",
            "=lb",
            "role=lb zone=a",
            "role=lb &&",
            "(role=lb",
            "role=lb & zone=a",
            &deep,
        ] {
            assert!(text.parse::<Selector>().is_err(), "{text}");
        }
    }
}
