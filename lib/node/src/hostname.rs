//! The hostname, and what else tells machines apart.

use change::Wanted;

use crate::{Machine, Result, Want};
use change::Report;

const FILE: &str = "/etc/hostname";
const MACHINE_ID: &str = "/etc/machine-id";

pub(crate) fn look(machine: &Machine, want: &Want, report: &mut Report) -> Result<()> {
    let name = &want.host.name;
    let text = machine.text(FILE)?.unwrap_or_default();
    let written = (1..).zip(text.lines()).find(|(_, line)| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with('#')
    });
    let running = machine.kernel_text("/proc/sys/kernel/hostname").map(|name| name.trim().to_owned());
    match written {
        Some((line, current)) if is(current.trim(), name) => {
            report
                .pass("hostname", "it is the platform's name")
                .file(FILE)
                .line(line)
                .current(current.trim());
            if let Some(now) = running.filter(|now| now != current.trim()) {
                live(now, current.trim(), report);
            }
        }
        written => {
            let finding =
                report.mends("hostname", "the kubelet registers the node by it").file(FILE).want(name);
            finding.line = written.map(|(line, _)| line);
            finding.current = written.map(|(_, current)| current.trim().to_owned());
            report.wanted.push(machine.edited(FILE, replaced(&text, name)));
            if let Some(now) = running.filter(|now| now != name) {
                live(now, name, report);
            }
        }
    }
    identity(machine, report)
}

/// Whether a hostname is this host's: the name alone, or with a domain, in the
/// lower case Kubernetes asks for (RFC 1123).
fn is(current: &str, name: &str) -> bool {
    let label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // The kernel keeps 64 bytes of a name.
    let domain = current.strip_prefix(name).and_then(|rest| rest.strip_prefix('.'));
    current == name || (current.len() <= 64 && domain.is_some_and(|domain| domain.split('.').all(label)))
}

fn live(now: String, want: &str, report: &mut Report) {
    report.mends("hostname-now", "the kubelet registers the node by it").current(now).want(want);
    report.wanted.push(Wanted::setting("hostname", Some(want)));
}

/// The file with another name, its comments kept (hostname(5)).
fn replaced(text: &str, name: &str) -> String {
    let comments = text.split_inclusive('\n').filter(|line| line.starts_with('#') && line.ends_with('\n'));
    comments.map(str::to_owned).chain([format!("{name}\n")]).collect()
}

/// Two machines cloned from one image share a machine-id; one of them alone
/// cannot know, so the finding carries it for whoever sees all.
fn identity(machine: &Machine, report: &mut Report) -> Result<()> {
    let id = machine.text(MACHINE_ID)?.map(|id| id.trim().to_owned()).unwrap_or_default();
    let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_id && !machine.is_running() {
        report
            .warns(
                "machine-id",
                "every machine made from this tree gets the same one, and so the same DHCP lease",
            )
            .file(MACHINE_ID)
            .current(id)
            .fix("empty the file: the first boot fills it")
            .reference("machine-id(5)");
    } else if is_id {
        report.pass("machine-id", "no other node may have it").file(MACHINE_ID).current(id);
    } else if machine.is_running() {
        report
            .fails("machine-id", "the machine has none, and leases and logs go by it")
            .file(MACHINE_ID)
            .fix("`systemd-machine-id-setup`")
            .reference("machine-id(5)");
    } else {
        report.pass("machine-id", "the first boot makes one").file(MACHINE_ID);
    }
    if machine.is_running() {
        const UUID: &str = "/sys/class/dmi/id/product_uuid";
        let uuid = machine.kernel_text(UUID).map(|uuid| uuid.trim().to_owned());
        if uuid.is_some() {
            report.pass("product-uuid", "no other node may have it").file(UUID).current = uuid;
        } else {
            report.not_applicable("product-uuid", "the machine has no DMI");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_does_not_matter_and_what_kubernetes_refuses_does() {
        assert!(is("cp1", "cp1") && is("cp1.example.org", "cp1"));
        for wrong in ["CP1", "cp1.", "cp10", "cp1.Example.org", "cp1.a_b", "", "cp1.-a"] {
            assert!(!is(wrong, "cp1"), "{wrong}");
        }
    }

    #[test]
    fn comments_stay() {
        assert_eq!(replaced("# ours\nlocalhost\n", "cp1"), "# ours\ncp1\n");
        assert_eq!(replaced("", "cp1"), "cp1\n");
    }
}
