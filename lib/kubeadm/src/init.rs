//! What `kubeadm init` reads.

use std::collections::BTreeSet;

use platform::{Host, Platform, Role, Swap};
use serde_json::{Value, json};

use crate::document::{self, Api, address, authority, documents, map};
use crate::error::value;
use crate::{CertificateKey, Result, Token};

/// What the platform document does not say.
#[derive(Clone, Debug)]
pub struct Init {
    /// The version of the configuration.
    pub api: Api,
    /// A DNS name for the API instead of the virtual address.
    pub endpoint: Option<String>,
    /// More names and addresses for the API server's certificate.
    pub names: Vec<String>,
    /// The socket of the container runtime.
    pub socket: String,
    /// Where images come from; none for kubeadm's own.
    pub image_repository: Option<String>,
    /// The kind of the certificates' keys, such as `ECDSA-P256`.
    pub algorithm: Option<String>,
    /// How long certificates hold, hours.
    pub certificate_hours: Option<u32>,
    /// How long certificate authorities hold, hours.
    pub ca_hours: Option<u32>,
    /// A directory of patches for the static pods.
    pub patches: Option<String>,
    /// Phases to leave out.
    pub skip_phases: Vec<String>,
    /// What an etcd on other hosts is asked with.
    pub etcd: Etcd,
    /// How long the token holds, hours.
    pub token_hours: u32,
    /// The token; none leaves it to kubeadm.
    pub token: Option<Token>,
    /// The key the certificates are uploaded under; none leaves it to kubeadm.
    pub certificate_key: Option<CertificateKey>,
    /// Whether secrets are blanked.
    pub blank: bool,
}

/// The certificates for an etcd that runs on hosts of its own.
#[derive(Clone, Debug)]
pub struct Etcd {
    /// Its certificate authority.
    pub ca: String,
    /// The API servers' certificate for it.
    pub cert: String,
    /// The key of that.
    pub key: String,
}

impl Default for Init {
    fn default() -> Self {
        Self {
            api: Api::default(),
            endpoint: None,
            names: Vec::new(),
            socket: "unix:///run/containerd/containerd.sock".into(),
            image_repository: None,
            algorithm: None,
            certificate_hours: None,
            ca_hours: None,
            patches: None,
            skip_phases: Vec::new(),
            // Where kubeadm's own guide puts them.
            etcd: Etcd {
                ca: "/etc/kubernetes/pki/etcd/ca.crt".into(),
                cert: "/etc/kubernetes/pki/apiserver-etcd-client.crt".into(),
                key: "/etc/kubernetes/pki/apiserver-etcd-client.key".into(),
            },
            token_hours: 24,
            token: None,
            certificate_key: None,
            blank: true,
        }
    }
}

/// The documents for the first control plane.
///
/// # Errors
/// Fails if the host is no control plane, or a value is not what kubeadm takes.
pub fn init(platform: &Platform, host: &Host, what: &Init) -> Result<String> {
    if !host.is(Role::ControlPlane) {
        let planes: Vec<_> = platform.control_planes().map(|host| host.name.as_str()).collect();
        return value(format!("{} is no control plane; the platform has {}", host.name, planes.join(", ")));
    }
    if what.api == Api::V1Beta3
        && (what.algorithm.is_some() || what.certificate_hours.is_some() || what.ca_hours.is_some())
    {
        return value("v1beta3 knows neither kinds of keys nor how long certificates hold");
    }
    Ok(documents(&[init_configuration(platform, host, what)?, cluster(platform, what)?, kubelet(platform)]))
}

fn init_configuration(platform: &Platform, host: &Host, what: &Init) -> Result<Value> {
    let secret = |text: String, blank: &str| if what.blank { blank.to_owned() } else { text };
    let token = what.token.as_ref().map(|token| {
        let text = secret(token.reveal(), &format!("{}.****************", token.id()));
        json!([{
            "token": text,
            "ttl": format!("{}h0m0s", what.token_hours),
            "usages": ["signing", "authentication"],
            "groups": ["system:bootstrappers:kubeadm:default-node-token"],
        }])
    });
    let key =
        what.certificate_key.as_ref().map(|key| json!(secret(key.reveal().to_owned(), &"*".repeat(64))));
    Ok(map([
        ("apiVersion", Some(json!(what.api.name()))),
        ("kind", Some(json!("InitConfiguration"))),
        ("bootstrapTokens", token),
        ("certificateKey", key),
        (
            "localAPIEndpoint",
            Some(
                json!({"advertiseAddress": address(platform, host)?.to_string(), "bindPort": platform.network.api_port}),
            ),
        ),
        ("nodeRegistration", Some(document::registration(platform, host, &what.socket, what.api)?)),
        ("patches", what.patches.as_ref().map(|directory| json!({"directory": directory}))),
        ("skipPhases", (!what.skip_phases.is_empty()).then(|| json!(what.skip_phases))),
    ]))
}

