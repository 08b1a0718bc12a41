//! Whether names are resolved.

use std::net::IpAddr;

use model::{Finding, Severity, Status};
use platform::Platform;

use super::{Rule, Shown, joined};
use crate::ask::Seen;

const TARGET: &str = "kube-system/kube-dns";
const PODS: Rule =
    Rule::new("coredns-ready", Severity::High, "with one CoreDNS names fail whenever it moves")
        .fix("kubectl -n kube-system describe deployment coredns");
const SERVICE: Rule = Rule::new(
    "dns-service",
    Severity::High,
    "kubelets tell every pod to ask at this address, of the platform's service network",
)
.fix("service-cluster-ip-range of the API servers, clusterDNS of the kubelets");
const ENDPOINTS: Rule =
    Rule::new("dns-endpoints", Severity::Critical, "without an endpoint no pod resolves any name")
        .fix("kubectl -n kube-system get pods -l k8s-app=kube-dns -o wide");

pub(super) fn judge(platform: &Platform, seen: &Seen) -> Vec<Finding> {
    let pods = match &seen.coredns {
        Err(untold) if untold.missing => {
            PODS.found("kube-system/coredns", Status::Fail).is("no such deployment")
        }
        Err(untold) => PODS.unknown("kube-system/coredns", untold),
        Ok(deployment) => {
            let wanted = deployment.spec.replicas.unwrap_or(1);
            let ready = deployment.status.ready_replicas;
            let status = match ready {
                _ if ready == 0 || ready < wanted => Status::Fail,
                1 => Status::Warn,
                _ => Status::Pass,
            };
            let finding = PODS.found("kube-system/coredns", status).is(format!("{ready} ready"));
            finding.should_be(format!("{} ready", wanted.max(2)))
        }
    };
    let service = match &seen.dns_service {
        Err(untold) if untold.missing => SERVICE.found(TARGET, Status::Fail).is("no such service"),
        Err(untold) => SERVICE.unknown(TARGET, untold),
        Ok(service) => {
            let networks: Vec<_> = [platform.network.service_cidr, platform.network.service_cidr6]
                .into_iter()
                .flatten()
                .collect();
            let inside = |text: &String| {
                text.parse::<IpAddr>()
                    .is_ok_and(|address| networks.iter().any(|network| network.contains(address)))
            };
            let addresses = &service.spec.cluster_ips;
            let right = !addresses.is_empty() && addresses.iter().all(inside);
            SERVICE
                .holds(TARGET, right)
                .is(joined(addresses))
                .should_be(format!("inside {}", joined(networks)))
        }
    };
    let endpoints = match &seen.dns_endpoints {
        Err(untold) => ENDPOINTS.unknown(TARGET, untold),
        Ok(slices) => {
            let ready = slices.iter().map(kube::EndpointSlice::ready).sum::<usize>();
            ENDPOINTS.holds(TARGET, ready > 0).is(format!("{ready} ready"))
        }
    };
    vec![pods, service, endpoints]
}
