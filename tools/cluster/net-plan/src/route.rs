//! Routes of a machine, as `ip -json route` prints them.

use std::net::IpAddr;

use model::Finding;
use net::{Cidr, Family};
use serde::Deserialize;

use crate::plan::Plan;

/// One route, as far as it matters here.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Route {
    dst: String,
    #[serde(default)]
    dev: String,
    #[serde(default)]
    protocol: String,
    #[serde(default, rename = "type")]
    kind: String,
}

/// One or more arrays, one after the other.
pub(crate) fn parse(text: &[u8]) -> serde_json::Result<Vec<Route>> {
    let arrays = serde_json::Deserializer::from_slice(text).into_iter::<Vec<Route>>();
    Ok(arrays.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

impl Route {
    /// Where it leads; none for a default route, or one the pods' network itself made.
    pub(crate) fn foreign(&self) -> Option<Cidr> {
        let own = ["cali", "tunl", "vxlan.calico", "wireguard.cali", "cni", "flannel", "cilium", "lxc"];
        if own.iter().any(|name| self.dev.starts_with(name))
            || matches!(self.kind.as_str(), "blackhole" | "multicast")
            || self.protocol == "bird"
        {
            return None;
        }
        let cidr = match self.dst.parse::<IpAddr>() {
            Ok(address) => Cidr::around(address, Family::of(address).bits())?,
            Err(_) => self.dst.parse().ok()?,
        };
        // fe80::/64 and ff00::/8 are everywhere, and 0.0.0.0/1 stands for half a default.
        (cidr.prefix() > 1
            && cidr.address().to_string() != "fe80::"
            && cidr.address().to_string() != "ff00::")
            .then_some(cidr)
    }
}

/// Routes that lead into networks of the cluster's own.
pub(crate) fn findings(plan: &Plan, routes: &[Route]) -> Vec<Finding> {
    let mut found = Vec::new();
    for network in plan.networks.iter().filter(|network| network.is_inner()) {
        for (route, cidr) in routes.iter().filter_map(|route| Some((route, route.foreign()?))) {
            if cidr.overlaps(&network.cidr) {
                let via = if route.dev.is_empty() { String::new() } else { format!(" by {}", route.dev) };
                let why = format!("this machine routes {cidr}{via}: what is there cannot be reached");
                let fix = Some("`net-plan suggest --routes` names a free network".to_owned());
                let finding = plan.fail(&network.path, "route", network.cidr.to_string(), why);
                found.push(Finding { fix, ..finding });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn foreign(json: &str) -> Vec<String> {
        let routes = parse(json.as_bytes()).unwrap();
        routes.iter().filter_map(Route::foreign).map(|cidr| cidr.to_string()).collect()
    }

    #[test]
    fn default_routes_and_the_pods_own_lead_nowhere_foreign() {
        let json = r#"[{"dst":"default","gateway":"10.0.0.1","dev":"eth0"},
            {"dst":"10.244.3.7","dev":"cali0123"},{"type":"blackhole","dst":"10.244.3.0/26","protocol":"bird"},
            {"dst":"10.244.9.0/26","gateway":"10.77.0.22","dev":"tunl0","protocol":"bird"},
            {"dst":"0.0.0.0/1","dev":"tun0"},{"dst":"fe80::/64","dev":"eth0"}]"#;
        assert_eq!(foreign(json), [""; 0]);
    }

    #[test]
    fn networks_and_single_hosts_count_from_both_families() {
        let json = r#"[{"dst":"10.0.0.0/8","dev":"eth1"},{"dst":"192.168.7.9","dev":"eth1"}]
            [{"dst":"fd00::/8","dev":"wg0"}]"#;
        assert_eq!(foreign(json), ["10.0.0.0/8", "192.168.7.9/32", "fd00::/8"]);
    }

    #[test]
    fn what_is_no_list_of_routes_is_refused() {
        for text in ["{", "{}", "[1]", "[{\"dev\":\"eth0\"}]", "default via 10.0.0.1"] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
