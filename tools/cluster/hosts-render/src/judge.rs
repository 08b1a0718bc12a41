//! What /etc/hosts says, held against the platform.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use change::{Report, Wanted};
use conf::hosts::{Entry, Hosts};
use model::{Finding, Status};
use net::Family;
use node::Machine;
use platform::{Host, Named, Platform};

pub(crate) const TOOL: &str = "hosts-render";
pub(crate) const FILE: &str = "/etc/hosts";

/// What a machine without a table needs before ours.
const LOCALHOST: &str = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n";

const MARKS: &str = "hosts-marks";

/// The lines of the block.
pub(crate) fn lines(platform: &Platform) -> Vec<String> {
    named(platform).map(|line| line.to_string()).collect()
}

fn named(platform: &Platform) -> impl Iterator<Item = Named> {
    platform.hosts.iter().flat_map(|host| platform.names_of(host)).chain(platform.names_of_api())
}

/// Judges the table of a machine.
pub(crate) fn look(machine: &Machine, platform: &Platform, host: &Host) -> node::Result<Report> {
    let bytes = machine.bytes(FILE)?.unwrap_or_default();
    let mut report = Report::new(TOOL, &host.name);
    cloud_init(machine, &mut report)?;
    if let Some(wanted) = judge(&Hosts::new(bytes), platform, host, &mut report) {
        report.wanted.push(machine.edited(FILE, wanted.as_bytes()));
    }
    Ok(report)
}

/// cloud-init writes the table anew at every boot if it is told to manage it.
fn cloud_init(machine: &Machine, report: &mut Report) -> node::Result<()> {
    const DIRECTORY: &str = "/etc/cloud/cloud.cfg.d";
    const OURS: &str = "/etc/cloud/cloud.cfg.d/99-zz-hosts-render.cfg";
    const LEFT_ALONE: &str =
        "# By hosts-render: the block in /etc/hosts has to stay.\nmanage_etc_hosts: false\n";
    let parts = machine.files(DIRECTORY, "cfg").into_iter().map(|name| format!("{DIRECTORY}/{name}"));
    let mut last = None;
    for path in ["/etc/cloud/cloud.cfg".to_owned()].into_iter().chain(parts) {
        let text = machine.text(&path)?.unwrap_or_default();
        if let Some((line, value)) = managed(&text) {
            last = Some((path, line, value.to_owned()));
        }
    }
    if let Some((path, line, value)) = last.filter(|(.., value)| is_rewriting(value)) {
        let why = "cloud-init writes the file anew at every boot, and the block is gone";
        let finding = report.mends("hosts-cloud-init", why).file(path).line(line);
        finding.current(format!("manage_etc_hosts: {value}")).want("manage_etc_hosts: false");
        report.wanted.push(Wanted::file(OURS, LEFT_ALONE, 0o644));
    }
    // What the cloud hands over is not ours to edit, and stronger than all files.
    let user_data = "/var/lib/cloud/instance/cloud-config.txt";
    let text = machine.text(user_data)?.unwrap_or_default();
    if let Some((line, value)) = managed(&text).filter(|(_, value)| is_rewriting(value)) {
        let why = "the user data of the instance asks for it: cloud-init writes the file anew at every boot";
        let finding = report.fails("hosts-cloud-init", why).file(user_data).line(line);
        finding.current(format!("manage_etc_hosts: {value}")).fix("take it out of the instance's user data");
    }
    Ok(())
}

/// The last line that says whether cloud-init manages the table.
fn managed(text: &str) -> Option<(u32, &str)> {
    let lines = (1..).zip(text.lines());
    let values = lines.filter_map(|(line, text)| Some((line, text.strip_prefix("manage_etc_hosts:")?)));
    values.last().map(|(line, value)| {
        (line, value.split('#').next().unwrap_or(value).trim().trim_matches(['"', '\'']))
    })
}

/// `localhost` adds a line; what is true, or `template`, replaces the file.
fn is_rewriting(value: &str) -> bool {
    ["true", "yes", "on", "template"].iter().any(|yes| value.eq_ignore_ascii_case(yes))
}

/// What is wrong with the marks, a sentence each.
pub(crate) fn damage(report: &Report) -> impl Iterator<Item = String> {
    let found = report.findings.iter().map(|judged| &judged.finding);
    found
        .filter(|finding| finding.check == MARKS && finding.status == Status::Fail)
        .map(|finding| format!("line {}: {}", finding.line.unwrap_or_default(), finding.why))
}

