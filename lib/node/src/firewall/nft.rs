//! nftables: a file of ours, included last by the administrator's.

use std::process::Command;
use std::time::Duration;

use change::Wanted;
use conf::nftables::Script;
use net::{Cidr, Family};
use process::Limits;

use super::ports::{Proto, Rule};
use crate::{Error, Machine, Result};
use change::Report;

/// What nftables.service loads: Debian's, RHEL's.
const MAIN: [&str; 2] = ["/etc/nftables.conf", "/etc/sysconfig/nftables.conf"];
const FILE: &str = "/etc/bareplane/node.nft";
const INCLUDE: &str = "# By node-prep.\ninclude \"/etc/bareplane/node.nft\"\n";
/// Our chains, named after the hooks.
const CHAIN: &str = "bareplane_";
/// The comment on each jump; what follows tells one set of rules from another.
const MARK: &str = "bareplane ";
const TIMEOUT: Duration = Duration::from_secs(10);

/// What nftables.service loads.
pub(crate) struct Ruleset {
    main: String,
    text: String,
    script: Script,
}

impl Ruleset {
    pub(super) fn read(machine: &Machine) -> Result<Option<Self>> {
        for main in MAIN {
            let Some(text) = machine.text(main)? else { continue };
            let mut texts = vec![text.clone()];
            for pattern in Script::parse([text.as_str()]).includes.iter().filter(|path| *path != FILE) {
                for path in matching(machine, pattern) {
                    texts.extend(machine.text(&path)?);
                }
            }
            // A `flush ruleset` stands first in the main file: includes come behind.
            let script = Script::parse(texts.iter().map(String::as_str));
            return Ok(Some(Self { main: main.to_owned(), text, script }));
        }
        Ok(None)
    }

    /// Whether it can stop anything we need.
    pub(super) fn stops(&self) -> bool {
        self.jumps().next().is_some()
    }

    /// The chains that have to let us in: family, table, chain, hook.
    fn jumps(&self) -> impl Iterator<Item = (&str, &str, &str, &str)> {
        ["input", "forward"].into_iter().flat_map(|hook| {
            let chains = self.script.stopping(hook).filter(|chain| FAMILIES.contains(&&*chain.family));
            chains.map(move |chain| (&*chain.family, &*chain.table, &*chain.name, hook))
        })
    }
}

const FAMILIES: [&str; 3] = ["inet", "ip", "ip6"];

/// The files of an include, whose last part may have a `*`.
fn matching(machine: &Machine, pattern: &str) -> Vec<String> {
    let (directory, name) = pattern.rsplit_once('/').unwrap_or(("/etc", pattern));
    match name.split_once('*') {
        None => vec![format!("{directory}/{name}")],
        Some((start, end)) => {
            let names = machine.list(directory).into_iter();
            let names = names.filter(|name| {
                name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
            });
            names.map(|name| format!("{directory}/{name}")).collect()
        }
    }
}

pub(super) fn look(
    machine: &Machine,
    ruleset: &Ruleset,
    rules: &[Rule],
    pods: &[Cidr],
    report: &mut Report,
) -> Result<()> {
    let (text, state) = rendered(ruleset, rules, pods);
    let tables = tables(ruleset);
    let included = ruleset.script.includes.iter().any(|path| path == FILE);
    let written = included && machine.text(FILE)?.as_deref() == Some(&text);
    let loaded = if machine.is_running() { jumps(&tables)? } else { None };
    // Tables that are not loaded are no firewall now; the next boot loads all.
    let live = match &loaded {
        Some(jumps) => state_of(jumps).as_deref() == Some(&state),
        None => true,
    };
    if !written && machine.is_running() {
        let whole = if included { ruleset.text.clone() } else { with_include(&ruleset.text) };
        let whole = whole.replace("include \"/etc/bareplane/node.nft\"", &text);
        if let Some(why) = refused(&whole)? {
            report.fails("firewall", format!("nft would not load it: {why}")).file(&ruleset.main);
            return Ok(());
        }
    }
    super::opened(report, written && live, "nftables", FILE, rules);
    // First what is included, then the line: a boot in between loads the old rules.
    report.wanted.push(Wanted::file(FILE, text, 0o644));
    if !included {
        report.wanted.push(machine.edited(&ruleset.main, with_include(&ruleset.text)));
    }
    if loaded.is_some() {
        report.wanted.push(Wanted::setting(name(&tables), Some(&state)));
    }
    Ok(())
}

