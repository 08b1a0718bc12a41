//! Taking away an address that no living keepalived owns.

use std::net::IpAddr;
use std::time::Instant;

use cli::{Answer, Context, Error, Out, Result};
use model::{Action, Change, Step};
use neighbour::Local;

use crate::here::Keepalived;

/// What is to be released.
pub(crate) struct Wanted<'a> {
    pub(crate) vips: &'a [IpAddr],
    /// Only from this interface; `None` for every one that carries them.
    pub(crate) interface: Option<&'a str>,
}

/// Prints, and with `apply` makes, the changes.
pub(crate) fn run(wanted: &Wanted, apply: bool, mut keepalived: Keepalived, out: &mut Out) -> Result {
    let began = Instant::now();
    let here = here(wanted)?;
    if here.is_empty() {
        return Ok(Answer::Yes);
    }
    keepalived.refresh()?;
    if let Some((why, hint)) = guard(&here, &keepalived) {
        let elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        out.emit(&Step { step: "release".into(), ok: false, elapsed_ms, error: Some("guard".into()) })?;
        cli::warn_hint(
            format!("releasing: {why}"),
            "stop that keepalived, or mend it: it cleans up after itself",
        );
        return Ok(Answer::No);
    }
    for local in &here {
        if apply {
            let doing = format!("removing {} from {}", local.address, local.interface);
            neighbour::remove(local).doing(&doing)?;
            if self::here(wanted)?.contains(local) {
                return Err(Error::unavailable(doing, "it is still there"));
            }
        }
        out.emit(&change(local))?;
    }
    Ok(Answer::from(apply))
}

/// Where this machine carries the addresses.
fn here(wanted: &Wanted) -> Result<Vec<Local>> {
    let vips = wanted.vips;
    let doing = "reading arguments";
    if vips.is_empty() {
        return Err(Error::invalid(doing, "no --vip given").hint("name what to release: --vip 10.77.0.100"));
    }
    let locals = neighbour::locals().doing("reading this machine's addresses")?;
    let there = |local: &Local| wanted.interface.is_none_or(|interface| local.interface == interface);
    Ok(locals.into_iter().filter(|local| vips.contains(&local.address) && there(local)).collect())
}

/// Why nothing may be taken away, with the way out; `None` if all may.
///
/// One that has the address but is not its master counts as well: it may
/// become master at any moment.
fn guard(here: &[Local], keepalived: &Keepalived) -> Option<(String, &'static str)> {
    if let Some(local) = here.iter().find(|local| local.address.is_loopback()) {
        return Some((format!("{} is the machine's own", local.address), "only virtual IPs are released"));
    }
    let hint = "mend or stop that keepalived: it takes its addresses with it";
    if let Some(local) = here.iter().find(|local| keepalived.instance(local.address).is_some()) {
        return Some((format!("a living keepalived owns {}", local.address), hint));
    }
    keepalived.heard().err().map(|error| (error.to_string(), hint))
}

fn change(local: &Local) -> Change {
    Change {
        target: format!("{}/{} dev {}", local.address, local.prefix, local.interface),
        path: None,
        action: Action::Delete,
        before_sha256: None,
        after_sha256: None,
        diff: None,
    }
}