/// The table as it ought to be; none if it is, or if its marks are damaged.
fn judge(now: &Hosts, platform: &Platform, host: &Host, report: &mut Report) -> Option<Hosts> {
    let cluster = &platform.cluster.name;
    let blocks = match now.blocks() {
        Ok(blocks) => blocks,
        Err(wrong) => {
            for error in wrong {
                let finding = report.fails(MARKS, error.problem.to_string());
                finding.file(FILE).line(error.line).fix("mend the mark, or delete the block's lines");
            }
            return None;
        }
    };
    let ours = blocks.iter().find(|block| block.name == *cluster);
    let mut wanted = now.clone();
    if now.as_bytes().is_empty() {
        wanted = Hosts::new(LOCALHOST);
    }
    // The marks were just found whole.
    let _ = wanted.put(cluster, &lines(platform));
    if wanted == *now {
        report.pass("hosts-block", "the block says what the platform says").file(FILE).line =
            ours.map(|block| block.first);
    } else {
        let why = "hosts that do not know each other's names cannot join the cluster";
        report.mends("hosts-block", why).file(FILE).line = ours.map(|block| block.first);
    }
    let outside = |entry: &Entry| ours.is_none_or(|ours| !(ours.first..=ours.last).contains(&entry.line));
    others(now.entries().filter(outside), platform, host, report);
    localhost(&wanted, report);
    (wanted != *now).then_some(wanted)
}

/// Lines that are somebody else's.
fn others(entries: impl Iterator<Item = Entry>, platform: &Platform, host: &Host, report: &mut Report) {
    let mut known: BTreeMap<String, Vec<IpAddr>> = BTreeMap::new();
    for line in named(platform) {
        for name in line.names {
            known.entry(name).or_default().push(line.address);
        }
    }
    let own: Vec<String> = platform.names_of(host).flat_map(|line| line.names).collect();
    let mut seen: HashMap<(String, Family), u32> = HashMap::new();
    for entry in entries {
        let mut told: BTreeMap<Trouble, Vec<&str>> = BTreeMap::new();
        for name in &entry.names {
            let lower = name.to_lowercase();
            let trouble = match known.get(&lower) {
                Some(addresses) if addresses.contains(&entry.address) => Trouble::Said,
                Some(_) if own.contains(&lower) && entry.address.is_loopback() => Trouble::Loopback,
                Some(_) => Trouble::Conflict,
                None => {
                    let first = *seen.entry((lower, Family::of(entry.address))).or_insert(entry.line);
                    if first != entry.line {
                        let finding = report.warns("hosts-duplicate", format!("line {first} names it too"));
                        finding.file(FILE).line(entry.line).current(format!("{} {name}", entry.address));
                    }
                    continue;
                }
            };
            told.entry(trouble).or_default().push(name);
            if *name != lower {
                let finding = report.warns("hosts-case", "Kubernetes knows names in lower case alone");
                finding.file(FILE).line(entry.line).current(name).want(lower).reference("RFC 1123");
            }
        }
        for (trouble, names) in told {
            let addresses = known[&names[0].to_lowercase()].iter().map(ToString::to_string);
            let names = names.join(" ");
            let finding = trouble.tell(report).file(FILE).line(entry.line);
            finding.current(format!("{} {names}", entry.address));
            finding.want(format!("{} {}", addresses.collect::<Vec<_>>().join(", "), names.to_lowercase()));
            finding.fix(format!("remove {names} from the line"));
        }
    }
}

/// What a line outside the block does to a name of the platform.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Trouble {
    Said,
    Loopback,
    Conflict,
}

impl Trouble {
    fn tell(self, report: &mut Report) -> &mut Finding {
        match self {
            Self::Said => report
                .warns("hosts-duplicate", "the block says so already, and will change without this line"),
            Self::Loopback => report
                .warns("hosts-loopback", "what asks for this host's own address gets one nobody else reaches")
                .reference("kubernetes-sigs/kubespray#2368"),
            Self::Conflict => report.fails(
                "hosts-conflict",
                "the name has two addresses, and which one is taken is a matter of luck",
            ),
        }
    }
}

