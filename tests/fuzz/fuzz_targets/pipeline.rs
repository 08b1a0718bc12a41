//! Any text is a pipeline or has problems, each in its place; a pipeline's
//! normal form is the same pipeline.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    match pipeline::parse(text) {
        Ok(pipeline) => {
            let normal = serde_json::to_string(&pipeline).expect("a pipeline is JSON");
            assert_eq!(pipeline::parse(&normal).as_ref(), Ok(&pipeline));
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in problems {
                assert!(problem.line >= 1 && problem.column >= 1);
            }
        }
    }
});
