//! From the document's tree to the model.
//!
//! What cannot be read is noted and stands as an empty value, so that the
//! checks of [`check`](crate::check) can still judge the rest; nobody else
//! sees such a model.

use std::collections::BTreeMap;

use document::{Field, Keys};
use net::Cidr;

use crate::model::{
    Bmc, BmcKind, Check, CheckMode, Cluster, Cni, Defaults, Encap, Endpoints, Host, LoadBalancing, Network,
    Platform, Role, Runtime, Ssh, Swap, Zabbix,
};
use crate::{defaults, rules};

/// The whole document; none if it is no mapping.
pub(crate) fn platform(root: &Field) -> Option<Platform> {
    let mut keys = root.keys()?;
    let version = keys.required("version", |f| f.number(1..=1)).unwrap_or_default();
    let cluster = keys.required("cluster", cluster);
    let network = keys.required("network", network);
    let load_balancing = keys.optional("load_balancing", load_balancing);
    let defaults = keys.or("defaults", Defaults::default(), common);
    let hosts = keys.required("hosts", |f| f.list(|f| Some(host(f, &defaults)))).unwrap_or_default();
    let endpoints = keys.or("endpoints", Endpoints::default(), endpoints);
    keys.finish();
    Some(Platform {
        version,
        cluster: cluster?,
        network: network?,
        load_balancing,
        defaults,
        hosts,
        endpoints,
    })
}

fn cluster(field: &Field) -> Option<Cluster> {
    let mut keys = field.keys()?;
    let cluster = Cluster {
        name: keys.required("name", rules::label).unwrap_or_default(),
        kubernetes: keys.required("kubernetes", rules::kubernetes).unwrap_or_default(),
        runtime: keys.optional("runtime", runtime),
        cni: keys.optional("cni", cni),
        swap: keys.or("swap", Swap::default(), |f| {
            f.word(&[("off", Swap::Off), ("no-swap", Swap::NoSwap), ("limited-swap", Swap::LimitedSwap)])
        }),
        max_pods: keys.or("max_pods", defaults::max_pods(), |f| f.number(1..=65535)),
    };
    keys.finish();
    Some(cluster)
}

fn runtime(field: &Field) -> Option<Runtime> {
    let mut keys = field.keys()?;
    let runtime = Runtime {
        containerd: keys.required("containerd", rules::version).unwrap_or_default(),
        pause: keys.optional("pause", rules::plain),
    };
    keys.finish();
    Some(runtime)
}

fn cni(field: &Field) -> Option<Cni> {
    let mut keys = field.keys()?;
    let encap = [
        ("none", Encap::None),
        ("ipip", Encap::Ipip),
        ("ipip-cross-subnet", Encap::IpipCrossSubnet),
        ("vxlan", Encap::Vxlan),
        ("vxlan-cross-subnet", Encap::VxlanCrossSubnet),
    ];
    let cni = Cni {
        calico: keys.required("calico", rules::version).unwrap_or_default(),
        encap: keys.or("encap", Encap::default(), |f| f.word(&encap)),
        block_size: keys.or("block_size", defaults::block_size(), |f| f.number(20..=32)),
        block_size6: keys.or("block_size6", defaults::block_size6(), |f| f.number(116..=128)),
        autodetect: keys.or("autodetect", defaults::autodetect(), rules::autodetect),
        wireguard: keys.or("wireguard", false, Field::boolean),
    };
    keys.finish();
    Some(cni)
}

