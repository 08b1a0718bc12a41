//! jq expressions on one value, within bounds.
//!
//! [`Filter::parse`] reads an expression, [`Filter::one`] applies it to a JSON
//! text and gives the one text that comes out, or none. The language is jq's as
//! jaq has it, without what reaches outside of the value: no files, no modules,
//! no environment, no clock, no local time, no further input.
//!
//! An expression that does not end by itself is ended: [`STEPS`] steps, texts of
//! [`TEXT_BYTES`] and whole numbers of [`DIGITS_BITS`] are all it gets for one
//! value, and a recursion that goes deeper than its stack is an error too. Every
//! call of a definition, every stage of a pipe, every turn of a fold and every
//! result of arithmetic is a step: [`bound`] writes them into the expression.
//!
//! ```
//! let filter = jq::Filter::parse("select(.n > 1) | {n: (.n * 2)}").unwrap();
//! assert_eq!(filter.one(br#"{"n":2}"#).unwrap().as_deref(), Some(br#"{"n":4}"#.as_slice()));
//! assert_eq!(filter.one(br#"{"n":1}"#).unwrap(), None);
//! assert!(jq::Filter::parse("def f: f; f").unwrap().one(b"1").unwrap_err().contains("steps"));
//! ```

mod bound;
mod natives;

use std::cell::Cell;
use std::io;

use jaq_core::data::{DataT, HasLut};
use jaq_core::load::parse::Def;
use jaq_core::load::{self, Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Lut, Vars, unwrap_valr};
use jaq_json::{Val, read};

/// How many steps an expression may take for one value.
pub const STEPS: u32 = 100_000;

/// How long a text may become, and what comes out.
pub const TEXT_BYTES: usize = 16 << 20;

/// How large a whole number may become.
pub const DIGITS_BITS: u64 = 1 << 16;

/// What [`with_stack`] gives, and how much of it recursion may use up. The rest
/// is for what comes apart afterwards: a value may be as deep as there are steps.
const STACK_BYTES: usize = 256 << 20;
const DEPTH_BYTES: usize = 96 << 20;
/// Without it, on a main thread of 8 MiB or a test's 2 MiB.
const SHALLOW_BYTES: usize = 1 << 20;

/// Does something with a stack that is deep enough for every expression.
///
/// # Errors
/// Fails if there is no thread to be had.
pub fn with_stack<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let deep = std::thread::Builder::new().stack_size(STACK_BYTES);
        let deep = deep.spawn_scoped(scope, || {
            DEPTH.set(DEPTH_BYTES);
            work()
        })?;
        // What panicked there goes on panicking here.
        deep.join().or_else(|panic| std::panic::resume_unwind(panic))
    })
}

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(SHALLOW_BYTES) };
}

/// A jq expression, made ready.
pub struct Filter {
    text: String,
    filter: jaq_core::Filter<Bounded>,
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Filter").field(&self.text).finish()
    }
}

/// Values of jaq, with what is left of the bounds at hand.
struct Bounded;

impl DataT for Bounded {
    type V<'a> = Val;
    type Data<'a> = Run<'a>;
}

#[derive(Clone)]
struct Run<'a> {
    lut: &'a Lut<Bounded>,
    left: &'a Cell<u32>,
    /// Where the stack stood, and how far it may go.
    stack: (usize, usize),
}

impl<'a> HasLut<'a, Bounded> for Run<'a> {
    fn lut(&self) -> &'a Lut<Bounded> {
        self.lut
    }
}

