//! A key that is set in any TOML text is there, or there is no place for it; the rest stays.
#![no_main]

#[path = "../../../tools/cluster/runtime-config/src/text.rs"]
#[allow(dead_code)]
mod text;

use text::Text;

libfuzzer_sys::fuzz_target!(|input: &str| {
    let Ok(mut parsed) = Text::parse(input) else { return };
    assert_eq!(parsed.as_str(), input);
    for path in [&["a"][..], &["a", "b"], &["a", "b.c", "d"]] {
        let before = parsed.as_str().len();
        if parsed.get(path).is_none() && parsed.set(path, "true").is_ok() {
            assert!(parsed.get(path).is_some(), "{path:?} in {input:?}");
            assert!(parsed.as_str().len() > before);
        }
    }
});
