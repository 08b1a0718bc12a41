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
    let all = neighbour::locals().doing("reading this machine's addresses")?;
    let here = here(wanted, &all)?;
    if here.is_empty() {
        return Ok(Answer::Yes);
    }
    keepalived.refresh()?;
    if let Some((why, hint)) = guard(&here, &all, &keepalived) {
        let elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        out.emit(&Step { step: "release".into(), ok: false, elapsed_ms, error: Some("guard".into()) })?;
        cli::warn_hint(format!("releasing: {why}"), hint);
        return Ok(Answer::No);
    }
    for local in &here {
        if apply {
            let doing = format!("removing {} from {}", local.address, local.interface);
            neighbour::remove(local).doing(&doing)?;
            if neighbour::locals().doing(&doing)?.contains(local) {
                return Err(Error::unavailable(doing, "it is still there"));
            }
        }
        out.emit(&change(local))?;
    }
    Ok(Answer::from(apply))
}

/// Where this machine carries the addresses.
fn here(wanted: &Wanted, all: &[Local]) -> Result<Vec<Local>> {
    if wanted.vips.is_empty() {
        let error = Error::invalid("reading arguments", "no --vip given");
        return Err(error.hint("name what to release: --vip 10.77.0.100"));
    }
    let there = |local: &Local| wanted.interface.is_none_or(|interface| local.interface == interface);
    Ok(all.iter().filter(|local| wanted.vips.contains(&local.address) && there(local)).cloned().collect())
}

/// Whether an interface has no other address of this family to speak from.
fn is_last(local: &Local, all: &[Local]) -> bool {
    let speaks = |other: &Local| match other.address {
        IpAddr::V4(_) => true,
        IpAddr::V6(address) => !address.is_unicast_link_local(),
    };
    !all.iter().any(|other| {
        other.interface == local.interface
            && other.address != local.address
            && other.address.is_ipv4() == local.address.is_ipv4()
            && speaks(other)
    })
}

/// Why nothing may be taken away, with the way out; `None` if all may.
///
/// One that has the address but is not its master counts as well: it may
/// become master at any moment.
fn guard(here: &[Local], all: &[Local], keepalived: &Keepalived) -> Option<(String, &'static str)> {
    if let Some(local) = here.iter().find(|local| local.address.is_loopback() || is_last(local, all)) {
        let hint = "a virtual IP stands beside an address of the machine's own";
        return Some((format!("{} is the only address of {}", local.address, local.interface), hint));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(interface: &str, address: &str) -> Local {
        Local { interface: interface.into(), address: address.parse().unwrap(), prefix: 32 }
    }

    #[test]
    fn an_address_is_the_last_one_if_none_of_its_family_stands_beside_it() {
        let all = [
            at("eth0", "10.77.0.11"),
            at("eth0", "10.77.0.100"),
            at("eth0", "fd77::100"),
            at("eth0", "fe80::1"),
        ];
        assert!(!is_last(&all[1], &all));
        assert!(is_last(&all[2], &all), "the link-local one does not count");
        assert!(is_last(&at("eth1", "10.77.0.100"), &all), "another interface");
    }

    #[test]
    fn only_the_wanted_interface_is_looked_at() {
        let all = [at("eth0", "10.77.0.100"), at("eth1", "10.77.0.100")];
        let vips = [all[0].address];
        let on = |interface| here(&Wanted { vips: &vips, interface }, &all).unwrap().len();
        assert_eq!((on(None), on(Some("eth1")), on(Some("eth2"))), (2, 1, 0));
    }
}
