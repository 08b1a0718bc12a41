//! Compares the keepalived.conf of nodes that share an address.

use std::collections::BTreeMap;
use std::net::IpAddr;

use conf::keepalived::Config;
use model::Finding;
use model::Severity::{Critical, High, Medium};

use super::keepalived::Instance;
use super::rule::{Rule, fail, warn};
use super::{File, Report};

const VRID: Rule = fail(
    "pair-vrid",
    Critical,
    [
        "the same virtual_router_id on every node of an address",
        "nodes with different virtual_router_ids do not hear one another: both hold the address",
        "write the same number on every node",
        "RFC 5798 section 5.2.3",
    ],
);
const ADVERT: Rule = fail(
    "pair-advert",
    High,
    [
        "the same advert_int on every node",
        "a backup that expects adverts sooner than they come takes the address from a healthy holder",
        "write the same interval on every node",
        "RFC 5798 section 6.1",
    ],
);
const VERSION: Rule = fail(
    "pair-version",
    Critical,
    [
        "the same vrrp_version on every node",
        "versions do not understand one another: both hold the address",
        "write the same version on every node",
        "RFC 5798 section 8.4",
    ],
);
const ADDRESSES: Rule = fail(
    "pair-addresses",
    High,
    [
        "the same virtual addresses on every node",
        "an address that only one node knows is lost with that node, and adverts with other addresses are dropped",
        "write the same addresses in the same order on every node",
        "RFC 5798 section 7.1",
    ],
);
const PRIORITY: Rule = warn(
    "pair-priority",
    Medium,
    [
        "a priority of its own for each node",
        "backups of equal priority take the address at the same moment; the higher address wins after a fight",
        "give each node another priority",
        "RFC 5798 section 5.2.4",
    ],
);
const PEER: Rule = fail(
    "pair-peer",
    Critical,
    [
        "every other node in unicast_peer",
        "a node that is not told of the holder's adverts takes the address as well",
        "add it to `unicast_peer`",
        "acassen/keepalived#2649",
    ],
);
const OWN_PEER: Rule = fail(
    "pair-self",
    High,
    [
        "only the other nodes in unicast_peer",
        "a node that hears its own adverts believes in another master",
        "remove the node's own address from `unicast_peer`",
        "keepalived.conf(5), unicast_peer",
    ],
);
const SOURCE: Rule = warn(
    "pair-source",
    Medium,
    [
        "unicast_src_ip",
        "without it the kernel chooses the source, perhaps one the peers do not list: they drop the adverts",
        "write the node's own address in `unicast_src_ip`",
        "keepalived.conf(5), unicast_src_ip",
    ],
);
const MASTERS: Rule = fail(
    "pair-masters",
    High,
    [
        "state BACKUP on every node",
        "two nodes that start as master fight over the address at every start",
        "use `state BACKUP` on every node",
        "keepalived.conf(5), state",
    ],
);

/// One node's side of an address.
type Side<'a> = (&'a File, Instance<'a>);

pub(super) fn judge(tool: &str, routers: &[(&File, Config)], findings: &mut Vec<Finding>) {
    let mut shared: BTreeMap<IpAddr, Vec<Side>> = BTreeMap::new();
    for (file, config) in routers {
        for instance in Instance::all(config) {
            if let Some((_, address)) = instance.addresses().first() {
                shared.entry(*address).or_default().push((file, instance));
            }
        }
    }
    for sides in shared.values() {
        for (number, (file, instance)) in sides.iter().enumerate() {
            let mut report = Report { tool, file: &file.name, findings };
            peers(instance, sides, &mut report);
            if number > 0 {
                differences(instance, &sides[0], &mut report);
                let equal = sides[..number].iter().find(|(_, other)| other.priority == instance.priority);
                if let Some((other, _)) = equal {
                    say(
                        &PRIORITY,
                        instance,
                        "priority",
                        format!("{}, as in {}", instance.priority, other.name),
                        &mut report,
                    );
                }
            }
        }
    }
}

/// Whether adverts reach everybody they should.
fn peers(instance: &Instance, sides: &[Side], report: &mut Report) {
    if instance.node.get("unicast_peer").is_none() {
        return;
    }
    let peers = instance.peers();
    match instance.source() {
        None => say(&SOURCE, instance, "unicast_peer", String::new(), report),
        Some(source) if peers.contains(&source) => {
            say(&OWN_PEER, instance, "unicast_peer", source.to_string(), report);
        }
        Some(_) => {}
    }
    for other in sides.iter().filter_map(|(_, other)| other.source()) {
        if Some(other) != instance.source() && !peers.contains(&other) {
            say(&PEER, instance, "unicast_peer", format!("{other} is not there"), report);
        }
    }
}

/// What must be the same on every node.
fn differences(instance: &Instance, (first, other): &Side, report: &mut Report) {
    let vrid =
        |instance: &Instance| instance.node.get("virtual_router_id").map_or("", |id| id.word(1)).to_owned();
    if vrid(instance) != vrid(other) {
        let current = format!("{}, but {} in {}", vrid(instance), vrid(other), first.name);
        say(&VRID, instance, "virtual_router_id", current, report);
    }
    if instance.advert_ms != other.advert_ms {
        let current = format!("{} ms, but {} ms in {}", instance.advert_ms, other.advert_ms, first.name);
        say(&ADVERT, instance, "advert_int", current, report);
    }
    if instance.version != other.version {
        let current = format!("{:?}, but {:?} in {}", instance.version, other.version, first.name);
        say(&VERSION, instance, "version", current, report);
    }
    let addresses = |instance: &Instance| {
        instance.addresses().into_iter().map(|(_, address)| address).collect::<Vec<_>>()
    };
    if addresses(instance) != addresses(other) {
        let current = format!("{:?}, but {:?} in {}", addresses(instance), addresses(other), first.name);
        say(&ADDRESSES, instance, "virtual_ipaddress", current, report);
    }
    let master =
        |instance: &Instance| instance.node.get("state").is_some_and(|state| state.word(1) == "MASTER");
    if master(instance) && master(other) {
        say(&MASTERS, instance, "state", format!("state MASTER, as in {}", first.name), report);
    }
}

/// Points at the statement, or at the instance if it has none.
fn say(rule: &Rule, instance: &Instance, keyword: &str, current: String, report: &mut Report) {
    report.say(rule, Some(instance.node.get(keyword).unwrap_or(instance.node).line), current);
}
