//! Versions among each other.

use super::Checks;
use crate::model::Role;
use crate::rules::numbers;

impl Checks<'_> {
    /// What runs together may run together: the version skew policy of
    /// Kubernetes, and containerd 2 from Kubernetes 1.36 on (1.35 is the
    /// last that takes 1.x).
    pub(super) fn skew(&self) {
        let cluster = &self.platform.cluster;
        let Some(&minor) = numbers(&cluster.kubernetes).get(1) else { return };
        for (n, host) in self.platform.hosts.iter().enumerate() {
            let Some(own) = host.kubernetes.as_deref() else { continue };
            let Some(&own_minor) = numbers(own).get(1) else { continue };
            let path = format!("hosts[{n}].kubernetes");
            let behind = if host.is(Role::ControlPlane) { 1 } else { 3 };
            if newer(own, &cluster.kubernetes) {
                let message = format!("{own} is newer than the cluster's {}", cluster.kubernetes);
                self.wrong_hint(
                    path,
                    message,
                    "raise cluster.kubernetes first: control planes go before nodes",
                );
            } else if minor - own_minor > behind {
                let message = format!(
                    "{own} is {} minor versions behind the cluster's {}: {behind} at most",
                    minor - own_minor,
                    cluster.kubernetes
                );
                self.wrong(path, message);
            }
        }
        let old_runtime =
            cluster.runtime.as_ref().filter(|r| numbers(&r.containerd).first().is_some_and(|n| *n < 2));
        if let Some(runtime) = old_runtime.filter(|_| minor >= 36) {
            self.wrong_hint(
                "cluster.runtime.containerd",
                format!(
                    "Kubernetes {} needs containerd 2.0 or newer, not {}",
                    cluster.kubernetes, runtime.containerd
                ),
                "take containerd 2.x, or Kubernetes up to 1.35",
            );
        }
    }
}

fn newer(own: &str, cluster: &str) -> bool {
    numbers(own) > numbers(cluster)
}
