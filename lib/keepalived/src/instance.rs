//! A VRRP instance, as keepalived's data dumps tell it.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use model::VrrpState;
use serde::Deserialize;

/// One VRRP instance of a running keepalived.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// The interface it speaks on; `None` if the dump does not say.
    pub interface: Option<String>,
    /// Its state; `None` if it is one this crate does not know.
    pub state: Option<VrrpState>,
    /// The priority it has now, weights included.
    pub effective_priority: Option<u8>,
    /// The addresses it has to hold as master.
    pub vips: Vec<IpAddr>,
    /// When it came into its state; `None` if it never changed.
    pub last_transition: Option<SystemTime>,
    /// How often it became master since it started; `None` in a text dump.
    pub become_master: Option<u64>,
    /// How often it gave mastership up since it started; `None` in a text dump.
    pub release_master: Option<u64>,
}

#[derive(Deserialize)]
struct Entry {
    data: Data,
    stats: Option<Stats>,
}

#[derive(Deserialize)]
struct Data {
    iname: String,
    ifp_ifname: Option<String>,
    state: Option<i64>,
    effective_priority: Option<u8>,
    last_transition: Option<f64>,
    #[serde(default)]
    vips: Vec<String>,
    #[serde(default)]
    evips: Vec<String>,
}

#[derive(Deserialize)]
struct Stats {
    become_master: Option<u64>,
    release_master: Option<u64>,
}

/// The instances of a whole JSON dump; `None` if it is not (yet) one.
pub(crate) fn from_json(dump: &[u8]) -> Option<Vec<Instance>> {
    let entries: Vec<Entry> = serde_json::from_slice(dump).ok()?;
    Some(entries.into_iter().map(instance).collect())
}

fn instance(Entry { data, stats }: Entry) -> Instance {
    let count = |of: fn(&Stats) -> Option<u64>| stats.as_ref().and_then(of);
    Instance {
        name: data.iname,
        interface: data.ifp_ifname.filter(|name| !name.is_empty()),
        // keepalived's vrrp.h: 0 init, 1 backup, 2 master, 3 fault.
        state: match data.state {
            Some(0) => Some(VrrpState::Init),
            Some(1) => Some(VrrpState::Backup),
            Some(2) => Some(VrrpState::Master),
            Some(3) => Some(VrrpState::Fault),
            _ => None,
        },
        effective_priority: data.effective_priority,
        vips: data.vips.iter().chain(&data.evips).filter_map(|vip| address(vip)).collect(),
        last_transition: data.last_transition.and_then(moment),
        become_master: count(|stats| stats.become_master),
        release_master: count(|stats| stats.release_master),
    }
}

/// The instances of a text dump (`keepalived.data`):
///
/// ```text
///  VRRP Instance = VI_1
///    State = MASTER
///    Virtual IP (1):
///      10.77.0.100 dev eth0 scope global set
/// ```
pub(crate) fn from_text(dump: &str) -> Vec<Instance> {
    let mut instances: Vec<Instance> = Vec::new();
    let mut in_addresses = false;
    for line in dump.lines() {
        let (key, value) = line.split_once(" = ").map_or((line.trim(), ""), |(k, v)| (k.trim(), v.trim()));
        let depth = line.len() - line.trim_start().len();
        if key == "VRRP Instance" {
            instances.push(Instance {
                name: value.to_owned(),
                interface: None,
                state: None,
                effective_priority: None,
                vips: Vec::new(),
                last_transition: None,
                become_master: None,
                release_master: None,
            });
        }
        let Some(current) = instances.last_mut() else { continue };
        // Another section of the dump says nothing about the last instance.
        if depth < 3 && key != "VRRP Instance" {
            break;
        }
        match key {
            "State" => current.state = crate::state(value),
            "Interface" => current.interface = Some(value.to_owned()),
            "Effective priority" => current.effective_priority = value.parse().ok(),
            "Last transition" => {
                let seconds = value.split(' ').next().and_then(|seconds| seconds.parse().ok());
                current.last_transition = seconds.and_then(moment);
            }
            _ if in_addresses && depth >= 5 => current.vips.extend(address(key)),
            _ => {}
        }
        in_addresses = key.starts_with("Virtual IP ") || (in_addresses && depth >= 5);
    }
    instances
}

/// `10.77.0.100/24 dev eth0 scope global set`: the address alone.
fn address(words: &str) -> Option<IpAddr> {
    words.split([' ', '/']).next()?.parse().ok()
}

/// Seconds since 1970; 0 is never.
fn moment(seconds: f64) -> Option<SystemTime> {
    let since = Duration::try_from_secs_f64(seconds).ok().filter(|since| !since.is_zero())?;
    SystemTime::UNIX_EPOCH.checked_add(since)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // Shortened from a dump of keepalived 2.2.7.
    const JSON: &str = r#"[{"data":{"iname":"VI_4","ifp_ifname":"eth0","last_transition":1795389214.049957,
        "effective_priority":100,"vipset":true,"state":2,
        "vips":["10.77.0.100 dev eth0 scope global set","fd77::100/64 dev eth0 scope global deprecated"]},
        "stats":{"advert_sent":27,"become_master":1,"release_master":0}}]"#;

    const TEXT: &str = "\
------< Global definitions >------
 Router ID = lb1
------< VRRP Topology >------
 VRRP Instance = VI_4
   VRRP Version = 3
   State = MASTER
   Flags:
     Using unicast
   Wantstate = MASTER
   Last transition = 1795389214.049957 (Sun Nov 22 23:13:34.049957 2026)
   Interface = eth0
   Effective priority = 100
   Virtual IP (2):
     10.77.0.100 dev eth0 scope global set
     fd77::100/64 dev eth0 scope global deprecated
   Unicast Peer :
     10.77.0.12 min_ttl 0 max_ttl 255
 VRRP Instance = VI_6
   State = BACKUP
   Last transition = 0.000000 (Never)
------< Interfaces >------
 Name = lo
   State = UP
";

    #[test]
    fn both_dumps_tell_the_same() {
        let json = from_json(JSON.as_bytes()).unwrap().remove(0);
        assert_eq!(json.become_master, Some(1));
        let text = from_text(TEXT);
        assert_eq!(text[0], Instance { become_master: None, release_master: None, ..json });
        assert_eq!(text[0].vips, ["10.77.0.100".parse::<IpAddr>().unwrap(), "fd77::100".parse().unwrap()]);
        assert_eq!((text[1].state, text[1].last_transition), (Some(VrrpState::Backup), None));
        assert_eq!(text.len(), 2);
    }

    #[test]
    fn half_a_dump_is_none_yet() {
        for end in 0..JSON.len() {
            assert_eq!(from_json(&JSON.as_bytes()[..end]), None);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "(.|\n){0,300}") {
            let _ = from_text(&text);
            let _ = from_json(text.as_bytes());
        }

        #[test]
        fn any_moment_is_survived(seconds: f64) {
            let _ = moment(seconds);
        }
    }
}
