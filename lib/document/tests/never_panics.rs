//! Whatever the bytes, parsing ends, in time, with a tree within bounds or with problems.

use std::time::{Duration, Instant};

use document::{Field, LIMIT_DEPTH, Node, Problems, Value};
use proptest::prelude::*;

const REAL: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/examples/platform.yaml"));

/// How many values a tree holds, and how deep it is.
fn measure(node: &Node) -> (usize, usize) {
    let below: Vec<&Node> = match &node.value {
        Value::List(items) => items.iter().collect(),
        Value::Map(entries) => entries.iter().map(|entry| &entry.node).collect(),
        _ => return (1, 0),
    };
    let each: Vec<_> = below.into_iter().map(measure).collect();
    (1 + each.iter().map(|m| m.0).sum::<usize>(), 1 + each.iter().map(|m| m.1).max().unwrap_or(0))
}

/// Parses and reads everything a model could ask for.
fn try_all(text: &str) -> Result<(), TestCaseError> {
    match document::parse(text) {
        Ok(tree) => {
            let (values, depth) = measure(&tree);
            prop_assert!(values <= text.len() + 1, "{values} values of {} bytes", text.len());
            prop_assert!(depth <= LIMIT_DEPTH);
            let problems = Problems::default();
            read(&Field::root(&tree, &problems));
            for problem in problems.into_sorted() {
                in_place(&problem, text)?;
            }
        }
        Err(problems) => {
            prop_assert!(!problems.is_empty());
            for problem in problems {
                in_place(&problem, text)?;
            }
        }
    }
    Ok(())
}

fn read(field: &Field) {
    match field.value() {
        Value::List(_) => {
            field.list(|item| {
                read(item);
                Some(())
            });
        }
        Value::Map(_) => {
            field.entries().into_iter().flatten().for_each(|(_, below)| read(&below));
            if let Some(mut keys) = field.keys() {
                keys.required("name", Field::text);
                keys.finish();
            }
        }
        _ => {
            field.text();
            field.number::<u16>(1..=65535);
            field.boolean();
            field.word(&[("one", 1)]);
            field.parse::<std::net::IpAddr>();
        }
    }
}

/// A problem is where the text is, and on one line.
fn in_place(problem: &document::Problem, text: &str) -> Result<(), TestCaseError> {
    prop_assert!(problem.line >= 1 && problem.column >= 1);
    let lines = text.split(['\n', '\r']).count();
    prop_assert!(problem.line as usize <= lines + 1, "{problem} of {lines} lines");
    prop_assert!(!problem.path.contains('\n'));
    Ok(())
}

/// The real document with some bytes replaced, taken out or said twice.
fn mutated() -> impl Strategy<Value = String> {
    let edit = (0..REAL.len(), 0..40_usize, ".{0,6}|[\\[\\]{}:,&*!|>'\"#%@`? \n\t-]{1,8}", any::<bool>());
    prop::collection::vec(edit, 1..6).prop_map(|edits| {
        let mut text: Vec<char> = REAL.chars().collect();
        for (at, length, by, twice) in edits {
            let at = at.min(text.len());
            let end = (at + length).min(text.len());
            let gone: Vec<char> = text.splice(at..end, by.chars()).collect();
            if twice {
                text.splice(at..at, gone.into_iter().flat_map(|c| [c, c]));
            }
        }
        text.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn arbitrary_bytes_are_taken_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        try_all(&String::from_utf8_lossy(&bytes))?;
    }

    #[test]
    fn what_looks_like_yaml_is_taken_or_refused(text in "[a-c:,\\[\\]{}&*!|>'\"#%@? \n\t-]{0,200}") {
        try_all(&text)?;
    }

    #[test]
    fn a_mutated_document_is_taken_or_refused(text in mutated()) {
        try_all(&text)?;
    }
}

#[test]
fn large_documents_are_judged_in_bounded_time() {
    let size = usize::try_from(document::LIMIT_BYTES / 4).unwrap();
    let cases = [
        "a: b\n",
        "- - - ",
        "{a: ",
        "[1,",
        "? ",
        "&a *a ",
        "'",
        "\"\\n",
        "a:\n  ",
        "|\n ",
        "# c\n",
        "!!x ",
        "%TAG ! a\n",
        "-\n",
        "k: [x]\n",
        "\t",
        "a b c ",
        "---\n",
        "*a\n",
        "\u{feff}",
    ];
    for piece in cases {
        let text = piece.repeat(size / piece.len());
        let begin = Instant::now();
        let result = document::parse(&text);
        let took = begin.elapsed();
        // Unoptimised and on a busy machine; what grows with the square takes minutes.
        assert!(took < Duration::from_secs(5), "{piece:?} took {took:?}");
        drop(result);
    }
}
