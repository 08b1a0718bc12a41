//! Every field of platform.yaml wrong in turn: the error names exactly it.
//!
//! The fields come from the normalised form of `full.yaml`, in which nothing
//! may be null or empty, so a new field without a bad case fails here.

use std::collections::BTreeSet;

use serde_json::{Value, json};

const FULL: &str = include_str!("full.yaml");

/// Every field and values it must not have; of a list the last item stands for all.
fn bad_values() -> Vec<(&'static str, Vec<Value>)> {
    vec![
        ("version", vec![json!(2), json!(0), json!("1"), json!(1.0)]),
        ("cluster.name", vec![json!("Lab"), json!(""), json!("a".repeat(64)), json!(1)]),
        ("cluster.kubernetes", vec![json!("1.36"), json!("v1.36.3"), json!(1.36), json!("latest")]),
        ("cluster.runtime.containerd", vec![json!("two"), json!(2.3), json!("1.7"), json!("")]),
        ("cluster.runtime.pause", vec![json!("a b"), json!("")]),
        ("cluster.cni.calico", vec![json!("newest"), json!(3.31)]),
        ("cluster.cni.encap", vec![json!("vlxan"), json!(true)]),
        ("cluster.cni.block_size", vec![json!(19), json!(33), json!("26")]),
        ("cluster.cni.block_size6", vec![json!(115), json!(129)]),
        ("cluster.cni.autodetect", vec![json!("last-found"), json!("cidr=")]),
        ("cluster.cni.wireguard", vec![json!("yes"), json!(1)]),
        ("cluster.swap", vec![json!(false), json!("on")]),
        ("cluster.max_pods", vec![json!(0), json!(65536), json!(-1)]),
        ("network.node_cidrs", vec![json!([]), json!("10.77.0.0/24")]),
        ("network.node_cidrs[1]", vec![json!("10.77.0.1/24"), json!("10.77.0.0"), json!("nodes")]),
        ("network.bmc_cidrs", vec![json!("10.78.0.0/24"), json!({})]),
        ("network.bmc_cidrs[0]", vec![json!("10.78.0.1/24"), json!(10)]),
        ("network.pod_cidr", vec![json!("192.167.0.0/12"), json!("fd44::/56"), json!("10.77.0.0/16")]),
        ("network.pod_cidr6", vec![json!("10.200.0.0/16"), json!("fd44::1/56"), json!("fd77::/48")]),
        ("network.service_cidr", vec![json!("10.244.0.0/24"), json!("10.96.0.1/16"), json!("fd96::/112")]),
        ("network.service_cidr6", vec![json!("10.96.0.0/16"), json!("fd44::/112")]),
        ("network.node_mask", vec![json!(0), json!(33)]),
        ("network.node_mask6", vec![json!(0), json!(129)]),
        ("network.vips", vec![json!("10.77.0.100"), json!([])]),
        (
            "network.vips[1]",
            vec![
                json!("10.77.0.11"),
                json!("10.79.0.100"),
                json!("10.77.0.0"),
                json!("10.77.0.255"),
                json!("10.77.0.100/24"),
                json!("127.0.0.1"),
                json!("vip.lan"),
                json!(null),
            ],
        ),
        ("network.api_port", vec![json!(0), json!(65536), json!("6443")]),
        ("network.mtu", vec![json!(1279), json!(65536)]),
        ("network.domain", vec![json!("Lab.example"), json!(".lab"), json!("")]),
        (
            "network.api_name",
            vec![json!("API"), json!("lb1"), json!("lb1.lab.example"), json!("10.77.0.100:6443")],
        ),
        ("network.dns_domain", vec![json!("Cluster.local"), json!("a..b"), json!("")]),
        ("load_balancing.vrid", vec![json!(0), json!(256), json!("51")]),
        ("load_balancing.advert_ms", vec![json!(0), json!(15), json!(40960), json!(0.1)]),
        ("load_balancing.preempt", vec![json!("no"), json!(0)]),
        ("load_balancing.check.mode", vec![json!("file"), json!(true)]),
        ("load_balancing.check.interval_ms", vec![json!(100), json!(0), json!(60001)]),
        ("load_balancing.check.rise", vec![json!(0), json!(101)]),
        ("load_balancing.check.fall", vec![json!(0), json!(101)]),
        ("load_balancing.interface", vec![json!("sixteen-letters-"), json!(""), json!("a b"), json!("a/b")]),
        ("load_balancing.port", vec![json!(0), json!(65536)]),
        ("load_balancing.health_port", vec![json!(0), json!(8443)]),
        ("load_balancing.stats_socket", vec![json!("admin.sock"), json!(format!("/{}", "s".repeat(91)))]),
        ("load_balancing.ca_file", vec![json!("ca.crt"), json!("/a b")]),
        ("defaults.ssh.user", vec![json!("o p"), json!("-o"), json!("")]),
        ("defaults.ssh.port", vec![json!(0), json!(65536)]),
        ("defaults.ssh.key", vec![json!("id"), json!("~/a b")]),
        ("defaults.os", vec![json!("debian 12"), json!(12)]),
        ("hosts[2].name", vec![json!("lb2"), json!("LB1"), json!("lb_1"), json!(""), json!(null)]),
        ("hosts[2].roles", vec![json!([]), json!("lb"), json!(["lb", "lb"]), json!(null)]),
        ("hosts[2].roles[0]", vec![json!("balancer"), json!(1), json!("Lb")]),
        (
            "hosts[2].ip",
            vec![
                json!("10.77.0.12"),
                json!("10.79.0.1"),
                json!("fd77::1"),
                json!("10.77.0.11/24"),
                json!(null),
            ],
        ),
        (
            "hosts[2].ip6",
            vec![json!("fd77::12"), json!("fd79::1"), json!("10.77.0.9"), json!("::1"), json!(null)],
        ),
        ("hosts[2].interface", vec![json!("sixteen-letters-"), json!("")]),
        ("hosts[2].priority", vec![json!(0), json!(255), json!(100), json!(null)]),
        ("hosts[2].bmc.address", vec![json!("10.77.0.12"), json!("10.79.0.1"), json!("bmc1"), json!(null)]),
        ("hosts[2].bmc.kind", vec![json!("ilo")]),
        ("hosts[2].labels.zone", vec![json!("a\nb"), json!(1), json!("z".repeat(64))]),
        ("hosts[2].os", vec![json!("debian 12"), json!(13)]),
        ("hosts[2].kubernetes", vec![json!("1.37.0"), json!("1.32.9"), json!("1.35"), json!("1.36.4")]),
        ("hosts[2].ssh.user", vec![json!("o p")]),
        ("hosts[2].ssh.port", vec![json!(0)]),
        ("hosts[2].ssh.key", vec![json!("id")]),
        ("endpoints.zabbix.server", vec![json!("zabbix.lan"), json!("zabbix.lan:0"), json!(null)]),
        ("endpoints.zabbix.api", vec![json!("zabbix.lan"), json!("https://a:b@zabbix.lan/")]),
        ("endpoints.registries", vec![json!("registry.lan")]),
        ("endpoints.registries[0]", vec![json!("https://registry.lan"), json!("a:0")]),
        ("endpoints.elasticsearch", vec![json!("https://es1.lan:9200")]),
        ("endpoints.elasticsearch[0]", vec![json!("es1.lan:9200")]),
        ("endpoints.kafka", vec![json!("kafka1.lan:9092")]),
        ("endpoints.kafka[0]", vec![json!("kafka1.lan"), json!("kafka1.lan:x")]),
    ]
}

