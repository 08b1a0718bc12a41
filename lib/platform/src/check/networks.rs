//! Networks among each other.

use net::{Cidr, Family};

use super::Checks;
use crate::model::{Network, Platform};

impl Checks<'_> {
    /// Pods and services overlap nothing; nodes and BMCs may share a network.
    pub(super) fn disjoint(&self) {
        let named = named(self.platform);
        for (n, (path, cidr)) in named.iter().enumerate() {
            for (other_path, other) in &named[..n] {
                let inner = |path: &str| path.contains("pod_cidr") || path.contains("service_cidr");
                if (inner(path) || inner(other_path)) && cidr.overlaps(other) {
                    self.wrong(path, format!("{cidr} overlaps {other_path} {other}"));
                }
            }
        }
    }

    /// Pods and services speak the same families.
    pub(super) fn families(&self) {
        let Network { pod_cidr, pod_cidr6, service_cidr, service_cidr6, .. } = &self.platform.network;
        for (family, key, pods, services) in
            [(Family::V4, "", pod_cidr, service_cidr), (Family::V6, "6", pod_cidr6, service_cidr6)]
        {
            match (pods, services) {
                (Some(_), None) => {
                    self.wrong(
                        format!("network.service_cidr{key}"),
                        format!("missing: the pods speak {family}"),
                    );
                }
                (None, Some(_)) => {
                    self.wrong(
                        format!("network.pod_cidr{key}"),
                        format!("missing: the services speak {family}"),
                    );
                }
                _ => {}
            }
        }
        if pod_cidr.is_none() && pod_cidr6.is_none() && service_cidr.is_none() && service_cidr6.is_none() {
            self.wrong("network.pod_cidr", "missing: the network of the pods, or network.pod_cidr6");
            self.wrong(
                "network.service_cidr",
                "missing: the network of the services, or network.service_cidr6",
            );
        }
    }
}

/// Every network of a platform with its path: nodes, BMCs, pods, services.
pub fn named(platform: &Platform) -> Vec<(String, Cidr)> {
    let network = &platform.network;
    let listed = |key: &str, cidrs: &[Cidr]| -> Vec<_> {
        cidrs.iter().enumerate().map(|(n, cidr)| (format!("network.{key}[{n}]"), *cidr)).collect()
    };
    let single = [
        ("pod_cidr", network.pod_cidr),
        ("pod_cidr6", network.pod_cidr6),
        ("service_cidr", network.service_cidr),
        ("service_cidr6", network.service_cidr6),
    ];
    let mut all = listed("node_cidrs", &network.node_cidrs);
    all.extend(listed("bmc_cidrs", &network.bmc_cidrs));
    all.extend(single.into_iter().filter_map(|(key, cidr)| Some((format!("network.{key}"), cidr?))));
    all
}