fn network(field: &Field) -> Option<Network> {
    let mut keys = field.keys()?;
    let cidrs = |f: &Field| f.list(Field::parse);
    let network = Network {
        node_cidrs: keys
            .required("node_cidrs", |f| {
                let cidrs: Vec<Cidr> = cidrs(f)?;
                if matches!(f.value(), document::Value::List(items) if items.is_empty()) {
                    f.wrong("at least one network is wanted");
                }
                Some(cidrs)
            })
            .unwrap_or_default(),
        bmc_cidrs: keys.or("bmc_cidrs", Vec::new(), cidrs),
        pod_cidr: keys.optional("pod_cidr", |f| cidr(f, net::Family::V4)),
        pod_cidr6: keys.optional("pod_cidr6", |f| cidr(f, net::Family::V6)),
        service_cidr: keys.optional("service_cidr", |f| cidr(f, net::Family::V4)),
        service_cidr6: keys.optional("service_cidr6", |f| cidr(f, net::Family::V6)),
        node_mask: keys.or("node_mask", defaults::node_mask(), |f| f.number(1..=32)),
        node_mask6: keys.or("node_mask6", defaults::node_mask6(), |f| f.number(1..=128)),
        vips: keys.or("vips", Vec::new(), |f| f.list(rules::address)),
        api_port: port(&mut keys, "api_port", defaults::api_port()),
        mtu: keys.or("mtu", defaults::mtu(), |f| f.number(1280..=65535)),
        domain: keys.optional("domain", rules::domain),
        api_name: keys.optional("api_name", rules::domain),
        dns_domain: keys.or("dns_domain", defaults::dns_domain(), rules::domain),
    };
    keys.finish();
    Some(network)
}

/// A network of one family.
fn cidr(field: &Field, family: net::Family) -> Option<Cidr> {
    let cidr: Cidr = field.parse()?;
    if cidr.family() != family {
        let key = field.path().rsplit('.').next().unwrap_or_default().trim_end_matches('6');
        let right = if family == net::Family::V4 { format!("{key}6") } else { key.to_owned() };
        field.wrong_hint(
            format!("{cidr} is an {} network", cidr.family()),
            format!("write it under `{right}`"),
        );
        return None;
    }
    Some(cidr)
}

fn port(keys: &mut Keys, key: &'static str, default: u16) -> u16 {
    keys.or(key, default, |f| f.number(1..=65535))
}

fn load_balancing(field: &Field) -> Option<LoadBalancing> {
    let mut keys = field.keys()?;
    let load_balancing = LoadBalancing {
        vrid: keys.required("vrid", |f| f.number(1..=255)).unwrap_or_default(),
        advert_ms: keys.or("advert_ms", defaults::advert_ms(), advert),
        preempt: keys.or("preempt", false, Field::boolean),
        check: keys.or("check", Check::default(), check),
        interface: keys.optional("interface", rules::interface),
        port: keys.optional("port", |f| f.number(1..=65535)),
        health_port: port(&mut keys, "health_port", defaults::health_port()),
        stats_socket: keys.or("stats_socket", defaults::stats_socket(), rules::socket),
        ca_file: keys.or("ca_file", defaults::ca_file(), rules::path),
    };
    keys.finish();
    Some(load_balancing)
}

/// Version 3 of VRRP sends the interval as 12 bits of centiseconds (RFC 9568, section 5.2.7).
fn advert(field: &Field) -> Option<u32> {
    let ms: u32 = field.number(10..=40950)?;
    if !ms.is_multiple_of(10) {
        let near = (ms + 5) / 10 * 10;
        field.wrong_hint(
            format!("{ms} is no multiple of 10: VRRP counts centiseconds"),
            format!("write {near}"),
        );
        return None;
    }
    Some(ms)
}

fn check(field: &Field) -> Option<Check> {
    let mut keys = field.keys()?;
    let mode = [("track-file", CheckMode::TrackFile), ("script", CheckMode::Script)];
    let mode = keys.or("mode", CheckMode::default(), |f| f.word(&mode));
    let interval = |f: &Field| {
        let ms: u32 = f.number(10..=60000)?;
        let whole = mode == CheckMode::TrackFile || ms.is_multiple_of(1000);
        if !whole {
            f.wrong("keepalived runs scripts at whole seconds: a multiple of 1000 is wanted in script mode");
        }
        whole.then_some(ms)
    };
    let usual = if mode == CheckMode::Script { 1000 } else { defaults::interval_ms() };
    let check = Check {
        mode,
        interval_ms: keys.or("interval_ms", usual, interval),
        rise: keys.or("rise", defaults::rise(), |f| f.number(1..=100)),
        fall: keys.or("fall", defaults::fall(), |f| f.number(1..=100)),
    };
    keys.finish();
    Some(check)
}