/// Much asks for localhost, the kubelet's health check among it.
fn localhost(hosts: &Hosts, report: &mut Report) {
    let is = |entry: &Entry| entry.names.iter().any(|name| name.eq_ignore_ascii_case("localhost"));
    let named: Vec<Entry> = hosts.entries().filter(is).collect();
    if let Some(strange) = named.iter().find(|entry| !entry.address.is_loopback()) {
        report
            .fails("hosts-localhost", "localhost is another machine")
            .file(FILE)
            .line(strange.line)
            .current(strange.address.to_string())
            .want("127.0.0.1");
    } else if let Some(first) = named.first() {
        report.pass("hosts-localhost", "localhost is this machine").file(FILE).line(first.line);
    } else {
        report
            .warns("hosts-localhost", "no line names localhost, which not every resolver knows by itself")
            .file(FILE)
            .want("127.0.0.1 localhost")
            .fix("add the line")
            .reference("kubernetes-sigs/kubespray#2368");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLATFORM: &str =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/fixtures/examples/platform.yaml"));

    /// Checks that do not pass, with their lines.
    fn found(text: &str) -> Vec<(String, Status, Option<u32>)> {
        let named = PLATFORM.replace("network:\n", "network:\n  domain: lab.example\n");
        let platform = platform::parse(&named).unwrap();
        let mut report = Report::new(TOOL, "cp1");
        judge(&Hosts::new(text), &platform, platform.host("cp1").unwrap(), &mut report);
        let all = report.findings.into_iter().map(|judged| judged.finding);
        all.filter(|finding| finding.status != Status::Pass && finding.check != "hosts-block")
            .map(|finding| (finding.check, finding.status, finding.line))
            .collect()
    }

    fn one(text: &str) -> (String, Status, Option<u32>) {
        let mut found = found(&format!("127.0.0.1 localhost\n{text}"));
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }

    #[test]
    fn the_own_name_on_a_loopback_address_is_a_warning_and_anothers_a_failure() {
        let warning = ("hosts-loopback".into(), Status::Warn, Some(2));
        assert_eq!(one("127.0.1.1 cp1\n"), warning);
        assert_eq!(one("127.0.1.1 cp1.lab.example\n"), warning);
        assert_eq!(one("127.0.1.1 cp2\n"), ("hosts-conflict".into(), Status::Fail, Some(2)));
    }

    #[test]
    fn a_name_at_another_address_is_a_failure_and_at_its_own_a_warning() {
        assert_eq!(one("10.77.0.99 w1\n"), ("hosts-conflict".into(), Status::Fail, Some(2)));
        assert_eq!(one("10.77.0.31 w1 shop\n"), ("hosts-duplicate".into(), Status::Warn, Some(2)));
        assert!(found("127.0.0.1 localhost\n10.77.0.31 shop\n10.9.9.9 w1.other.example\n").is_empty());
    }

    #[test]
    fn upper_case_is_told_beside_what_else_is_wrong() {
        let found = found("127.0.0.1 localhost\n10.77.0.31 W1\n");
        let checks: Vec<_> = found.iter().map(|(check, ..)| check.as_str()).collect();
        assert_eq!(checks, ["hosts-case", "hosts-duplicate"]);
    }

    #[test]
    fn a_name_twice_is_told_once_a_family() {
        assert_eq!(
            one("::1 localhost\n10.0.0.1 a\n10.0.0.2 A\n"),
            ("hosts-duplicate".into(), Status::Warn, Some(4))
        );
    }

    #[test]
    fn cloud_init_is_asked_whether_it_replaces_the_file() {
        assert_eq!(
            managed("a: 1\nmanage_etc_hosts: localhost\nmanage_etc_hosts: 'True' # x\n"),
            Some((3, "True"))
        );
        assert_eq!(managed("  manage_etc_hosts: true\n# manage_etc_hosts: true\n"), None);
        assert!(is_rewriting("True") && is_rewriting("template"));
        assert!(!is_rewriting("localhost") && !is_rewriting("false") && !is_rewriting(""));
    }

    #[test]
    fn localhost_is_this_machine() {
        assert_eq!(found("10.0.0.1 a\n"), [("hosts-localhost".into(), Status::Warn, None)]);
        assert_eq!(found("10.0.0.1 localhost\n"), [("hosts-localhost".into(), Status::Fail, Some(1))]);
        assert!(found("").is_empty(), "an empty file gets its lines");
    }
}
