//! Hosts for those who watch them.

use model::HostEntry;
use serde_json::{Map, Value, json};

use crate::text::addresses;

/// Target groups of Prometheus's file-based service discovery, one a host.
pub(crate) fn prometheus(hosts: &[HostEntry], port: u16) -> String {
    let groups: Vec<_> = hosts
        .iter()
        .filter_map(|host| {
            let target = match addresses(host).next()? {
                std::net::IpAddr::V4(ip) => format!("{ip}:{port}"),
                std::net::IpAddr::V6(ip) => format!("[{ip}]:{port}"),
            };
            let mut labels = Map::new();
            labels.insert("cluster".into(), json!(host.cluster));
            labels.insert("host".into(), json!(host.name));
            // Commas at both ends let a rule match `.*,etcd,.*` without care for the place.
            labels.insert("roles".into(), json!(format!(",{},", host.roles.join(","))));
            for (key, value) in &host.labels {
                labels.insert(format!("label_{}", word(key)), json!(value));
            }
            Some(json!({"targets": [target], "labels": labels}))
        })
        .collect();
    format!("{:#}\n", Value::Array(groups))
}

/// Rows of a Zabbix low-level discovery rule, one a host.
pub(crate) fn zabbix(hosts: &[HostEntry]) -> String {
    let rows: Vec<_> = hosts
        .iter()
        .map(|host| {
            let text = |value: Option<String>| value.unwrap_or_default();
            json!({
                "{#HOST}": host.name,
                "{#CLUSTER}": host.cluster,
                "{#IP}": text(addresses(host).next().map(|ip| ip.to_string())),
                "{#ROLES}": host.roles.join(","),
                "{#BMC}": text(host.bmc.as_ref().map(|bmc| bmc.address.to_string())),
                "{#BMC.KIND}": text(host.bmc.as_ref().map(|bmc| bmc.kind.clone())),
                "{#OS}": text(host.os.clone()),
            })
        })
        .collect();
    format!("{}\n", Value::Array(rows))
}

/// A text as a word of letters, digits and `_`.
pub(crate) fn word(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}
