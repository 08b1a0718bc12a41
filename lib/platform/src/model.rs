//! The platform document as a value: what a person wrote, defaults filled in.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use net::{Cidr, Family};
use serde::Serialize;

/// A cluster and what it stands on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Platform {
    /// The version of this format: 1.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1)))]
    pub version: u32,
    /// The Kubernetes cluster.
    pub cluster: Cluster,
    /// Its networks.
    pub network: Network,
    /// How the load balancers share the virtual addresses; null without balancers.
    pub load_balancing: Option<LoadBalancing>,
    /// What holds for every host that does not say otherwise.
    #[serde(default)]
    pub defaults: Defaults,
    /// The machines, in the writer's order.
    pub hosts: Vec<Host>,
    /// Services the platform talks to.
    #[serde(default)]
    pub endpoints: Endpoints,
}

/// The Kubernetes cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// Its name: an RFC 1123 label.
    pub name: String,
    /// The Kubernetes version, such as "1.36.3".
    pub kubernetes: String,
    /// The container runtime; null if nothing is said about it.
    pub runtime: Option<Runtime>,
    /// The network plugin; null if nothing is said about it.
    pub cni: Option<Cni>,
    /// What becomes of swap on the nodes.
    #[serde(default)]
    pub swap: Swap,
    /// Most pods a node may run (the kubelet's maxPods).
    #[serde(default = "crate::defaults::max_pods")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 65535)))]
    pub max_pods: u32,
}

/// The container runtime.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Runtime {
    /// containerd's version, such as "2.3".
    pub containerd: String,
    /// The image of the pause container; null for kubeadm's own.
    pub pause: Option<String>,
}

/// The network plugin: Calico.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Cni {
    /// Calico's version, such as "v3.31.7".
    pub calico: String,
    /// How packets between nodes are wrapped.
    #[serde(default)]
    pub encap: Encap,
    /// Prefix length of the block of addresses a node takes from the IPv4 pool.
    #[serde(default = "crate::defaults::block_size")]
    #[cfg_attr(feature = "schema", schemars(range(min = 20, max = 32)))]
    pub block_size: u8,
    /// The same for IPv6.
    #[serde(default = "crate::defaults::block_size6")]
    #[cfg_attr(feature = "schema", schemars(range(min = 116, max = 128)))]
    pub block_size6: u8,
    /// How Calico finds a node's address: first-found, kubernetes-internal-ip,
    /// can-reach=, interface=, skip-interface= or cidr=.
    #[serde(default = "crate::defaults::autodetect")]
    pub autodetect: String,
    /// Whether traffic between nodes is encrypted (wireguard).
    #[serde(default)]
    pub wireguard: bool,
}

/// How packets between nodes are wrapped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Encap {
    /// Not at all: the network routes pod addresses.
    None,
    /// IP in IP, always.
    #[default]
    Ipip,
    /// IP in IP between subnets only.
    IpipCrossSubnet,
    /// VXLAN, always.
    Vxlan,
    /// VXLAN between subnets only.
    VxlanCrossSubnet,
}

/// What becomes of swap on the nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Swap {
    /// None at all.
    #[default]
    Off,
    /// The nodes may have it, pods do not use it.
    NoSwap,
    /// Pods may use some (needs cgroup v2).
    LimitedSwap,
}

