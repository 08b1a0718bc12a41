//! Any text is a kubeconfig or has problems, each in its place; a token is
//! taken as it is, and never shown.
#![no_main]

use std::path::Path;

libfuzzer_sys::fuzz_target!(|text: &str| {
    match kube::Config::parse(text, Path::new("/nowhere")) {
        Ok(config) => assert!(config.server().starts_with("http") && !config.host().is_empty()),
        Err(error) => {
            let reasons = error.reasons();
            assert!(!reasons.is_empty() && reasons.iter().all(|reason| reason.starts_with("line ")));
        }
    }
    let token = serde_json::to_string(text).expect("text is JSON");
    let whole = format!(
        "{{\"current-context\": \"c\", \"contexts\": [{{\"name\": \"c\", \"context\": {{\"cluster\": \"c\", \"user\": \"u\"}}}}],\
         \"clusters\": [{{\"name\": \"c\", \"cluster\": {{\"server\": \"https://h\"}}}}],\
         \"users\": [{{\"name\": \"u\", \"user\": {{\"token\": {token}}}}}]}}"
    );
    if let Ok(config) = kube::Config::parse(&whole, Path::new("/nowhere")) {
        assert!(text.len() < 64 || !format!("{config:?}").contains(text));
    }
});
