//! etcd: its members, its backups.

use serde::{Deserialize, Serialize};

/// One member of an etcd cluster, as it and the others tell.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "record", rename = "etcd-member")]
pub struct EtcdMember {
    /// Its id in hex, as etcdctl prints it; null if it is not known who should be there.
    pub id: Option<String>,
    /// Its name; null if it never started or is not known.
    pub name: Option<String>,
    /// The platform's host it runs on; null without a platform or if none has its address.
    pub host: Option<String>,
    /// The URL it was asked at; null if it has none.
    pub endpoint: Option<String>,
    /// Where its peers reach it.
    pub peer_urls: Vec<String>,
    /// Where it says clients reach it.
    pub client_urls: Vec<String>,
    /// Whether it answers and agrees with a majority; null if nobody could be asked.
    pub healthy: Option<bool>,
    /// Whether it ever started; null if it is not known.
    pub started: Option<bool>,
    /// Whether it is a learner, without a vote; null if it is not known.
    pub learner: Option<bool>,
    /// Whether it leads; null if it did not answer.
    pub leads: Option<bool>,
    /// The leader it follows, its id in hex; null if it knows none.
    pub leader: Option<String>,
    /// The cluster it belongs to, its id in hex; null if it did not answer.
    pub cluster: Option<String>,
    /// Its version; null if it did not answer.
    pub version: Option<String>,
    /// The term it is in; null if it did not answer.
    pub raft_term: Option<u64>,
    /// The last entry of the log it knows to be committed; null if it did not answer.
    pub raft_index: Option<u64>,
    /// The last entry it has applied; null if it does not say.
    pub raft_applied_index: Option<u64>,
    /// The revision of the store it has reached; null if it did not answer.
    pub revision: Option<u64>,
    /// Its database on disk, bytes; null if it did not answer.
    pub db_bytes: Option<u64>,
    /// What of it is in use, bytes; null if it does not say.
    pub db_in_use_bytes: Option<u64>,
    /// How large it may become, bytes; null if it does not say.
    pub quota_bytes: Option<u64>,
    /// How often the leader changed since it was started; null if it does not say.
    pub leader_changes: Option<u64>,
    /// Alarms it raised: nospace, corrupt.
    pub alarms: Vec<String>,
    /// How long agreeing with a majority took, milliseconds; null if it did not.
    pub agree_ms: Option<f64>,
    /// What went wrong, a lower-case word such as `refused`; null if nothing did.
    pub error: Option<String>,
    /// The same in the words of whoever noticed; null if nothing went wrong.
    pub error_text: Option<String>,
}

/// A backup of etcd: a snapshot in a file, and whether it is whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "record", rename = "etcd-backup")]
pub struct EtcdBackup {
    /// The file.
    pub path: String,
    /// Whether it is whole: its hash is right, and every page of its database is where it should be.
    pub ok: bool,
    /// Its length, bytes; null if it cannot be read.
    pub size_bytes: Option<u64>,
    /// SHA-256 of the file in hex; null if it was not read to its end.
    pub sha256: Option<String>,
    /// The database in it, bytes: what `etcdctl snapshot status` calls its size; null if it is none.
    pub db_bytes: Option<u64>,
    /// The revision it was taken at; null if it is no database.
    pub revision: Option<u64>,
    /// Keys in it, all revisions of them; null if it is no database.
    pub keys: Option<u64>,
    /// The member it was taken from; null if it was only looked at.
    pub endpoint: Option<String>,
    /// How long it took, milliseconds.
    pub elapsed_ms: u64,
    /// What is wrong, a lower-case word: `no-trailer`, `hash`, `structure`, `unreadable`; null if nothing is.
    pub error: Option<String>,
    /// The same in a sentence; null if nothing is wrong.
    pub error_text: Option<String>,
}
