//! Any text is parsed whole or refused; what is parsed prints back byte for byte.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(config) = conf::haproxy::Config::parse(text) {
        assert_eq!(config.to_string(), text);
    }
});
