//! The daemons that serve: are they there, did they reload, do they work.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use change::Tree;
use clap::Args;
use cli::{Context, Error};
use haproxy::{ServerStatus, Socket};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use probe::{Target, Trust};

use crate::patience::Patience;
use crate::validate::{self, Daemon, Refusal};

/// How long a keepalived that cannot live with its file takes to end.
const SETTLE: Duration = Duration::from_millis(500);
/// The deadline of one look at a verify URL.
const LOOK: Duration = Duration::from_secs(2);

/// However little time is left, one look gets this much.
const LEAST: Duration = Duration::from_millis(100);

/// How to reach the daemons, and how to tell that they serve.
#[derive(Args, Clone, Debug)]
pub(crate) struct Service {
    /// Reload haproxy through its master socket S
    #[arg(long, value_name = "S")]
    haproxy_master: Option<PathBuf>,
    /// Reload the keepalived whose process number is in F
    #[arg(long, value_name = "F")]
    keepalived_pid: Option<PathBuf>,
    /// Ask URL after the reload: it must answer 200
    #[arg(long, value_name = "URL", requires = "cacert")]
    verify_url: Option<String>,
    /// Trust the certificates in FILE when asking URL
    #[arg(long, value_name = "FILE")]
    cacert: Option<PathBuf>,
    /// Want at least N servers up in each backend of haproxy
    #[arg(long, value_name = "N", requires = "haproxy_master")]
    min_up: Option<usize>,
    /// Want exactly one holder of ADDR on the link; may be given several times
    #[arg(long, value_name = "ADDR")]
    vip: Vec<IpAddr>,
    /// Give each of reload and verification this much time
    #[arg(long, value_name = "TIME", default_value = "10s")]
    verify_timeout: cli::Duration,
}

impl Service {
    /// The time each of reload and verification has.
    pub(crate) fn patience(&self) -> Duration {
        *self.verify_timeout
    }

    /// The same service on another command line.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> =
            vec!["--verify-timeout".into(), self.verify_timeout.to_string().into()];
        let mut add = |name: &str, value: Option<OsString>| {
            words.extend(value.into_iter().flat_map(|value| [name.into(), value]));
        };
        add("--haproxy-master", self.haproxy_master.clone().map(Into::into));
        add("--keepalived-pid", self.keepalived_pid.clone().map(Into::into));
        add("--verify-url", self.verify_url.clone().map(Into::into));
        add("--cacert", self.cacert.clone().map(Into::into));
        add("--min-up", self.min_up.map(|count| count.to_string().into()));
        self.vip.iter().for_each(|vip| add("--vip", Some(vip.to_string().into())));
        words
    }

    fn socket_for(&self, paths: &[PathBuf]) -> Option<&Path> {
        let ours = paths.iter().any(|path| Daemon::of(path) == Some(Daemon::Haproxy));
        self.haproxy_master.as_deref().filter(|_| ours)
    }

    /// keepalived's pid file with its configuration.
    fn keepalived_for<'p>(&self, paths: &'p [PathBuf]) -> Option<(&Path, &'p Path)> {
        let config = paths.iter().find(|path| Daemon::of(path) == Some(Daemon::Keepalived))?;
        Some((self.keepalived_pid.as_deref()?, config))
    }

    /// Whether a daemon we can reach reads one of these files.
    pub(crate) fn has_to_reload(&self, paths: &[PathBuf]) -> bool {
        self.socket_for(paths).is_some() || self.keepalived_for(paths).is_some()
    }

    /// Whether there is anything to ask.
    pub(crate) fn can_verify(&self) -> bool {
        self.verify_url.is_some() || self.min_up.is_some() || !self.vip.is_empty()
    }

    /// Whether the daemons that will have to reload are there.
    pub(crate) fn reach(&self, paths: &[PathBuf]) -> cli::Result<()> {
        if let Some(socket) = self.socket_for(paths) {
            let asked = Socket::new(socket).processes(Instant::now() + LOOK);
            asked.unavailable(format!("asking {}", socket.display()))?;
        }
        if let Some((pid_file, _)) = self.keepalived_for(paths) {
            let doing = format!("looking for the keepalived of {}", pid_file.display());
            let daemon = keepalived::Daemon::of_pid_file(pid_file).doing(&doing)?;
            daemon.ok_or_else(|| Error::unavailable(doing, "it does not run"))?;
        }
        Ok(())
    }

    /// Makes the daemons of these files read them again; what went wrong, if anything did.
    pub(crate) fn reload(&self, tree: &Tree, paths: &[PathBuf], patience: &mut Patience) -> Vec<String> {
        let mut wrong = Vec::new();
        if let Some(socket) = self.socket_for(paths) {
            wrong.extend(reload_haproxy(socket, patience).err().map(|why| format!("haproxy: {why}")));
        }
        if let Some((pid_file, config)) = self.keepalived_for(paths) {
            let reloaded = reload_keepalived(tree, pid_file, config);
            wrong.extend(reloaded.err().map(|why| format!("keepalived: {why}")));
        }
        wrong
    }

    /// Waits until everything asked for holds; what does not, if time is up.
    pub(crate) fn verify(&self, patience: &mut Patience) -> Vec<String> {
        let url = match self.target() {
            Ok(url) => url,
            Err(error) => return vec![error.to_string()],
        };
        loop {
            let wrong = self.look(url.as_ref(), patience.left());
            if wrong.is_empty() || !patience.pause() {
                return wrong;
            }
        }
    }

    fn target(&self) -> Result<Option<Target>, probe::Error> {
        let (Some(url), Some(ca)) = (&self.verify_url, &self.cacert) else { return Ok(None) };
        Target::new(url, &Trust::ca_file(ca)?, None).map(Some)
    }

    /// One look at everything: what does not hold.
    fn look(&self, url: Option<&Target>, left: Duration) -> Vec<String> {
        let deadline = || Instant::now() + LOOK.min(left.max(LEAST));
        let mut wrong = Vec::new();
        if let (Some(socket), Some(min)) = (&self.haproxy_master, self.min_up) {
            match up(socket, deadline()) {
                Ok(up) if up.is_empty() => wrong.push("haproxy has no server".to_owned()),
                Ok(up) => {
                    let few = up.iter().filter(|(_, count)| **count < min);
                    wrong.extend(few.map(|(backend, count)| format!("{backend}: {count} up, not {min}")));
                }
                Err(error) => wrong.push(format!("{}: {error}", socket.display())),
            }
        }
        if let (Some(target), Some(url)) = (url, &self.verify_url) {
            let reply = target.get(deadline());
            if !reply.ok(&[200]) {
                let why = reply.error.map(|error| error.to_string());
                let status = reply.status.map(|status| format!("status {status}"));
                wrong.push(format!("{url}: {}", why.or(status).unwrap_or_default()));
            }
        }
        for vip in &self.vip {
            match holders(*vip) {
                Ok(1) => {}
                Ok(count) => wrong.push(format!("{vip}: {count} holders")),
                Err(error) => wrong.push(format!("{vip}: {error}")),
            }
        }
        if let Some(pid_file) = &self.keepalived_pid
            && !keepalived::Daemon::of_pid_file(pid_file).is_ok_and(|daemon| daemon.is_some())
        {
            wrong.push("keepalived does not run".to_owned());
        }
        wrong
    }
}

