//! Hosts as lines of other programs' files.

use std::fmt::Write;
use std::net::IpAddr;

use model::HostEntry;
use platform::{Platform, Selector};

/// Addresses of a host, IPv4 first.
pub(crate) fn addresses(host: &HostEntry) -> impl Iterator<Item = IpAddr> {
    host.ip.map(IpAddr::V4).into_iter().chain(host.ip6.map(IpAddr::V6))
}

/// Lines of /etc/hosts, one an address; the API's too where nobody asked for some hosts alone.
pub(crate) fn hosts(platform: &Platform, select: Option<&Selector>) -> String {
    let wanted = platform.entries().map(|entry| select.is_none_or(|select| select.matches(&entry)));
    let hosts = platform.hosts.iter().zip(wanted).filter(|(_, wanted)| *wanted);
    let lines = hosts.flat_map(|(host, _)| platform.names_of(host));
    let api = platform.names_of_api().filter(|_| select.is_none());
    lines.chain(api).map(|line| format!("{line}\n")).collect()
}

/// Entries of `ssh_config`.
pub(crate) fn ssh_config(hosts: &[HostEntry]) -> String {
    let mut text = String::new();
    for host in hosts {
        let _ = writeln!(text, "Host {}", host.name);
        if let Some(address) = addresses(host).next() {
            let _ = writeln!(text, "    HostName {address}");
        }
        let _ = writeln!(text, "    Port {}", host.ssh.port);
        if let Some(user) = &host.ssh.user {
            let _ = writeln!(text, "    User {user}");
        }
        if let Some(key) = &host.ssh.key {
            let _ = writeln!(text, "    IdentityFile {key}\n    IdentitiesOnly yes");
        }
    }
    text
}
