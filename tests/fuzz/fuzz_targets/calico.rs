//! Any manifest is read without a panic; what is set once stays, and every
//! document that has nothing of Calico in it.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let wanted = calico::Wanted {
        cidrs: vec!["10.244.0.0/16".parse().unwrap(), "fd44::/48".parse().unwrap()],
        encap: calico::encap_named("vxlan").ok(),
        autodetect: Some("interface=eth.*".to_owned()),
        block_size: Some(24),
        block_size6: None,
    };
    if let Ok(once) = calico::set(text, &wanted) {
        assert_eq!(calico::set(&once, &wanted).as_deref(), Ok(once.as_str()));
    }
});
