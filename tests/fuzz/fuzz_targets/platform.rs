//! Any text is a platform or has problems, each in its place; a platform's
//! normal form is the same platform.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    match platform::parse(text) {
        Ok(platform) => {
            let normal = serde_json::to_string(&platform).expect("a platform is JSON");
            assert_eq!(platform::parse(&normal).as_ref(), Ok(&platform));
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in problems {
                assert!(problem.line >= 1 && problem.column >= 1);
            }
        }
    }
});
