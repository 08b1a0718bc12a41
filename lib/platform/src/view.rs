//! Hosts as records and as names.

use std::fmt;
use std::net::IpAddr;

use model::{BmcEntry, HostEntry, SshEntry};

use crate::model::{BmcKind, Host, Platform};

/// A line of /etc/hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The address.
    pub address: IpAddr,
    /// Its names: with the domain first, where there is one (`hostname -f` answers the first).
    pub names: Vec<String>,
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.address, self.names.join(" "))
    }
}

impl Platform {
    /// A host's lines of /etc/hosts, one an address.
    pub fn names_of(&self, host: &Host) -> impl Iterator<Item = Named> {
        let names = self.names(&host.name);
        host.addresses().map(move |address| Named { address, names: names.clone() })
    }

    /// The API's lines, one a virtual address; none if it has no name.
    pub fn names_of_api(&self) -> impl Iterator<Item = Named> {
        let names = self.network.api_name.as_ref().map(|name| self.names(name));
        let vips = names
            .into_iter()
            .flat_map(|names| self.network.vips.iter().map(move |vip| (*vip, names.clone())));
        vips.map(|(address, names)| Named { address, names })
    }

    /// A name with the hosts' domain and without.
    fn names(&self, name: &str) -> Vec<String> {
        let bare = self
            .network
            .domain
            .as_ref()
            .and_then(|domain| name.strip_suffix(domain.as_str())?.strip_suffix('.'));
        match (bare, &self.network.domain) {
            (Some(bare), _) => vec![name.to_owned(), bare.to_owned()],
            (None, Some(domain)) if !name.contains('.') => vec![format!("{name}.{domain}"), name.to_owned()],
            _ => vec![name.to_owned()],
        }
    }

    /// Its hosts as records, in the writer's order.
    pub fn entries(&self) -> impl Iterator<Item = HostEntry> {
        self.hosts.iter().map(|host| self.entry(host))
    }

    fn entry(&self, host: &Host) -> HostEntry {
        HostEntry {
            cluster: self.cluster.name.clone(),
            name: host.name.clone(),
            roles: host.roles.iter().map(|role| role.name().to_owned()).collect(),
            ip: host.ip,
            ip6: host.ip6,
            interface: host.interface.clone(),
            priority: host.priority,
            bmc: host
                .bmc
                .as_ref()
                .map(|bmc| BmcEntry { address: bmc.address, kind: bmc.kind.name().to_owned() }),
            labels: host.labels.clone(),
            os: host.os.clone(),
            kubernetes: host.kubernetes.as_ref().unwrap_or(&self.cluster.kubernetes).clone(),
            ssh: SshEntry { user: host.ssh.user.clone(), port: host.ssh.port, key: host.ssh.key.clone() },
        }
    }
}

impl BmcKind {
    /// Its name in the document.
    pub fn name(self) -> &'static str {
        match self {
            Self::Redfish => "redfish",
            Self::Ipmi => "ipmi",
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::edited;

    fn lines(network: &str) -> Vec<String> {
        let platform = crate::parse(&edited("network:\n", &format!("network:\n{network}"))).unwrap();
        let host = platform.host("lb1").unwrap();
        platform.names_of(host).chain(platform.names_of_api()).map(|line| line.to_string()).collect()
    }

    #[test]
    fn the_name_with_the_domain_comes_first() {
        assert_eq!(lines(""), ["10.77.0.11 lb1"]);
        let both = ["10.77.0.11 lb1.lab.example lb1", "10.77.0.100 api.lab.example api"];
        assert_eq!(lines("  domain: lab.example\n  api_name: api\n"), both);
        assert_eq!(lines("  domain: lab.example\n  api_name: api.lab.example\n"), both);
    }

    #[test]
    fn a_name_of_another_domain_stays_as_it_is() {
        let other = ["10.77.0.11 lb1.lab.example lb1", "10.77.0.100 k8s.example.org"];
        assert_eq!(lines("  domain: lab.example\n  api_name: k8s.example.org\n"), other);
        assert_eq!(lines("  api_name: api\n"), ["10.77.0.11 lb1", "10.77.0.100 api"]);
    }
}
