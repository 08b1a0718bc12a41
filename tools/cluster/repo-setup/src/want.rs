//! What is wanted of a repository, and what stands in its way.

use crate::key::Trust;
use crate::repository::{Repository, same};
use crate::system::System;

/// A repository as it ought to be.
#[derive(Clone, Debug)]
pub(crate) struct Want<'a> {
    pub(crate) repository: Repository,
    pub(crate) system: &'a System,
    /// The minor version of Kubernetes.
    pub(crate) minor: u32,
    /// The version its packages stay at, as apt and dnf match it.
    pub(crate) version: String,
    /// What stands instead of upstream.
    pub(crate) mirror: Option<&'a str>,
    /// The key file that was given.
    pub(crate) key: Option<&'a Given>,
    pub(crate) trust: Trust,
}

/// A key file somebody gave.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    /// As it was named.
    pub(crate) path: String,
    pub(crate) bytes: Vec<u8>,
}

impl Want<'_> {
    /// Where the packages are: on the mirror, else where they are now, else upstream.
    pub(crate) fn place(&self, now: Option<&str>) -> String {
        let prefix = now.and_then(|uri| self.repository.prefix(uri));
        let prefix = self.mirror.or(prefix).unwrap_or(self.repository.upstream());
        let place = self.repository.place(prefix.trim_end_matches('/'), self.system, self.minor);
        // Docker has the same packages for RHEL and for its rebuilds.
        let rebuilt = |uri: &str| uri.replace("/linux/rhel/", "/linux/centos/");
        now.filter(|now| same(&rebuilt(now), &rebuilt(&place))).map_or(place.clone(), str::to_owned)
    }

    /// What is wrong with a place that ought to be another.
    pub(crate) fn wrong_place(&self, now: &str) -> (&'static str, String) {
        let moved = self
            .mirror
            .is_some_and(|mirror| self.repository.prefix(now) != Some(mirror.trim_end_matches('/')));
        if self.repository == Repository::Kubernetes && !moved {
            let why =
                format!("Kubernetes has a repository a minor version, and this one wants 1.{}", self.minor);
            ("repository-minor", why)
        } else {
            ("repository-uri", "packages come from another place".to_owned())
        }
    }
}

/// What keeps the changes from being made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Barred {
    /// A key is no good; the report says which and why.
    pub(crate) by_key: bool,
    /// Keys that are nowhere, and where upstream has them.
    pub(crate) missing: Vec<String>,
}

impl Barred {
    pub(crate) fn misses(&mut self, want: &Want) {
        let url = want.repository.key_url(want.system, want.minor);
        self.missing
            .push(format!("the key of {} is missing; upstream has it at {url}", want.repository.title()));
    }
}
