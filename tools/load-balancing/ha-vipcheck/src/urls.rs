//! Asking URLs, several at a time.

use std::net::IpAddr;
use std::thread;
use std::time::{Instant, SystemTime};

use cli::Context;
use model::Check;
use probe::{Cause, Reply, Target, Trust};

use crate::Args;
use crate::asked::{failed, millis};

/// The URLs to ask.
#[derive(Debug)]
pub(crate) struct Urls {
    own: Vec<Url>,
    /// The first one at the virtual address.
    vip: Option<Url>,
    expect: Vec<u16>,
}

#[derive(Debug)]
struct Url {
    name: String,
    text: String,
    target: Target,
}

/// One URL's check, and the failure it rests on.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) check: Check,
    pub(crate) cause: Option<Cause>,
}

impl Urls {
    pub(crate) fn of(args: &Args) -> cli::Result<Self> {
        let trust = match &args.cacert {
            Some(file) => Trust::ca_file(file).invalid("reading --cacert")?,
            None if args.insecure => Trust::Insecure,
            None if args.urls.iter().any(|url| url.starts_with("https:")) => {
                return Err(cli::Error::invalid("reading arguments", "an https URL needs --cacert").hint(
                    "name the CA file, such as /etc/kubernetes/pki/ca.crt; --insecure believes anybody",
                ));
            }
            None => Trust::Insecure,
        };
        let url = |name: String, text: String| {
            let target = Target::new(&text, &trust, args.server_name.as_deref());
            // Every check is a new client's; a watcher may resume its session.
            let target = target.doing(format!("reading {text}"))?;
            Ok(Url { name, target: if args.watch { target } else { target.fresh() }, text })
        };
        let name = |n: usize| if n == 0 { "local".to_owned() } else { format!("url-{}", n + 1) };
        let own: cli::Result<Vec<_>> =
            args.urls.iter().enumerate().map(|(n, text)| url(name(n), text.clone())).collect();
        let vip = match (args.vip, args.urls.first()) {
            (Some(address), Some(first)) => {
                let there = probe::at_address(first, address).doing("reading --url")?;
                Some(url("vip".into(), there)?)
            }
            _ => None,
        };
        Ok(Self { own: own?, vip, expect: args.expect.clone() })
    }

    pub(crate) fn ask(&self, vip_is_here: bool, deadline: Instant) -> Vec<Answered> {
        let all: Vec<_> = self.own.iter().chain(self.vip.iter().filter(|_| vip_is_here)).collect();
        let one = |url: &Url| {
            let reply = url.target.get(deadline);
            answered(&url.name, &url.text, &reply, &self.expect, SystemTime::now())
        };
        let Some((first, others)) = all.split_first() else { return Vec::new() };
        thread::scope(|scope| {
            let others: Vec<_> = others.iter().map(|url| scope.spawn(|| one(url))).collect();
            let mut answers = vec![one(first)];
            answers.extend(others.into_iter().filter_map(|other| other.join().ok()));
            answers
        })
    }
}

fn answered(name: &str, url: &str, reply: &Reply, expect: &[u16], now: SystemTime) -> Answered {
    let check = Check {
        name: name.to_owned(),
        url: Some(url.to_owned()),
        ok: true,
        phase: Some(reply.phase.as_str().to_owned()),
        http_status: reply.status,
        elapsed_ms: millis(reply.elapsed),
        cert_days_left: reply.not_after.map(|end| days(end, now)),
        ..Check::default()
    };
    let phase = Some(reply.phase.as_str());
    let check = match &reply.error {
        Some(failure) => failed(check, phase, failure.cause.as_str(), Some(failure.text.clone())),
        None if !reply.ok(expect) => failed(check, Some("http"), "status", None),
        None => check,
    };
    Answered { check, cause: reply.error.as_ref().map(|failure| failure.cause) }
}

/// Whole days until then, rounded down.
fn days(end: SystemTime, now: SystemTime) -> i64 {
    let seconds = match end.duration_since(now) {
        Ok(left) => i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        Err(over) => i64::try_from(over.duration().as_secs()).map_or(i64::MIN, |past| -past - 1),
    };
    seconds.div_euclid(86_400)
}

/// Whether an interface of this node carries exactly this address.
pub(crate) fn is_here(address: IpAddr) -> cli::Result<bool> {
    crate::interfaces::addresses().map(|mut all| all.any(|one| one == address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use probe::{Failure, Phase, Times};
    use std::time::Duration;

    fn reply(status: Option<u16>, error: Option<Cause>) -> Reply {
        Reply {
            phase: Phase::Body,
            status,
            elapsed: Duration::from_micros(2345),
            times: Times::default(),
            error: error.map(|cause| Failure { cause, text: "why".into() }),
            not_after: None,
        }
    }

    #[test]
    fn an_unwanted_status_fails_and_keeps_the_status() {
        let now = SystemTime::now();
        let check = answered("local", "u", &reply(Some(500), None), &[200], now).check;
        assert_eq!((check.ok, check.http_status, check.error.as_deref()), (false, Some(500), Some("status")));
        assert!(answered("local", "u", &reply(Some(401), None), &[200, 401], now).check.ok);
        let check = answered("local", "u", &reply(Some(200), Some(Cause::Eof)), &[200], now).check;
        assert_eq!((check.ok, check.error.as_deref(), check.elapsed_ms), (false, Some("eof"), 2.3));
    }

    #[test]
    fn days_left_are_rounded_down_and_negative_afterwards() {
        let (now, day) = (SystemTime::now(), Duration::from_hours(24));
        assert_eq!(days(now + day * 2, now), 2);
        assert_eq!(days(now + day - Duration::from_secs(1), now), 0);
        assert_eq!(days(now - Duration::from_secs(1), now), -1);
    }
}