fn common(field: &Field) -> Option<Defaults> {
    let mut keys = field.keys()?;
    let common = Defaults {
        ssh: keys.or("ssh", Ssh::default(), |f| ssh(f, &Ssh::default())),
        os: keys.optional("os", rules::plain),
    };
    keys.finish();
    Some(common)
}

fn ssh(field: &Field, usual: &Ssh) -> Option<Ssh> {
    let mut keys = field.keys()?;
    let ssh = Ssh {
        user: keys.optional("user", rules::user).or(usual.user.clone()),
        port: port(&mut keys, "port", usual.port),
        key: keys.optional("key", rules::key_file).or(usual.key.clone()),
    };
    keys.finish();
    Some(ssh)
}

/// A host; an empty one if it is no mapping, so that the others keep their numbers.
fn host(field: &Field, common: &Defaults) -> Host {
    let mut host = Host {
        name: String::new(),
        roles: Vec::new(),
        ip: None,
        ip6: None,
        interface: None,
        priority: None,
        bmc: None,
        labels: BTreeMap::new(),
        os: common.os.clone(),
        kubernetes: None,
        ssh: common.ssh.clone(),
    };
    let Some(mut keys) = field.keys() else { return host };
    host.name = keys.required("name", rules::label).unwrap_or_default();
    host.roles = keys.required("roles", roles).unwrap_or_default();
    host.ip = keys.optional("ip", rules::ipv4);
    host.ip6 = keys.optional("ip6", rules::ipv6);
    host.interface = keys.optional("interface", rules::interface);
    host.priority = keys.optional("priority", |f| f.number(1..=254));
    host.bmc = keys.optional("bmc", bmc);
    host.labels = keys.or("labels", BTreeMap::new(), labels);
    host.os = keys.optional("os", rules::plain).or(host.os);
    host.kubernetes = keys.optional("kubernetes", rules::kubernetes);
    host.ssh = keys.optional("ssh", |f| ssh(f, &common.ssh)).unwrap_or(host.ssh);
    keys.finish();
    host
}

fn roles(field: &Field) -> Option<Vec<Role>> {
    let words = Role::ALL.map(|role| (role.name(), role));
    let mut roles = field.list(|f| f.word(&words))?;
    let given = roles.len();
    roles.sort_unstable();
    roles.dedup();
    if roles.len() < given {
        field.wrong("a role is there twice");
    }
    if matches!(field.value(), document::Value::List(items) if items.is_empty()) {
        field.wrong_hint("at least one role is wanted", "lb, control-plane, etcd, worker");
    }
    Some(roles)
}

fn bmc(field: &Field) -> Option<Bmc> {
    let mut keys = field.keys()?;
    let address = keys.required("address", rules::address);
    let kind = [("redfish", BmcKind::Redfish), ("ipmi", BmcKind::Ipmi)];
    let kind = keys.or("kind", BmcKind::default(), |f| f.word(&kind));
    keys.finish();
    Some(Bmc { address: address?, kind })
}

fn labels(field: &Field) -> Option<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    for (key, value) in field.entries()? {
        if !rules::is_label_key(key) {
            value.wrong("a label's key is 1 to 63 letters, digits, `-`, `_`, `.` and `/`");
        } else if let Some(text) = rules::line(&value) {
            labels.insert(key.to_owned(), text);
        }
    }
    Some(labels)
}

fn endpoints(field: &Field) -> Option<Endpoints> {
    let mut keys = field.keys()?;
    let endpoints = Endpoints {
        zabbix: keys.optional("zabbix", zabbix),
        registries: keys.or("registries", Vec::new(), |f| f.list(|f| rules::authority(f, true))),
        elasticsearch: keys.or("elasticsearch", Vec::new(), |f| f.list(rules::url)),
        kafka: keys.or("kafka", Vec::new(), |f| f.list(|f| rules::authority(f, false))),
    };
    keys.finish();
    Some(endpoints)
}

fn zabbix(field: &Field) -> Option<Zabbix> {
    let mut keys = field.keys()?;
    let zabbix = Zabbix {
        server: keys.required("server", |f| rules::authority(f, false)).unwrap_or_default(),
        api: keys.optional("api", rules::url),
    };
    keys.finish();
    Some(zabbix)
}
