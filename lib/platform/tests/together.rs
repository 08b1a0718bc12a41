//! What fields must be to each other: one edit of the example, one answer.

const EXAMPLE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/examples/platform.yaml"));

/// What is wrong after replacing one passage of the example.
fn wrong(passage: &str, by: &str) -> Vec<String> {
    assert!(EXAMPLE.contains(passage), "the example holds {passage:?}");
    let problems = platform::parse(&EXAMPLE.replacen(passage, by, 1)).err().unwrap_or_default();
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn the_example_is_valid() {
    assert_eq!(wrong("", ""), [""; 0]);
}

#[test]
fn a_virtual_address_is_no_machines_own() {
    assert_eq!(
        wrong("vips: [10.77.0.100]", "vips: [10.77.0.21]"),
        [
            "line 13 column 10: network.vips[0]: 10.77.0.21 is the own address of cp1; choose an address no machine has"
        ]
    );
}

#[test]
fn a_virtual_address_lies_in_a_node_network() {
    assert_eq!(
        wrong("vips: [10.77.0.100]", "vips: [10.79.0.100]"),
        ["line 13 column 10: network.vips[0]: 10.79.0.100 lies in none of network.node_cidrs: 10.77.0.0/24"]
    );
}

#[test]
fn a_virtual_address_needs_its_family_on_every_balancer() {
    let found = wrong(
        "node_cidrs: [10.77.0.0/24]\n  bmc_cidrs: [10.78.0.0/24]",
        "node_cidrs: [10.77.0.0/24, \"fd77::/64\"]\n  bmc_cidrs: [10.78.0.0/24]",
    );
    assert_eq!(found, [""; 0]);
    let both = EXAMPLE
        .replace("node_cidrs: [10.77.0.0/24]", "node_cidrs: [10.77.0.0/24, \"fd77::/64\"]")
        .replace("vips: [10.77.0.100]", "vips: [10.77.0.100, \"fd77::100\"]")
        .replace("ip: 10.77.0.11}", "ip: 10.77.0.11, ip6: \"fd77::11\"}");
    let found = platform::parse(&both).unwrap_err();
    assert_eq!(
        found.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["line 23 column 5: hosts[1].ip6: missing: fd77::100 needs an IPv6 address on every balancer"]
    );
    let whole = both.replace("ip: 10.77.0.12}", "ip: 10.77.0.12, ip6: \"fd77::12\"}");
    assert!(platform::parse(&whole).is_ok());
}

#[test]
fn two_addresses_of_one_family_are_one_too_many() {
    assert_eq!(
        wrong("vips: [10.77.0.100]", "vips: [10.77.0.100, 10.77.0.101]"),
        ["line 13 column 23: network.vips[1]: a second IPv4 address; one of each family is served"]
    );
}

#[test]
fn an_even_number_of_control_planes_is_an_error_with_a_fix() {
    let problems = platform::parse(
        &EXAMPLE.replace("name: w1, roles: [worker]", "name: w1, roles: [worker, control-plane]"),
    )
    .unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "line 27 column 16: hosts[5].roles: 4 hosts have the role control-plane: an even number bears no more \
         losses than 3; give the role to 3 or 5 hosts"
    );
}

#[test]
fn a_balancer_on_a_control_plane_needs_another_port() {
    let stacked = EXAMPLE
        .replace("  - {name: lb1, roles: [lb], ip: 10.77.0.11}\n", "")
        .replace("  - {name: lb2, roles: [lb], ip: 10.77.0.12}\n", "")
        .replace("[control-plane, etcd]", "[lb, control-plane, etcd]");
    let problems = platform::parse(&stacked).unwrap_err();
    assert_eq!(
        problems.iter().map(|p| p.path.as_str()).collect::<Vec<_>>(),
        ["hosts[0].roles", "hosts[1].roles", "hosts[2].roles"]
    );
    let platform = platform::parse(&stacked.replace("vrid: 51", "vrid: 51\n  port: 8443")).unwrap();
    assert_eq!((platform.balanced_port(), platform.network.api_port), (8443, 6443));
}

#[test]
fn pods_and_services_overlap_nothing() {
    assert_eq!(
        wrong("service_cidr: 10.96.0.0/16", "service_cidr: 10.244.8.0/24"),
        ["line 12 column 17: network.service_cidr: 10.244.8.0/24 overlaps network.pod_cidr 10.244.0.0/16"]
    );
    assert!(platform::parse_unplanned(&EXAMPLE.replace("10.96.0.0/16", "10.244.8.0/24")).is_ok());
}

#[test]
fn a_role_nobody_has_is_missed_and_a_misspelt_one_is_not_counted() {
    let found =
        wrong("roles: [control-plane, etcd], ip: 10.77.0.21", "roles: [control-plan, etcd], ip: 10.77.0.21");
    assert_eq!(
        found,
        [
            "line 24 column 25: hosts[2].roles[0]: `control-plan` is none of: lb, control-plane, etcd, worker; did you mean `control-plane`?"
        ]
    );
    let workers = EXAMPLE.replace("[control-plane, etcd]", "[worker]");
    assert_eq!(
        platform::parse(&workers).unwrap_err()[0].to_string(),
        "line 21 column 1: hosts: no host has the role control-plane"
    );
}

#[test]
fn priorities_are_for_all_balancers_and_decide() {
    assert_eq!(
        wrong("ip: 10.77.0.11}", "ip: 10.77.0.11, priority: 100}"),
        [
            "line 23 column 5: hosts[1].priority: missing: another balancer has one; give one to each balancer, or to none"
        ]
    );
    assert_eq!(
        wrong("ip: 10.77.0.31,", "ip: 10.77.0.31, priority: 100,"),
        ["line 27 column 59: hosts[5].priority: only a balancer has a priority"]
    );
}

#[test]
fn swap_off_is_text_without_quotes() {
    let text = EXAMPLE.replace("  name: lab\n", "  name: lab\n  swap: off\n");
    assert_eq!(platform::parse(&text).unwrap().cluster.swap, platform::Swap::Off);
}

#[test]
fn half_a_document_tells_what_is_missing_and_never_panics() {
    for end in 0..EXAMPLE.len() {
        if let Err(problems) = platform::parse(&EXAMPLE[..end]) {
            assert!(!problems.is_empty(), "{end}");
        }
    }
}