fn with_include(text: &str) -> String {
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    format!("{text}{end}{INCLUDE}")
}

/// Our file, and the state it makes once loaded.
fn rendered(ruleset: &Ruleset, rules: &[Rule], pods: &[Cidr]) -> (String, String) {
    let mut body = String::new();
    let mut done: Vec<(&str, &str, &str)> = Vec::new();
    for (family, table, _, hook) in ruleset.jumps() {
        if !done.contains(&(family, table, hook)) {
            done.push((family, table, hook));
            let lines: String = match hook {
                "input" => rules.iter().flat_map(|rule| accepts(rule, family)).collect(),
                _ => pods.iter().filter_map(|cidr| forwards(cidr, family)).collect(),
            };
            body += &format!("table {family} {table} {{\n\tchain {CHAIN}{hook} {{\n{lines}\t}}\n}}\n");
        }
    }
    let version = &files::sha256_hex(body.as_bytes())[..12];
    for (family, table, chain, hook) in ruleset.jumps() {
        body +=
            &format!("insert rule {family} {table} {chain} jump {CHAIN}{hook} comment \"{MARK}{version}\"\n");
    }
    let head = "# By node-prep: what Kubernetes needs to come in. Loaded behind the administrator's rules.\n";
    (format!("{head}{body}"), state(version, ruleset.jumps().count()))
}

fn state(version: &str, jumps: usize) -> String {
    format!("{version} in {jumps} chains")
}

/// The nft rules of one rule, for each family of addresses the table sees.
fn accepts(rule: &Rule, family: &str) -> Vec<String> {
    let what = match (rule.proto, rule.range("-")) {
        (Proto::Tcp | Proto::Udp, Some(range)) => format!("{} dport {range}", rule.proto.name()),
        (Proto::Other(number, _), _) => format!("meta l4proto {number}"),
        (proto, None) => format!("meta l4proto {}", proto.name()),
    };
    let line = |from: &str| format!("\t\t{from}{what} accept comment \"{}\"\n", rule.name);
    if rule.from.is_empty() {
        return vec![line("")];
    }
    let sides = [("ip", Family::V4), ("ip6", Family::V6)].into_iter();
    let sides = sides.filter(|(name, _)| family == "inet" || family == *name);
    sides
        .filter_map(|(name, side)| {
            let list = rule.sources(side)?.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            Some(line(&format!("{name} saddr {{ {list} }} ")))
        })
        .collect()
}

fn forwards(cidr: &Cidr, family: &str) -> Option<String> {
    let side = if cidr.family() == Family::V4 { "ip" } else { "ip6" };
    (family == "inet" || family == side).then(|| {
        format!("\t\t{side} saddr {cidr} accept comment \"pods\"\n\t\t{side} daddr {cidr} accept comment \"pods\"\n")
    })
}

/// The tables we add to, `FAMILY NAME` each.
fn tables(ruleset: &Ruleset) -> Vec<String> {
    let mut tables: Vec<String> =
        ruleset.jumps().map(|(family, table, ..)| format!("{family} {table}")).collect();
    tables.dedup();
    tables.sort();
    tables.dedup();
    tables
}

/// The setting of these tables.
fn name(tables: &[String]) -> String {
    format!("nft {}", tables.join(", "))
}

fn nft(arguments: &[&str], input: &str) -> Result<process::Finished> {
    let limits = Limits { input: input.into(), output_bytes: 8 << 20, ..Limits::within(TIMEOUT) };
    process::run(Command::new("nft").args(arguments), &limits).map_err(|error| Error::Mute(error.to_string()))
}

/// Why nft would not load a script; `None` if it would.
fn refused(script: &str) -> Result<Option<String>> {
    let done = nft(&["-c", "-f", "-"], script)?;
    let why = String::from_utf8_lossy(&done.stderr);
    Ok((!done.end.success()).then(|| why.lines().next().unwrap_or("no reason given").to_owned()))
}

