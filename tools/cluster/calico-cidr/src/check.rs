//! Judges what a manifest says.

mod pool;
mod wrapping;

use std::net::IpAddr;

use calico::{Form, Name, Setting, State, wrappings};
use model::{Finding, Severity, Status};
use net::limits::Overhead;
use net::{Cidr, Family};
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
