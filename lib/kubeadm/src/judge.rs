//! What is wrong with a machine before kubeadm changes anything on it.

use std::net::{IpAddr, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use model::{Finding, Severity, Status};
use nix::ifaddrs::getifaddrs;
use platform::{Host, Platform};
use process::Limits;

use crate::document::address;

/// So long a program may take to tell its version.
const VERSION: Duration = Duration::from_secs(10);
/// Between two tries to connect.
const PAUSE: Duration = Duration::from_millis(100);

/// Judges one machine for one tool.
#[derive(Debug)]
pub struct Judge<'a> {
    /// The command that looks.
    pub tool: &'a str,
    /// What the machine is part of.
    pub platform: &'a Platform,
    /// What it is.
    pub host: &'a Host,
    /// What was found so far.
    pub findings: Vec<Finding>,
}

impl<'a> Judge<'a> {
    /// Has found nothing yet.
    pub fn new(tool: &'a str, platform: &'a Platform, host: &'a Host) -> Self {
        Self { tool, platform, host, findings: Vec::new() }
    }

    /// Whether anything speaks against going on.
    pub fn refuses(&self) -> bool {
        self.reasons().next().is_some()
    }

    /// What speaks against going on.
    pub fn reasons(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.status == Status::Fail)
    }

    /// That, and what should be known by who goes on.
    pub fn reservations(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| matches!(finding.status, Status::Warn | Status::Fail))
    }

    /// Adds what was found.
    pub fn add(&mut self, check: &str, status: Status, why: impl Into<String>) -> &mut Finding {
        let severity = match status {
            Status::Fail => Severity::High,
            Status::Warn | Status::Unknown => Severity::Medium,
            _ => Severity::Info,
        };
        self.findings.push(Finding {
            tool: self.tool.into(),
            target: self.host.name.clone(),
            check: check.into(),
            status,
            severity,
            file: None,
            line: None,
            current: None,
            want: None,
            why: why.into(),
            fix: None,
            reference: None,
        });
        let last = self.findings.len() - 1;
        &mut self.findings[last]
    }

    /// The address the API server advertises and the kubelet registers is this machine's.
    pub fn address(&mut self) {
        let (platform, host) = (self.platform, self.host);
        let wanted = match address(platform, host) {
            Ok(wanted) => wanted,
            Err(error) => {
                self.add("address", Status::Fail, error.to_string());
                return;
            }
        };
        let own = own_addresses();
        let list = own.iter().map(|(_, ip)| ip.to_string()).collect::<Vec<_>>().join(", ");
        let at = own.iter().find(|(_, ip)| *ip == wanted).map(|(interface, _)| interface);
        if let (Some(at), Some(named)) = (at, &host.interface)
            && at != named
        {
            let found = self.add("interface", Status::Fail, "the platform's address is on another interface");
            found.current = Some(at.clone());
            found.want = Some(named.clone());
            found.fix = Some("correct hosts[].interface in the platform document".into());
        }
        let found = if at.is_some() {
            self.add("address", Status::Pass, "the platform's address is this machine's")
        } else {
            let found = self.add("address", Status::Fail, "the platform's address is not this machine's");
            found.fix = Some("correct hosts[].ip in the platform document, or the machine's network".into());
            found.reference = Some("kubernetes/kubeadm#2289".into());
            found
        };
        found.want = Some(wanted.to_string());
        found.current = Some(list);
        for vip in platform.network.vips.iter().filter(|vip| own.iter().any(|(_, ip)| ip == *vip)) {
            let found = self.add(
                "vip",
                Status::Fail,
                "the virtual address is this node's: it moves, and the kubelet or Calico may take it for the node's own",
            );
            found.current = Some(vip.to_string());
            found.fix = Some("let balancers hold it that are no nodes".into());
            found.reference = Some("projectcalico/calico#5094".into());
        }
    }

    /// kubeadm and kubelet are those the platform wants: a minor too new or
    /// too old is refused, as kubeadm's own skew policy has it.
    pub fn versions(&mut self, kubeadm: &Path) {
        let wanted = self.host.kubernetes.as_ref().unwrap_or(&self.platform.cluster.kubernetes).clone();
        for (check, program, words) in [
            ("kubeadm-version", kubeadm, ["version", "-o", "short"].as_slice()),
            ("kubelet-version", Path::new("kubelet"), &["--version"]),
        ] {
            let name = check.trim_end_matches("-version");
            let Some(found) = version(program, words) else {
                let missing =
                    self.add(check, Status::Fail, format!("{name} is not installed, or does not run"));
                missing.want = Some(wanted.clone());
                missing.fix = Some("`repo-setup apply`, then install kubelet, kubeadm and kubectl".into());
                continue;
            };
            let (status, why) = if found == wanted {
                (Status::Pass, format!("{name} has the platform's version"))
            } else if minor(&found) == minor(&wanted) {
                (Status::Warn, format!("{name} has another patch version than the platform"))
            } else {
                (Status::Fail, format!("{name} has another minor version than the platform"))
            };
            let finding = self.add(check, status, why);
            finding.current = Some(found);
            finding.want = Some(wanted.clone());
            if status != Status::Pass {
                finding.fix = Some(format!("install {name} {wanted}, or correct cluster.kubernetes"));
                finding.reference = Some("https://kubernetes.io/releases/version-skew-policy/".into());
            }
        }
    }

    /// The container runtime's socket answers.
    pub fn runtime(&mut self, socket: &str) {
        let path = socket.strip_prefix("unix://").unwrap_or(socket);
        let found = match std::os::unix::net::UnixStream::connect(path) {
            Ok(_) => self.add("runtime", Status::Pass, "the container runtime listens"),
            Err(error) => {
                let found = self.add(
                    "runtime",
                    Status::Fail,
                    format!("the container runtime does not listen: {error}"),
                );
                found.fix = Some("`systemctl enable --now containerd`, after `runtime-config apply`".into());
                found
            }
        };
        found.current = Some(socket.to_owned());
    }

    /// Somebody listens at the address the whole cluster uses.
    pub fn endpoint(&mut self, endpoint: &str, within: Duration) {
        let found = match connects(endpoint, within) {
            Ok(()) => self.add("endpoint", Status::Pass, "somebody listens at the cluster's address"),
            Err(why) => {
                let why = format!("nobody listens at the cluster's address: {why}");
                let found = self.add("endpoint", Status::Fail, why);
                found.fix = Some("see whether a balancer holds it: `vip-status`, `lb-stats`".into());
                found
            }
        };
        found.current = Some(endpoint.to_owned());
    }
}

