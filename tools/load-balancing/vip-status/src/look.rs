//! One look at the virtual addresses.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use cli::{Context, Error, Result};
use model::{CheckFile, Vip, VipHolder, VipVerdict, VrrpEntry, VrrpScope, VrrpStates};
use neighbour::{Mac, Survey};

use crate::here::Keepalived;
use crate::{Ask, Peer};

/// What is to be found out.
pub(crate) struct Question<'a> {
    pub(crate) vips: Vec<IpAddr>,
    pub(crate) interface: Option<&'a str>,
    pub(crate) ask: &'a Ask,
    pub(crate) survey: Survey,
}

/// Looks once: one record an address, in their order.
pub(crate) fn look(question: &Question, keepalived: &Keepalived) -> Result<Vec<Vip>> {
    let ask = question.ask;
    let mut by_interface: BTreeMap<String, Vec<IpAddr>> = BTreeMap::new();
    for vip in &question.vips {
        by_interface.entry(interface(*vip, question.interface, keepalived)?).or_default().push(*vip);
    }
    let mut records = BTreeMap::new();
    for (interface, vips) in &by_interface {
        let everybody: Vec<IpAddr> =
            vips.iter().copied().chain(ask.peers.iter().map(|peer| peer.address)).collect();
        let found = survey(interface, &everybody, &question.survey)?;
        for vip in vips {
            let seen = sighting(*vip, interface, &found, ask)?;
            records.insert(*vip, judge(seen, ask, keepalived));
        }
    }
    Ok(question.vips.iter().filter_map(|vip| records.remove(vip)).collect())
}

/// Whether a record needs nobody's attention.
pub(crate) fn is_well(vip: &Vip) -> bool {
    vip.verdict == VipVerdict::One && vip.agrees != Some(false)
}

/// The interface to ask on: the one given, else the one whose network holds
/// the address, else keepalived's, else the one that carries the address.
fn interface(vip: IpAddr, given: Option<&str>, keepalived: &Keepalived) -> Result<String> {
    if let Some(given) = given {
        return Ok(given.to_owned());
    }
    let doing = "reading this machine's addresses";
    let facing = neighbour::facing(vip).doing(doing)?;
    let keepaliveds = || keepalived.instance(vip).and_then(|instance| instance.interface.clone());
    let carrying = neighbour::local(vip).doing(doing)?.map(|local| local.interface);
    facing.or_else(keepaliveds).or(carrying).ok_or_else(|| {
        let why = format!("no interface here leads to {vip}");
        Error::invalid("reading arguments", why).hint("name one: --iface eth0")
    })
}

/// Everybody's answers on one interface.
///
/// An address that moves while it is asked for has two holders one after the
/// other; only one that still has two when asked again has a duplicate.
fn survey(interface: &str, addresses: &[IpAddr], survey: &Survey) -> Result<BTreeMap<IpAddr, Vec<Mac>>> {
    let doing = format!("asking on {interface}");
    let mut found = neighbour::ask(interface, addresses, survey).doing(&doing)?;
    for (address, macs) in found.iter_mut().filter(|(_, macs)| macs.len() > 1) {
        *macs = neighbour::holders(interface, *address, &Survey { enough: macs.len(), ..*survey })
            .doing(&doing)?;
    }
    Ok(found)
}

/// What was seen of one address, keepalived not yet heard.
fn sighting(vip: IpAddr, interface: &str, found: &BTreeMap<IpAddr, Vec<Mac>>, ask: &Ask) -> Result<Vip> {
    let local = neighbour::local(vip).doing("reading this machine's addresses")?;
    let macs = found.get(&vip).into_iter().flatten();
    Ok(Vip {
        vip,
        verdict: VipVerdict::None,
        local: local.is_some(),
        interface: Some(local.map_or_else(|| interface.to_owned(), |local| local.interface)),
        holders: macs.map(|mac| holder(*mac, &ask.peers, found)).collect(),
        state: None,
        agrees: None,
        instance: None,
        priority: None,
        since: None,
        transitions_1h: None,
        check_file: ask.check_file.as_deref().map(check_file),
    })
}

