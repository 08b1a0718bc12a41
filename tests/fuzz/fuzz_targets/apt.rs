//! Any text is a list and a file of stanzas; a source that is switched off is off, the others stay.
#![no_main]

use conf::apt::{Form, Sources};

libfuzzer_sys::fuzz_target!(|text: &str| {
    for form in [Form::List, Form::Deb822] {
        let mut sources = Sources::new(form, text);
        assert_eq!(sources.as_str(), text);
        let enabled = |sources: &Sources| sources.sources().into_iter().filter(|source| source.enabled).count();
        let before = enabled(&sources);
        if let Some(first) = sources.sources().into_iter().find(|source| source.enabled) {
            sources.set_uri(&first, "https://example.org/");
            sources.set_option(&first, "signed-by", Some("/k.asc"));
            sources.set_option(&first, "trusted", None);
            sources.disable(&first);
            assert_eq!(enabled(&sources), before - 1);
        }
    }
});
