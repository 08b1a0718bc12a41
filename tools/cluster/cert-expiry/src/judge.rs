//! Judges certificates: by themselves, by each other, by the platform.

use std::net::{IpAddr, UdpSocket};
use std::path::Path;
use std::time::{Duration, SystemTime};

use cli::HostPort;
use model::{Finding, Severity, Status};
use platform::{Host, Platform};
use x509::Certificate;

use crate::record::{moment, remaining};
use crate::source::{Place, Scan, Seen};

const RENEWAL: &str = "kubernetes.io: certificate management with kubeadm";
/// Which file a port of this machine should show.
const SERVED: [(u16, &str); 4] =
    [(6443, "apiserver.crt"), (2379, "etcd/server.crt"), (2380, "etcd/peer.crt"), (10250, "kubelet.crt")];
/// What kubeadm calls the files it renews.
const RENEWED: [(&str, &str); 11] = [
    ("apiserver.crt", "apiserver"),
    ("apiserver-kubelet-client.crt", "apiserver-kubelet-client"),
    ("apiserver-etcd-client.crt", "apiserver-etcd-client"),
    ("front-proxy-client.crt", "front-proxy-client"),
    ("etcd/server.crt", "etcd-server"),
    ("etcd/peer.crt", "etcd-peer"),
    ("etcd/healthcheck-client.crt", "etcd-healthcheck-client"),
    ("super-admin.conf", "super-admin.conf"),
    ("admin.conf", "admin.conf"),
    ("controller-manager.conf", "controller-manager.conf"),
    ("scheduler.conf", "scheduler.conf"),
];

/// What certificates are held against.
pub(crate) struct Judge<'a> {
    pub(crate) at: SystemTime,
    pub(crate) warn: Duration,
    pub(crate) crit: Duration,
    pub(crate) platform: Option<&'a Platform>,
}