/// The networks of the platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// The networks the hosts' addresses lie in.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>", length(min = 1)))]
    pub node_cidrs: Vec<Cidr>,
    /// The networks the management controllers lie in.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub bmc_cidrs: Vec<Cidr>,
    /// The pods' IPv4 network; null in an IPv6 cluster.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub pod_cidr: Option<Cidr>,
    /// The pods' IPv6 network; null in an IPv4 cluster.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub pod_cidr6: Option<Cidr>,
    /// The services' IPv4 network; null in an IPv6 cluster.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub service_cidr: Option<Cidr>,
    /// The services' IPv6 network; null in an IPv4 cluster.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub service_cidr6: Option<Cidr>,
    /// Prefix length of the IPv4 pod network the controller manager gives a node.
    #[serde(default = "crate::defaults::node_mask")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 32)))]
    pub node_mask: u8,
    /// The same for IPv6.
    #[serde(default = "crate::defaults::node_mask6")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 128)))]
    pub node_mask6: u8,
    /// The virtual addresses of the API: one IPv4, one IPv6, or both.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = 2)))]
    pub vips: Vec<IpAddr>,
    /// The port of the API servers.
    #[serde(default = "crate::defaults::api_port")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 65535)))]
    pub api_port: u16,
    /// The MTU of the nodes' network, bytes.
    #[serde(default = "crate::defaults::mtu")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1280, max = 65535)))]
    pub mtu: u32,
    /// The hosts' own DNS domain; null if they have none.
    pub domain: Option<String>,
    /// The name of the API at its virtual addresses; null if it has none.
    pub api_name: Option<String>,
    /// The domain of the cluster's services.
    #[serde(default = "crate::defaults::dns_domain")]
    pub dns_domain: String,
}

/// How the load balancers share the virtual addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LoadBalancing {
    /// The VRRP virtual router; no other pair on the same segment may have it.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 255)))]
    pub vrid: u8,
    /// How often the holder says it is alive, ms: a multiple of 10.
    #[serde(default = "crate::defaults::advert_ms")]
    #[cfg_attr(feature = "schema", schemars(range(min = 10, max = 40950)))]
    pub advert_ms: u32,
    /// Whether a balancer of higher priority takes the address back when it returns.
    #[serde(default)]
    pub preempt: bool,
    /// How keepalived learns that its haproxy serves.
    #[serde(default)]
    pub check: Check,
    /// The balancers' network interface; null if each host names its own.
    pub interface: Option<String>,
    /// The port of the API on the balancers; null means `network.api_port`.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 65535)))]
    pub port: Option<u16>,
    /// The port on 127.0.0.1 where haproxy says whether it serves.
    #[serde(default = "crate::defaults::health_port")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 65535)))]
    pub health_port: u16,
    /// haproxy's admin socket.
    #[serde(default = "crate::defaults::stats_socket")]
    pub stats_socket: String,
    /// The certificate authority of the API servers, on the balancers.
    #[serde(default = "crate::defaults::ca_file")]
    pub ca_file: String,
}

/// How keepalived learns that its haproxy serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Who tells it.
    #[serde(default)]
    pub mode: CheckMode,
    /// How often haproxy is asked, ms; in script mode a multiple of 1000.
    #[serde(default = "crate::defaults::interval_ms")]
    #[cfg_attr(feature = "schema", schemars(range(min = 10, max = 60000)))]
    pub interval_ms: u32,
    /// So many good answers make it healthy.
    #[serde(default = "crate::defaults::rise")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 100)))]
    pub rise: u32,
    /// So many bad answers make it unhealthy.
    #[serde(default = "crate::defaults::fall")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 100)))]
    pub fall: u32,
}

/// Who tells keepalived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum CheckMode {
    /// `ha-vipcheck --watch` writes a file keepalived follows.
    #[default]
    TrackFile,
    /// keepalived runs `ha-vipcheck` itself.
    Script,
}

/// What holds for every host that does not say otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// How to log in.
    #[serde(default)]
    pub ssh: Ssh,
    /// The operating system, such as debian-12; null if unknown.
    pub os: Option<String>,
}

/// How to log in to a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Ssh {
    /// The user; null for whoever runs the command.
    pub user: Option<String>,
    /// The port.
    #[serde(default = "crate::defaults::ssh_port")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 65535)))]
    pub port: u16,
    /// The file of the private key; null for ssh's own choice.
    pub key: Option<String>,
}

