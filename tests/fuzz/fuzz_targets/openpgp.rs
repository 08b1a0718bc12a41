//! Any bytes are a keyring or refused; what is read reads the same without and with armour.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(keyring) = openpgp::parse(bytes) {
        assert!(!keyring.keys.is_empty());
        assert_eq!(openpgp::parse(&keyring.bytes).expect("it was read").keys, keyring.keys);
        assert_eq!(openpgp::parse(keyring.armoured().as_bytes()).expect("it was read").keys, keyring.keys);
    }
});
