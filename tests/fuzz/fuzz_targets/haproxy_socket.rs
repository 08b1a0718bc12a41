//! Whatever comes out of haproxy's sockets is understood or refused.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = haproxy::parse_processes(text);
    if let Ok(servers) = haproxy::parse_servers(text) {
        assert!(servers.iter().all(|server| !server.backend.is_empty() && !server.server.is_empty()));
    }
});
