//! `SELinux` and `AppArmor`.

use change::Wanted;

use crate::{Machine, Result, Want};
use change::Report;

const CONFIG: &str = "/etc/selinux/config";
const ENFORCE: &str = "/sys/fs/selinux/enforce";

pub(crate) fn look(machine: &Machine, want: &Want, report: &mut Report) -> Result<()> {
    selinux(machine, want, report)?;
    apparmor(machine, report);
    Ok(())
}

fn selinux(machine: &Machine, want: &Want, report: &mut Report) -> Result<()> {
    let text = machine.text(CONFIG)?.unwrap_or_default();
    let configured = (1..).zip(text.lines()).filter_map(|(number, line)| {
        Some((number, line.trim().strip_prefix("SELINUX=")?.trim().to_lowercase()))
    });
    let configured = configured.last();
    let running = machine.kernel_text(ENFORCE);
    let enforced = running.as_deref().map(str::trim) == Some("1");
    let Some((line, mode)) = configured else {
        if enforced {
            report.warns("selinux", "it is enforced, and no configuration says so").file(ENFORCE);
        } else {
            report.not_applicable("selinux", "it is not used here");
        }
        return Ok(());
    };
    if want.options.selinux_permissive && (mode == "enforcing" || enforced) {
        report
            .mends("selinux", "it was asked to be permissive")
            .file(CONFIG)
            .line(line)
            .current(mode)
            .want("permissive");
        report.wanted.push(machine.edited(CONFIG, permissive(&text)));
        if enforced {
            report.wanted.push(Wanted::setting(ENFORCE, Some("0")));
        }
        return Ok(());
    }
    // The policy package of containers; without it containerd's files get no label of theirs.
    let labels = ["/usr/share/selinux/packages/container.pp.bz2", "/usr/share/selinux/packages/container.pp"]
        .iter()
        .any(|path| machine.exists(path))
        || ["100", "200"].iter().any(|level| {
            machine.exists(&format!("/var/lib/selinux/targeted/active/modules/{level}/container"))
        });
    if mode == "enforcing" && !labels {
        report
            .fails("selinux", "it is enforced, and the policy knows nothing of containers")
            .file(CONFIG)
            .line(line)
            .current(mode)
            .fix("install container-selinux, or `node-prep apply --selinux permissive`")
            .reference(
                "https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/install-kubeadm/",
            );
    } else {
        report.pass("selinux", "Kubernetes works with it").file(CONFIG).line(line).current(mode);
    }
    Ok(())
}

/// The configuration with SELINUX=permissive and nothing else changed.
fn permissive(text: &str) -> String {
    let lines = text.split_inclusive('\n').map(|line| {
        if line.trim_start().starts_with("SELINUX=") {
            let end = &line[line.trim_end().len()..];
            format!("SELINUX=permissive{end}")
        } else {
            line.to_owned()
        }
    });
    lines.collect()
}

fn apparmor(machine: &Machine, report: &mut Report) {
    let enabled = machine.kernel_text("/sys/module/apparmor/parameters/enabled");
    let parser =
        ["/sbin/apparmor_parser", "/usr/sbin/apparmor_parser"].iter().any(|path| machine.exists(path));
    match enabled.as_deref().map(str::trim) {
        Some("Y") if !parser => {
            report
                .fails("apparmor", "the kernel has it, and without its parser containerd starts no container")
                .fix("install apparmor");
        }
        Some("Y") => {
            report.pass("apparmor", "containerd loads its profile").current("enabled");
        }
        _ => {
            report.not_applicable("apparmor", "it is not used here");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_mode_changes() {
        let text = "# SELINUX= can be\r\nSELINUX=enforcing\r\nSELINUXTYPE=targeted\r\n";
        assert_eq!(permissive(text), text.replace("=enforcing", "=permissive"));
    }
}
