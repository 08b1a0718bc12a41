//! Kernel parameters: what runs, what will run after the next boot, and who says so.

use change::Wanted;
use conf::sysctl::{self, Assignment, DIRECTORIES, LAST, Reader};
use net::Family;

use crate::{Machine, Result, Want, modules};
use change::Report;

/// After `99-sysctl.conf`, the link to /etc/sysctl.conf of many distributions.
const NAME: &str = "99-zz-bareplane-node.conf";
const FILE: &str = "/etc/sysctl.d/99-zz-bareplane-node.conf";
const KUBELET: &str = "https://github.com/kubernetes/kubernetes/blob/master/pkg/util/sysctl";

/// A parameter Kubernetes needs.
struct Tunable {
    key: &'static str,
    value: u64,
    /// Whether more is as good, and from where on it suffices.
    least: Option<u64>,
    why: &'static str,
}

impl Tunable {
    fn suffices(&self, value: &str) -> bool {
        let value = value.trim();
        match self.least {
            Some(least) => value.parse::<u64>().is_ok_and(|value| value >= least),
            None => value == self.value.to_string(),
        }
    }

    /// Whether each network namespace has its own.
    fn is_namespaced(&self) -> bool {
        self.key.starts_with("net/")
    }

    fn path(&self) -> String {
        format!("/proc/sys/{}", self.key)
    }
}

fn tunables(want: &Want) -> Vec<Tunable> {
    let exact = |key, value, why| Tunable { key, value, least: None, why };
    let mut all = vec![exact("net/ipv4/ip_forward", 1, "pods are reached through this host")];
    let network = &want.platform.network;
    if network.pod_cidr6.is_some() || network.node_cidrs.iter().any(|cidr| cidr.family() == Family::V6) {
        all.push(exact("net/ipv6/conf/all/forwarding", 1, "pods are reached through this host"));
    }
    let bridge = "bridged traffic of pods has to pass the firewall rules of services";
    all.push(exact("net/bridge/bridge-nf-call-iptables", 1, bridge));
    all.push(exact("net/bridge/bridge-nf-call-ip6tables", 1, bridge));
    let kubelet = "the kubelet wants it, and refuses another value under protectKernelDefaults";
    for (key, value) in [
        ("vm/overcommit_memory", 1),
        ("vm/panic_on_oom", 0),
        ("kernel/panic", 10),
        ("kernel/panic_on_oops", 1),
        ("kernel/keys/root_maxkeys", 1_000_000),
        ("kernel/keys/root_maxbytes", 25_000_000),
    ] {
        all.push(exact(key, value, kubelet));
    }
    let watches = "every container log and configuration map is watched";
    // 1048576 is the most the kernel itself chooses (inotify_user_setup): writing it takes nothing away.
    for (key, value, least) in
        [("fs/inotify/max_user_watches", 1_048_576, 524_288), ("fs/inotify/max_user_instances", 8192, 8192)]
    {
        all.push(Tunable { key, value, least: Some(least), why: watches });
    }
    all
}

pub(crate) fn look(machine: &Machine, want: &Want, report: &mut Report) -> Result<()> {
    if !want.is_node() {
        // haproxy listens on every address, so balancers need no ip_nonlocal_bind.
        report.not_applicable("sysctl", "no kubelet runs here; lb-render writes what balancers need");
        return Ok(());
    }
    let files = Files::read(machine)?;
    let mut text = "# By node-prep for Kubernetes. A later file would win.\n".to_owned();
    let tunables: Vec<_> = tunables(want)
        .into_iter()
        .map(|tunable| (files.has_to_be_ours(&tunable, machine), tunable))
        .collect();
    for (_, tunable) in tunables.iter().filter(|(ours, _)| *ours) {
        text += &format!("{} = {}\n", tunable.key.replace('/', "."), tunable.value);
    }
    let after = files.with_ours(&text);
    for (ours, tunable) in &tunables {
        persisted(tunable, *ours, &files, &after, report);
        now(tunable, machine, report)?;
    }
    report.wanted.insert(0, Wanted::file(FILE, text, 0o644));
    Ok(())
}

/// What all files assign, in the order they are read.
struct Files {
    assignments: Vec<Assignment>,
    /// `/etc/sysctl.conf`, which procps reads last.
    last: Vec<Assignment>,
}

impl Files {
    fn read(machine: &Machine) -> Result<Self> {
        let present = DIRECTORIES.iter().enumerate().flat_map(|(number, directory)| {
            machine.list(directory).into_iter().map(move |name| (number, name))
        });
        let mut names: Vec<_> = present.collect();
        // Ours has its place in the order before it is there.
        names.push((0, NAME.to_owned()));
        let mut assignments = Vec::new();
        for path in sysctl::order(names) {
            let text = machine.text(&path)?.unwrap_or_default();
            let mut found = sysctl::parse(&path, &text);
            if path == FILE && found.is_empty() {
                // A mark that keeps the place; it sets nothing.
                found = vec![Assignment { file: path, line: 0, key: String::new(), value: None }];
            }
            assignments.extend(found);
        }
        Ok(Self { assignments, last: sysctl::parse(LAST, &machine.text(LAST)?.unwrap_or_default()) })
    }