impl Judge<'_> {
    /// Everything that is wrong.
    pub(crate) fn findings(&self, scan: &Scan) -> Vec<Finding> {
        let mut found = Vec::new();
        for seen in &scan.seen {
            for own in &seen.chain {
                found.extend(self.time(seen, own));
            }
            found.extend(signature(seen, scan));
            found.extend(key(seen));
            found.extend(self.names(seen));
            found.extend(shown(seen, scan));
        }
        for (server, failure) in &scan.silent {
            found.push(Finding {
                target: server.to_string(),
                check: "unreachable".into(),
                status: Status::Unknown,
                severity: Severity::High,
                current: Some(failure.cause.as_str().to_owned()),
                why: failure.text.clone(),
                ..blank()
            });
        }
        found
    }

    /// Whether it holds now, and for how long.
    fn time(&self, seen: &Seen, own: &Certificate) -> Option<Finding> {
        let subject = &own.subject;
        if own.not_before > self.at {
            let why =
                format!("{subject} does not hold before {}: is the clock right?", moment(own.not_before));
            let fix = Some("set the clock; or wait, if it was made on a machine that is ahead".to_owned());
            let current = Some(moment(own.not_before));
            return Some(Finding { current, fix, ..fail(seen, "not-yet-valid", Severity::High, why) });
        }
        let left = remaining(own.not_after, self.at);
        let within = |limit: Duration| left <= i64::try_from(limit.as_secs()).unwrap_or(i64::MAX);
        let (status, severity) = match left {
            ..=0 => (Status::Fail, Severity::Critical),
            _ if within(self.crit) => (Status::Fail, Severity::High),
            _ if within(self.warn) => (Status::Warn, Severity::Medium),
            _ => return None,
        };
        let why = if left > 0 {
            format!("{subject} ends in {}", rough(left))
        } else {
            format!("{subject} ended {} ago", rough(-left))
        };
        Some(Finding {
            status,
            current: Some(moment(own.not_after)),
            fix: Some(renewal(seen, own)),
            reference: Some(RENEWAL.into()),
            ..fail(seen, "expiry", severity, why)
        })
    }

    /// Whether API servers' and etcd's are for the addresses of the platform.
    fn names(&self, seen: &Seen) -> Vec<Finding> {
        let Some(platform) = self.platform else { return Vec::new() };
        let ports = [platform.network.api_port, platform.balanced_port()];
        let (api, etcd) = match &seen.place {
            Place::File { path, .. } => (
                path.ends_with("apiserver.crt"),
                path.ends_with("etcd/server.crt") || path.ends_with("etcd/peer.crt"),
            ),
            Place::Server(server) => (ports.contains(&server.port), [2379, 2380].contains(&server.port)),
            Place::Kubeconfig { .. } => (false, false),
        };
        let own = &seen.chain[0];
        let hosts: Vec<&Host> = match (api, etcd) {
            (true, _) => platform.control_planes().collect(),
            (_, true) => platform.with_role(platform::Role::Etcd).collect(),
            _ => return Vec::new(),
        };
        let lacks = |address: IpAddr, what: &str| {
            let why = format!("it does not hold for {what} {address}: clients refuse it there");
            let fix = if api {
                "add it to apiServer.certSANs, remove apiserver.crt and .key, kubeadm init phase certs apiserver"
            } else {
                "remove it and its key, kubeadm init phase certs etcd-server (or etcd-peer)"
            };
            Finding {
                current: Some(own.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
                want: Some(address.to_string()),
                fix: Some(fix.to_owned()),
                reference: Some(RENEWAL.into()),
                ..fail(seen, "san", Severity::High, why)
            }
        };
        let holds = |address: &IpAddr| own.addresses.contains(address);
        let mut found: Vec<_> = platform
            .network
            .vips
            .iter()
            .filter(|vip| api && !holds(vip))
            .map(|vip| lacks(*vip, "the virtual address"))
            .collect();
        let asked = match &seen.place {
            Place::Server(server) => server.host.parse::<IpAddr>().ok(),
            _ => None,
        };
        let of_host = |host: &&&Host| asked.is_some_and(|asked| host.addresses().any(|own| own == asked));
        let any = || hosts.iter().any(|host| host.addresses().any(|own| holds(&own)));
        if let (Some(host), Some(address)) = (hosts.iter().find(of_host), asked) {
            found.extend((!holds(&address)).then(|| lacks(address, &host.name)));
        } else if let Some(one) = hosts.iter().find_map(|host| host.addresses().next()).filter(|_| !any()) {
            // Whose file it is, nobody says: one of theirs it has to be.
            found.push(lacks(one, "any host of the platform, such as"));
        }
        found
    }
}

/// Whether an authority beside it signed the last one of a chain, and each the one before it.
fn signature(seen: &Seen, scan: &Scan) -> Option<Finding> {
    let broken = seen.chain.windows(2).position(|pair| !pair[0].is_signed_by(&pair[1]));
    let last = &seen.chain[broken.unwrap_or(seen.chain.len() - 1)];
    let authorities = || {
        let of_chain = |other| Seen::chain_of(other);
        scan.seen.iter().flat_map(of_chain).filter(|(_, own)| own.is_ca)
    };
    if last.is_signed_by(last) || authorities().any(|(_, authority)| last.is_signed_by(authority)) {
        return None;
    }
    let named = authorities().find(|(_, authority)| authority.subject == last.issuer);
    let beside = authorities()
        .find(|(other, _)| other.group == seen.group && matches!(seen.place, Place::File { .. }));
    let (other, why) = match (named, beside) {
        (Some((other, _)), _) => (
            other,
            format!("the authority {} in {} did not sign {}", last.issuer, other.source, last.subject),
        ),
        (None, Some((other, _))) => {
            (other, format!("no authority beside it is the issuer of {}", last.subject))
        }
        (None, None) => return None,
    };
    Some(Finding {
        current: Some(last.issuer.clone()),
        want: Some(format!("signed by {}", other.source)),
        fix: Some("renew it with the authority that is there, or bring the one that signed it".into()),
        ..fail(seen, "ca-mismatch", Severity::High, why)
    })
}