/// A machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// Its name: an RFC 1123 label, lower case.
    pub name: String,
    /// What it does.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub roles: Vec<Role>,
    /// Its IPv4 address; null if it has none.
    pub ip: Option<Ipv4Addr>,
    /// Its IPv6 address; null if it has none.
    pub ip6: Option<Ipv6Addr>,
    /// The network interface that carries its addresses; null if unknown, and
    /// never null on a balancer.
    pub interface: Option<String>,
    /// A balancer's VRRP priority; null on other hosts.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 254)))]
    pub priority: Option<u8>,
    /// Its management controller; null if it has none.
    pub bmc: Option<Bmc>,
    /// Free words to select it by.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Its operating system; null if unknown.
    pub os: Option<String>,
    /// The Kubernetes version it runs while an upgrade is under way; null for
    /// the cluster's.
    pub kubernetes: Option<String>,
    /// How to log in; what it leaves out comes from the defaults.
    #[serde(default)]
    pub ssh: Ssh,
}

/// What a host does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It balances the API's load and may hold the virtual addresses.
    Lb,
    /// It runs an API server.
    ControlPlane,
    /// It runs a member of etcd.
    Etcd,
    /// It runs pods.
    Worker,
}

/// A management controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Bmc {
    /// Its address.
    pub address: IpAddr,
    /// The protocol it speaks.
    #[serde(default)]
    pub kind: BmcKind,
}

/// The protocol of a management controller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum BmcKind {
    /// Redfish over HTTPS.
    #[default]
    Redfish,
    /// IPMI over LAN.
    Ipmi,
}

/// Services the platform talks to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Endpoints {
    /// Zabbix; null if there is none.
    pub zabbix: Option<Zabbix>,
    /// Image registries, HOST or HOST:PORT.
    #[serde(default)]
    pub registries: Vec<String>,
    /// Elasticsearch, base URLs.
    #[serde(default)]
    pub elasticsearch: Vec<String>,
    /// Kafka's bootstrap servers, HOST:PORT.
    #[serde(default)]
    pub kafka: Vec<String>,
}

/// A Zabbix installation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Zabbix {
    /// The trapper of a server or proxy, HOST:PORT.
    pub server: String,
    /// The URL of its API; null if nobody asks it.
    pub api: Option<String>,
}

impl Platform {
    /// The hosts with a role, in the writer's order.
    pub fn with_role(&self, role: Role) -> impl Iterator<Item = &Host> {
        self.hosts.iter().filter(move |host| host.is(role))
    }

    /// The load balancers.
    pub fn balancers(&self) -> impl Iterator<Item = &Host> {
        self.with_role(Role::Lb)
    }

    /// The hosts with an API server.
    pub fn control_planes(&self) -> impl Iterator<Item = &Host> {
        self.with_role(Role::ControlPlane)
    }

    /// The host of a name.
    pub fn host(&self, name: &str) -> Option<&Host> {
        self.hosts.iter().find(|host| host.name == name)
    }

    /// The Kubernetes version of a host, as (major, minor).
    pub fn kubernetes_of(&self, host: &Host) -> (u32, u32) {
        let version = host.kubernetes.as_ref().unwrap_or(&self.cluster.kubernetes);
        let mut parts = version.trim_start_matches('v').split('.').map(|part| part.parse().unwrap_or(0));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
    }

    /// The port of the API on the balancers and the virtual addresses.
    pub fn balanced_port(&self) -> u16 {
        self.load_balancing.as_ref().and_then(|lb| lb.port).unwrap_or(self.network.api_port)
    }

    /// The virtual address of a family.
    pub fn vip(&self, family: Family) -> Option<IpAddr> {
        self.network.vips.iter().copied().find(|vip| Family::of(*vip) == family)
    }
}

impl Host {
    /// Whether it has a role.
    pub fn is(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Its addresses, IPv4 first.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.ip.map(IpAddr::V4).into_iter().chain(self.ip6.map(IpAddr::V6))
    }

    /// Its address of a family.
    pub fn address(&self, family: Family) -> Option<IpAddr> {
        self.addresses().find(|address| Family::of(*address) == family)
    }
}

impl Role {
    /// Its name in the document.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lb => "lb",
            Self::ControlPlane => "control-plane",
            Self::Etcd => "etcd",
            Self::Worker => "worker",
        }
    }

    /// All of them.
    pub const ALL: [Self; 4] = [Self::Lb, Self::ControlPlane, Self::Etcd, Self::Worker];
}
