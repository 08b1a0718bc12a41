//! Hosts as records.

use model::{BmcEntry, HostEntry, SshEntry};

use crate::model::{BmcKind, Host, Platform};

impl Platform {
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
