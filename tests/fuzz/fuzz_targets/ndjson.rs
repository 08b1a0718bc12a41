//! Any line is taken or refused as `serde_json` does, and what is found in it is the same.
#![no_main]

libfuzzer_sys::fuzz_target!(|line: &[u8]| {
    let mut fields = ndjson::Fields::new();
    for path in ["a", "a.b", "c"] {
        fields.want(path).unwrap();
    }
    let mut found = fields.none();
    let ours = fields.find(line, &mut found);
    let theirs = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(line);
    assert!(ours.is_err() || theirs.is_ok());
    if let (Ok(()), Ok(object)) = (ours, theirs) {
        let text = object.get("c").and_then(|value| value.as_str());
        assert_eq!(found[2].text().as_deref(), text);
    }
});
