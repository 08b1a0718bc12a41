//! Kernel modules, judged by what they do rather than by what modprobe says.
//!
//! A module built into the kernel never shows among the loaded ones, and in a
//! container modprobe fails although the kernel has everything. What counts is
//! that /proc/sys/net/bridge is there.

use change::Wanted;
use platform::Encap;

use crate::{Machine, Result, Want};
use change::Report;

const FILE: &str = "/etc/modules-load.d/bareplane-node.conf";

/// Whether a kernel has a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It works now.
    Works,
    /// It is part of the kernel.
    BuiltIn,
    /// It can be loaded.
    Loadable,
    /// The kernel has none.
    Missing,
    /// Nobody knows which kernel will run.
    NoKernel,
}

pub(crate) fn look(machine: &Machine, want: &Want, report: &mut Report) -> Result<()> {
    if !want.is_node() {
        report.not_applicable("modules", "no kubelet runs here");
        return Ok(());
    }
    let names = needed(want);
    let forbidden = forbidden(machine)?;
    for (name, why) in &names {
        if let Some((file, line, _)) = forbidden.iter().find(|(.., module)| module == name) {
            report
                .fails("module", format!("{why}, and this line keeps {name} from being loaded"))
                .file(file)
                .line(*line)
                .current(*name)
                .fix("take the line out");
            continue;
        }
        judge(machine, name, why, report)?;
    }
    let text: String = names.iter().map(|(name, _)| format!("{name}\n")).collect();
    let text = format!("# By node-prep: what Kubernetes and Calico need of the kernel.\n{text}");
    if machine.text(FILE)?.as_deref() == Some(&text) {
        report.pass("modules-file", "they are loaded at every boot").file(FILE);
    } else {
        report.mends("modules-file", "what is not listed there is not loaded at boot").file(FILE);
        report.wanted.push(Wanted::file(FILE, text, 0o644));
    }
    Ok(())
}

/// The modules this host needs, and what for.
fn needed(want: &Want) -> Vec<(&'static str, &'static str)> {
    let mut names = vec![
        ("overlay", "containers lie on overlay file systems"),
        ("br_netfilter", "bridged traffic of pods has to pass the firewall rules of services"),
        ("nf_conntrack", "kube-proxy keeps track of connections"),
    ];
    if let Some(cni) = &want.platform.cluster.cni {
        match cni.encap {
            Encap::None => {}
            Encap::Ipip | Encap::IpipCrossSubnet => names.push(("ipip", "Calico wraps packets in IPIP")),
            Encap::Vxlan | Encap::VxlanCrossSubnet => names.push(("vxlan", "Calico wraps packets in VXLAN")),
        }
        if cni.wireguard {
            names.push(("wireguard", "Calico encrypts the traffic between nodes"));
        }
    }
    names
}

/// Whether a module will be there, now or once it is loaded.
pub(crate) fn can_be_had(machine: &Machine, name: &str) -> Result<bool> {
    Ok(matches!(state(machine, name)?.0, State::Works | State::BuiltIn | State::Loadable))
}

fn judge(machine: &Machine, name: &str, why: &str, report: &mut Report) -> Result<()> {
    let (state, kernel) = state(machine, name)?;
    match state {
        State::Works => report.pass("module", format!("{why}, and {name} works")).current(name),
        State::BuiltIn => report.pass("module", format!("{why}, and {name} is built in")).current(name),
        State::Loadable if !machine.is_running() => {
            report.pass("module", format!("{why}, and kernel {kernel} has {name}")).current(name)
        }
        State::Loadable => {
            report.wanted.push(Wanted::setting(format!("module {name}"), Some("loaded")));
            report.mends("module", format!("{why}, and {name} is not loaded")).current(name)
        }
        State::Missing if machine.is_container() && !machine.kernel_has("/sys/module") => report
            .unknown("module", format!("{why}, and this container does not see the kernel's modules"))
            .current(name)
            .fix(format!("see that {name} is loaded on the machine this container runs on")),
        State::Missing if machine.is_container() => report
            .fails("module", format!("{why}, and kernel {kernel} does not show {name} here"))
            .current(name)
            .fix(format!("`modprobe {name}` on the machine this container runs on")),
        State::Missing => report
            .fails("module", format!("{why}, and kernel {kernel} has no {name}"))
            .current(name)
            .fix(format!(
                "install linux-modules-extra-{kernel} (Ubuntu) or kernel-modules-extra (RHEL), or another kernel"
            )),
        State::NoKernel => {
            report.unknown("module", format!("{why}, and this tree holds no kernel")).current(name)
        }
    };
    Ok(())
}

/// What becomes of a module, and with which kernel: the running one, or the
/// one of the tree that has it least.
fn state(machine: &Machine, name: &str) -> Result<(State, String)> {
    if let Some(kernel) = machine.kernel() {
        let state = if works(machine, name) { State::Works } else { stored(machine, &kernel, name)? };
        return Ok((state, kernel));
    }
    let mut worst = (State::NoKernel, String::new());
    for kernel in machine.list("/lib/modules") {
        let state = stored(machine, &kernel, name)?;
        if worst.0 == State::NoKernel || state == State::Missing {
            worst = (state, kernel);
        }
    }
    Ok(worst)
}

/// What /lib/modules says of a kernel.
fn stored(machine: &Machine, kernel: &str, name: &str) -> Result<State> {
    let names = |list: &str| -> Result<bool> {
        let text = machine.text(&format!("/lib/modules/{kernel}/{list}"))?.unwrap_or_default();
        let file = |word: &str| {
            let stem = word.trim_end_matches(':').rsplit('/').next().unwrap_or_default();
            stem.split_once(".ko").is_some_and(|(stem, _)| stem.replace('-', "_") == name)
        };
        Ok(text.lines().filter_map(|line| line.split_whitespace().next()).any(file))
    };
    Ok(if names("modules.builtin")? {
        State::BuiltIn
    } else if names("modules.dep")? {
        State::Loadable
    } else {
        State::Missing
    })
}

/// Whether the running kernel does what the module is for.
pub(crate) fn works(machine: &Machine, name: &str) -> bool {
    let has = |path: &str| machine.kernel_has(path);
    has(&format!("/sys/module/{name}"))
        || match name {
            "overlay" => machine.kernel_text("/proc/filesystems").is_some_and(|text| {
                text.lines().any(|line| line.split_whitespace().next_back() == Some("overlay"))
            }),
            "br_netfilter" => has("/proc/sys/net/bridge"),
            "nf_conntrack" => has("/proc/sys/net/netfilter/nf_conntrack_max"),
            "ipip" => has("/sys/class/net/tunl0"),
            _ => false,
        }
}

/// Lines that keep modules from being loaded: file, line, module. systemd-modules-load
/// obeys `blacklist` (modules-load.d(5)); hardening guides write `install X /bin/true`.
fn forbidden(machine: &Machine) -> Result<Vec<(String, u32, String)>> {
    let mut found = Vec::new();
    for directory in ["/etc/modprobe.d", "/run/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d"] {
        for name in machine.files(directory, "conf") {
            let path = format!("{directory}/{name}");
            let text = machine.text(&path)?.unwrap_or_default();
            for (number, line) in (1..).zip(text.lines()) {
                let words: Vec<_> = line.split_whitespace().collect();
                let module = match words[..] {
                    ["blacklist", module] => module,
                    ["install", module, program]
                        if program.ends_with("/true") || program.ends_with("/false") =>
                    {
                        module
                    }
                    _ => continue,
                };
                found.push((path.clone(), number, module.replace('-', "_")));
            }
        }
    }
    Ok(found)
}
