//! Credentials: what a cluster lets a node in with, as far as it is no secret.

use serde::{Deserialize, Serialize};

/// What a joining node needs; the secrets themselves are in `path`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "record", rename = "credentials")]
pub struct Credentials {
    /// The API, HOST:PORT.
    pub endpoint: String,
    /// The pin of the cluster's certificate authority: `sha256:` and 64 hex digits.
    pub ca_cert_hash: String,
    /// The half of the bootstrap token that is no secret; null if there is no token.
    pub token_id: Option<String>,
    /// When the token expires, RFC 3339; null if never or unknown.
    pub token_expires: Option<String>,
    /// How long the token still holds, seconds; below 0 if it does no more; null if never over or unknown.
    pub token_remaining_seconds: Option<i64>,
    /// Whether there is a key of the control plane's certificates.
    pub certificate_key: bool,
    /// When the certificates kept under that key are deleted, RFC 3339; null if unknown.
    pub certificate_key_expires: Option<String>,
    /// How long they are still there, seconds; below 0 if no more; null if unknown.
    pub certificate_key_remaining_seconds: Option<i64>,
    /// The file that holds the secrets; null if none was written.
    pub path: Option<String>,
}