fn full() -> Value {
    serde_json::to_value(platform::parse(FULL).expect("full.yaml is valid")).expect("a platform is JSON")
}

/// The paths of all leaves, lists and list items; of a list the last item stands for all,
/// because a duplicate is told where it is the second time.
fn fields(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            assert!(!map.is_empty(), "{path} is empty in full.yaml");
            for (key, below) in map {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                fields(below, &path, found);
            }
        }
        Value::Array(items) => {
            let last = items.last().unwrap_or_else(|| panic!("{path} is empty in full.yaml"));
            if !last.is_object() {
                found.insert(path.to_owned());
            }
            fields(last, &format!("{path}[{}]", items.len() - 1), found);
        }
        leaf => {
            assert!(!leaf.is_null(), "{path} is null in full.yaml");
            found.insert(path.to_owned());
        }
    }
}

/// The value at a path, to be changed.
fn at<'a>(document: &'a mut Value, path: &str) -> &'a mut Value {
    let pointer: String =
        path.split(['.', '[']).map(|step| format!("/{}", step.trim_end_matches(']'))).collect();
    document.pointer_mut(&pointer).unwrap_or_else(|| panic!("{path} is in full.yaml"))
}

fn problems(document: &Value) -> Vec<platform::Problem> {
    platform::parse(&document.to_string()).err().unwrap_or_default()
}

