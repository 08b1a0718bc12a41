//! ufw: a block of ours in before.rules and before6.rules.
//!
//! Its own commands cannot say "protocol 4" or "protocol 112"; these two files
//! are the administrator's, and ufw loads them before its own rules (ufw-framework(8)).

use change::Wanted;
use net::{Cidr, Family};

use super::ports::Rule;
use crate::{Machine, Result};
use change::Report;

const CONF: &str = "/etc/ufw/ufw.conf";
const BEGIN: &str = "# node-prep: what Kubernetes needs to come in\n";
const END: &str = "# node-prep: end\n";

/// Whether ufw filters.
pub(super) fn is_on(machine: &Machine) -> Result<bool> {
    let text = machine.text(CONF)?.unwrap_or_default();
    let on = text.lines().filter_map(|line| line.trim().strip_prefix("ENABLED=")).next_back();
    Ok(on.is_some_and(|on| on.trim_matches(['"', '\'', ' ']).eq_ignore_ascii_case("yes")))
}

/// Its configuration, turned off.
pub(super) fn off(machine: &Machine) -> Result<Option<Wanted>> {
    let Some(text) = machine.text(CONF)? else { return Ok(None) };
    let lines = text
        .split_inclusive('\n')
        .map(|line| if line.trim_start().starts_with("ENABLED=") { "ENABLED=no\n" } else { line });
    Ok(Some(machine.edited(CONF, lines.collect::<String>())))
}

pub(super) fn look(machine: &Machine, rules: &[Rule], pods: &[Cidr], report: &mut Report) -> Result<()> {
    let mut done = true;
    for (file, chain, family) in [
        ("/etc/ufw/before.rules", "ufw-before", Family::V4),
        ("/etc/ufw/before6.rules", "ufw6-before", Family::V6),
    ] {
        let Some(text) = machine.text(file)? else { continue };
        let Some(edited) = with_block(&text, &block(rules, pods, chain, family)) else {
            report.fails("firewall", format!("{file} has no *filter table that ends with COMMIT"));
            return Ok(());
        };
        done &= edited == text;
        report.wanted.push(machine.edited(file, edited));
    }
    super::opened(report, done, "ufw", "/etc/ufw/before.rules", rules);
    Ok(())
}

fn block(rules: &[Rule], pods: &[Cidr], chain: &str, family: Family) -> String {
    let mut text = BEGIN.to_owned();
    for rule in rules {
        let Some(sources) = rule.sources(family) else { continue };
        let port = rule.range(":").map(|range| format!(" --dport {range}")).unwrap_or_default();
        let proto = match rule.proto {
            super::ports::Proto::Other(number, _) => number.to_string(),
            proto => proto.name().to_owned(),
        };
        let mut line = |from: String| {
            text += &format!("-A {chain}-input{from} -p {proto}{port} -j ACCEPT\n");
        };
        if rule.from.is_empty() {
            line(String::new());
        }
        sources.iter().for_each(|source| line(format!(" -s {source}")));
    }
    for cidr in pods.iter().filter(|cidr| cidr.family() == family) {
        text += &format!("-A {chain}-forward -s {cidr} -j ACCEPT\n-A {chain}-forward -d {cidr} -j ACCEPT\n");
    }
    text + END
}

/// The file with this block, which replaces the one it has; `None` if there is no place for it.
fn with_block(text: &str, block: &str) -> Option<String> {
    let bare = match (text.find(BEGIN), text.find(END)) {
        (Some(begin), Some(end)) if begin < end => format!("{}{}", &text[..begin], &text[end + END.len()..]),
        _ => text.to_owned(),
    };
    let mut at = 0;
    let mut filter = false;
    for line in bare.split_inclusive('\n') {
        match line.trim() {
            "*filter" => filter = true,
            "COMMIT" if filter => return Some(format!("{}{block}{}", &bare[..at], &bare[at..])),
            _ => {}
        }
        at += line.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_stands_before_the_commit_of_the_filter_and_is_replaced_there() {
        let text = "*nat\nCOMMIT\n*filter\n:ufw-before-input - [0:0]\nCOMMIT\n";
        let once = with_block(text, &format!("{BEGIN}a\n{END}")).unwrap();
        assert_eq!(
            once,
            format!("*nat\nCOMMIT\n*filter\n:ufw-before-input - [0:0]\n{BEGIN}a\n{END}COMMIT\n")
        );
        assert_eq!(with_block(&once, &format!("{BEGIN}a\n{END}")).unwrap(), once);
        assert!(with_block(&once, &format!("{BEGIN}b\n{END}")).unwrap().contains("\nb\n"));
        assert_eq!(with_block("*nat\nCOMMIT\n", "x"), None);
    }
}
