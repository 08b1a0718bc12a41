//! Certificates: what one says, and how long it holds.

use serde::{Deserialize, Serialize};

/// One certificate, in a file or shown by a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "record", rename = "certificate")]
pub struct Certificate {
    /// Where it is: a file, or HOST:PORT.
    pub source: String,
    /// The field of a kubeconfig it is in, such as
    /// `users[0].user.client-certificate-data`; null in other files and on servers.
    pub field: Option<String>,
    /// Where the file's link leads; null if it is no link.
    pub leads_to: Option<String>,
    /// Its place in the chain, from 0: the first is the holder's own.
    pub position: u32,
    /// Whom it names, such as `O=system:masters, CN=kubernetes-admin`.
    pub subject: String,
    /// Who issued it.
    pub issuer: String,
    /// Its number, in hex.
    pub serial: String,
    /// It does not hold before.
    pub not_before: String,
    /// It does not hold after.
    pub not_after: String,
    /// How long it still holds, seconds; negative since it ended.
    pub remaining_s: i64,
    /// The DNS names and addresses it holds for.
    pub sans: Vec<String>,
    /// Whether it may sign others.
    pub is_ca: bool,
    /// The kind of its key, such as `rsa-2048` or `ecdsa-p256`.
    pub key: String,
    /// SHA-256 of the certificate, in hex.
    pub sha256: String,
}
