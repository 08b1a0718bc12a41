//! Any text is what kubeadm printed, or a cluster-info, or is refused; no
//! message repeats the secret.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Err(error) = kubeadm::parse_join_command(text) {
        assert!(!error.to_string().contains("fedcba9876543210"));
    }
    let token: kubeadm::Token = "abcdef.fedcba9876543210".parse().expect("it is a token");
    let _ = kubeadm::cluster_info::judge(text, &token, None);
    let _ = kubeadm::ca_pin(text.as_bytes());
});