fn cluster(platform: &Platform, what: &Init) -> Result<Value> {
    let network = &platform.network;
    let both = |four: Option<net::Cidr>, six: Option<net::Cidr>| {
        [four, six].into_iter().flatten().map(|cidr| cidr.to_string()).collect::<Vec<_>>().join(",")
    };
    let hours = |hours: u32| json!(format!("{hours}h0m0s"));
    Ok(map([
        ("apiVersion", Some(json!(what.api.name()))),
        ("kind", Some(json!("ClusterConfiguration"))),
        ("clusterName", Some(json!(platform.cluster.name))),
        ("kubernetesVersion", Some(json!(format!("v{}", platform.cluster.kubernetes)))),
        ("controlPlaneEndpoint", Some(json!(endpoint(platform, what)?))),
        ("imageRepository", what.image_repository.as_ref().map(|repository| json!(repository))),
        ("encryptionAlgorithm", what.algorithm.as_ref().map(|kind| json!(kind))),
        ("certificateValidityPeriod", what.certificate_hours.map(hours)),
        ("caCertificateValidityPeriod", what.ca_hours.map(hours)),
        (
            "networking",
            Some(json!({
                "dnsDomain": network.dns_domain,
                "podSubnet": both(network.pod_cidr, network.pod_cidr6),
                "serviceSubnet": both(network.service_cidr, network.service_cidr6),
            })),
        ),
        ("apiServer", Some(json!({"certSANs": holders(platform, what)}))),
        ("controllerManager", Some(json!({"extraArgs": what.api.arguments(&masks(platform))}))),
        ("etcd", external_etcd(platform, what)?),
    ]))
}

/// The address the whole cluster knows the API by: it cannot be changed later.
///
/// # Errors
/// Fails if several control planes have none in common.
pub fn endpoint(platform: &Platform, what: &Init) -> Result<String> {
    let vip = platform.vip(document::family(platform)).map(|vip| vip.to_string());
    let only = platform.control_planes().next().filter(|_| platform.control_planes().count() == 1);
    let only = only.map(|host| address(platform, host)).transpose()?.map(|address| address.to_string());
    match what.endpoint.clone().or(vip).or(only) {
        Some(host) => Ok(authority(&host, platform.balanced_port())),
        None => {
            value("several control planes need one address: network.vips is empty and no endpoint was named")
        }
    }
}

/// Whom the API server's certificate holds for: whatever an operator may type.
fn holders(platform: &Platform, what: &Init) -> Vec<String> {
    let vips = platform.network.vips.iter().map(ToString::to_string);
    let planes = platform.control_planes();
    let planes = planes
        .flat_map(|host| std::iter::once(host.name.clone()).chain(host.addresses().map(|ip| ip.to_string())));
    let given = platform.network.api_name.iter().chain(&what.endpoint).chain(&what.names).cloned();
    let mut seen = BTreeSet::new();
    vips.chain(planes).chain(given).filter(|name| seen.insert(name.clone())).collect()
}

fn masks(platform: &Platform) -> Vec<(&'static str, String)> {
    let network = &platform.network;
    let (four, six) = (network.node_mask.to_string(), network.node_mask6.to_string());
    match (network.pod_cidr, network.pod_cidr6) {
        (Some(_), Some(_)) => vec![("node-cidr-mask-size-ipv4", four), ("node-cidr-mask-size-ipv6", six)],
        (None, Some(_)) => vec![("node-cidr-mask-size", six)],
        _ => vec![("node-cidr-mask-size", four)],
    }
}

/// etcd where it does not run beside the API servers.
fn external_etcd(platform: &Platform, what: &Init) -> Result<Option<Value>> {
    let members: Vec<_> =
        platform.with_role(Role::Etcd).filter(|host| !host.is(Role::ControlPlane)).collect();
    if members.is_empty() {
        return Ok(None);
    }
    let endpoints = members
        .iter()
        .map(|host| Ok(format!("https://{}", authority(&address(platform, host)?.to_string(), 2379))));
    let endpoints = endpoints.collect::<Result<Vec<_>>>()?;
    let Etcd { ca, cert, key } = &what.etcd;
    Ok(Some(json!({"external": {"endpoints": endpoints, "caFile": ca, "certFile": cert, "keyFile": key}})))
}