/// A sighting with what keepalived says, and what both come to.
pub(crate) fn judge(seen: Vip, ask: &Ask, keepalived: &Keepalived) -> Vip {
    let instance = keepalived.instance(seen.vip);
    let name = instance.map(|instance| instance.name.clone());
    let master = keepalived.is_master(seen.vip);
    let comparable = master.filter(|_| seen.local || instance.is_some());
    let since = instance.and_then(|instance| instance.last_transition);
    let counted = ask.state_file.as_deref().zip(name.as_deref());
    Vip {
        verdict: verdict(seen.holders.len(), seen.local, master),
        state: instance.and_then(|instance| instance.state),
        agrees: comparable.map(|master| master == seen.local),
        priority: instance.and_then(|instance| instance.effective_priority),
        since: since.map(|moment| cli::rfc3339(moment).to_string()),
        transitions_1h: counted.and_then(|(file, name)| transitions(file, name)),
        instance: name,
        ..seen
    }
}

fn verdict(holders: usize, local: bool, master: Option<bool>) -> VipVerdict {
    match holders {
        0 => VipVerdict::None,
        1 if local && master == Some(false) => VipVerdict::Stale,
        1 => VipVerdict::One,
        _ => VipVerdict::Duplicate,
    }
}

fn holder(mac: Mac, peers: &[Peer], found: &BTreeMap<IpAddr, Vec<Mac>>) -> VipHolder {
    let known = peers.iter().find(|peer| found.get(&peer.address).is_some_and(|macs| macs.contains(&mac)));
    VipHolder { mac: mac.to_string(), node: known.map(|peer| peer.name.clone()) }
}

/// The number in a track file, and the time since it was written.
fn check_file(path: &Path) -> CheckFile {
    let content = files::read(path, 64).ok();
    let value = content.and_then(|content| String::from_utf8_lossy(&content).trim().parse().ok());
    let written = std::fs::metadata(path).and_then(|found| found.modified()).ok();
    // A time in the future is a stepped clock: age 0.
    let age = written.map(|written| SystemTime::now().duration_since(written).unwrap_or_default());
    CheckFile { value, age_ms: age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)) }
}

/// How often an instance changed its state within the last hour, as the
/// state file tells; `None` if it does not.
fn transitions(file: &Path, instance: &str) -> Option<u32> {
    let states: VrrpStates = serde_json::from_slice(&files::read(file, 16 << 20).ok()?).ok()?;
    let of = |entry: &&VrrpEntry| entry.scope == VrrpScope::Instance && entry.name == instance;
    let entry = states.entries.iter().find(of)?;
    Some(recent(&entry.transitions, SystemTime::now()))
}

fn recent(transitions: &[String], now: SystemTime) -> u32 {
    let hour = Duration::from_hours(1);
    let moments = transitions.iter().filter_map(|text| humantime::parse_rfc3339(text).ok());
    let recent = moments.filter(|moment| now.duration_since(*moment).is_ok_and(|ago| ago <= hour));
    u32::try_from(recent.count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_stations_are_a_duplicate_whatever_keepalived_says() {
        for master in [None, Some(true), Some(false)] {
            assert_eq!(verdict(2, true, master), VipVerdict::Duplicate);
        }
    }

    #[test]
    fn an_address_only_here_is_stale_if_no_master_lives() {
        assert_eq!(verdict(1, true, Some(false)), VipVerdict::Stale);
        assert_eq!(verdict(1, true, Some(true)), VipVerdict::One);
        assert_eq!(verdict(1, true, None), VipVerdict::One, "not known to be stale");
        assert_eq!(verdict(1, false, Some(false)), VipVerdict::One, "held elsewhere");
        assert_eq!(verdict(0, false, Some(true)), VipVerdict::None);
    }

    #[test]
    fn a_holder_is_named_by_the_address_it_has_of_its_own() {
        let (a, b) = (Mac([2, 0, 0, 0, 0, 1]), Mac([2, 0, 0, 0, 0, 2]));
        let own: IpAddr = "10.77.0.11".parse().unwrap();
        let peers = [Peer { name: "lb1".into(), address: own }];
        let found = BTreeMap::from([(own, vec![a])]);
        assert_eq!(holder(a, &peers, &found).node.as_deref(), Some("lb1"));
        assert_eq!(holder(b, &peers, &found).node, None);
    }

    #[test]
    fn only_the_last_hour_counts() {
        let now = humantime::parse_rfc3339("2026-01-01T12:00:00Z").unwrap();
        let times = ["2026-01-01T10:59:59Z", "2026-01-01T11:00:01Z", "2026-01-01T11:59:59Z", "later"];
        assert_eq!(recent(&times.map(str::to_owned), now), 2);
    }

    #[test]
    fn a_track_file_without_a_number_has_an_age_but_no_value() {
        assert_eq!(check_file(Path::new("/nowhere")), CheckFile { value: None, age_ms: None });
    }
}
