//! Any text is a jq expression or none, and any expression comes to an end over any value.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: (&str, &str)| {
    let (expression, value) = text;
    if let Ok(filter) = jq::Filter::parse(expression) {
        let _ = filter.one(value.as_bytes());
        let _ = filter.one(br#"{"a":[1,2.50,"x",null,{"b":true}],"c":"2026-01-01T00:00:00Z"}"#);
    }
});
