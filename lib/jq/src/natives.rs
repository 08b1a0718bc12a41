//! What jaq does itself: what stays in the value, and our own where it knows no bounds.

use std::fmt::{self, Write};
use std::io;

use jaq_core::load::parse::Def;
use jaq_core::native::{Fun, bome, run, v};
use jaq_core::{Error, ValR, load};
use jaq_json::write::{Pp, write};
use jaq_json::{Num, Val};

use crate::{Bounded, DIGITS_BITS, Run, STEPS, TEXT_BYTES};

/// What reaches outside of the value, or says more than it.
const OUTSIDE: [&str; 14] = [
    "env",
    "now",
    "halt",
    "halt_error",
    "debug",
    "stderr",
    "debug_empty",
    "stderr_empty",
    "localtime",
    "strflocaltime",
    "input",
    "inputs",
    "input_filename",
    "input_line_number",
];

/// Definitions of ours: they come first, so that the others find them.
const OURS: &str = "
def range($from; $to; $by): __range($from; $to; $by) | .;
";

/// Every definition there is.
pub(crate) fn defs() -> Vec<Def<&'static str>> {
    let ours = load::parse(OURS, |parser| parser.defs()).unwrap_or_default();
    let theirs = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    ours.into_iter().chain(theirs.filter(|def| !OUTSIDE.contains(&def.name))).collect()
}

/// Every filter that is no definition.
pub(crate) fn all() -> impl Iterator<Item = Fun<Bounded>> {
    let theirs = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
    let theirs = theirs.filter(|(name, ..)| !OUTSIDE.contains(name) && *name != "tojson");
    let theirs = theirs.map(|(name, arguments, native)| match name {
        "range" => ("__range", arguments, native),
        name => (name, arguments, native),
    });
    theirs.chain(ours())
}

fn ours() -> [Fun<Bounded>; 4] {
    [
        run(("__step", v(0), |cv| bome(step(cv.0.data(), &cv.1).map(|()| Val::Bool(true))))),
        run(("__times", v(2), |mut cv| {
            let (right, left) = (cv.0.pop_var(), cv.0.pop_var());
            bome(times(left, right))
        })),
        run(("__text", v(0), |cv| {
            bome(match cv.1 {
                text @ Val::TStr(_) => Ok(text),
                other => json(&other).map(Val::utf8_str).map_err(Error::str),
            })
        })),
        run(("tojson", v(0), |cv| bome(json(&cv.1).map(Val::utf8_str).map_err(Error::str)))),
    ]
}

/// Where the stack stands, about.
pub(crate) fn here() -> usize {
    let here = 0_u8;
    std::ptr::from_ref(&here).addr()
}

/// One step, with this value at hand.
fn step(run: &Run, value: &Val) -> Result<(), jaq_json::Error> {
    let Some(left) = run.left.get().checked_sub(1) else {
        return Err(Error::str(format_args!("takes more than {STEPS} steps")));
    };
    run.left.set(left);
    let (from, most) = run.stack;
    if from.abs_diff(here()) > most {
        return Err(Error::str("goes too deep"));
    }
    small(value)
}

fn small(value: &Val) -> Result<(), jaq_json::Error> {
    let bytes = match value {
        Val::TStr(text) | Val::BStr(text) => text.len(),
        Val::Arr(items) => items.len() * size_of::<Val>(),
        Val::Num(Num::BigInt(number)) if number.bits() > DIGITS_BITS => {
            return Err(Error::str("a number too large"));
        }
        _ => 0,
    };
    if bytes > TEXT_BYTES { Err(Error::str("a value longer than 16 MiB")) } else { Ok(()) }
}

fn times(left: Val, right: Val) -> ValR<Val> {
    let too_long = |text: &Val, times: &Val| {
        let (Val::TStr(text) | Val::BStr(text), Val::Num(times)) = (text, times) else { return false };
        let times = match times {
            Num::Int(times) => usize::try_from(*times).unwrap_or_default(),
            _ => usize::MAX,
        };
        text.len().saturating_mul(times) > TEXT_BYTES
    };
    if too_long(&left, &right) || too_long(&right, &left) {
        return Err(Error::str("a value longer than 16 MiB"));
    }
    left * right
}

/// A value as JSON, if it is not too long.
pub(crate) fn json(value: &Val) -> Result<Vec<u8>, String> {
    let mut bounded = Bound(Vec::new(), TEXT_BYTES);
    match write(&mut bounded, &Pp::default(), 0, value) {
        Ok(()) => Ok(bounded.0),
        Err(_) => Err("a value longer than 16 MiB".to_owned()),
    }
}

/// An error's beginning: it may hold a value.
pub(crate) fn told(error: &jaq_json::Error) -> String {
    let mut bounded = Bound(Vec::new(), 200);
    // What `error("…")` says is told without its quotes.
    if let Some(text) = said(error) {
        return text;
    }
    let whole = write!(bounded, "{error}").is_ok();
    let mut text = String::from_utf8_lossy(&bounded.0).into_owned();
    if !whole {
        text.push('…');
    }
    text
}

fn said(error: &jaq_json::Error) -> Option<String> {
    // An error of parts begins with a word of jaq's.
    let mut first = Bound(Vec::new(), 1);
    let _ = write!(first, "{error}");
    match (first.0.as_slice(), error.clone()) {
        (b"\"", error) => match error.into_val() {
            Val::TStr(text) => Some(String::from_utf8_lossy(&text).chars().take(200).collect()),
            _ => None,
        },
        _ => None,
    }
}

/// Takes so many bytes and no more.
struct Bound(Vec<u8>, usize);

impl Bound {
    fn take(&mut self, bytes: &[u8]) -> bool {
        let room = self.1 - self.0.len();
        self.0.extend_from_slice(&bytes[..bytes.len().min(room)]);
        bytes.len() <= room
    }
}

impl io::Write for Bound {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.take(bytes) { Ok(bytes.len()) } else { Err(io::ErrorKind::FileTooLarge.into()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Write for Bound {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.take(text.as_bytes()) { Ok(()) } else { Err(fmt::Error) }
    }
}