/// Whether a connection can be made before the time is up (an address may be
/// on its way from one balancer to the other); otherwise why not.
fn connects(endpoint: &str, within: Duration) -> Result<(), String> {
    let deadline = Instant::now() + within;
    let addresses: Vec<_> = endpoint.to_socket_addrs().map_err(|error| error.to_string())?.collect();
    let mut why = "no address".to_owned();
    loop {
        for address in &addresses {
            let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            match TcpStream::connect_timeout(address, left) {
                Ok(_) => return Ok(()),
                Err(error) => why = error.to_string(),
            }
        }
        if Instant::now() + PAUSE >= deadline {
            return Err(why);
        }
        thread::sleep(PAUSE);
    }
}

/// The addresses of this machine, each with its interface.
fn own_addresses() -> Vec<(String, IpAddr)> {
    let Ok(all) = getifaddrs() else { return Vec::new() };
    let addresses = all.filter_map(|interface| {
        let address = interface.address?;
        let ip = match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
            (Some(four), _) => IpAddr::V4(four.ip()),
            (_, Some(six)) => IpAddr::V6(six.ip()),
            _ => return None,
        };
        Some((interface.interface_name, ip))
    });
    addresses.filter(|(_, ip)| !ip.is_loopback()).collect()
}

/// `v1.36.3` or `Kubernetes v1.36.3`, without what stands around.
fn version(program: &Path, words: &[&str]) -> Option<String> {
    let done = process::run(Command::new(program).args(words), &Limits::within(VERSION)).ok()?;
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let word = said.split_whitespace().find_map(|word| word.strip_prefix('v'))?;
    done.end.success().then(|| word.to_owned())
}

fn minor(version: &str) -> Option<(&str, &str)> {
    let mut parts = version.split('.');
    Some((parts.next()?, parts.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/examples/platform.yaml"));

    #[test]
    fn an_address_of_another_machine_speaks_against_it() {
        let platform = platform::parse(EXAMPLE).unwrap();
        let mut judge = Judge::new("t", &platform, platform.host("cp1").unwrap());
        judge.address();
        assert!(judge.refuses());
        assert_eq!(judge.findings[0].want.as_deref(), Some("10.77.0.21"));
    }

    #[test]
    fn a_program_that_is_missing_or_of_another_minor_speaks_against_it() {
        let platform = platform::parse(EXAMPLE).unwrap();
        let mut judge = Judge::new("t", &platform, platform.host("cp1").unwrap());
        judge.versions(Path::new("/nonexistent/kubeadm"));
        assert_eq!(judge.findings[0].status, Status::Fail);
        assert!(minor("1.36.3") == minor("1.36.9") && minor("1.36.3") != minor("1.35.3"));
    }

    #[test]
    fn a_cluster_address_nobody_listens_at_speaks_against_it() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let there = listener.local_addr().unwrap().to_string();
        assert!(connects(&there, Duration::from_secs(1)).is_ok());
        drop(listener);
        assert!(connects(&there, Duration::from_millis(300)).is_err());
    }
}