impl Filter {
    /// Reads an expression.
    ///
    /// # Errors
    /// Fails if it is none, or names what there is not; says where.
    pub fn parse(text: &str) -> Result<Self, String> {
        let arena = Arena::default();
        // As a file of its own, for what it says where something is wrong.
        Loader::new([]).load(&arena, File { code: text, path: () }).map_err(|errors| unread(errors, text))?;
        let names = natives::all().map(|(name, ..)| name).collect();
        let main = load::parse(text, |parser| parser.term()).ok_or("modules are not read here")?;
        let main = Def { name: "__main", args: Vec::new(), body: main };
        let defs = natives::defs().into_iter().chain([main]).map(|def| bound::def(def, &names));
        let modules = Loader::new(defs).load(&arena, File { code: "__main", path: () });
        let modules = modules.map_err(|errors| unread(errors, text))?;
        let compiled = Compiler::default().with_funs(natives::all()).compile(modules);
        let filter = compiled.map_err(|errors| {
            let undefined = errors.into_iter().flat_map(|(_, errors)| errors);
            let names: Vec<_> = undefined.map(|(name, what)| format!("{} {name}", what.as_str())).collect();
            format!("there is no {}", names.join(", no "))
        })?;
        Ok(Self { text: text.to_owned(), filter })
    }

    /// Applies it to a JSON text. What comes out is JSON too; none if nothing does.
    ///
    /// # Errors
    /// Fails if the expression does, if more than one value comes out, or if it
    /// takes more than it may.
    pub fn one(&self, json: &[u8]) -> Result<Option<Vec<u8>>, String> {
        let value = read::parse_single(json).map_err(|error| error.to_string())?;
        let left = Cell::new(STEPS);
        let stack = (natives::here(), DEPTH.get());
        let run = Run { lut: &self.filter.lut, left: &left, stack };
        let mut out = self.filter.id.run((Ctx::<Bounded>::new(run, Vars::new([])), value)).map(unwrap_valr);
        let one = match out.next() {
            None => return Ok(None),
            Some(one) => one.map_err(|error| natives::told(&error))?,
        };
        match out.next() {
            None => natives::json(&one).map(Some),
            Some(Err(error)) => Err(natives::told(&error)),
            Some(Ok(_)) => Err("more than one value comes out".to_owned()),
        }
    }
}