/// What is loaded of our rules; `None` if nothing is.
fn state_of(jumps: &[Jump]) -> Option<String> {
    let version = &jumps.first()?.version;
    let whole = jumps.iter().all(|jump| jump.version == *version);
    Some(if whole { state(version, jumps.len()) } else { "a mixture".to_owned() })
}

/// One of our jumps as the kernel has it.
struct Jump {
    table: String,
    chain: String,
    handle: String,
    version: String,
}

/// Our jumps in these tables; `None` if one of the tables is not loaded.
fn jumps(tables: &[String]) -> Result<Option<Vec<Jump>>> {
    let mut found = Vec::new();
    for table in tables {
        let words: Vec<&str> = ["-a", "list", "table"].into_iter().chain(table.split(' ')).collect();
        let done = nft(&words, "")?;
        if !done.end.success() {
            return Ok(None);
        }
        found.extend(read_jumps(table, &String::from_utf8_lossy(&done.stdout)));
    }
    Ok(Some(found))
}

/// Our jumps in what `nft -a list table` prints.
fn read_jumps(table: &str, listing: &str) -> Vec<Jump> {
    let mut chain = String::new();
    let mut found = Vec::new();
    for line in listing.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("chain ") {
            name.split(' ').next().unwrap_or_default().clone_into(&mut chain);
        }
        let Some((_, rest)) = line.split_once(&format!("comment \"{MARK}")) else { continue };
        if let Some((version, handle)) = rest.split_once("\" # handle ") {
            let (table, handle) = (table.to_owned(), handle.trim().to_owned());
            found.push(Jump { table, chain: chain.clone(), handle, version: version.to_owned() });
        }
    }
    found
}

/// Reads the setting `nft TABLES`.
pub(crate) fn read(tables: &str) -> Result<Option<String>> {
    Ok(jumps(&split(tables))?.and_then(|jumps| state_of(&jumps)))
}

/// Loads our file anew, or takes our rules out: in one move either way.
pub(crate) fn write(machine: &Machine, tables: &str, value: Option<&str>) -> Result<()> {
    let tables = split(tables);
    let mut script = String::new();
    for Jump { table, chain, handle, .. } in jumps(&tables)?.unwrap_or_default() {
        script += &format!("delete rule {table} {chain} handle {handle}\n");
    }
    for table in &tables {
        for hook in ["input", "forward"] {
            // Declared first, so that there is something to delete.
            let chain = format!("{table} {CHAIN}{hook}");
            script += &format!("add chain {chain}\nflush chain {chain}\ndelete chain {chain}\n");
        }
    }
    if value.is_some() {
        script += &machine.text(FILE)?.unwrap_or_default();
    }
    let done = nft(&["-f", "-"], &script)?;
    if done.end.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&done.stderr);
    Err(Error::Mute(format!("nft: {}", why.lines().next().unwrap_or("no reason given"))))
}

fn split(tables: &str) -> Vec<String> {
    tables.split(", ").map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jumps_are_found_with_their_handles() {
        let listing = "table inet filter { # handle 1\n\tchain input { # handle 1\n\t\ttype filter hook input priority filter; policy drop;\n\t\tjump bareplane_input comment \"bareplane 0a1b\" # handle 7\n\t\tct state established accept # handle 2\n\t}\n}\n";
        let found = read_jumps("inet filter", listing);
        assert_eq!(found.len(), 1);
        assert_eq!((&*found[0].chain, &*found[0].handle, &*found[0].version), ("input", "7", "0a1b"));
    }

    #[test]
    fn each_family_of_a_table_gets_its_sources() {
        let from = vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let rule = Rule { name: "kubelet", proto: Proto::Tcp, ports: Some((10250, 10250)), from };
        assert_eq!(accepts(&rule, "inet").len(), 2);
        assert_eq!(
            accepts(&rule, "ip6"),
            ["\t\tip6 saddr { fd00::/8 } tcp dport 10250 accept comment \"kubelet\"\n"]
        );
        let vrrp = Rule { name: "VRRP", proto: Proto::Other(112, "vrrp"), ports: None, from: Vec::new() };
        assert_eq!(accepts(&vrrp, "ip"), ["\t\tmeta l4proto 112 accept comment \"VRRP\"\n"]);
    }
}
