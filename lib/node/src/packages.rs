//! Programs the kubelet, kubeadm and kube-proxy start, and upgrades.
//!
//! What counts is that the program is there, not which package brought it.

use conf::os_release::Family;
use platform::Role;

use crate::{Machine, Result, Want};
use change::Report;

/// Which upgrades are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Upgrade {
    /// None.
    #[default]
    None,
    /// Those that mend security.
    Security,
    /// All.
    All,
}

/// A program, and its package on Debian and RHEL.
type Needed = (&'static str, &'static str, &'static str);

const NODE: [Needed; 9] = [
    ("conntrack", "conntrack", "conntrack-tools"),
    ("ethtool", "ethtool", "ethtool"),
    ("ip", "iproute2", "iproute"),
    ("tc", "iproute2", "iproute-tc"),
    ("iptables", "iptables", "iptables-nft"),
    ("ebtables", "ebtables", "iptables-nft"),
    ("modprobe", "kmod", "kmod"),
    ("mount", "mount", "util-linux"),
    ("socat", "socat", "socat"),
];
const BALANCER: [Needed; 3] = [
    ("haproxy", "haproxy", "haproxy"),
    ("keepalived", "keepalived", "keepalived"),
    ("ip", "iproute2", "iproute"),
];
const PATH: [&str; 6] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin"];

/// The programs this host needs and does not have.
pub fn missing_commands(machine: &Machine, want: &Want) -> Vec<&'static str> {
    missing(machine, want).map(|(command, ..)| command).collect()
}

/// The packages that bring them, each once; none on a system that has neither apt nor dnf.
///
/// # Errors
/// Fails if os-release cannot be read.
pub fn missing_packages(machine: &Machine, want: &Want) -> Result<Vec<&'static str>> {
    let family = machine.os()?.family();
    let mut packages: Vec<_> = missing(machine, want).filter_map(|needed| package(&needed, family)).collect();
    packages.sort_unstable();
    packages.dedup();
    Ok(packages)
}

fn missing<'a>(machine: &'a Machine, want: &'a Want) -> impl Iterator<Item = Needed> + 'a {
    let node = NODE.into_iter().filter(|_| want.is_node());
    let balancer = BALANCER.into_iter().filter(|_| want.host.is(Role::Lb));
    let has = |command: &str| PATH.iter().any(|directory| machine.exists(&format!("{directory}/{command}")));
    node.chain(balancer).filter(move |(command, ..)| !has(command))
}

fn package(needed: &Needed, family: Family) -> Option<&'static str> {
    match family {
        Family::Debian => Some(needed.1),
        Family::RedHat => Some(needed.2),
        Family::Other => None,
    }
}

pub(crate) fn look(machine: &Machine, want: &Want, report: &mut Report) -> Result<()> {
    let family = machine.os()?.family();
    let mut all = true;
    for needed in missing(machine, want) {
        all = false;
        let why = format!("{} is started by what runs here", needed.0);
        let finding = if machine.is_running() && family != Family::Other {
            report.mends("package", why)
        } else {
            report.fails("package", why)
        };
        finding.want(needed.0);
        finding.fix = package(&needed, family).map(|package| format!("install {package}"));
    }
    if all {
        report.pass("package", "every program Kubernetes starts is there");
    }
    reboot(machine, family, report)?;
    Ok(())
}

/// An upgrade may leave the old kernel or libraries running.
fn reboot(machine: &Machine, family: Family, report: &mut Report) -> Result<()> {
    const FILE: &str = "/run/reboot-required";
    if machine.kernel_has(FILE) {
        let packages = machine.text("/run/reboot-required.pkgs")?.unwrap_or_default();
        let packages: Vec<_> = packages.split_whitespace().collect();
        report
            .warns("reboot-required", "what was upgraded runs only after a reboot")
            .file(FILE)
            .current(packages.join(" "))
            .fix("drain the node, then reboot it");
        return Ok(());
    }
    let newest = machine.list("/lib/modules").into_iter().max_by(|a, b| numbers(a).cmp(&numbers(b)));
    if let (Family::RedHat, Some(running), Some(newest)) = (family, machine.kernel(), newest)
        && numbers(&newest) > numbers(&running)
    {
        report
            .warns("reboot-required", "a newer kernel is installed than the one that runs")
            .current(running)
            .want(newest)
            .fix("drain the node, then reboot it");
    }
    Ok(())
}

/// The numbers of a kernel release, for comparing.
fn numbers(release: &str) -> Vec<u64> {
    release.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}