/// What kubeadm hands to every kubelet.
fn kubelet(platform: &Platform) -> Value {
    let swap = match platform.cluster.swap {
        Swap::Off => None,
        Swap::NoSwap => Some("NoSwap"),
        Swap::LimitedSwap => Some("LimitedSwap"),
    };
    map([
        ("apiVersion", Some(json!("kubelet.config.k8s.io/v1beta1"))),
        ("kind", Some(json!("KubeletConfiguration"))),
        ("cgroupDriver", Some(json!("systemd"))),
        ("maxPods", Some(json!(platform.cluster.max_pods))),
        ("failSwapOn", Some(json!(swap.is_none()))),
        ("memorySwap", swap.map(|behaviour| json!({"swapBehavior": behaviour}))),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/examples/platform.yaml"));

    fn rendered(changes: &[(&str, &str)], what: &Init) -> Result<String> {
        let text = changes.iter().fold(EXAMPLE.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        });
        let platform = platform::parse(&text).unwrap();
        init(&platform, platform.host("cp1").unwrap(), what)
    }

    #[test]
    fn a_platform_becomes_three_documents_the_same_every_time() {
        let text = rendered(&[], &Init::default()).unwrap();
        assert_eq!(text, rendered(&[], &Init::default()).unwrap());
        assert_eq!(text.matches("\nkind: ").count(), 3);
        assert!(text.contains("controlPlaneEndpoint: \"10.77.0.100:6443\"\n"), "{text}");
        assert!(text.contains("advertiseAddress: \"10.77.0.21\"\n"), "{text}");
        assert!(text.contains("failSwapOn: true\n") && !text.contains("memorySwap"), "{text}");
    }

    #[test]
    fn the_certificate_holds_for_every_way_to_the_api() {
        let what =
            Init { endpoint: Some("api.lab".into()), names: vec!["10.0.0.9".into()], ..Init::default() };
        let named = [("  vips:", "  api_name: k8s.lab\n  vips:")];
        let text = rendered(&named, &what).unwrap();
        for name in ["\"10.77.0.100\"", "k8s.lab", "cp1", "\"10.77.0.22\"", "cp3", "api.lab", "\"10.0.0.9\""]
        {
            assert!(text.contains(&format!("    - {name}\n")), "{name}: {text}");
        }
        assert!(text.contains("controlPlaneEndpoint: api.lab:6443"));
    }

    #[test]
    fn secrets_are_blanked_unless_they_go_to_a_private_file() {
        let token: Token = "abcdef.0123456789abcdef".parse().unwrap();
        let key = CertificateKey::mint().unwrap();
        let what = Init { token: Some(token), certificate_key: Some(key.clone()), ..Init::default() };
        let shown = rendered(&[], &what).unwrap();
        assert!(shown.contains("abcdef.****************") && !shown.contains("0123456789abcdef"), "{shown}");
        assert!(!shown.contains(key.reveal()));
        let kept = rendered(&[], &Init { blank: false, ..what }).unwrap();
        assert!(kept.contains("abcdef.0123456789abcdef") && kept.contains(key.reveal()));
    }

    #[test]
    fn etcd_on_hosts_of_its_own_is_named_with_its_certificates() {
        let apart = [
            ("roles: [control-plane, etcd], ip: 10.77.0.2", "roles: [control-plane], ip: 10.77.0.2"),
            ("endpoints:\n", "  - {name: e1, roles: [etcd], ip: 10.77.0.41}\nendpoints:\n"),
        ];
        let text = rendered(&apart, &Init::default()).unwrap();
        assert!(
            text.contains("- \"https://10.77.0.41:2379\"") || text.contains("- https://10.77.0.41:2379"),
            "{text}"
        );
        assert!(text.contains("caFile: /etc/kubernetes/pki/etcd/ca.crt"));
    }

    #[test]
    fn a_host_that_is_no_control_plane_is_refused() {
        let platform = platform::parse(EXAMPLE).unwrap();
        let error = init(&platform, platform.host("w1").unwrap(), &Init::default()).unwrap_err();
        assert_eq!(error.to_string(), "w1 is no control plane; the platform has cp1, cp2, cp3");
    }

    #[test]
    fn swap_that_pods_may_use_is_said_to_the_kubelet() {
        let text = rendered(&[("cluster:\n", "cluster:\n  swap: limited-swap\n")], &Init::default()).unwrap();
        assert!(text.contains("failSwapOn: false\nmemorySwap:\n  swapBehavior: LimitedSwap\n"), "{text}");
    }

    #[test]
    fn a_port_the_balancers_share_with_nobody_is_in_the_endpoint_alone() {
        let text = rendered(&[("  vrid: 51", "  port: 8443\n  vrid: 51")], &Init::default()).unwrap();
        assert!(text.contains("10.77.0.100:8443") && text.contains("bindPort: 6443"), "{text}");
    }
}
