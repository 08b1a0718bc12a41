//! Balancers: their servers, their processes.

use serde::{Deserialize, Serialize};

/// One server of one backend, as the balancer sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "record", rename = "lb-server")]
pub struct LbServer {
    /// The backend's name.
    pub backend: String,
    /// The server's name within the backend.
    pub server: String,
    /// Its address and port; null if the balancer does not tell.
    pub address: Option<String>,
    /// What the balancer makes of it.
    pub status: ServerStatus,
    /// The last health check's result in the balancer's code (`L7OK`, `L4CON`); null if none was made.
    pub check: Option<String>,
    /// The HTTP status that check got; null if it got none.
    pub code: Option<u16>,
    /// What that check was told, such as `Connection refused`; null if nothing.
    pub check_text: Option<String>,
    /// Since when the status is what it is, seconds; null if it never changed.
    pub last_change_s: Option<u64>,
    /// Sessions it serves now.
    pub sessions: u64,
    /// New sessions in the last second; null if the balancer does not tell.
    pub rate: Option<u64>,
    /// Health checks that failed while it was up, since the process began; null without checks.
    pub check_failures: Option<u64>,
    /// How long it has been down since the process began, seconds; null without checks.
    pub downtime_s: Option<u64>,
}

/// What a balancer makes of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ServerStatus {
    /// Checked and serving, even if the latest check failed (`UP 1/2`).
    Up,
    /// Not serving, even if the latest check passed (`DOWN 1/2`).
    Down,
    /// Keeps the sessions it has and gets no new ones: somebody drains it.
    Drain,
    /// Out of service: somebody took it out.
    Maint,
    /// Alive, but asks for no new sessions (`NOLB`).
    Stopping,
    /// Serving, never checked.
    Unchecked,
    /// A word this version does not know.
    Unknown,
}

impl ServerStatus {
    /// Whether it gets new sessions.
    pub fn serves(self) -> bool {
        matches!(self, Self::Up | Self::Unchecked)
    }

    /// The lower-case word the record carries.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Drain => "drain",
            Self::Maint => "maint",
            Self::Stopping => "stopping",
            Self::Unchecked => "unchecked",
            Self::Unknown => "unknown",
        }
    }
}

/// One process of a balancer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "record", rename = "lb-worker")]
pub struct LbWorker {
    /// Its process id.
    pub pid: u32,
    /// What it is there for.
    pub role: WorkerRole,
    /// Reloads it has seen: all of them for the master, those since it was
    /// started for a worker (so 0 for the current one).
    pub reloads: u64,
    /// Reloads in a row that failed; null for all but the master.
    pub failed_reloads: Option<u64>,
    /// How long it has been running, seconds.
    pub uptime_s: u64,
    /// The version it runs.
    pub version: Option<String>,
}

/// What a balancer's process is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum WorkerRole {
    /// Starts and replaces the workers.
    Master,
    /// Takes new connections.
    Worker,
    /// Finishes the connections it had before a reload.
    OldWorker,
    /// A program the master looks after.
    Program,
}
