//! What `kubeadm join` reads.

use platform::{Host, Platform, Role};
use serde_json::json;

use crate::document::{self, Api, address, documents, map};
use crate::error::value;
use crate::{Credentials, Result, credentials};

/// What the platform document does not say.
#[derive(Clone, Debug)]
pub struct Join<'a> {
    /// The version of the configuration.
    pub api: Api,
    /// What the cluster lets us in with.
    pub credentials: &'a Credentials,
    /// The socket of the container runtime.
    pub socket: String,
    /// A directory of patches for the static pods.
    pub patches: Option<String>,
    /// Whether the host becomes a control plane.
    pub control_plane: bool,
    /// Whether secrets are blanked.
    pub blank: bool,
}

/// The document for a node that joins.
///
/// # Errors
/// Fails if the host has another role, a credential is missing, or a value is
/// not what kubeadm takes.
pub fn join(platform: &Platform, host: &Host, what: &Join) -> Result<String> {
    let role = if what.control_plane { Role::ControlPlane } else { Role::Worker };
    if !host.is(role) || (!what.control_plane && host.is(Role::ControlPlane)) {
        let roles: Vec<_> = host.roles.iter().map(|role| role.name()).collect();
        return value(format!("{} is {}: it cannot join as {}", host.name, roles.join(", "), role.name()));
    }
    let known = what.credentials;
    credentials::judge_pin(&known.ca_cert_hash)?;
    let token = match (&known.token, what.blank) {
        (Some(token), true) => format!("{}.****************", token.id()),
        (Some(token), false) => token.reveal(),
        (None, _) => return value("the credentials hold no token"),
    };
    let plane = if what.control_plane {
        let key = match (&known.certificate_key, what.blank) {
            (Some(_), true) => "*".repeat(64),
            (Some(key), false) => key.reveal().to_owned(),
            (None, _) => {
                return value(
                    "the credentials hold no certificate key: without it a control plane cannot join",
                );
            }
        };
        let endpoint = json!({"advertiseAddress": address(platform, host)?.to_string(), "bindPort": platform.network.api_port});
        Some(json!({"localAPIEndpoint": endpoint, "certificateKey": key}))
    } else {
        None
    };
    Ok(documents(&[map([
        ("apiVersion", Some(json!(what.api.name()))),
        ("kind", Some(json!("JoinConfiguration"))),
        (
            "discovery",
            Some(json!({"bootstrapToken": {
                "apiServerEndpoint": known.endpoint,
                "token": token,
                "caCertHashes": [known.ca_cert_hash],
            }})),
        ),
        ("controlPlane", plane),
        ("nodeRegistration", Some(document::registration(platform, host, &what.socket, what.api)?)),
        ("patches", what.patches.as_ref().map(|directory| json!({"directory": directory}))),
    ])]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/examples/platform.yaml"));

    fn known() -> Credentials {
        Credentials {
            endpoint: "10.77.0.100:6443".into(),
            ca_cert_hash: format!("sha256:{}", "ab".repeat(32)),
            token: Some("abcdef.0123456789abcdef".parse().unwrap()),
            token_expires: None,
            certificate_key: Some("cd".repeat(32).parse().unwrap()),
            certificate_key_expires: None,
        }
    }

    fn rendered(name: &str, control_plane: bool, known: &Credentials) -> Result<String> {
        let platform = platform::parse(EXAMPLE).unwrap();
        let what = Join {
            api: Api::V1Beta4,
            credentials: known,
            socket: "unix:///run/containerd/containerd.sock".into(),
            patches: None,
            control_plane,
            blank: false,
        };
        join(&platform, platform.host(name).unwrap(), &what)
    }

    #[test]
    fn a_worker_never_has_a_control_plane_and_a_control_plane_advertises_itself() {
        let worker = rendered("w1", false, &known()).unwrap();
        assert!(!worker.contains("controlPlane") && worker.contains("value: \"10.77.0.31\""), "{worker}");
        let plane = rendered("cp2", true, &known()).unwrap();
        assert!(
            plane.contains("advertiseAddress: \"10.77.0.22\"") && plane.contains("certificateKey"),
            "{plane}"
        );
    }

    #[test]
    fn a_host_does_not_join_as_what_it_is_not() {
        assert_eq!(
            rendered("w1", true, &known()).unwrap_err().to_string(),
            "w1 is worker: it cannot join as control-plane"
        );
        assert_eq!(
            rendered("cp2", false, &known()).unwrap_err().to_string(),
            "cp2 is control-plane, etcd: it cannot join as worker"
        );
    }

    #[test]
    fn a_control_plane_needs_the_certificate_key_and_a_worker_does_not() {
        let without = Credentials { certificate_key: None, ..known() };
        assert!(rendered("w1", false, &without).is_ok());
        assert!(rendered("cp2", true, &without).unwrap_err().to_string().contains("no certificate key"));
    }

    #[test]
    fn the_hash_of_nothing_is_refused() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let wrong = Credentials { ca_cert_hash: empty.into(), ..known() };
        assert!(rendered("w1", false, &wrong).unwrap_err().to_string().contains("hash of nothing"));
    }
}
