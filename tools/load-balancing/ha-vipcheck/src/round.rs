//! One round: everything asked once.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use model::{Check, CheckedVip, VipCheck};
use probe::Cause;

use crate::asked::{Asked, check, failed, millis};
use crate::haproxies::Haproxy;
use crate::pids::Processes;
use crate::urls::{Urls, is_here};
use crate::{ApiDown, Args, track, verdict};

/// Everything there is to ask.
#[derive(Debug)]
pub(crate) struct Round {
    urls: Urls,
    any: bool,
    vip: Option<IpAddr>,
    haproxy: Option<Haproxy>,
    /// Not asked by a watcher, who holds the processes all the time.
    pidfile: Option<PathBuf>,
    maintenance: Option<PathBuf>,
    track: Option<(PathBuf, Duration)>,
    api_down: ApiDown,
}

impl Round {
    pub(crate) fn of(args: &Args) -> cli::Result<Self> {
        Ok(Self {
            urls: Urls::of(args)?,
            any: args.any,
            vip: args.vip,
            haproxy: args.haproxy_socket.as_ref().map(|path| Haproxy::of(args, path)),
            pidfile: args.pidfile.clone().filter(|_| !args.watch),
            maintenance: args.maintenance_file.clone(),
            track: args.track_age.clone().map(|file| (file, *args.max_age)),
            api_down: args.api_down_is,
        })
    }

    /// Asks everything; fails only if this node itself cannot ask.
    pub(crate) fn ask(&self, deadline: Instant) -> cli::Result<Asked> {
        let started = Instant::now();
        let vip = match self.vip {
            Some(addr) => Some(CheckedVip { addr, local: is_here(addr)? }),
            None => None,
        };
        let mut checks = Vec::new();
        let maintenance = self.maintenance.as_ref().map(|file| maintenance(file));
        let certain = maintenance.as_ref().is_some_and(|check| !check.ok);
        checks.extend(maintenance);
        checks.extend(self.pidfile.as_ref().map(|file| {
            let started = Instant::now();
            let alive = Processes::of(file).alive();
            process(started, alive)
        }));
        checks.extend(self.track.as_ref().map(|(file, max)| track::fresh(file, *max, deadline)));
        let haproxy = self.haproxy.as_ref().map(|haproxy| haproxy.ask(deadline));
        let answers = self.urls.ask(vip.as_ref().is_some_and(|vip| vip.local), deadline);
        if let Some(local) = answers.iter().find(|answer| answer.cause == Some(Cause::Local)) {
            let url = local.check.url.clone().unwrap_or_default();
            let why = local.check.error_text.clone().unwrap_or_default();
            return Err(cli::Error::unavailable(format!("asking {url}"), why));
        }
        let decided = verdict::of(&checks, haproxy.as_ref(), &answers, self.any, self.api_down);
        checks.extend(haproxy);
        checks.extend(answers.into_iter().map(|answer| answer.check));
        let timed_out = checks.iter().any(|check| check.error.as_deref() == Some("timeout"));
        let verdict = VipCheck {
            time: cli::rfc3339(SystemTime::now()).to_string(),
            ok: decided.is_none(),
            reason: decided.as_ref().map(|decided| decided.reason.clone()),
            error: decided.map(|decided| decided.error),
            vip,
            checks,
            elapsed_ms: millis(started.elapsed()),
        };
        let overrun = timed_out.then(|| Instant::now().saturating_duration_since(deadline));
        Ok(Asked { verdict, started, overrun, certain })
    }
}

fn maintenance(file: &std::path::Path) -> Check {
    let check = check("maintenance", Instant::now());
    if file.exists() {
        let text = format!("{} exists", file.display());
        failed(check, None, "maintenance", Some(text))
    } else {
        check
    }
}

/// The check of a pidfile whose processes live or do not.
pub(crate) fn process(started: Instant, alive: bool) -> Check {
    let check = check("process", started);
    if alive { check } else { failed(check, None, "dead", Some("no process of the pidfile lives".into())) }
}
