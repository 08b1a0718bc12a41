//! The functions of an assertion.

use std::fmt;

use model::{LbServer, LbWorker, ServerStatus, WorkerRole};

use super::NoSuch;

/// What haproxy told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    pub(crate) servers: &'a [LbServer],
    pub(crate) workers: &'a [LbWorker],
}

/// A function and what it is asked of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) function: Function,
    /// The backend; `None` for all.
    pub(super) backend: Option<String>,
    /// The server; `None` for all of the backend.
    pub(super) server: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Up,
    Down,
    Drain,
    Maint,
    Total,
    Sessions,
    Rate,
    Failures,
    Downtime,
    Status,
    Workers,
    OldWorkers,
    Oldest,
    FailedReloads,
}

/// What a call may name between its parentheses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    Backend,
    BackendOrServer,
    Server,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    Number(u64),
    Word(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Word(word) => word.fmt(f),
        }
    }
}

/// Every function with its name and what it takes.
pub(super) const FUNCTIONS: [(&str, Function, Takes); 14] = [
    ("up", Function::Up, Takes::Backend),
    ("down", Function::Down, Takes::Backend),
    ("drain", Function::Drain, Takes::Backend),
    ("maint", Function::Maint, Takes::Backend),
    ("total", Function::Total, Takes::Backend),
    ("sessions", Function::Sessions, Takes::BackendOrServer),
    ("rate", Function::Rate, Takes::BackendOrServer),
    ("failures", Function::Failures, Takes::BackendOrServer),
    ("downtime", Function::Downtime, Takes::BackendOrServer),
    ("status", Function::Status, Takes::Server),
    ("workers", Function::Workers, Takes::Nothing),
    ("old_workers", Function::OldWorkers, Takes::Nothing),
    ("oldest", Function::Oldest, Takes::Nothing),
    ("failed_reloads", Function::FailedReloads, Takes::Nothing),
];

impl Call {
    pub(super) fn of_workers(&self) -> bool {
        FUNCTIONS.iter().any(|(_, function, takes)| *function == self.function && *takes == Takes::Nothing)
    }

    pub(super) fn is_word(&self) -> bool {
        self.function == Function::Status
    }

    pub(super) fn value(&self, known: &Known) -> Result<Value, NoSuch> {
        let servers = self.servers(known)?;
        let count = |status| servers.iter().filter(|server| server.status == status).count() as u64;
        let sum =
            |field: fn(&LbServer) -> Option<u64>| servers.iter().filter_map(|server| field(server)).sum();
        let role = |role| known.workers.iter().filter(move |worker| worker.role == role);
        Ok(Value::Number(match self.function {
            Function::Up => servers.iter().filter(|server| server.status.serves()).count() as u64,
            Function::Down => count(ServerStatus::Down),
            Function::Drain => count(ServerStatus::Drain),
            Function::Maint => count(ServerStatus::Maint),
            Function::Total => servers.len() as u64,
            Function::Sessions => sum(|server| Some(server.sessions)),
            Function::Rate => sum(|server| server.rate),
            Function::Failures => sum(|server| server.check_failures),
            Function::Downtime => sum(|server| server.downtime_s),
            Function::Status => {
                let status = servers.first().map_or(ServerStatus::Unknown, |server| server.status);
                return Ok(Value::Word(status.as_str().to_owned()));
            }
            Function::Workers => role(WorkerRole::Worker).count() as u64,
            Function::OldWorkers => role(WorkerRole::OldWorker).count() as u64,
            Function::Oldest => role(WorkerRole::OldWorker).map(|worker| worker.uptime_s).max().unwrap_or(0),
            Function::FailedReloads => {
                role(WorkerRole::Master).filter_map(|master| master.failed_reloads).sum()
            }
        }))
    }

    fn servers<'a>(&self, known: &Known<'a>) -> Result<Vec<&'a LbServer>, NoSuch> {
        let named = |name: &Option<String>, own: &str| name.as_deref().is_none_or(|name| name == own);
        let of_backend = known.servers.iter().filter(|server| named(&self.backend, &server.backend));
        let all: Vec<_> = of_backend.filter(|server| named(&self.server, &server.server)).collect();
        match (&self.backend, &self.server) {
            (Some(backend), Some(server)) if all.is_empty() => {
                Err(NoSuch(format!("server {backend}/{server}")))
            }
            (Some(backend), None) if all.is_empty() => Err(NoSuch(format!("server in a backend {backend}"))),
            _ => Ok(all),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = FUNCTIONS.iter().find(|(_, function, _)| *function == self.function).map_or("?", |f| f.0);
        write!(f, "{name}({}", self.backend.as_deref().unwrap_or_default())?;
        if let Some(server) = &self.server {
            write!(f, "/{server}")?;
        }
        f.write_str(")")
    }
}
