//! Judges what a manifest says.

use std::net::IpAddr;

use calico::{Form, Name, Setting, State, encap_word, wrappings};
use model::{Finding, Severity, Status};
use net::limits::{self, Overhead};
use net::{Cidr, Error, Family};
use platform::{Encap, Platform, Role};

/// A manifest, and what it is held against.
pub(crate) struct Manifest<'a, 's> {
    pub(crate) file: String,
    pub(crate) settings: &'a [Setting<'s>],
    pub(crate) platform: Option<&'a Platform>,
}

const IPPOOL: &str = "Calico: IPPool";
const FIXED: &str = "calico-cidr set --platform platform.yaml";

/// Whether Calico takes blocks of so many bits, in either family.
pub(crate) fn is_block_size(size: u8) -> bool {
    matches!(size, 20..=32 | 116..=128)
}

/// Whether a finding is about the values that set writes: a failure keeps it from writing them.
pub(crate) fn is_about_set(finding: &Finding) -> bool {
    let known = ["cidr", "outside", "overlap", "reserved", "private", "pool-size", "backend", "no-effect"];
    known.contains(&finding.check.as_str())
}

impl Manifest<'_, '_> {
    /// Everything that is wrong with it.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        for setting in self.settings {
            if let Some(line) = setting.other {
                let why = format!("it is there twice, on line {line} too: tools differ in which one counts");
                let fix = Some("remove one of the two".to_owned());
                found.push(Finding { fix, ..self.warn(setting, "duplicate", why) });
            }
            match setting.name {
                Name::Cidr => found.extend(self.pool(setting)),
                Name::Network => found.extend(self.network(setting)),
                Name::BlockSize => found.extend(self.block_size(setting)),
                Name::Autodetect if setting.form != Form::Canal => found.extend(self.autodetect(setting)),
                Name::Mtu => found.extend(self.mtu(setting)),
                Name::Plugin => found.extend(self.assign_ipv6(setting)),
                _ => {}
            }
        }
        found.extend(self.wrapping());
        found
    }

    /// A failure at a setting.
    pub(crate) fn fail(&self, setting: &Setting, check: &str, why: impl Into<String>) -> Finding {
        Finding {
            tool: "calico-cidr".into(),
            target: setting.field.clone(),
            check: check.to_owned(),
            status: Status::Fail,
            severity: Severity::High,
            file: Some(self.file.clone()),
            line: setting.line,
            current: setting.value.clone(),
            want: None,
            why: why.into(),
            fix: None,
            reference: None,
        }
    }

    /// Something that works, but asks for trouble.
    pub(crate) fn warn(&self, setting: &Setting, check: &str, why: impl Into<String>) -> Finding {
        Finding { status: Status::Warn, severity: Severity::Medium, ..self.fail(setting, check, why) }
    }

    /// The settings of a name and a family that count.
    pub(crate) fn active(&self, name: Name, family: Option<Family>) -> impl Iterator<Item = &Setting<'_>> {
        let counts = move |setting: &&Setting| {
            setting.name == name
                && setting.state == State::Active
                && (family.is_none() || setting.family == family)
        };
        self.settings.iter().filter(counts)
    }

    /// The pods' network of a family in the platform document.
    fn pods(&self, family: Option<Family>) -> Option<Cidr> {
        let network = &self.platform?.network;
        if family == Some(Family::V6) { network.pod_cidr6 } else { network.pod_cidr }
    }

    fn pool(&self, setting: &Setting) -> Vec<Finding> {
        let want = self.pods(setting.family).map(|cidr| cidr.to_string());
        let fix = Some(FIXED.to_owned());
        match setting.state {
            State::Half => {
                let why = "its name or its value is a comment or missing: Calico ignores it and takes another network";
                let reference = Some("calico/node: configureIPPools".to_owned());
                vec![Finding {
                    severity: Severity::Critical,
                    want,
                    fix,
                    reference,
                    ..self.fail(setting, "half", why)
                }]
            }
            State::Commented | State::Absent if setting.form == Form::Canal => Vec::new(),
            State::Commented | State::Absent => {
                let why = "no network is named: Calico takes podSubnet of kubeadm-config, or else a private network it finds free";
                vec![Finding { want, fix, ..self.warn(setting, "commented", why) }]
            }
            State::Active => {
                let text = setting.value.as_deref().unwrap_or_default();
                match text.parse::<Cidr>() {
                    Ok(cidr) => self.network_of_pool(setting, &cidr, want),
                    Err(error) => vec![self.unreadable(setting, &error)],
                }
            }
        }
    }

    fn unreadable(&self, setting: &Setting, error: &Error) -> Finding {
        let want = match (self.pods(setting.family), error) {
            (Some(pods), _) => Some(pods.to_string()),
            (None, Error::HostBits { meant, .. }) => Some(meant.to_string()),
            (None, _) => None,
        };
        let reference = Some("projectcalico/node#193".to_owned());
        Finding {
            severity: Severity::Critical,
            want,
            reference,
            ..self.fail(setting, "cidr", error.to_string())
        }
    }

    /// A pool against everything else that has addresses.
    fn network_of_pool(&self, setting: &Setting, cidr: &Cidr, want: Option<String>) -> Vec<Finding> {
        let mut found = Vec::new();
        if let Some(pods) = self.pods(setting.family)
            && pods != *cidr
        {
            let fix = Some(FIXED.to_owned());
            let finding = if pods.covers(cidr) {
                self.warn(setting, "smaller", "it is only a part of network.pod_cidr: the rest is never used")
            } else {
                let why =
                    "it lies outside network.pod_cidr: kube-proxy and the nodes take its pods for strangers";
                self.fail(setting, "outside", why)
            };
            let reference = Some("Calico: CALICO_IPV4POOL_CIDR".to_owned());
            found.push(Finding { want: want.clone(), fix, reference, ..finding });
        }
        for (path, other) in self.others() {
            if cidr.overlaps(&other) {
                let why = format!("it overlaps {path} {other}");
                let severity = Severity::Critical;
                found.push(Finding { severity, want: want.clone(), ..self.fail(setting, "overlap", why) });
            }
        }
        let before = self.settings.iter().take_while(|other| !std::ptr::eq(*other, setting));
        for other in before.filter(|other| other.name == Name::Cidr && other.state == State::Active) {
            if other
                .value
                .as_deref()
                .and_then(|text| text.parse().ok())
                .is_some_and(|other| cidr.overlaps(&other))
            {
                let why = format!("it overlaps another pool, {}", other.field);
                found.push(Finding { reference: Some(IPPOOL.into()), ..self.fail(setting, "overlap", why) });
            }
        }
        if let Some(range) = net::reserved().find(|range| range.cidr.overlaps(cidr)) {
            let why = format!("it overlaps {}, which is {}", range.cidr, range.what);
            let finding = if range.bearable {
                self.warn(setting, "reserved", why)
            } else {
                self.fail(setting, "reserved", why)
            };
            found.push(Finding { reference: Some(range.reference.into()), ..finding });
        } else if !cidr.is_private() {
            let why =
                "it is no private network: whoever owns these addresses cannot be reached from the pods";
            let want = want
                .or_else(|| Some("a part of 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or fd00::/8".into()));
            let reference = Some("RFC 1918, RFC 4193".to_owned());
            found.push(Finding { want, reference, ..self.warn(setting, "private", why) });
        }
        if let Some(limit) = limits::pool(cidr, self.size_of_blocks(setting)) {
            let reference = Some(limit.reference.to_owned());
            let fix = Some(limit.fix);
            found.push(Finding { fix, reference, ..self.fail(setting, limit.name, limit.why) });
        }
        found
    }

    /// The platform's networks and virtual addresses that are not the pods'.
    fn others(&self) -> Vec<(String, Cidr)> {
        let Some(platform) = self.platform else { return Vec::new() };
        let networks =
            platform::networks(platform).into_iter().filter(|(path, _)| !path.contains("pod_cidr"));
        let whole = |vip: &IpAddr| Cidr::around(*vip, Family::of(*vip).bits());
        let vips = platform.network.vips.iter().filter_map(whole).map(|vip| ("network.vips".to_owned(), vip));
        networks.chain(vips).collect()
    }

    fn size_of_blocks(&self, pool: &Setting) -> u8 {
        let default = if pool.family == Some(Family::V6) { 122 } else { 26 };
        // A pool's own settings share its path, a DaemonSet's its object.
        let near = |other: &&Setting| match pool.field.rsplit_once('.') {
            Some((path, _)) => other.field.starts_with(path),
            None => other.object == pool.object,
        };
        let size = self
            .active(Name::BlockSize, pool.family)
            .find(near)
            .and_then(|size| size.value.as_ref()?.parse().ok());
        size.filter(|size| is_block_size(*size)).unwrap_or(default)
    }

    fn network(&self, setting: &Setting) -> Vec<Finding> {
        let text = setting.value.as_deref().unwrap_or_default();
        match (text.parse::<Cidr>(), self.pods(Some(Family::V4))) {
            (Err(error), _) => vec![self.unreadable(setting, &error)],
            (Ok(cidr), Some(pods)) if cidr != pods => {
                let why = "flannel is told another network than the nodes take their pods' addresses from";
                let (want, fix) = (Some(pods.to_string()), Some(FIXED.to_owned()));
                vec![Finding {
                    want,
                    fix,
                    severity: Severity::Critical,
                    ..self.fail(setting, "network", why)
                }]
            }
            _ => Vec::new(),
        }
    }

    fn block_size(&self, setting: &Setting) -> Option<Finding> {
        let six = setting.family == Some(Family::V6);
        let (from, to, default) = if six { (116, 128, 122) } else { (20, 32, 26) };
        let written = setting.value.as_deref().filter(|_| setting.state == State::Active);
        let size = written.map_or(Some(default), |text| text.parse::<u8>().ok());
        let Some(size) = size.filter(|size| (from..=to).contains(size)) else {
            let want = Some(format!("{from} to {to}"));
            let finding = self.fail(setting, "block-size", "Calico does not start with it");
            return Some(Finding { want, reference: Some(IPPOOL.into()), ..finding });
        };
        let cni = self.platform?.cluster.cni.as_ref()?;
        let want = if six { cni.block_size6 } else { cni.block_size };
        let asked = setting.form != Form::Canal && (!six || self.pods(setting.family).is_some());
        (asked && size != want).then(|| Finding {
            current: Some(size.to_string()),
            want: Some(want.to_string()),
            fix: Some(FIXED.into()),
            reference: Some(IPPOOL.into()),
            ..self.fail(
                setting,
                "block-size",
                "it is not the platform's, and cannot be changed once the pool is made",
            )
        })
    }

    fn autodetect(&self, setting: &Setting) -> Option<Finding> {
        let platform = self.platform?;
        if setting.family == Some(Family::V6) && platform.network.pod_cidr6.is_none() {
            return None;
        }
        let way =
            setting.value.as_deref().filter(|_| setting.state == State::Active).unwrap_or("first-found");
        let wanted = platform.cluster.cni.as_ref().map(|cni| cni.autodetect.clone());
        let differs = wanted.as_ref().is_some_and(|wanted| wanted != way);
        let current = Some(way.to_owned());
        let Some(vip) = platform.network.vips.iter().find(|vip| may_take(way, **vip)) else {
            let finding =
                self.fail(setting, "autodetect", "it is not the platform's way to find a node's address");
            return differs.then(|| Finding { current, want: wanted, fix: Some(FIXED.into()), ..finding });
        };
        let on_nodes = platform.balancers().any(|host| host.is(Role::ControlPlane) || host.is(Role::Worker));
        let why = format!("a node that holds the virtual address {vip} may take it for its own");
        let finding = match (on_nodes, differs) {
            (true, _) => {
                Finding { severity: Severity::Critical, ..self.fail(setting, "autodetect-vip", why) }
            }
            (false, true) => self.fail(setting, "autodetect-vip", why),
            (false, false) => self.warn(setting, "autodetect-vip", why),
        };
        Some(Finding {
            current,
            want: wanted.filter(|_| differs).or_else(|| Some("kubernetes-internal-ip".into())),
            fix: Some(
                "calico-cidr set --autodetect kubernetes-internal-ip, and node-ip for the kubelets".into(),
            ),
            reference: Some("projectcalico/calico#5094".into()),
            ..finding
        })
    }

    fn mtu(&self, setting: &Setting) -> Option<Finding> {
        let platform = self.platform?;
        let mtu: u32 = setting.value.as_ref()?.parse().ok().filter(|mtu| *mtu > 0)?;
        let wrapping = wrappings(self.settings).into_iter().find_map(|wrapping| wrapping.encap);
        let wrapping = if setting.form == Form::Canal { Some(Encap::Vxlan) } else { wrapping };
        let overhead = Overhead {
            ipip: matches!(wrapping, Some(Encap::Ipip | Encap::IpipCrossSubnet)),
            vxlan: matches!(wrapping, Some(Encap::Vxlan | Encap::VxlanCrossSubnet)),
            wireguard: platform.cluster.cni.as_ref().is_some_and(|cni| cni.wireguard),
        };
        let only_v6 = platform.hosts.iter().all(|host| host.ip.is_none());
        let left = platform.network.mtu - overhead.bytes(if only_v6 { Family::V6 } else { Family::V4 });
        (mtu > left).then(|| Finding {
            want: Some(format!("0 (Calico finds it out), or {left} at most")),
            reference: Some("projectcalico/calico#9718".into()),
            ..self.fail(
                setting,
                "mtu",
                format!("network.mtu {} leaves {left} for pods", platform.network.mtu),
            )
        })
    }

    fn assign_ipv6(&self, setting: &Setting) -> Option<Finding> {
        let pools = self.active(Name::Cidr, Some(Family::V6)).next().is_some();
        (pools && setting.value.as_deref() != Some("true")).then(|| Finding {
            want: Some("\"assign_ipv6\": \"true\" beside \"type\": \"calico-ipam\"".into()),
            fix: Some("calico-cidr set --cidr, with the network of IPv6".into()),
            reference: Some("Calico: configure dual stack or IPv6 only".into()),
            ..self.fail(
                setting,
                "assign-ipv6",
                "there is a pool of IPv6, but the plugin gives pods no address of it",
            )
        })
    }

    /// How packets are wrapped: whether that makes sense, and whether the platform wants it so.
    fn wrapping(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        for wrapping in wrappings(self.settings).iter().filter(|wrapping| wrapping.by.form != Form::Canal) {
            let current = Some(wrapping.said.clone()).filter(|said| !said.is_empty());
            let six = wrapping.by.family == Some(Family::V6);
            let wanted =
                self.platform.and_then(|platform| platform.cluster.cni.as_ref()).map(|cni| cni.encap);
            let wanted = wanted.filter(|_| !six || self.pods(Some(Family::V6)).is_some());
            let want = wanted.map(|encap| encap_word(encap).to_owned());
            let Some(encap) = wrapping.encap else {
                let why = "IP in IP and VXLAN contradict each other, or one says what Calico does not know";
                let reference = Some(IPPOOL.to_owned());
                let severity = Severity::Critical;
                found.push(Finding {
                    severity,
                    current,
                    want,
                    reference,
                    ..self.fail(wrapping.by, "encap", why)
                });
                continue;
            };
            if wanted.is_some_and(|wanted| wanted != encap) {
                let (current, fix) = (Some(encap_word(encap).to_owned()), Some(FIXED.to_owned()));
                let why = "packets are not wrapped as the platform wants";
                found.push(Finding { current, want, fix, ..self.fail(wrapping.by, "encap", why) });
            }
            found.extend(self.backend(encap));
        }
        found
    }

    /// All but VXLAN needs BGP.
    fn backend(&self, encap: Encap) -> Option<Finding> {
        let mut backends = self.active(Name::Backend, None);
        let off = backends.find(|backend| matches!(backend.value.as_deref(), Some("vxlan" | "Disabled")))?;
        let (want, fix) = match off.form {
            Form::Operator => ("Enabled", "spec.calicoNetwork.bgp: Enabled; or an encapsulation of VXLAN"),
            _ => ("bird", "calico_backend: bird, with -bird-live and -bird-ready in the probes; or VXLAN"),
        };
        let why = format!("without BGP nobody tells the nodes the routes that {} needs", encap_word(encap));
        let (severity, want, fix) = (Severity::Critical, Some(want.into()), Some(fix.into()));
        let needed = !matches!(encap, Encap::Vxlan | Encap::VxlanCrossSubnet);
        needed.then(|| Finding { severity, want, fix, ..self.fail(off, "backend", why) })
    }
}

/// Whether a way to find a node's address may find a virtual one.
fn may_take(way: &str, vip: IpAddr) -> bool {
    match way.split_once('=') {
        None => way == "first-found",
        Some(("cidr", list)) => {
            list.split(',').filter_map(|cidr| cidr.parse::<Cidr>().ok()).any(|cidr| cidr.contains(vip))
        }
        Some(_) => false,
    }
}
