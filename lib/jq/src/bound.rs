//! Writes steps into an expression.

use std::collections::HashSet;

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::ops::Math;
use jaq_core::path::{Part, Path};

type T<'a> = Term<&'a str>;

/// The filters jaq does itself. A call of a definition need not be measured: its body is, and
/// where the call comes last it costs no stack.
type Natives = HashSet<&'static str>;

/// A definition whose every call is a step.
pub(crate) fn def<'a>(def: Def<&'a str>, natives: &Natives) -> Def<&'a str> {
    Def { name: def.name, args: def.args, body: after_step(term(def.body, natives)) }
}

/// `if __step then TERM end`: a path goes through it, as it does not through a filter of ours.
fn after_step(then: T) -> T {
    Term::IfThenElse(vec![(Term::Call("__step", Vec::new()), then)], None)
}

/// What comes out of it is a step, and not too large.
fn measured(term: T) -> T {
    Term::BinOp(Box::new(term), BinaryOp::Pipe(None), Box::new(after_step(Term::Id)))
}

fn term<'a>(old: T<'a>, natives: &Natives) -> T<'a> {
    let below = |inner: T<'a>| term(inner, natives);
    let boxed = |inner: Box<T<'a>>| Box::new(term(*inner, natives));
    match old {
        Term::Id | Term::Recurse | Term::Num(_) | Term::Break(_) | Term::Var(_) => old,
        Term::Str(format, parts) => {
            let plain = parts.iter().all(|part| !matches!(part, StrPart::Term(_)));
            // jaq would write a value of any size.
            let part = |part| match part {
                StrPart::Term(inner) if format.is_none() => StrPart::Term(piped(below(inner), "__text")),
                StrPart::Term(inner) => StrPart::Term(below(inner)),
                other => other,
            };
            let string = Term::Str(format, parts.into_iter().map(part).collect());
            if plain { string } else { measured(string) }
        }
        Term::Arr(inner) => Term::Arr(inner.map(boxed)),
        Term::Obj(fields) => {
            let fields = fields.into_iter().map(|(key, value)| (below(key), value.map(below)));
            measured(Term::Obj(fields.collect()))
        }
        Term::Neg(inner) => Term::Neg(boxed(inner)),
        Term::BinOp(left, operator, right) => binary(below(*left), operator, below(*right), natives),
        Term::Label(name, inner) => Term::Label(name, boxed(inner)),
        Term::Fold(name, over, bound, terms) => {
            let terms = terms.into_iter().map(|inner| after_step(below(inner))).collect();
            Term::Fold(name, boxed(over), pattern(bound, natives), terms)
        }
        Term::TryCatch(tried, caught) => Term::TryCatch(boxed(tried), caught.map(boxed)),
        Term::IfThenElse(cases, otherwise) => {
            let cases = cases.into_iter().map(|(when, then)| (below(when), below(then))).collect();
            Term::IfThenElse(cases, otherwise.map(boxed))
        }
        Term::Def(defs, inner) => {
            Term::Def(defs.into_iter().map(|inner| def(inner, natives)).collect(), boxed(inner))
        }
        Term::Call(name, arguments) if arguments.is_empty() => Term::Call(name, arguments),
        Term::Call(name, arguments) => {
            let call = Term::Call(name, arguments.into_iter().map(below).collect());
            if natives.contains(name) { measured(call) } else { call }
        }
        Term::Path(from, Path(parts)) => {
            let parts =
                parts.into_iter().map(|(part, optional)| (path_part(part, natives), optional)).collect();
            measured(Term::Path(boxed(from), Path(parts)))
        }
    }
}

fn piped<'a>(from: T<'a>, name: &'a str) -> T<'a> {
    Term::BinOp(Box::new(from), BinaryOp::Pipe(None), Box::new(Term::Call(name, Vec::new())))
}

fn binary<'a>(left: T<'a>, operator: BinaryOp<&'a str>, right: T<'a>, natives: &Natives) -> T<'a> {
    let whole = |left, operator, right| Term::BinOp(Box::new(left), operator, Box::new(right));
    match operator {
        BinaryOp::Pipe(bound) => {
            whole(left, BinaryOp::Pipe(bound.map(|bound| pattern(bound, natives))), after_step(right))
        }
        // Looks at what is multiplied first.
        BinaryOp::Math(Math::Mul) => measured(Term::Call("__times", vec![left, right])),
        BinaryOp::UpdateMath(Math::Mul) => {
            let by = Term::Call("__times", vec![Term::Id, Term::Var("$__by")]);
            let update = whole(left, BinaryOp::Update, measured(by));
            whole(right, BinaryOp::Pipe(Some(Pattern::Var("$__by"))), update)
        }
        BinaryOp::Update => whole(left, BinaryOp::Update, after_step(right)),
        BinaryOp::Math(_) | BinaryOp::Cmp(_) => measured(whole(left, operator, right)),
        other => whole(left, other, right),
    }
}

fn pattern<'a>(old: Pattern<&'a str>, natives: &Natives) -> Pattern<&'a str> {
    match old {
        Pattern::Var(_) => old,
        Pattern::Arr(parts) => Pattern::Arr(parts.into_iter().map(|part| pattern(part, natives)).collect()),
        Pattern::Obj(fields) => Pattern::Obj(
            fields.into_iter().map(|(key, below)| (term(key, natives), pattern(below, natives))).collect(),
        ),
    }
}

fn path_part<'a>(part: Part<T<'a>>, natives: &Natives) -> Part<T<'a>> {
    match part {
        Part::Index(at) => Part::Index(term(at, natives)),
        Part::Range(from, to) => {
            Part::Range(from.map(|at| term(at, natives)), to.map(|at| term(at, natives)))
        }
    }
}