/// How many stations hold an address on the link it belongs to.
fn holders(vip: IpAddr) -> Result<usize, neighbour::Error> {
    let Some(interface) = neighbour::facing(vip)? else {
        return Err(neighbour::Error::NoInterface(format!("for {vip}")));
    };
    Ok(neighbour::holders(&interface, vip, &neighbour::Survey::default())?.len())
}

/// The reload goes on in a thread of its own, so that a signal ends our waiting for it.
fn reload_haproxy(socket: &Path, patience: &mut Patience) -> Result<(), String> {
    let (send, receive) = mpsc::channel();
    let (master, deadline) = (Socket::new(socket), Instant::now() + patience.left());
    thread::spawn(move || send.send(master.reload(deadline)));
    loop {
        match receive.try_recv() {
            Ok(reloaded) => return reloaded.map_err(|error| error.to_string()),
            Err(_) if patience.pause() => {}
            Err(_) => return Err("no new worker in time".to_owned()),
        }
    }
}

/// How many servers of each backend serve, as the current worker's checks see
/// it. A new worker takes every server for up until its first check: only a
/// check that passed counts, or that there is none.
fn up(socket: &Path, deadline: Instant) -> Result<BTreeMap<String, usize>, haproxy::Error> {
    let answer = Socket::new(socket).ask("@1 show stat -1 4 -1 typed", deadline)?;
    let mut up = BTreeMap::new();
    for server in haproxy::parse_servers(&answer)? {
        let passed = server.check.is_some_and(|check| check.ends_with("OK"));
        let counts = match server.status {
            ServerStatus::Unchecked => true,
            ServerStatus::Up => passed,
            _ => false,
        };
        *up.entry(server.backend).or_default() += usize::from(counts);
    }
    Ok(up)
}

/// A keepalived that reads a broken file drops the address, or ends and
/// leaves it behind: it is asked to read only what it would accept.
fn reload_keepalived(tree: &Tree, pid_file: &Path, config: &Path) -> Result<(), String> {
    let place = tree.place(config).map_err(|error| error.to_string())?;
    validate::check(Daemon::Keepalived, &place).map_err(|refusal| match refusal {
        Refusal::Says(reasons) => format!("not asked to reload: {}", reasons.join("; ")),
        Refusal::Mute(error) => error.to_string(),
    })?;
    let found = keepalived::Daemon::of_pid_file(pid_file).map_err(|error| error.to_string())?;
    let daemon = found.ok_or("it does not run")?;
    kill(Pid::from_raw(daemon.pid()), Signal::SIGHUP).map_err(|error| error.to_string())?;
    thread::sleep(SETTLE);
    if daemon.is_alive() { Ok(()) } else { Err("it ended instead of reloading".to_owned()) }
}