/// Why a text is no expression, and what stands where it goes wrong.
fn unread<P>(errors: load::Errors<&str, P>, text: &str) -> String {
    let at = |found: &str| match load::span(text, found).start {
        _ if found.is_empty() => "at its end".to_owned(),
        start => format!("at character {}", text[..start].chars().count() + 1),
    };
    let mut errors = errors.into_iter().map(|(_, error)| error);
    match errors.next() {
        Some(load::Error::Lex(errors)) => match errors.first() {
            Some((wanted, found)) => format!("{} is wanted {}", wanted.as_str(), at(found)),
            None => "it cannot be read".to_owned(),
        },
        Some(load::Error::Parse(errors)) => match errors.first() {
            Some((wanted, found)) => format!("{} is wanted {}", wanted.as_str(), at(found)),
            None => "it cannot be read".to_owned(),
        },
        _ => "modules are not read here".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(filter: &str, json: &str) -> Result<Option<String>, String> {
        let out = Filter::parse(filter)?.one(json.as_bytes())?;
        Ok(out.map(|out| String::from_utf8(out).unwrap()))
    }

    fn out(filter: &str, json: &str) -> String {
        one(filter, json)
            .unwrap_or_else(|why| panic!("{filter}: {why}"))
            .unwrap_or_else(|| "nothing".to_owned())
    }

    fn why(filter: &str, json: &str) -> String {
        one(filter, json).unwrap_err()
    }

    #[test]
    fn values_nobody_touches_keep_their_digits() {
        let row = r#"{"a":1.50,"b":123456789012345678901234567890,"c":"é\n"}"#;
        assert_eq!(out(".", row), row);
        assert_eq!(
            out("{b, a: .a, d: (.c | length)}", row),
            r#"{"b":123456789012345678901234567890,"a":1.50,"d":2}"#
        );
    }

    #[test]
    fn one_value_comes_out_or_none() {
        assert_eq!(out("select(.a > 1)", r#"{"a":1}"#), "nothing");
        assert_eq!(why(".a, .a", r#"{"a":1}"#), "more than one value comes out");
        assert_eq!(why(".a, error(\"x\")", r#"{"a":1}"#), "x");
        assert_eq!(out("first(.[])", "[1,2]"), "1");
    }

    #[test]
    fn the_usual_filters_are_there() {
        for (filter, json, wanted) in [
            ("[limit(3; range(10))]", "null", "[0,1,2]"),
            ("[range(0; 10; 4)]", "null", "[0,4,8]"),
            ("to_entries | map(.value) | add", r#"{"a":1,"b":2}"#, "3"),
            ("with_entries(.value |= . * 2)", r#"{"a":1}"#, r#"{"a":2}"#),
            (".a *= 3 | .b += 1 | .c //= 9", r#"{"a":2,"b":1}"#, r#"{"a":6,"b":2,"c":9}"#),
            (r#"split(",") | join("-")"#, r#""a,b""#, r#""a-b""#),
            (r#"gsub("[0-9]+"; "_")"#, r#""a1b22""#, r#""a_b_""#),
            ("del(.a) | has(\"a\")", r#"{"a":1}"#, "false"),
            ("[paths]", r#"{"a":[1]}"#, r#"[["a"],["a",0]]"#),
            ("walk(if type == \"number\" then . + 1 else . end)", r#"{"a":[1]}"#, r#"{"a":[2]}"#),
            ("fromdateiso8601 | todateiso8601", r#""2026-01-02T03:04:05Z""#, r#""2026-01-02T03:04:05Z""#),
            ("tojson | fromjson", r#"{"a":[1,null]}"#, r#"{"a":[1,null]}"#),
            (r#""\(.a) and \(.b)""#, r#"{"a":"x","b":[1]}"#, r#""x and [1]""#),
            ("[.[] | tostring]", r#"[1,"a"]"#, r#"["1","a"]"#),
            ("\"ab\" * 2", "null", r#""abab""#),
            ("@base64", r#""hi""#, r#""aGk=""#),
            ("reduce .[] as $x (0; . + $x)", "[1,2,3]", "6"),
            ("[recurse(if . < 3 then . + 1 else empty end)]", "0", "[0,1,2,3]"),
            ("[.[] as [$a, $b] | $a * $b]", "[[2,3],[4,5]]", "[6,20]"),
            ("(.a, .b) = 1", "{}", r#"{"a":1,"b":1}"#),
            ("path(first(.a, .b))", "{}", r#"["a"]"#),
            ("try error(\"x\") catch .", "null", r#""x""#),
            ("def f($n): if $n > 0 then f($n - 1) else \"end\" end; f(1000)", "null", r#""end""#),
            ("getpath([\"a\",\"b\"])", r#"{"a":{"b":7}}"#, "7"),
            ("[splits(\", *\")]", r#""a, b""#, r#"["a","b"]"#),
            ("sort_by(.n) | map(.n)", r#"[{"n":2},{"n":1}]"#, "[1,2]"),
            ("unique | length", "[1,1,2]", "2"),
            (
                "label $out | foreach .[] as $x (0; . + $x; if . > 2 then ., break $out else empty end)",
                "[1,2,3]",
                "3",
            ),
            ("ascii_downcase | test(\"^[a-z]+$\")", r#""ABC""#, "true"),
            ("input_line", "null", "no"),
        ] {
            if wanted == "no" {
                assert!(Filter::parse(filter).is_err());
            } else {
                assert_eq!(out(filter, json), wanted, "{filter}");
            }
        }
    }

    #[test]
    fn nothing_outside_of_the_value_is_in_reach() {
        for filter in [
            "env",
            "$ENV",
            "input",
            "inputs",
            "input_filename",
            "now",
            "debug",
            "stderr",
            "halt",
            "halt_error",
            "localtime",
            "strflocaltime(\"%H\")",
            "$__prog_args",
            "$__loc__",
            "get_search_list",
            "input_line_number",
            "import \"a\" as a; .",
            "include \"a\"; .",
            "builtins",
            "repl",
            "load(\"a\")",
        ] {
            assert!(Filter::parse(filter).is_err(), "{filter}");
        }
        assert_eq!(Filter::parse("env").unwrap_err(), "there is no filter env");
    }

    #[test]
    fn what_does_not_end_is_ended() {
        with_stack(|| {
            for filter in [
                "def f: f; f",
                "def f: 1 + f; f",
                "def f: f, f; [f]",
                "def f: try f catch f; f",
                "def f: (f?) // f; f",
                "[repeat(1)]",
                "last(repeat(1))",
                "until(false; .)",
                "[range(1e12)]",
                "last(range(0; 1; 0))",
                "[while(true; . + 1)]",
                "recurse(. + 1) | empty",
                "[limit(1e12; repeat(1))] | length",
                "first(range(1e12) | select(. < 0))",
                "[range(1000)] | [.[] + .[] + .[] + .[]] | length",
                "[range(1000)] | [{a: .[], b: .[], c: .[]}] | length",
                "[range(1000)] | [\"\\(.[])\\(.[])\\(.[])\"] | length",
                "[range(1000)] | [[.[], .[]] | .[] == (.[] , .[])] | length",
                "[range(1000)] | map(. as $x | [range(1000)] | map(select(. == $x))) | length",
                "reduce range(1e9) as $i (0; . + 1)",
                "any(range(1e12); false)",
                "isempty(range(1e12) | empty)",
                "[combinations(1e9)]",
                "reduce range(1e12) as $i (.; [.])",
                "def f(g): f(g | g); f(.)",
                "nth(1e12; repeat(1))",
                "skip(1e12; repeat(1))",
                "last(path(repeat(.)))",
                "repeat(.) = 1",
                "(1, repeat(1)) | empty",
                "foreach range(1e12) as $i (0; . + 1; empty)",
                "label $x | range(1e12) | if . < 0 then break $x else empty end",
                "\"a\" | splits(\"\") | last(repeat(.))",
            ] {
                let why = one(filter, "1").err();
                let why = why.unwrap_or_else(|| panic!("{filter} ends"));
                assert!(why.contains("steps") || why.contains("deep"), "{filter}: {why}");
            }
        })
        .unwrap();
    }

    #[test]
    fn what_grows_too_much_is_ended() {
        with_stack(|| {
            for filter in [
                "\"x\" * 1e15",
                "\"x\" * 1000000000000",
                "1000000000 * \"xx\"",
                "reduce range(60) as $i (\"xx\"; . + .)",
                "reduce range(60) as $i (\"xx\"; \"\\(.)\\(.)\")",
                "reduce range(60) as $i ([1]; . + .) | length",
                "reduce range(60) as $i (10; . * .)",
                "reduce range(60) as $i (1; [., .])",
                "reduce range(60) as $i (1; [., .]) | tojson",
                "reduce range(60) as $i (1; [., .]) | \"\\(.)\"",
                "reduce range(60) as $i (1; [., .]) | .a",
                ".a = \"x\" * 99999999999 | .a *= 3",
                "{a: \"x\"} | .a *= 99999999999",
                "[limit(60; repeat(\"xxxxxxxxxxxxxxxxxxx\"))] | reduce range(30) as $i (.; [join(\"\"), join(\"\")])",
                "[] | .[1000000000] = 1",
                "{a: []} | .a[100000000000] = 1",
            ] {
                let why = one(filter, "null").err();
                let why = why.unwrap_or_else(|| panic!("{filter} ends"));
                let known = ["than 16 MiB", "number too large", "cannot index", "out of bounds"];
                assert!(known.iter().any(|known| why.contains(known)), "{filter}: {why}");
                assert!(why.len() < 400, "{filter}");
            }
        })
        .unwrap();
    }

    #[test]
    fn a_deep_recursion_ends_without_a_deep_stack_too() {
        assert!(why("def f: 1 + f; f", "null").contains("deep"));
    }

    #[test]
    fn what_is_no_expression_is_told_with_its_place() {
        assert_eq!(Filter::parse(".a | ").unwrap_err(), "term is wanted at its end");
        assert_eq!(Filter::parse("if . then 1").unwrap_err(), "else or end is wanted at its end");
        assert!(Filter::parse(".a é )").unwrap_err().contains("at character 4"));
        assert_eq!(Filter::parse("foo(1)").unwrap_err(), "there is no filter foo");
        assert_eq!(Filter::parse("$x").unwrap_err(), "there is no variable $x");
        assert!(Filter::parse("").is_err());
    }
}
