//! Any frame is judged without a panic; what claims an address names one station.
#![no_main]

libfuzzer_sys::fuzz_target!(|frame: &[u8]| {
    if let Some((address, mac)) = neighbour::frame::claim(frame) {
        assert!(mac.is_station() && !address.is_unspecified());
    }
});
