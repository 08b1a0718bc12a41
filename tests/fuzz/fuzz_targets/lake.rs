//! Any bytes are an entry of a lake's log or none, and any rows become a file; those whose columns were found fit.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(commit) = lake::Commit::parse(bytes, 1) {
        let again = serde_json::to_vec(&commit).expect("an entry");
        assert_eq!(lake::Commit::parse(&again, 1).as_ref(), Ok(&commit));
    }
    let rows = || bytes.split(|byte| *byte == b'\n');
    let mut sample = lake::Sample::default();
    let known: Vec<_> = rows().take(2).filter(|row| sample.row(row).is_ok()).collect();
    let Ok(schema) = sample.schema() else { return };
    let table = lake::Table::new(schema.clone(), Vec::new()).expect("columns that were found");
    let (_, count) = table.encode(known.iter().copied()).expect("a file");
    assert_eq!(count, known.len() as u64);
    let first = &schema.columns()[0].name;
    for folder in [format!("f={first}"), format!("f=day({first})"), format!("f=hour({first})")] {
        let Ok(folder) = folder.parse() else { continue };
        let Ok(table) = lake::Table::new(schema.clone(), vec![folder]) else { continue };
        let (file, _) = table.encode(rows()).expect("a file");
        assert!(file.starts_with(b"PAR1") && file.ends_with(b"PAR1"));
    }
});
