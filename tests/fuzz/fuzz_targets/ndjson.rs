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
    // Lines after lines that look like them are read as if they stood alone.
    let Ok(text) = std::str::from_utf8(line) else { return };
    let (mut habit, mut rest, mut in_a_row) = (ndjson::Habit::default(), text, fields.none());
    for line in text.split('\n') {
        let (length, read) = fields.first(rest, &mut habit, &mut in_a_row);
        assert_eq!((length, read), (line.len(), fields.find(line.as_bytes(), &mut found)));
        assert!(read.is_err() || in_a_row == found);
        rest = rest.get(length + 1..).unwrap_or_default();
    }
});