/// Whether the key beside a file is its own; one that cannot be read is nobody's business.
fn key(seen: &Seen) -> Option<Finding> {
    let Place::File { path, .. } = &seen.place else { return None };
    let beside = path.with_extension("key");
    let own = x509::public_key(&files::read(&beside, 1 << 16).ok()?).ok()?;
    (own != seen.chain[0].public_key).then(|| {
        let why = format!("the key in {} is another certificate's", beside.display());
        let fix = Some("bring the key that belongs to it, or renew both".to_owned());
        Finding { fix, ..fail(seen, "key-mismatch", Severity::Critical, why) }
    })
}

/// Whether a server shows what lies in the file.
fn shown(seen: &Seen, scan: &Scan) -> Option<Finding> {
    let Place::Server(server) = &seen.place else { return None };
    let (file, wanted) = match &scan.expected {
        Some((path, own)) => (path.display().to_string(), own),
        None => served(server, scan)?,
    };
    let own = &seen.chain[0];
    if own.sha256 == wanted.sha256 {
        return None;
    }
    let differs = Finding {
        current: Some(format!("{}, from {}", own.serial, moment(own.not_before))),
        want: Some(format!("{}, from {}", wanted.serial, moment(wanted.not_before))),
        reference: Some(RENEWAL.into()),
        ..fail(
            seen,
            "stale",
            Severity::High,
            format!("renewed, not restarted: it shows the one before {file}"),
        )
    };
    if wanted.not_before > own.not_before {
        let fix = "restart the server: move its manifest out of /etc/kubernetes/manifests for 20 s and back";
        return Some(Finding { fix: Some(fix.into()), ..differs });
    }
    let why = format!("it shows another certificate than {file}, which is not newer");
    Some(Finding {
        check: "differs".into(),
        status: Status::Warn,
        severity: Severity::Medium,
        why,
        ..differs
    })
}

/// The file a server of this machine should show, if it was read.
fn served<'s>(server: &HostPort, scan: &'s Scan) -> Option<(String, &'s Certificate)> {
    let (_, name) = SERVED.iter().find(|(port, _)| *port == server.port)?;
    if !is_here(&server.host) {
        return None;
    }
    scan.seen.iter().find_map(|other| match &other.place {
        Place::File { path, .. } if path.ends_with(name) => Some((other.source.clone(), &other.chain[0])),
        _ => None,
    })
}

/// Whether a host is this machine: one can listen at its address.
fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| UdpSocket::bind((address, 0)).is_ok())
}

/// How it is renewed.
fn renewal(seen: &Seen, own: &Certificate) -> String {
    let path = match &seen.place {
        Place::File { path, .. } | Place::Kubeconfig { path, .. } => path.as_path(),
        Place::Server(_) => Path::new(""),
    };
    let is = |name: &str| path.ends_with(name);
    if own.is_ca {
        return "kubeadm renews no authority: plan its rotation (kubernetes.io: manual rotation of CA certificates)".into();
    }
    if let Some((_, name)) = RENEWED.iter().find(|(file, _)| is(file)) {
        return format!("kubeadm certs renew {name}, then restart who uses it");
    }
    if is("kubelet.conf") || path.to_string_lossy().contains("kubelet") {
        return "the kubelet renews it itself: journalctl -u kubelet says why it did not".into();
    }
    match &seen.place {
        Place::Server(_) => "renew its file, then restart the server".into(),
        _ => "renew it where it came from".into(),
    }
}

/// A span of time for eyes: its two largest units.
fn rough(seconds: i64) -> String {
    let units = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let mut rest = seconds;
    let parts = units.map(|(size, unit)| {
        let count = rest / size;
        rest %= size;
        (count, unit)
    });
    let shown = parts.iter().skip_while(|(count, _)| *count == 0).take(2).filter(|(count, _)| *count > 0);
    let shown: Vec<_> = shown.map(|(count, unit)| format!("{count} {unit}")).collect();
    if shown.is_empty() { "0 s".into() } else { shown.join(" ") }
}