#[test]
fn every_field_has_a_bad_case_and_every_bad_case_a_field() {
    let mut known = BTreeSet::new();
    fields(&full(), "", &mut known);
    let tried: BTreeSet<String> = bad_values().into_iter().map(|(path, _)| path.to_owned()).collect();
    assert_eq!(known, tried);
}

#[test]
fn a_bad_value_is_told_at_exactly_its_field() {
    for (path, values) in bad_values() {
        for bad in values {
            let mut document = full();
            *at(&mut document, path) = bad.clone();
            let found = problems(&document);
            assert!(!found.is_empty(), "{path}: {bad} is taken");
            for problem in found {
                assert_eq!(problem.path, path, "{path}: {bad}: {problem}");
                assert_eq!(problem.line, 1);
                assert!(problem.column > 1, "{path}: {bad}: {problem}");
            }
        }
    }
}

#[test]
fn a_value_of_another_shape_is_told_at_exactly_its_field() {
    for (path, _) in bad_values() {
        let mut document = full();
        let value = at(&mut document, path);
        *value = if value.is_array() { json!({"a": 1}) } else { json!([[1]]) };
        let found = problems(&document);
        assert!(!found.is_empty(), "{path}");
        found.iter().for_each(|problem| assert_eq!(problem.path, path, "{problem}"));
    }
}

#[test]
fn an_unknown_key_is_told_in_every_mapping() {
    let mappings = [
        "",
        "cluster",
        "cluster.runtime",
        "cluster.cni",
        "network",
        "load_balancing",
        "load_balancing.check",
        "defaults",
        "defaults.ssh",
        "hosts[2]",
        "hosts[2].bmc",
        "hosts[2].ssh",
        "endpoints",
        "endpoints.zabbix",
    ];
    for path in mappings {
        let mut document = full();
        let map = if path.is_empty() { &mut document } else { at(&mut document, path) };
        map["surprise"] = json!(1);
        let want = if path.is_empty() { "surprise".to_owned() } else { format!("{path}.surprise") };
        let found = problems(&document);
        assert_eq!(found.iter().map(|p| p.path.as_str()).collect::<Vec<_>>(), [want.as_str()]);
        assert_eq!(found[0].message, "unknown key");
    }
}

