//! Any value comes back from its line, and no line makes the readers stumble.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = (envelope::read(data), envelope::read_kcat(data));
    let parts = envelope::Parts { key: Some(data), value: Some(data), ..Default::default() };
    let name: Vec<u8> = data.iter().copied().filter(|byte| *byte != 0).collect();
    let mut line = Vec::new();
    envelope::Writer::default().write(&parts, [(name.as_slice(), Some(data))], &mut line);
    assert!(!line.contains(&b'\n'));
    let read = envelope::read(&line).unwrap();
    assert_eq!(read.key.as_deref(), Some(data));
    assert_eq!(read.value.as_deref(), Some(data));
    assert_eq!(read.headers, [(name.into(), Some(data.into()))]);
});
