//! The repositories, and how their places look.

use clap::ValueEnum;
use conf::os_release::Family;

use crate::system::System;

/// A repository this tool knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Repository {
    /// kubelet, kubeadm, kubectl: one repository a minor version.
    Kubernetes,
    /// containerd.io and Docker.
    Docker,
}

/// What every place of a minor version's packages holds.
const STREAM: &str = "/core:/stable:/v";

/// Packages that go up when the platform does, and not before.
pub(crate) const HELD: [&str; 3] = ["kubelet", "kubeadm", "kubectl"];

impl Repository {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kubernetes => "kubernetes",
            Self::Docker => "docker",
        }
    }

    /// The name people know it by.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Kubernetes => "Kubernetes",
            Self::Docker => "Docker",
        }
    }

    /// Where it is upstream.
    pub(crate) fn upstream(self) -> &'static str {
        match self {
            Self::Kubernetes => "https://pkgs.k8s.io",
            Self::Docker => "https://download.docker.com",
        }
    }

    /// The fingerprint of upstream's key.
    pub(crate) fn known_key(self) -> &'static str {
        match self {
            Self::Kubernetes => "DE15B14486CD377B9E876E1A234654DA9A296436",
            Self::Docker => "9DC858229FC7DD38854AE2D88D81803C0EBFCD88",
        }
    }

    /// The packages for a system below a prefix, be it upstream or a mirror.
    pub(crate) fn place(self, prefix: &str, system: &System, minor: u32) -> String {
        match (self, system.family) {
            (Self::Kubernetes, Family::RedHat) => format!("{prefix}{STREAM}1.{minor}/rpm/"),
            (Self::Kubernetes, _) => format!("{prefix}{STREAM}1.{minor}/deb/"),
            (Self::Docker, Family::RedHat) => {
                format!("{prefix}/linux/{}/$releasever/$basearch/stable", system.docker())
            }
            (Self::Docker, _) => format!("{prefix}/linux/{}", system.docker()),
        }
    }

    /// What comes before the packages in a place that is this repository's; none in any other.
    pub(crate) fn prefix(self, uri: &str) -> Option<&str> {
        let (prefix, rest) = uri.split_once(match self {
            Self::Kubernetes => STREAM,
            Self::Docker => "/linux/",
        })?;
        let ours = match self {
            Self::Kubernetes => true,
            Self::Docker => {
                let distribution = rest.split('/').next().unwrap_or_default();
                prefix.contains("docker")
                    && ["debian", "ubuntu", "centos", "rhel", "fedora"].contains(&distribution)
            }
        };
        ours.then_some(prefix)
    }

    /// The key upstream offers for download.
    pub(crate) fn key_url(self, system: &System, minor: u32) -> String {
        let place = self.place(self.upstream(), system, minor);
        match (self, system.family) {
            (Self::Kubernetes, Family::RedHat) => format!("{place}repodata/repomd.xml.key"),
            (Self::Kubernetes, _) => format!("{place}Release.key"),
            (Self::Docker, _) => format!("{}/linux/{}/gpg", self.upstream(), system.docker()),
        }
    }
}

/// Places where packages of Kubernetes were before 2024, and their copies: nothing new comes there.
pub(crate) fn is_dead(uri: &str, suites: &[String]) -> bool {
    let google = uri.contains("packages.cloud.google.com") && uri.contains("kubernetes");
    google || uri.contains("apt.kubernetes.io") || suites.iter().any(|suite| suite.starts_with("kubernetes-"))
}

/// Whether bytes that are no UTF-8 became marks: written back they would be lost.
pub(crate) fn is_garbled(text: &str) -> bool {
    text.contains('\u{fffd}')
}

/// Whether two places are one.
pub(crate) fn same(a: &str, b: &str) -> bool {
    a.trim_end_matches('/') == b.trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_known_upstream_and_on_a_mirror() {
        let kubernetes = Repository::Kubernetes;
        assert_eq!(
            kubernetes.prefix("https://pkgs.k8s.io/core:/stable:/v1.35/deb/"),
            Some("https://pkgs.k8s.io")
        );
        assert_eq!(kubernetes.prefix("http://m.lan/k8s/core:/stable:/v1.35/rpm"), Some("http://m.lan/k8s"));
        assert_eq!(kubernetes.prefix("https://pkgs.k8s.io/addons:/cri-o:/stable:/v1.35/deb/"), None);
        assert_eq!(
            Repository::Docker.prefix("https://download.docker.com/linux/debian"),
            Some("https://download.docker.com")
        );
        assert_eq!(Repository::Docker.prefix("https://dl.google.com/linux/chrome/deb/"), None);
    }

    #[test]
    fn what_is_dead_is_known_by_its_place_or_its_suite() {
        let suite = |name: &str| [name.to_owned()];
        assert!(is_dead("https://apt.kubernetes.io/", &suite("kubernetes-xenial")));
        assert!(is_dead("https://mirrors.example/kubernetes/apt/", &suite("kubernetes-xenial")));
        assert!(is_dead("https://packages.cloud.google.com/yum/repos/kubernetes-el7-x86_64", &[]));
        assert!(!is_dead("https://packages.cloud.google.com/apt", &suite("cloud-sdk")));
    }
}
