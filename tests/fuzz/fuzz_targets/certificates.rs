//! Any bytes are certificates, or a kubeconfig with some, or are refused;
//! whatever is read can be judged.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut found = x509::certificates(bytes).unwrap_or_default();
    found.extend(x509::Certificate::from_der(bytes));
    for held in x509::kubeconfig(&String::from_utf8_lossy(bytes)).unwrap_or_default() {
        if let x509::Material::Inside(chain) = held.what {
            found.extend(chain);
        }
    }
    for own in &found {
        assert_eq!(own.sha256.len(), 64);
        own.is_signed_by(&found[0]);
        own.holds_for("10.0.0.1");
    }
    let _ = x509::public_key(bytes);
});
