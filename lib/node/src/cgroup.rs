//! Control groups: version 2, kept by systemd.

use conf::os_release::Family;
use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, statfs};

use crate::{Machine, Want};
use change::Report;

const MOUNT: &str = "/sys/fs/cgroup";
const REFERENCE: &str = "https://kubernetes.io/docs/concepts/architecture/cgroups/";
/// From this version on the kubelet refuses version 1 unless told not to (failCgroupV1).
const REFUSES: (u32, u32) = (1, 35);

pub(crate) fn look(machine: &Machine, want: &Want, report: &mut Report) {
    if !want.is_node() {
        report.not_applicable("cgroup", "no kubelet runs here");
        return;
    }
    let (major, minor) = want.kubernetes();
    let refuses = (major, minor) >= REFUSES;
    let fix = "take systemd.unified_cgroup_hierarchy=0 and cgroup_no_v1 off the kernel's command line \
               (or add systemd.unified_cgroup_hierarchy=1), then reboot";
    match version(machine) {
        Some(2) => {
            report.pass("cgroup", "control groups are version 2").current("v2");
        }
        Some(_) if refuses => {
            let why = format!("the kubelet of {major}.{minor} refuses control groups version 1");
            report.fails("cgroup", why).current("v1").want("v2").fix(fix).reference(REFERENCE);
        }
        Some(_) => {
            let why = "the kubelet refuses control groups version 1 from 1.35 on";
            report.warns("cgroup", why).current("v1").want("v2").fix(fix).reference(REFERENCE);
        }
        None => {
            report
                .unknown("cgroup", "which version this system starts with is not known")
                .want("v2")
                .reference(REFERENCE);
        }
    }
    if machine.is_running() && !machine.kernel_has("/run/systemd/system") {
        report
            .warns(
                "cgroup-driver",
                "systemd does not run here: kubelet and containerd need the cgroupfs driver",
            )
            .reference(REFERENCE);
    } else {
        report.pass("cgroup-driver", "systemd keeps the control groups: the driver is systemd");
    }
}

/// The version of the control groups; for a tree what its system starts with.
pub(crate) fn version(machine: &Machine) -> Option<u8> {
    if machine.is_running() {
        let found = statfs(MOUNT).ok()?;
        return Some(if found.filesystem_type() == CGROUP2_SUPER_MAGIC { 2 } else { 1 });
    }
    for path in ["/etc/default/grub", "/etc/kernel/cmdline", "/etc/default/grub.d/50-cloudimg-settings.cfg"] {
        let text = machine.text(path).ok().flatten().unwrap_or_default();
        let lines = || text.lines().filter(|line| !line.trim_start().starts_with('#'));
        let says = |value: &str| {
            lines().any(|line| line.contains(&format!("systemd.unified_cgroup_hierarchy={value}")))
        };
        match (says("0") || says("false") || says("no"), says("1") || says("true")) {
            (true, false) => return Some(1),
            (false, true) => return Some(2),
            _ => {}
        }
    }
    let os = machine.os().ok()?;
    let release: f32 = os.version.as_deref()?.parse().ok()?;
    // The first releases whose systemd mounts version 2 unasked.
    let first = match (os.id.as_str(), os.family()) {
        ("debian", _) => 11.0,
        ("ubuntu", _) => 21.10,
        ("fedora", _) => 31.0,
        (_, Family::RedHat) => 9.0,
        _ => return None,
    };
    Some(if release >= first { 2 } else { 1 })
}
