//! haproxy's master socket.
//!
//! ```text
//! #<PID>   <type>   <reloads>       <uptime>     <version>
//! 5134     master   2 [failed: 1]   0d00h07m46s  2.6.12
//! # workers
//! 14294    worker   1               0d00h00m00s  2.6.12
//! # old workers
//! ```

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// What `show proc` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Processes {
    /// The worker that serves new connections; `None` between two.
    pub(crate) worker: Option<u32>,
    /// Reloads that failed since the last one that did not.
    pub(crate) failed: u32,
}

/// Asks the master for one answer.
pub(crate) fn ask(socket: &Path, command: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(format!("{command}\n").as_bytes())?;
    // Without this the master keeps the conversation open.
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.take(16 << 20).read_to_string(&mut answer)?;
    Ok(answer)
}

pub(crate) fn processes(socket: &Path) -> io::Result<Processes> {
    let answer = ask(socket, "show proc")?;
    parse(&answer).ok_or_else(|| io::Error::other("this is no haproxy master"))
}

fn parse(answer: &str) -> Option<Processes> {
    let master = answer.lines().find(|line| line.split_whitespace().nth(1) == Some("master"))?;
    let failed = master.split_once("[failed: ").and_then(|(_, rest)| rest.split_once(']'));
    let current = answer.split("# old workers").next()?;
    let worker = current.lines().find(|line| line.split_whitespace().nth(1) == Some("worker"));
    Some(Processes {
        worker: worker.and_then(|line| line.split_whitespace().next()?.parse().ok()),
        failed: failed.and_then(|(count, _)| count.parse().ok()).unwrap_or_default(),
    })
}

/// How many servers are up in each backend that has servers.
pub(crate) fn up(socket: &Path) -> io::Result<BTreeMap<String, usize>> {
    // -1 4 -1: all proxies, servers alone.
    let answer = ask(socket, "@1 show stat -1 4 -1")?;
    count(&answer).ok_or_else(|| io::Error::other("no statistics from the worker"))
}

fn count(csv: &str) -> Option<BTreeMap<String, usize>> {
    let mut lines = csv.lines();
    let head: Vec<&str> = lines.next()?.trim_start_matches("# ").split(',').collect();
    let (name, status) = (column(&head, "pxname")?, column(&head, "status")?);
    let mut up = BTreeMap::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let cells: Vec<&str> = line.split(',').collect();
        let count = up.entry((*cells.get(name)?).to_owned()).or_default();
        *count += usize::from(cells.get(status)?.starts_with("UP"));
    }
    Some(up)
}

fn column(head: &[&str], name: &str) -> Option<usize> {
    head.iter().position(|column| *column == name)
}