#[test]
fn what_must_be_there_is_missed() {
    let required = [
        "version",
        "cluster",
        "cluster.name",
        "cluster.kubernetes",
        "cluster.runtime.containerd",
        "cluster.cni.calico",
        "network",
        "network.node_cidrs",
        "network.vips",
        "network.pod_cidr",
        "network.service_cidr6",
        "load_balancing",
        "load_balancing.vrid",
        "hosts",
        "hosts[2].name",
        "hosts[2].roles",
        "hosts[2].ip",
        "hosts[2].ip6",
        "hosts[2].priority",
        "hosts[2].bmc.address",
        "endpoints.zabbix.server",
    ];
    for path in required {
        let mut document = full();
        let (above, key) = path.rsplit_once('.').unwrap_or(("", path));
        let map = if above.is_empty() { &mut document } else { at(&mut document, above) };
        map.as_object_mut().expect("a mapping").remove(key).expect("a key");
        let found = problems(&document);
        assert_eq!(found.iter().map(|p| p.path.as_str()).collect::<Vec<_>>(), [path]);
        assert!(found[0].message.starts_with("missing"), "{}", found[0]);
    }
}

#[test]
fn the_normalised_form_is_a_document_that_says_the_same() {
    let platform = platform::parse(FULL).expect("full.yaml is valid");
    assert_eq!(platform::parse(&full().to_string()).expect("its normal form is valid"), platform);
}

#[test]
fn all_fields_wrong_at_once_are_all_told() {
    let mut document = full();
    let values = bad_values();
    let leaves = values.iter().filter(|(path, _)| !path.ends_with("cidrs") && !path.contains("endpoints."));
    let mut wrong: BTreeSet<&str> = BTreeSet::new();
    for (path, _) in leaves.filter(|(path, _)| !at(&mut full(), path).is_array()) {
        *at(&mut document, path) = json!([[1]]);
        wrong.insert(path);
    }
    let found = problems(&document);
    let told: BTreeSet<&str> = found.iter().map(|p| p.path.as_str()).collect();
    assert_eq!(told, wrong);
}

/// The schema's entry for a path, references followed.
fn described<'a>(schema: &'a Value, path: &str) -> Option<&'a Value> {
    fn followed<'a>(whole: &'a Value, entry: &'a Value) -> &'a Value {
        let one_of =
            entry["anyOf"].as_array().and_then(|all| all.iter().find(|one| one.get("$ref").is_some()));
        let reference = one_of.unwrap_or(entry)["$ref"].as_str();
        reference.and_then(|name| whole.pointer(name.trim_start_matches('#'))).unwrap_or(entry)
    }
    path.split(['.', '[']).try_fold(schema, |entry, step| {
        let entry = followed(schema, entry);
        match step.strip_suffix(']') {
            Some(_) => entry.get("items"),
            None => {
                entry["properties"].get(step).or(entry.get("additionalProperties").filter(|e| e.is_object()))
            }
        }
    })
}

/// A file of the checkout in which cargo runs this test.
fn of_the_project(path: &str) -> String {
    let crate_folder = std::env::var("CARGO_MANIFEST_DIR").expect("cargo runs the tests");
    std::fs::read_to_string(format!("{crate_folder}/../../{path}")).expect(path)
}

#[test]
fn schema_and_man_page_know_every_field() {
    let read = of_the_project;
    let schema: Value = serde_json::from_str(&read("schemas/platform.json")).expect("a schema is JSON");
    let page = read("man/bareplane-platform.5");
    let mut known = BTreeSet::new();
    fields(&full(), "", &mut known);
    for path in known {
        assert!(described(&schema, &path).is_some(), "schemas/platform.json lacks {path}");
        let name = path.replace("hosts[2]", "hosts[]");
        let name = name.trim_end_matches("[0]").trim_end_matches("[1]");
        // A host's ssh is described under the defaults, and labels are free.
        let shown = ["hosts[].ssh", "hosts[].labels"].into_iter().find(|above| name.starts_with(above));
        assert!(page.contains(shown.unwrap_or(name)), "man/bareplane-platform.5 lacks {path}");
    }
}

#[test]
fn the_example_of_the_man_page_is_valid() {
    let page = of_the_project("man/bareplane-platform.5");
    let example = page.split(".SH EXAMPLE\n.nf\n").nth(1).and_then(|rest| rest.split(".fi").next());
    let example = example.expect("the page has an example").replace("\\-", "-");
    assert_eq!(platform::parse(&example).err(), None);
}