    /// The same with our file holding this text.
    fn with_ours(&self, text: &str) -> Self {
        let place = self.assignments.iter().position(|one| one.file == FILE).unwrap_or_default();
        let mut assignments: Vec<_> =
            self.assignments.iter().filter(|one| one.file != FILE).cloned().collect();
        assignments.splice(place..place, sysctl::parse(FILE, text));
        Self { assignments, last: self.last.clone() }
    }

    /// What each of the two readers would end with.
    fn winners(&self, key: &str) -> [(Reader, Option<Assignment>); 2] {
        let procps: Vec<_> = self.assignments.iter().chain(&self.last).cloned().collect();
        [
            (Reader::Systemd, sysctl::winner(&self.assignments, key, Reader::Systemd).cloned()),
            (Reader::Procps, sysctl::winner(&procps, key, Reader::Procps).cloned()),
        ]
    }

    /// A parameter with a fixed value always is; one that others, or the
    /// kernel itself, set high enough is theirs.
    fn has_to_be_ours(&self, tunable: &Tunable, machine: &Machine) -> bool {
        if tunable.least.is_none() {
            return true;
        }
        let others = self.with_ours("");
        let by_others = others.winners(tunable.key).into_iter().filter_map(|(_, winner)| winner);
        let mut values = by_others.filter_map(|winner| winner.value).peekable();
        if values.peek().is_some() {
            return !values.all(|value| tunable.suffices(&value));
        }
        let is_ours = self.assignments.iter().any(|one| one.file == FILE && one.key == tunable.key);
        let by_kernel = machine.kernel_text(&tunable.path()).is_some_and(|value| tunable.suffices(&value));
        is_ours || !by_kernel
    }
}

/// What will run after a boot, and after `sysctl --system`.
fn persisted(tunable: &Tunable, ours: bool, files: &Files, after: &Files, report: &mut Report) {
    let name = tunable.key.replace('/', ".");
    let wanted = || tunable.least.unwrap_or(tunable.value).to_string();
    let good = |winner: &Option<Assignment>| match winner {
        Some(one) => one.value.as_ref().is_some_and(|value| tunable.suffices(value)),
        None => !ours,
    };
    if let Some((reader, Some(winner))) = after.winners(tunable.key).into_iter().find(|(_, one)| !good(one)) {
        let when = match reader {
            Reader::Systemd => "at boot",
            Reader::Procps => "whenever somebody runs `sysctl --system`",
        };
        report
            .fails("sysctl-file", format!("{}, and this line wins over ours {when}", tunable.why))
            .file(&winner.file)
            .line(winner.line)
            .current(format!("{name} = {}", winner.value.unwrap_or_default()))
            .want(wanted())
            .fix("take the line out")
            .reference("sysctl.d(5)");
        return;
    }
    let winners = files.winners(tunable.key);
    match winners.into_iter().find(|(_, one)| !good(one)) {
        None => {
            let winner = files.winners(tunable.key).into_iter().find_map(|(_, one)| one);
            let finding = report.pass("sysctl-file", tunable.why);
            finding.current =
                winner.as_ref().map(|one| format!("{name} = {}", one.value.clone().unwrap_or_default()));
            finding.file = winner.as_ref().map(|one| one.file.clone());
            finding.line = winner.map(|one| one.line);
        }
        Some((_, winner)) => {
            let finding = report.mends("sysctl-file", tunable.why);
            finding.want(format!("{name} = {}", wanted())).reference(reference(tunable));
            finding.current = winner.as_ref().and_then(|one| one.value.clone());
            finding.file = winner.as_ref().map(|one| one.file.clone());
            finding.line = winner.map(|one| one.line);
        }
    }
}

fn reference(tunable: &Tunable) -> &'static str {
    if tunable.is_namespaced() {
        "https://kubernetes.io/docs/setup/production-environment/container-runtimes/"
    } else {
        KUBELET
    }
}

/// What runs now.
fn now(tunable: &Tunable, machine: &Machine, report: &mut Report) -> Result<()> {
    if !machine.is_running() {
        return Ok(());
    }
    let path = tunable.path();
    let wanted = tunable.value.to_string();
    match machine.kernel_text(&path) {
        Some(value) if tunable.suffices(&value) => {
            report.pass("sysctl", tunable.why).file(&path).current(value.trim());
        }
        Some(value) if machine.is_container() && !tunable.is_namespaced() => {
            report
                .warns("sysctl", format!("{}; it belongs to the machine this container runs on", tunable.why))
                .file(&path)
                .current(value.trim())
                .want(wanted)
                .fix("set it there");
        }
        Some(value) => {
            report.mends("sysctl", tunable.why).file(&path).current(value.trim()).want(&*wanted);
            report.wanted.push(Wanted::setting(path, Some(&wanted)));
        }
        None if tunable.key.starts_with("net/bridge/") && modules::can_be_had(machine, "br_netfilter")? => {
            report.mends("sysctl", tunable.why).file(&path).want(&*wanted);
            report.wanted.push(Wanted::setting(path, Some(&wanted)));
        }
        None => {
            report
                .fails("sysctl", format!("{}, and the kernel does not have it", tunable.why))
                .file(&path)
                .want(wanted);
        }
    }
    Ok(())
}
