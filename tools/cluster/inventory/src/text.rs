//! Hosts as lines of other programs' files.

use std::fmt::Write;
use std::net::IpAddr;

use model::HostEntry;

/// Addresses of a host, IPv4 first.
pub(crate) fn addresses(host: &HostEntry) -> impl Iterator<Item = IpAddr> {
    host.ip.map(IpAddr::V4).into_iter().chain(host.ip6.map(IpAddr::V6))
}

/// Lines of /etc/hosts, one an address.
pub(crate) fn hosts(hosts: &[HostEntry]) -> String {
    let lines = hosts.iter().flat_map(|host| addresses(host).map(|ip| format!("{ip} {}\n", host.name)));
    lines.collect()
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
