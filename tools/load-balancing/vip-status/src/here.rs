//! The keepalived of this machine, as far as it lives and answers.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cli::{Context, Error, Result};
use keepalived::{Daemon, Instance};
use model::VrrpState;

/// A keepalived answers within milliseconds; one that takes longer hangs.
pub(crate) const ANSWER: Duration = Duration::from_secs(1);

/// The keepalived processes that matter, and what they last said.
pub(crate) struct Keepalived {
    pid_file: Option<PathBuf>,
    all: bool,
    timeout: Duration,
    daemons: Vec<Daemon>,
    instances: Vec<Instance>,
    silent: Option<Error>,
}

impl Keepalived {
    pub(crate) fn new(pid_file: Option<&Path>, timeout: Duration) -> Self {
        let pid_file = pid_file.map(Path::to_owned);
        Self {
            all: pid_file.is_none(),
            pid_file,
            timeout,
            daemons: Vec::new(),
            instances: Vec::new(),
            silent: None,
        }
    }

    /// Besides the one of the pid file, every other in this network namespace.
    pub(crate) fn and_all_others(self) -> Self {
        Self { all: true, ..self }
    }

    /// Looks which of them live.
    pub(crate) fn living(&self) -> Result<Vec<Daemon>> {
        let mut living =
            if self.all { Daemon::all().unavailable("looking for keepalived")? } else { Vec::new() };
        if let Some(file) = &self.pid_file {
            let named = Daemon::of_pid_file(file).doing("reading keepalived's pid file")?;
            living.extend(named.filter(|daemon| !living.contains(daemon)));
        }
        Ok(living)
    }

    /// Looks which live, and asks them.
    pub(crate) fn refresh(&mut self) -> Result<()> {
        self.daemons = self.living()?;
        self.instances.clear();
        self.silent = None;
        for daemon in &self.daemons {
            match daemon.instances(self.timeout) {
                Ok(instances) => self.instances.extend(instances),
                // One that ended while it was asked is no longer one that lives.
                Err(_) if !daemon.is_alive() => {}
                Err(error) => {
                    let doing = format!("asking keepalived (process {})", daemon.pid());
                    self.silent = Err::<(), _>(error).unavailable(doing).err();
                }
            }
        }
        self.daemons.retain(Daemon::is_alive);
        Ok(())
    }

    /// The processes asked.
    pub(crate) fn daemons(&self) -> &[Daemon] {
        &self.daemons
    }

    /// What they said.
    pub(crate) fn instances(&self) -> &[Instance] {
        &self.instances
    }

    /// The instance that has an address, the master if several have it.
    pub(crate) fn instance(&self, vip: IpAddr) -> Option<&Instance> {
        let having = self.instances.iter().filter(|instance| instance.vips.contains(&vip));
        having.max_by_key(|instance| instance.state == Some(VrrpState::Master))
    }

    /// Whether a keepalived that lives is master of an address; `None` if not all of them answered.
    pub(crate) fn is_master(&self, vip: IpAddr) -> Option<bool> {
        match self.instance(vip).and_then(|instance| instance.state) {
            Some(VrrpState::Master) => Some(true),
            _ if self.silent.is_some() => None,
            _ => Some(false),
        }
    }

    /// Fails if one that lives did not answer.
    pub(crate) fn heard(&self) -> Result<()> {
        match &self.silent {
            Some(error) => Err(Error::unavailable("", error).hint("is it stopped, or starved of CPU time?")),
            None => Ok(()),
        }
    }
}
