//! Any text is a file of repositories; a key that is set has its value.
#![no_main]

use conf::dnf::Repos;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let mut repos = Repos::new(text);
    assert_eq!(repos.as_str(), text);
    let count = repos.repos().len();
    for at in 0..count.min(4) {
        repos.set(at, "baseurl", "https://example.org/");
        repos.set(at, "enabled", "0");
    }
    let after = repos.repos();
    assert_eq!(after.len(), count);
    for repo in after.iter().take(4) {
        assert_eq!((repo.get("baseurl"), repo.is_enabled()), (Some("https://example.org/"), false));
    }
});
