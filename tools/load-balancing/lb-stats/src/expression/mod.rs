//! What `--assert` says: comparisons of what haproxy tells with what it should.

mod call;
mod parse;

use std::fmt;
use std::str::FromStr;

use model::{Finding, Severity, Status};

pub(crate) use call::Known;
use call::{Call, Value};

/// An assertion.
#[derive(Clone, Debug)]
pub(crate) struct Expression {
    text: String,
    root: Node,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Or(Box<Node>, Box<Node>),
    And(Box<Node>, Box<Node>),
    Not(Box<Node>),
    Compare(Term, Operator, Term),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Term {
    Number(u64),
    Word(String),
    Call(Call),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
    GreaterOrEqual,
    Greater,
}

/// A name that haproxy does not know.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoSuch(String);

impl fmt::Display for NoSuch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "haproxy has no {}", self.0)
    }
}

impl std::error::Error for NoSuch {}

impl FromStr for Expression {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self { text: text.to_owned(), root: parse::parse(text)? })
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Expression {
    pub(crate) fn asks_servers(&self) -> bool {
        self.root.calls().iter().any(|call| !call.of_workers())
    }

    pub(crate) fn asks_workers(&self) -> bool {
        self.root.calls().iter().any(|call| call.of_workers())
    }

    /// Whether it holds, as a finding whose target is still to be named.
    pub(crate) fn judge(&self, known: &Known) -> Result<Finding, NoSuch> {
        let holds = self.root.holds(known)?;
        let mut seen = Vec::new();
        for call in self.root.calls() {
            let one = format!("{call} = {}", call.value(known)?);
            if !seen.contains(&one) {
                seen.push(one);
            }
        }
        Ok(Finding {
            tool: "lb-stats".into(),
            target: String::new(),
            check: "assert".into(),
            status: if holds { Status::Pass } else { Status::Fail },
            severity: Severity::High,
            file: None,
            line: None,
            current: Some(seen.join(", ")),
            want: Some(self.text.clone()),
            why: "it was asserted".into(),
            fix: None,
            reference: None,
        })
    }
}

impl Node {
    fn holds(&self, known: &Known) -> Result<bool, NoSuch> {
        Ok(match self {
            // Both sides are asked: a name that does not exist never hides behind the other.
            Self::Or(a, b) => a.holds(known)? | b.holds(known)?,
            Self::And(a, b) => a.holds(known)? & b.holds(known)?,
            Self::Not(a) => !a.holds(known)?,
            Self::Compare(a, operator, b) => operator.compare(&a.value(known)?, &b.value(known)?),
        })
    }

    fn calls(&self) -> Vec<&Call> {
        match self {
            Self::Or(a, b) | Self::And(a, b) => [a.calls(), b.calls()].concat(),
            Self::Not(a) => a.calls(),
            Self::Compare(a, _, b) => [a, b]
                .into_iter()
                .filter_map(|term| match term {
                    Term::Call(call) => Some(call),
                    _ => None,
                })
                .collect(),
        }
    }
}

impl Term {
    fn value(&self, known: &Known) -> Result<Value, NoSuch> {
        match self {
            Self::Number(number) => Ok(Value::Number(*number)),
            Self::Word(word) => Ok(Value::Word(word.clone())),
            Self::Call(call) => call.value(known),
        }
    }

    fn is_word(&self) -> bool {
        match self {
            Self::Number(_) => false,
            Self::Word(_) => true,
            Self::Call(call) => call.is_word(),
        }
    }
}

impl Operator {
    fn compare(self, a: &Value, b: &Value) -> bool {
        match self {
            Self::Less => a < b,
            Self::LessOrEqual => a <= b,
            Self::Equal => a == b,
            Self::NotEqual => a != b,
            Self::GreaterOrEqual => a >= b,
            Self::Greater => a > b,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers() -> Vec<model::LbServer> {
        let one = |backend, server, status, sessions| {
            let rows = [("pxname", backend), ("svname", server), ("status", status), ("scur", sessions)];
            rows.map(|(name, value)| format!("S.{backend}.{server}.0.{name}.1:K:str:{value}\n")).concat()
        };
        let text = [
            one("api", "cp1", "UP", "3"),
            one("api", "cp2", "DOWN", "0"),
            one("api", "cp3", "DRAIN", "4"),
            one("web", "w1", "no check", "1"),
        ];
        haproxy::parse_servers(&text.concat()).unwrap()
    }

    fn holds(text: &str) -> Result<bool, NoSuch> {
        let workers = haproxy::parse_processes(
            "1 master 2 [failed: 1] 0d00h00m09s 2.6\n# workers\n2 worker 0 0d00h00m01s 2.6\n# old workers\n3 worker 1 0d00h01m01s 2.6\n",
        );
        let known = Known { servers: &servers(), workers: &workers.unwrap() };
        text.parse::<Expression>().unwrap().judge(&known).map(|finding| finding.status == Status::Pass)
    }

    #[test]
    fn functions_count_what_they_say() {
        for text in [
            "up(api) = 1",
            "up() == 2",
            "down(api)==1",
            "drain(api) == 1 && maint(api) == 0",
            "total(api) >= 3",
            "total() == 4",
            "sessions(api/cp3) == 4",
            "sessions(api) == 7",
            "status(api/cp2) = down",
            "status(web/w1) != up",
            "workers() == 1 && old_workers() == 1",
            "oldest() > 60 && oldest() < 62",
            "failed_reloads() == 1",
        ] {
            assert_eq!(holds(text), Ok(true), "{text}");
        }
    }

    #[test]
    fn comparisons_are_joined_as_in_c() {
        for (text, want) in [
            ("up(api) >= 2", false),
            ("!(up(api) >= 2)", true),
            ("up(api) >= 2 || up(web) == 1 && total(web) == 1", true),
            ("(up(api) >= 2 || up(web) == 1) && total(web) == 9", false),
            ("2 > up(api)", true),
            ("up(api) < total(api)", true),
        ] {
            assert_eq!(holds(text), Ok(want), "{text}");
        }
    }

    #[test]
    fn a_name_that_does_not_exist_is_never_a_pass() {
        assert!(holds("up(nosuch) == 0").is_err());
        assert!(holds("up(api) == 1 || status(api/cp9) = up").is_err());
    }

    #[test]
    fn the_finding_shows_each_value_once() {
        let known = Known { servers: &servers(), workers: &[] };
        let finding = "up(api)>=2||up(api)<1".parse::<Expression>().unwrap().judge(&known).unwrap();
        assert_eq!(finding.current.as_deref(), Some("up(api) = 1"));
        assert_eq!(finding.want.as_deref(), Some("up(api)>=2||up(api)<1"));
    }
}
