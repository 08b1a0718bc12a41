//! What haproxy says of its servers.

use std::path::PathBuf;
use std::time::Instant;

use haproxy::Socket;
use model::Check;

use crate::Args;
use crate::asked::{check, failed};

/// A stats socket and what it must say.
#[derive(Debug)]
pub(crate) struct Haproxy {
    socket: Socket,
    backend: Option<String>,
    min_up: u32,
}

impl Haproxy {
    pub(crate) fn of(args: &Args, path: &PathBuf) -> Self {
        Self { socket: Socket::new(path), backend: args.backend.clone(), min_up: args.min_up }
    }

    pub(crate) fn ask(&self, deadline: Instant) -> Check {
        let started = Instant::now();
        let answer = self.socket.servers(self.backend.as_deref(), deadline);
        let check = check("haproxy", started);
        let servers = match answer {
            Ok(servers) => servers,
            Err(error) => {
                let phase = if matches!(error, haproxy::Error::Connect(_)) { "connect" } else { "answer" };
                return failed(check, Some(phase), error.as_str(), Some(error.to_string()));
            }
        };
        let serving = servers.iter().filter(|server| server.status.serves()).count();
        let up = u32::try_from(serving).unwrap_or(u32::MAX);
        let check = Check { servers_up: Some(up), phase: Some("servers".to_owned()), ..check };
        if up >= self.min_up {
            return check;
        }
        let text = format!("{up} of {} servers are up, {} must be", servers.len(), self.min_up);
        failed(check, Some("servers"), "too-few", Some(text))
    }
}
