//! What Ansible asks an inventory script: `--list` and `--host NAME`.

use std::collections::BTreeMap;

use model::HostEntry;
use platform::Platform;
use serde_json::{Map, Value, json};

use crate::discovery::word;
use crate::text::addresses;

/// The whole inventory. With `_meta` Ansible never asks for single hosts.
pub(crate) fn list(platform: &Platform) -> Value {
    let hosts: Vec<_> = platform.entries().collect();
    let variables: Map<_, _> = hosts.iter().map(|host| (host.name.clone(), variables(host))).collect();
    let groups = groups(&hosts);
    let in_cluster: Vec<_> = ["control_plane", "etcd", "workers"]
        .into_iter()
        .filter(|group| groups.contains_key(*group))
        .collect();
    let mut top: Vec<&str> =
        groups.keys().map(String::as_str).filter(|group| !in_cluster.contains(group)).collect();
    top.push("k8s_cluster");
    let mut inventory = json!({
        "_meta": {"hostvars": variables},
        "all": {"children": top, "vars": shared(platform)},
        "k8s_cluster": {"children": in_cluster},
    });
    for (group, members) in groups {
        inventory[group] = json!({"hosts": members});
    }
    inventory
}

/// The variables of one host.
pub(crate) fn host(platform: &Platform, name: &str) -> Option<Value> {
    platform.entries().find(|host| host.name == name).map(|host| variables(&host))
}

/// Groups by role and by label, each with its hosts.
fn groups(hosts: &[HostEntry]) -> BTreeMap<String, Vec<&str>> {
    let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for host in hosts {
        let roles = host.roles.iter().map(|role| {
            match role.as_str() {
                "lb" => "balancers",
                "control-plane" => "control_plane",
                "worker" => "workers",
                other => other,
            }
            .to_owned()
        });
        let labels = host.labels.iter().map(|(key, value)| format!("{}_{}", word(key), word(value)));
        for group in roles.chain(labels) {
            let members = groups.entry(group).or_default();
            // Two labels may end up as the same word.
            if members.last() != Some(&host.name.as_str()) {
                members.push(&host.name);
            }
        }
    }
    groups
}

fn variables(host: &HostEntry) -> Value {
    let mut variables = json!({
        "ansible_host": addresses(host).next(),
        "ansible_port": host.ssh.port,
        // Ansible reserves `roles` for itself.
        "node_roles": host.roles,
        "node_labels": host.labels,
        "kubernetes_version": host.kubernetes,
    });
    let some = [
        ("ansible_user", json!(host.ssh.user)),
        ("ansible_ssh_private_key_file", json!(host.ssh.key)),
        ("ip", json!(host.ip)),
        ("ip6", json!(host.ip6)),
        ("interface", json!(host.interface)),
        ("vrrp_priority", json!(host.priority)),
        ("bmc_address", json!(host.bmc.as_ref().map(|bmc| bmc.address))),
        ("bmc_kind", json!(host.bmc.as_ref().map(|bmc| &bmc.kind))),
        ("os", json!(host.os)),
    ];
    // Ansible tells undefined from null: what is unknown stays undefined.
    for (name, value) in some.into_iter().filter(|(_, value)| !value.is_null()) {
        variables[name] = value;
    }
    variables
}

fn shared(platform: &Platform) -> Value {
    let network = &platform.network;
    let both =
        |v4: Option<net::Cidr>, v6: Option<net::Cidr>| -> Vec<_> { v4.into_iter().chain(v6).collect() };
    json!({
        "cluster_name": platform.cluster.name,
        "api_vips": network.vips,
        "api_port": platform.balanced_port(),
        "pod_cidrs": both(network.pod_cidr, network.pod_cidr6),
        "service_cidrs": both(network.service_cidr, network.service_cidr6),
        "dns_domain": network.dns_domain,
    })
}
