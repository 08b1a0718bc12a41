use super::*;

const GUIDE: [(&str, &str); 3] = [
    ("haproxy.cfg", include_str!("../../../../tests/fixtures/kubeadm-guide/haproxy.cfg")),
    ("keepalived.conf", include_str!("../../../../tests/fixtures/kubeadm-guide/keepalived.conf")),
    ("check_apiserver.sh", include_str!("../../../../tests/fixtures/kubeadm-guide/check_apiserver.sh")),
];

/// `check:line` of every finding.
fn checks(files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<_> =
        files.iter().map(|(name, text)| File { name: (*name).into(), text: (*text).into() }).collect();
    let findings = judge("lb-render", &files).unwrap();
    findings
        .iter()
        .map(|f| format!("{}:{}", f.check, f.line.map_or("-".into(), |line| line.to_string())))
        .collect()
}

fn has(files: &[(&str, &str)], check: &str) -> bool {
    checks(files).iter().any(|found| found.split(':').next() == Some(check))
}

/// The guide's file with some of its text replaced.
fn changed(file: usize, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(GUIDE[file].1.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    })
}

#[test]
fn the_guides_balancer_is_told_what_it_loses() {
    let found = checks(&GUIDE[..1]);
    for check in [
        "check-overridden:35",
        "check-path:32",
        "check-plain:37",
        "check-slow:23",
        "timeout-short:20",
        "timeout-short:21",
        "connect-slow:19",
        "sessions-kept:37",
        "balance:36",
        "stats-socket:3",
        "hard-stop:3",
    ] {
        assert!(found.iter().any(|f| f == check), "{check} not in {found:?}");
    }
}

#[test]
fn the_guides_keepalived_is_told_what_it_loses() {
    let found = checks(&GUIDE[1..2]);
    for check in [
        "detection-slow:11",
        "weight-slow:28",
        "init-fail:7",
        "script-security:3",
        "authentication:20",
        "multicast:15",
        "advert-slow:15",
        "vrrp-version:15",
        "state-master:16",
        "skew:19",
        "garp-refresh:3",
        "split-repair:3",
    ] {
        assert!(found.iter().any(|f| f == check), "{check} not in {found:?}");
    }
}

#[test]
fn the_guides_script_is_told_what_it_misses() {
    let found = checks(&GUIDE[2..]);
    for check in ["script-status:4", "script-insecure:4", "script-grep:5", "script-path:6", "script-status:6"]
    {
        assert!(found.iter().any(|f| f == check), "{check} not in {found:?}");
    }
    assert!(!found.iter().any(|f| f.starts_with("script-deadline")));
    assert!(
        checks(&[("c", "#!/bin/sh\ncurl -fsS --cacert ca -m 1 https://localhost:6443/readyz\n")]).is_empty()
    );
    assert!(has(&[("c", "#!/bin/sh\npidof haproxy\n")], "script-process"));
    assert!(has(&[("c", "#!/bin/sh\ncurl -f https://a/readyz\n")], "script-deadline"));
}

#[test]
fn a_weight_with_nopreempt_never_moves_the_address() {
    let text = changed(1, &[("state MASTER", "state BACKUP\n    nopreempt")]);
    assert!(has(&[("k", &text)], "weight-nopreempt"));
    assert!(!has(&[("k", &text.replace("weight -2", "weight 0"))], "weight-nopreempt"));
    assert!(has(
        &[("k", &changed(1, &[("state MASTER", "state MASTER\n    nopreempt")]))],
        "master-nopreempt"
    ));
}

#[test]
fn times_keepalived_cannot_keep_are_found() {
    let text = changed(1, &[("interval 3", "interval 0.3"), ("state MASTER", "advert_int 0.2")]);
    assert!(has(&[("k", &text)], "interval-fraction"));
    assert!(has(&[("k", &text)], "advert-fraction"));
    let third = text.replace("router_id LVS_DEVEL", "vrrp_version 3");
    assert!(!has(&[("k", &third)], "advert-fraction"));
    assert!(has(&[("k", &third)], "realtime"));
}

#[test]
fn real_time_that_a_reload_takes_away_is_found() {
    let text = changed(1, &[("router_id LVS_DEVEL", "vrrp_rt_priority 50")]);
    assert!(has(&[("k", &text)], "realtime-reload"));
    assert!(!has(&[("k", &text.replace("vrrp_rt_priority 50", "vrrp_priority -20"))], "realtime-reload"));
}

#[test]
fn an_instance_that_follows_nothing_or_only_a_file_is_found() {
    let bare = changed(1, &[("    track_script {\n        check_apiserver\n    }\n", "")]);
    assert!(has(&[("k", &bare)], "untracked"));
    let file = changed(1, &[("track_script {", "track_file {")]);
    assert!(has(&[("k", &file)], "track-file-alone"));
    let group = format!(
        "{bare}vrrp_sync_group G {{\n group {{\n VI_1\n }}\n track_script {{\n check_apiserver\n }}\n}}\n"
    );
    assert!(!has(&[("k", &group)], "untracked"));
}

