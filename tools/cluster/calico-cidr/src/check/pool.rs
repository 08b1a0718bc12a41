//! The pool against everything else that has addresses.

use std::net::IpAddr;

use calico::{Form, Name, Setting, State};
use model::{Finding, Severity};
use net::limits;
use net::{Cidr, Error, Family};

use super::{FIXED, IPPOOL, Manifest, is_block_size};

impl Manifest<'_, '_> {
    pub(super) fn pool(&self, setting: &Setting) -> Vec<Finding> {
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

    pub(super) fn network(&self, setting: &Setting) -> Vec<Finding> {
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
}
