//! Which nodes hold the address, now and over time.

use std::net::IpAddr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use process::Limits;
use serde::Deserialize;

/// How long a node may take to say what addresses it has.
const ASK: Duration = Duration::from_secs(3);

/// A node, and the command that prints its addresses.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) ask: Vec<String>,
}

#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    addr_info: Vec<Address>,
}

#[derive(Deserialize)]
struct Address {
    local: Option<String>,
}

/// Whether one of a node's addresses, as `ip -json address` prints them, is the virtual one.
fn carries(addresses: &[u8], vip: IpAddr) -> Option<bool> {
    let links: Vec<Link> = serde_json::from_slice(addresses).ok()?;
    let mut local = links.iter().flat_map(|link| &link.addr_info).filter_map(|one| one.local.as_deref());
    Some(local.any(|text| text.parse() == Ok(vip)))
}

/// Whether a node holds the address; `None` if it does not say.
fn holds(node: &Node, vip: IpAddr) -> Option<bool> {
    let (program, words) = node.ask.split_first()?;
    let done = process::run(Command::new(program).args(words), &Limits::within(ASK)).ok()?;
    if done.end.success() { carries(&done.stdout, vip) } else { None }
}

/// The nodes that hold the address, in order; `Err` names the first that does not say.
pub(crate) fn holders(nodes: &[Node], vip: IpAddr) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for node in nodes {
        match holds(node, vip) {
            Some(true) => found.push(node.name.clone()),
            Some(false) => {}
            None => return Err(node.name.clone()),
        }
    }
    Ok(found)
}

/// When a node was asked, counted from the start of the watch, and whether it held the address.
pub(crate) type Sighting = (Duration, Option<bool>);

/// Asks every node again and again.
#[derive(Debug)]
pub(crate) struct Watch {
    stop: Arc<AtomicBool>,
    nodes: Vec<JoinHandle<Vec<Sighting>>>,
}

impl Watch {
    /// Starts asking, each node every `interval`.
    pub(crate) fn start(nodes: &[Node], vip: IpAddr, interval: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let started = Instant::now();
        let watch = |node: &Node| {
            let (node, stop) = (node.clone(), Arc::clone(&stop));
            thread::spawn(move || {
                let mut seen = Vec::new();
                while !stop.load(Ordering::SeqCst) {
                    let asked = Instant::now();
                    let held = holds(&node, vip);
                    // The answer is true of some moment in between.
                    seen.push((asked - started + asked.elapsed() / 2, held));
                    thread::sleep(interval.saturating_sub(asked.elapsed()));
                }
                seen
            })
        };
        let nodes = nodes.iter().map(watch).collect();
        Self { stop, nodes }
    }

    /// Ends it; what was seen, node by node.
    pub(crate) fn finish(self) -> Vec<Vec<Sighting>> {
        self.stop.store(true, Ordering::SeqCst);
        self.nodes.into_iter().map(|node| node.join().unwrap_or_default()).collect()
    }
}

/// The times during which a node is known to have held the address: between
/// two sightings in a row that both say so. A handover between two sightings
/// is so never taken for a duplicate.
fn spells(seen: &[Sighting]) -> impl Iterator<Item = (Duration, Duration)> {
    seen.windows(2).filter_map(|pair| match pair {
        [(from, Some(true)), (to, Some(true))] => Some((*from, *to)),
        _ => None,
    })
}

/// How long two or more nodes are known to have held the address at once.
pub(crate) fn duplicate(nodes: &[Vec<Sighting>]) -> Duration {
    let mut edges: Vec<(Duration, i32)> = Vec::new();
    for (from, to) in nodes.iter().flat_map(|seen| spells(seen)) {
        edges.extend([(from, 1), (to, -1)]);
    }
    // At one moment ends come before beginnings, or neighbours would overlap.
    edges.sort_unstable();
    let (mut held, mut since, mut total) = (0, Duration::ZERO, Duration::ZERO);
    for (at, step) in edges {
        if held > 1 {
            total += at.saturating_sub(since);
        }
        (held, since) = (held + step, at);
    }
    total
}

/// How often the address went from one sole holder to another.
pub(crate) fn moves(nodes: &[Vec<Sighting>]) -> u32 {
    let mut all: Vec<_> = nodes
        .iter()
        .enumerate()
        .flat_map(|(node, seen)| seen.iter().map(move |(at, held)| (*at, node, *held)))
        .collect();
    all.sort_unstable();
    let mut holds = vec![None; nodes.len()];
    let (mut last, mut count) = (None, 0);
    for (_, node, held) in all {
        holds[node] = held;
        let mut holding = holds.iter().enumerate().filter(|(_, held)| **held == Some(true));
        if let (Some((sole, _)), None) = (holding.next(), holding.next()) {
            count += u32::from(last.is_some_and(|last| last != sole));
            last = Some(sole);
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sightings every 100 ms from `offset`: `1` held, `0` not, `?` no answer.
    fn seen(offset: u64, states: &str) -> Vec<Sighting> {
        let one = |(n, state): (u64, char)| {
            let held = match state {
                '1' => Some(true),
                '0' => Some(false),
                _ => None,
            };
            (Duration::from_millis(offset + 100 * n), held)
        };
        (0..).zip(states.chars()).map(one).collect()
    }

    #[test]
    fn an_address_is_compared_whole() {
        let links = br#"[{},{"ifname":"eth0","addr_info":[{"family":"inet","local":"10.77.0.11"}]}]"#;
        assert_eq!(carries(links, "10.77.0.1".parse().unwrap()), Some(false));
        assert_eq!(carries(links, "10.77.0.11".parse().unwrap()), Some(true));
        assert_eq!(carries(b"ssh: no route", "10.77.0.11".parse().unwrap()), None);
    }

    #[test]
    fn two_holders_for_half_a_second_are_that_long_a_duplicate() {
        let both = [seen(0, "11111111"), seen(0, "00111111")];
        assert_eq!(duplicate(&both), Duration::from_millis(500));
    }

    #[test]
    fn a_handover_between_two_sightings_is_no_duplicate() {
        let handover = [seen(0, "1111000"), seen(50, "0001111")];
        assert_eq!(duplicate(&handover), Duration::ZERO);
        assert_eq!(moves(&handover), 1);
    }

    #[test]
    fn a_node_that_does_not_answer_is_no_proof() {
        assert_eq!(duplicate(&[seen(0, "1?1?1"), seen(0, "11111")]), Duration::ZERO);
    }

    #[test]
    fn a_spell_without_any_holder_is_part_of_one_move() {
        assert_eq!(moves(&[seen(0, "110000"), seen(0, "000011")]), 1);
        assert_eq!(moves(&[seen(0, "110011"), seen(0, "000000")]), 0);
        assert_eq!(moves(&[seen(0, "110011"), seen(0, "001100")]), 2);
    }
}
