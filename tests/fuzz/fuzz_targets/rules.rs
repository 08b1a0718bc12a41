//! Any text is rules of cleaning or has problems, each in its place; the normal
//! form of rules is the same rules.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    match pipeline::clean::parse(text) {
        Ok(rules) => {
            let normal = serde_json::to_string(&rules).expect("rules are JSON");
            assert_eq!(pipeline::clean::parse(&normal).as_ref(), Ok(&rules));
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in problems {
                assert!(problem.line >= 1 && problem.column >= 1);
            }
        }
    }
});
