//! The firewall that runs here, opened for what the host's roles need.
//!
//! Calico and kube-proxy write rules of their own, so nothing that is there is
//! flushed: each firewall gets additions in the place it keeps for them. In
//! nftables an `accept` in a table of our own would not help against a `drop`
//! in another, so the chains that can stop a packet jump to ours first.

mod firewalld;
pub(crate) mod nft;
pub(crate) mod ports;
mod ufw;

use change::Wanted;

use crate::machine::mask;
use crate::{Machine, Result, Want};
use change::Report;

/// Rules loaded by services that keep them as a dump of iptables.
const IPTABLES: [&str; 3] =
    ["netfilter-persistent.service", "iptables.service", "iptables-persistent.service"];

enum Active {
    Firewalld,
    Ufw,
    Nftables(nft::Ruleset),
    Iptables(&'static str),
    Nothing,
}

pub(crate) fn look(machine: &Machine, want: &Want, report: &mut Report) -> Result<()> {
    let active = active(machine)?;
    if want.options.disable_firewall {
        return disable(&active, machine, report);
    }
    let rules = ports::rules(want);
    let pods = if want.is_node() { ports::pods(want.platform) } else { Vec::new() };
    match active {
        Active::Firewalld => firewalld::look(machine, want, &rules, &pods, report),
        Active::Ufw => ufw::look(machine, &rules, &pods, report),
        Active::Nftables(ruleset) => nft::look(machine, &ruleset, &rules, &pods, report),
        Active::Iptables(unit) => {
            let needed: Vec<_> = rules.iter().map(said).collect();
            report
                .unknown("firewall", "rules dumped by iptables-save are loaded at boot, and not ours to edit")
                .current(unit)
                .want(needed.join(", "))
                .fix("open these by hand, or turn the service off");
            Ok(())
        }
        Active::Nothing => {
            report.pass("firewall", "no firewall is active: nothing to open");
            Ok(())
        }
    }
}

/// The firewall that is really in charge.
fn active(machine: &Machine) -> Result<Active> {
    if machine.is_enabled("firewalld.service") || runs(machine, "firewalld.service") {
        return Ok(Active::Firewalld);
    }
    if ufw::is_on(machine)? {
        return Ok(Active::Ufw);
    }
    if machine.is_enabled("nftables.service")
        && let Some(ruleset) = nft::Ruleset::read(machine)?
        && ruleset.stops()
    {
        return Ok(Active::Nftables(ruleset));
    }
    Ok(match IPTABLES.into_iter().find(|unit| machine.is_enabled(unit)) {
        Some(unit) => Active::Iptables(unit),
        None => Active::Nothing,
    })
}

/// Whether a service has processes, which its control group tells without a question to systemd.
pub(crate) fn runs(machine: &Machine, unit: &str) -> bool {
    ["/sys/fs/cgroup/system.slice", "/sys/fs/cgroup/systemd/system.slice"].iter().any(|slice| {
        let processes = machine.kernel_text(&format!("{slice}/{unit}/cgroup.procs"));
        processes.is_some_and(|text| !text.trim().is_empty())
    })
}

fn disable(active: &Active, machine: &Machine, report: &mut Report) -> Result<()> {
    let unit = match active {
        Active::Nothing => {
            report.pass("firewall", "no firewall is active");
            return Ok(());
        }
        Active::Ufw => {
            report.mends("firewall", "it was asked to be off").current("ufw").want("off");
            report.wanted.extend(ufw::off(machine)?);
            return Ok(());
        }
        Active::Firewalld => "firewalld.service",
        Active::Nftables(_) => "nftables.service",
        Active::Iptables(unit) => unit,
    };
    report.mends("firewall", "it was asked to be off").current(unit).want("masked");
    report.wanted.push(mask(unit));
    // Stopping nftables.service would flush what kube-proxy and Calico have
    // loaded: its own rules stay until the next boot.
    if *active_name(active) == *"firewalld" && runs(machine, unit) {
        report.wanted.push(Wanted::setting(format!("service {unit}"), None));
    } else if machine.is_running() {
        report
            .warns("firewall-now", "rules that are loaded stay until the next boot")
            .current(unit)
            .fix("reboot");
    }
    Ok(())
}

fn active_name(active: &Active) -> &'static str {
    match active {
        Active::Firewalld => "firewalld",
        Active::Ufw => "ufw",
        Active::Nftables(_) => "nftables",
        Active::Iptables(_) => "iptables",
        Active::Nothing => "none",
    }
}

/// A rule for eyes: `kubelet tcp/10250`.
fn said(rule: &ports::Rule) -> String {
    match rule.range("-") {
        Some(range) => format!("{} {}/{range}", rule.name, rule.proto.name()),
        None => format!("{} protocol {}", rule.name, rule.proto.name()),
    }
}

/// The finding all firewalls share.
fn opened(report: &mut Report, done: bool, firewall: &str, file: &str, rules: &[ports::Rule]) {
    let list = rules.iter().map(said).collect::<Vec<_>>().join(", ");
    let why = "what the host's roles need has to come in";
    let finding = if done { report.pass("firewall", why) } else { report.mends("firewall", why) };
    finding
        .file(file)
        .current(firewall)
        .want(list)
        .reference("https://kubernetes.io/docs/reference/networking/ports-and-protocols/");
}