#[test]
fn two_families_in_one_instance_are_found() {
    assert!(has(
        &[("k", &changed(1, &[("        10.77.0.100", "        10.77.0.100\n        fd00::100")]))],
        "families"
    ));
}

#[test]
fn nodes_of_one_address_are_compared() {
    let unicast = |own: &str, peer: &str, more: &[(&str, &str)]| {
        let peers =
            format!("unicast_src_ip {own}\n    unicast_peer {{\n        {peer}\n    }}\n    interface eth0");
        changed(1, &[&[("interface eth0", peers.as_str())], more].concat())
    };
    let first = unicast("10.77.0.11", "10.77.0.12", &[]);
    let backup = [("state MASTER", "state BACKUP"), ("priority 101", "priority 100")];
    let second = unicast("10.77.0.12", "10.77.0.11", &backup);
    let pair = |second: &str| {
        let mut found = checks(&[("lb1", &first), ("lb2", second)]);
        found.retain(|check| check.starts_with("pair-"));
        found.iter().map(|check| check.split(':').next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert!(pair(&second).is_empty());
    assert_eq!(pair(&second.replace("virtual_router_id 51", "virtual_router_id 52")), ["pair-vrid"]);
    assert_eq!(pair(&second.replace("priority 100", "priority 101")), ["pair-priority"]);
    assert_eq!(pair(&second.replace("priority 100", "priority 100\n version 3")), ["pair-version"]);
    assert_eq!(pair(&second.replace("priority 100", "priority 100\n advert_int 2")), ["pair-advert"]);
    assert_eq!(pair(&second.replace("state BACKUP", "state MASTER")), ["pair-masters"]);
    assert_eq!(pair(&second.replace("10.77.0.100\n", "10.77.0.100\n 10.77.0.101\n")), ["pair-addresses"]);
    assert_eq!(pair(&second.replace("    unicast_src_ip 10.77.0.12\n", "")), ["pair-source"]);
    assert_eq!(pair(&second.replace("        10.77.0.11\n", "        10.77.0.13\n")), ["pair-peer"]);
    assert_eq!(
        pair(&second.replace("        10.77.0.11\n", "        10.77.0.11\n        10.77.0.12\n")),
        ["pair-self"]
    );
}

#[test]
fn a_bind_only_the_holder_can_make_is_found() {
    assert!(has(&[("h", &changed(0, &[("bind *:6443", "bind 10.77.0.100:6443")]))], "bind-address"));
    assert!(!has(
        &[("h", &changed(0, &[("bind *:6443", "bind 10.77.0.100:6443 transparent")]))],
        "bind-address"
    ));
    assert!(!has(&[("h", &changed(0, &[("bind *:6443", "bind 127.0.0.1:6443,[::]:6443")]))], "bind-address"));
}

#[test]
fn a_port_taken_by_an_api_server_of_the_same_machine_is_found() {
    let unicast = changed(1, &[("interface eth0", "unicast_src_ip 10.77.0.21\n    interface eth0")]);
    assert!(!has(&GUIDE[..1], "port-clash"));
    assert!(has(&[GUIDE[0], ("k", &unicast)], "port-clash"));
    assert!(has(&[("h", &changed(0, &[("10.77.0.21:6443", "127.0.0.1:6443")]))], "port-clash"));
    assert!(!has(&[("h", &changed(0, &[("10.77.0.21:6443", "127.0.0.1:7443")]))], "port-clash"));
}

#[test]
fn servers_nobody_checks_or_anybody_passes_are_found() {
    assert!(has(&[("h", &changed(0, &[(":6443 check", ":6443")]))], "check-missing"));
    assert!(has(
        &[("h", &changed(0, &[(":6443 check", ":6443 check check-ssl verify none")]))],
        "check-unverified"
    ));
    assert!(has(&[("h", &changed(0, &[("option httpchk GET /healthz", "")]))], "check-shallow"));
    assert!(has(&[("h", &changed(0, &[("option redispatch", "no option redispatch")]))], "redispatch"));
    assert!(has(&[("h", &changed(0, &[("timeout client 20s", "")]))], "timeout-missing"));
}

#[test]
fn what_cannot_be_read_is_told_with_its_line_and_all_at_once() {
    let files = [("a", "frontend x\n log \"\n"), ("b", "vrrp_instance A {\n"), ("c", "hello")];
    let files = files.map(|(name, text)| File { name: name.into(), text: text.into() });
    let errors: Vec<_> = judge("lb-render", &files).unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(
        errors,
        [
            "a line 2: a quote is not closed",
            "b line 1: a block opened here is not closed",
            "c: neither haproxy.cfg, keepalived.conf nor a script"
        ]
    );
}
