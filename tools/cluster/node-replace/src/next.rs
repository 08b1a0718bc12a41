//! What the new machine needs.

use model::NextStep;
use platform::{Host, Role};

/// The commands, in their order; `document` is the platform document as it was named.
pub(crate) fn steps(host: &Host, document: &str) -> Vec<NextStep> {
    let name = &host.name;
    let control = host.is(Role::ControlPlane);
    let step =
        |on: &str, command: String, why: &str| NextStep { on: on.to_owned(), command, why: why.to_owned() };
    let certificates = if control { "" } else { "--no-certificates " };
    let mut steps = vec![step(
        "the old machine",
        "kubeadm reset --force".to_owned(),
        "should it ever start again, it believes to be part of the cluster still",
    )];
    if !control && !host.is(Role::Worker) {
        return steps;
    }
    steps.extend([
        step(
            name,
            format!("node-prep apply --host {name} {document}"),
            "swap, kernel, firewall, name, clock",
        ),
        step(
            "a control plane",
            format!("kubeadm-join renew {certificates}--out credentials.json {document}"),
            "the token and the certificate key of the first day have expired",
        ),
        step(
            "a control plane",
            format!("inventory select name={name} {document} | ssh-fan copy credentials.json {document} ./"),
            "the new machine joins with them",
        ),
        step(
            name,
            format!("kubeadm-join apply --host {name} --credentials credentials.json {document}"),
            if control { "joins, as a control plane with a member of etcd" } else { "joins, as a worker" },
        ),
        step(
            "a control plane",
            format!("cluster-verify run --kubeconfig /etc/kubernetes/admin.conf {document}"),
            "tells whether all is as it should be",
        ),
    ]);
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLATFORM: &str =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/fixtures/examples/platform.yaml"));

    fn commands(name: &str) -> Vec<String> {
        let platform = platform::parse(PLATFORM).unwrap();
        steps(platform.host(name).unwrap(), "p.yaml").into_iter().map(|step| step.command).collect()
    }

    #[test]
    fn a_control_plane_needs_certificates_and_a_worker_does_not() {
        assert!(commands("cp2").contains(&"kubeadm-join renew --out credentials.json p.yaml".to_owned()));
        assert!(
            commands("w1")
                .contains(&"kubeadm-join renew --no-certificates --out credentials.json p.yaml".to_owned())
        );
    }
}