impl Seen {
    fn chain_of(seen: &Self) -> impl Iterator<Item = (&Self, &Certificate)> {
        seen.chain.iter().map(move |own| (seen, own))
    }
}

fn fail(seen: &Seen, check: &str, severity: Severity, why: String) -> Finding {
    let (file, line) = match &seen.place {
        Place::File { .. } => (Some(seen.source.clone()), None),
        Place::Kubeconfig { line, .. } => (Some(seen.source.clone()), Some(*line)),
        Place::Server(_) => (None, None),
    };
    Finding { target: seen.source.clone(), check: check.to_owned(), severity, file, line, why, ..blank() }
}

fn blank() -> Finding {
    Finding {
        tool: "cert-expiry".into(),
        target: String::new(),
        check: String::new(),
        status: Status::Fail,
        severity: Severity::High,
        file: None,
        line: None,
        current: None,
        want: None,
        why: String::new(),
        fix: None,
        reference: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_show_their_two_largest_units() {
        for (seconds, shown) in [
            (0, "0 s"),
            (59, "59 s"),
            (61, "1 min 1 s"),
            (86_400, "1 d"),
            (90_061, "1 d 1 h"),
            (86_460, "1 d"),
        ] {
            assert_eq!(rough(seconds), shown);
        }
    }

    /// A file and a server, each with the certificate of a file of the examples.
    fn scan(file: &str, server: &str, shows: &str) -> Scan {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/fixtures/examples/pki");
        let chain = |name| x509::certificates(&std::fs::read(examples.join(name)).unwrap()).unwrap();
        let place = Place::File { path: Path::new("/etc/kubernetes/pki").join(file), leads_to: None };
        let read = Seen { source: file.into(), place, group: 0, chain: chain("apiserver.crt") };
        let place = Place::Server(server.parse().unwrap());
        let asked = Seen { source: server.into(), place, group: 1, chain: chain(shows) };
        Scan { seen: vec![read, asked], ..Scan::default() }
    }

    #[test]
    fn a_port_of_this_machine_is_compared_with_its_file() {
        for (file, server, shows, check) in [
            ("apiserver.crt", "127.0.0.1:6443", "ca.crt", Some("stale")),
            ("apiserver.crt", "127.0.0.1:6443", "apiserver.crt", None),
            ("etcd/peer.crt", "localhost:2380", "ca.crt", Some("stale")),
            ("etcd/server.crt", "127.0.0.1:6443", "ca.crt", None),
            // Another machine's file lies elsewhere.
            ("apiserver.crt", "192.0.2.1:6443", "ca.crt", None),
        ] {
            let scan = scan(file, server, shows);
            let found = shown(&scan.seen[1], &scan).map(|finding| finding.check);
            assert_eq!(found.as_deref(), check, "{file} {server} {shows}");
        }
    }

    #[test]
    fn a_server_that_is_ahead_of_the_file_differs() {
        let mut scan = scan("apiserver.crt", "10.77.0.21:6443", "apiserver.crt");
        let older = scan.seen[0].chain[0].clone();
        scan.seen[1].chain[0].not_before += Duration::from_secs(1);
        scan.seen[1].chain[0].sha256 = "other".into();
        scan.expected = Some(("apiserver.crt".into(), older));
        let finding = shown(&scan.seen[1], &scan).unwrap();
        assert_eq!((finding.check.as_str(), finding.status), ("differs", Status::Warn));
    }

    #[test]
    fn this_machine_is_known_by_its_addresses() {
        assert!(is_here("127.0.0.1") && is_here("localhost"));
        assert!(!is_here("192.0.2.1") && !is_here("elsewhere"));
    }
}
