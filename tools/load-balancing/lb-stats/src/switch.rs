//! Taking a server out of service, and putting it back.

use std::str::FromStr;
use std::time::{Duration, Instant};

use cli::{Answer, Context, Error};
use haproxy::{LbServer, ServerStatus, State};
use model::{Action, Change};
use process::Stop;

use crate::{Haproxy, Switch};

/// Between two looks at the sessions that are left.
const LOOK: Duration = Duration::from_millis(100);

/// A server, as `BACKEND/SERVER`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    backend: String,
    server: String,
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |name: &str| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:".contains(c))
        };
        match text.split_once('/') {
            Some((backend, server)) if plain(backend) && plain(server) => {
                Ok(Self { backend: backend.to_owned(), server: server.to_owned() })
            }
            _ => Err(format!("`{text}` is not BACKEND/SERVER, such as apiservers/cp1")),
        }
    }
}

/// Brings a server into a state; waits for its sessions if asked to.
pub(crate) fn to(haproxy: &Haproxy, state: State, switch: &Switch, out: &mut cli::Out) -> cli::Result {
    let Name { backend, server } = &switch.name;
    haproxy.stats()?;
    let before = look(haproxy, &switch.name)?;
    if !is_so(before.status, state) {
        haproxy
            .stats()?
            .set_server_state(backend, server, state, haproxy.deadline)
            .doing(format!("setting {backend}/{server} to {state}"))?;
        out.emit(&Change {
            target: format!("{backend}/{server}"),
            path: None,
            action: Action::Update,
            before_sha256: None,
            after_sha256: None,
            diff: Some(format!("-{}\n+{state}\n", before.status.as_str())),
        })?;
        out.flush()?;
    }
    match switch.wait_sessions {
        Some(few) => wait(haproxy, &switch.name, few),
        None => Ok(Answer::Yes),
    }
}

fn wait(haproxy: &Haproxy, name: &Name, few: u64) -> cli::Result {
    let stop = Stop::on_signals().unavailable("catching signals")?;
    loop {
        let sessions = look(haproxy, name)?.sessions;
        if sessions <= few {
            return Ok(Answer::Yes);
        }
        if haproxy.deadline.saturating_duration_since(Instant::now()) <= LOOK * 2 || stop.sleep(LOOK) {
            cli::warn(format!("{}/{} still has {sessions} sessions", name.backend, name.server));
            return Ok(Answer::No);
        }
    }
}

fn look(haproxy: &Haproxy, name: &Name) -> cli::Result<LbServer> {
    let servers = haproxy.servers(Some(&name.backend))?;
    let all = servers.iter().map(|server| server.server.clone()).collect::<Vec<_>>().join(", ");
    servers.into_iter().find(|server| server.server == name.server).ok_or_else(|| {
        let doing = format!("asking {}", haproxy.name());
        Error::invalid(doing, format!("backend {} has no server {}", name.backend, name.server))
            .hint(format!("it has {all}"))
    })
}

/// Whether a server needs no change to be in a state.
fn is_so(status: ServerStatus, state: State) -> bool {
    match state {
        State::Drain => status == ServerStatus::Drain,
        State::Maint => status == ServerStatus::Maint,
        State::Ready => !matches!(status, ServerStatus::Drain | ServerStatus::Maint),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_down_counts_as_ready_and_one_in_maintenance_not_as_drained() {
        assert!(is_so(ServerStatus::Down, State::Ready));
        assert!(!is_so(ServerStatus::Drain, State::Ready));
        assert!(!is_so(ServerStatus::Maint, State::Drain));
        assert!(is_so(ServerStatus::Maint, State::Maint));
    }

    #[test]
    fn a_name_has_two_parts() {
        assert!("apiservers/cp1".parse::<Name>().is_ok());
        for text in ["", "apiservers", "/cp1", "apiservers/", "a/b/c", "a/b;shutdown", "a/b\nc"] {
            assert!(text.parse::<Name>().is_err(), "{text}");
        }
    }
}
