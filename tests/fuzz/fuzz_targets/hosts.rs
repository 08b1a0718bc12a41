//! Any bytes are a table; a block that is put twice is put once, or its marks are refused.
#![no_main]

use conf::hosts::Hosts;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let table = Hosts::new(bytes);
    assert_eq!(table.as_bytes(), bytes);
    let _ = table.entries().count();
    let mut put = table.clone();
    let lines = ["10.0.0.1 cp1".to_owned()];
    if put.put("lab", &lines).is_ok() {
        let once = put.clone();
        put.put("lab", &lines).expect("what was put is whole");
        assert_eq!(once, put);
    } else {
        assert_eq!(table, put);
    }
});
