//! Judges a keepalived.conf that moves an address between balancers.

mod rules;
mod view;

use std::net::IpAddr;

use conf::keepalived::{Config, Node};
pub(super) use view::Instance;
use view::Scripts;

use super::Report;
use crate::Version;

/// The addresses a node calls its own.
pub(super) fn own_addresses(config: &Config) -> Vec<IpAddr> {
    Instance::all(config).iter().filter_map(Instance::source).collect()
}

pub(super) fn judge(config: &Config, report: &mut Report) {
    let scripts = Scripts::of(config);
    for node in config.find("vrrp_script") {
        script(node, report);
    }
    let instances = Instance::all(config);
    for instance in &instances {
        election(instance, report);
        tracking(instance, &scripts, report);
    }
    if !instances.is_empty() {
        global(config, &instances, report);
    }
}

fn script(node: &Node, report: &mut Report) {
    let number = |name: &str| node.get(name).and_then(|value| value.word(1).parse::<u32>().ok());
    if let Some(interval) = node.get("interval").filter(|_| number("interval").is_none()) {
        report.say(&rules::INTERVAL_FRACTION, Some(interval.line), interval.statement());
    }
    let interval = number("interval").unwrap_or(1);
    let fall = number("fall").unwrap_or(1);
    if interval.saturating_mul(fall) > 3 {
        let line = node.get("fall").or(node.get("interval")).unwrap_or(node).line;
        let current = format!("interval {interval} x fall {fall} = {} s", interval.saturating_mul(fall));
        report.say(&rules::DETECTION_SLOW, Some(line), current);
    }
    if let Some(timeout) =
        node.get("timeout").filter(|_| number("timeout").is_some_and(|timeout| timeout > interval))
    {
        report.say(&rules::SCRIPT_TIMEOUT, Some(timeout.line), timeout.statement());
    }
    if node.get("init_fail").is_none() {
        report.say(&rules::INIT_FAIL, Some(node.line), node.statement());
    }
}

/// Who becomes master, and how soon.
fn election(instance: &Instance, report: &mut Report) {
    let node = instance.node;
    if let Some(authentication) = node.get("authentication") {
        report.say(&rules::AUTHENTICATION, Some(authentication.line), authentication.statement());
    }
    if node.get("unicast_peer").is_none() {
        report.say(&rules::MULTICAST, Some(node.line), "no unicast_peer");
    }
    let advert = node.get("advert_int");
    let advert_line = Some(advert.unwrap_or(node).line);
    let shown = advert.map_or("advert_int 1, by default".into(), Node::statement);
    if instance.version == Version::V2 {
        if !instance.advert_ms.is_multiple_of(1000) {
            report.say(&rules::ADVERT_FRACTION, advert_line, &shown);
        }
        report.say(&rules::VERSION_2, Some(node.line), "version 2");
    }
    if instance.advert_ms >= 1000 {
        report.say(&rules::ADVERT_SLOW, advert_line, shown);
    }
    let skew = instance.timing().skew_ms();
    if skew > 150.0 {
        let line = node.get("priority").unwrap_or(node);
        report.say(&rules::SKEW, Some(line.line), format!("{}: {skew:.0} ms", line.statement()));
    }
    if let Some(state) = node.get("state").filter(|state| state.word(1) == "MASTER") {
        let rule = if instance.nopreempt() { &rules::MASTER_NOPREEMPT } else { &rules::STATE_MASTER };
        report.say(rule, Some(state.line), state.statement());
    }
    let addresses = instance.addresses();
    if let Some((line, address)) =
        addresses.iter().find(|(_, address)| address.is_ipv4() != addresses[0].1.is_ipv4())
    {
        report.say(&rules::FAMILIES, Some(*line), address.to_string());
    }
}

/// How it learns that haproxy is gone.
fn tracking(instance: &Instance, scripts: &Scripts, report: &mut Report) {
    let tracks = instance.tracks();
    for track in tracks.iter().filter(|track| matches!(track.kind, "track_script" | "track_file")) {
        let weight = scripts.weight(track);
        if weight != 0 && instance.nopreempt() {
            report.say(
                &rules::WEIGHT_NOPREEMPT,
                Some(track.node.line),
                format!("weight {weight} and nopreempt"),
            );
        } else if weight != 0 && track.kind == "track_script" {
            report.say(&rules::WEIGHT_SLOW, Some(track.node.line), format!("weight {weight}"));
        }
    }
    let line = Some(instance.node.line);
    let has = |kind: &str| tracks.iter().find(|track| track.kind == kind);
    if !["track_script", "track_file", "track_process", "track_bfd"].iter().any(|kind| has(kind).is_some()) {
        report.say(&rules::UNTRACKED, line, "");
    }
    if let Some(track) = has("track_file").filter(|_| has("track_script").is_none()) {
        report.say(&rules::TRACK_FILE_ALONE, Some(track.node.line), track.node.statement());
    }
    if let Some(track) = has("track_process") {
        report.say(&rules::TRACK_PROCESS, Some(track.node.line), track.node.statement());
    }
}

fn global(config: &Config, instances: &[Instance], report: &mut Report) {
    let globals: Vec<_> = config.find("global_defs").collect();
    let get = |name: &str| globals.iter().rev().find_map(|node| node.get(name));
    let line = globals.last().map(|node| node.line);
    let scripted = config.find("vrrp_script").next().is_some();
    if scripted && (get("enable_script_security").is_none() || get("script_user").is_none()) {
        report.say(&rules::SCRIPT_SECURITY, line, "");
    }
    if get("vrrp_garp_master_refresh").is_none()
        && instances.iter().all(|i| i.node.get("garp_master_refresh").is_none())
    {
        report.say(&rules::GARP_REFRESH, line, "");
    }
    if get("vrrp_higher_prio_send_advert").is_none()
        && instances.iter().all(|i| i.node.get("higher_prio_send_advert").is_none())
    {
        report.say(&rules::SPLIT_REPAIR, line, "");
    }
    if let Some(node) = get("vrrp_rt_priority") {
        report.say(&rules::REALTIME_RELOAD, Some(node.line), node.statement());
    }
    let quick = instances.iter().any(|instance| instance.advert_ms < 1000);
    if quick && get("vrrp_priority").or_else(|| get("vrrp_rt_priority")).is_none() {
        report.say(&rules::REALTIME, line, "");
    }
}
