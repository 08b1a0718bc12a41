//! firewalld: elements of its zone files, which it reads again when told to.

use change::Wanted;
use net::{Cidr, Family};

use super::ports::{Proto, Rule};
use crate::{Machine, Result, Want};
use change::Report;

const CONF: &str = "/etc/firewalld/firewalld.conf";
const EMPTY: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<zone>\n</zone>\n";

pub(super) fn look(
    machine: &Machine,
    want: &Want,
    rules: &[Rule],
    pods: &[Cidr],
    report: &mut Report,
) -> Result<()> {
    let zone = zone(machine, want)?;
    let elements: Vec<String> = rules.iter().flat_map(elements).collect();
    let (file, done) = complete(machine, &zone, &elements, report)?;
    // What pods send is let in, and on to other pods, as from a trusted network.
    let sources: Vec<_> = pods.iter().map(|cidr| format!("<source address=\"{cidr}\"/>")).collect();
    let trusted = sources.is_empty() || complete(machine, "trusted", &sources, report)?.1;
    super::opened(report, done && trusted, &format!("firewalld, zone {zone}"), &file, rules);
    Ok(())
}

/// The zone of the host's interface: the one that names it, else the default.
fn zone(machine: &Machine, want: &Want) -> Result<String> {
    if let Some(interface) = &want.host.interface {
        for name in machine.list("/etc/firewalld/zones") {
            let text = machine.text(&format!("/etc/firewalld/zones/{name}"))?.unwrap_or_default();
            if let Some(zone) = name.strip_suffix(".xml")
                && bare(&text).contains(&bare(&format!("<interface name=\"{interface}\"/>")))
            {
                return Ok(zone.to_owned());
            }
        }
    }
    let text = machine.text(CONF)?.unwrap_or_default();
    let zone = text.lines().filter_map(|line| line.trim().strip_prefix("DefaultZone=")).next_back();
    Ok(zone.map_or("public", str::trim).to_owned())
}

/// Wants a zone to have these elements; its file, and whether it has them.
fn complete(
    machine: &Machine,
    zone: &str,
    elements: &[String],
    report: &mut Report,
) -> Result<(String, bool)> {
    let own = format!("/etc/firewalld/zones/{zone}.xml");
    let text = match machine.text(&own)? {
        Some(text) => text,
        None => {
            machine.text(&format!("/usr/lib/firewalld/zones/{zone}.xml"))?.unwrap_or_else(|| EMPTY.to_owned())
        }
    };
    let has = bare(&text);
    let missing: String = elements
        .iter()
        .filter(|element| !has.contains(&bare(element)))
        .map(|element| format!("  {element}\n"))
        .collect();
    if !missing.is_empty()
        && let Some(end) = text.rfind("</zone>")
    {
        let edited = format!("{}{missing}{}", &text[..end], &text[end..]);
        report.wanted.push(if machine.exists(&own) {
            machine.edited(&own, edited)
        } else {
            Wanted::file(&own, edited, 0o600)
        });
    }
    Ok((own, missing.is_empty()))
}

/// XML without the blanks between and within its elements: firewalld writes its
/// files anew whenever somebody uses `firewall-cmd --permanent`.
fn bare(xml: &str) -> String {
    xml.split_whitespace().collect()
}

/// The elements of a rule: a plain port, or a rich rule for each source.
fn elements(rule: &Rule) -> Vec<String> {
    let what = match (rule.proto, rule.range("-")) {
        (Proto::Other(_, name), _) => format!("<protocol value=\"{name}\"/>"),
        (proto, range) => {
            format!("<port port=\"{}\" protocol=\"{}\"/>", range.unwrap_or_default(), proto.name())
        }
    };
    if rule.from.is_empty() {
        return vec![what];
    }
    let rich = |cidr: &Cidr| {
        let family = if cidr.family() == Family::V4 { "ipv4" } else { "ipv6" };
        format!("<rule family=\"{family}\"><source address=\"{cidr}\"/>{what}<accept/></rule>")
    };
    rule.from.iter().map(rich).collect()
}
