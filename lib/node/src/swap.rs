//! Swap, wherever it comes from.
//!
//! It may be in fstab, in units, made by generators (zram, GPT partition
//! types), by services (dphys-swapfile, zram-tools) or by cloud-init at the
//! first boot. Each source is taken out of use where it lies, nothing is
//! deleted, and swap.target is masked, through which systemd starts all of it.

use change::Wanted;
use conf::fstab::{Entry, Fstab};
use platform::Swap;

use crate::machine::{UNIT_DIRECTORIES, UNITS, mask};
use crate::{Machine, Result, Want, cgroup};
use change::Report;

/// Goes before a line that is taken out of use.
const MARK: &str = "#node-prep: no swap on Kubernetes nodes# ";
/// Never true, so a unit with it is never started.
const NEVER: &str = "# By node-prep: no swap on Kubernetes nodes.\n[Unit]\nConditionPathExists=!/\n";
/// Services that make swap.
const SERVICES: [&str; 5] = [
    "dphys-swapfile.service",
    "zramswap.service",
    "zram-config.service",
    "systemd-swap.service",
    "swapspace.service",
];
const KUBELET: &str = "https://kubernetes.io/docs/concepts/cluster-administration/swap-memory-management/";

pub(crate) fn look(machine: &Machine, want: &Want, report: &mut Report) -> Result<()> {
    if !want.is_node() {
        report.not_applicable("swap", "no kubelet runs here");
        return Ok(());
    }
    match want.platform.cluster.swap {
        Swap::Off => {}
        Swap::NoSwap => {
            report.pass("swap", "the platform allows swap, and pods do not use it");
            return Ok(());
        }
        Swap::LimitedSwap => {
            limited(machine, report);
            return Ok(());
        }
    }
    fstab(machine, report)?;
    units(machine, report)?;
    zram(machine, report)?;
    services(machine, report);
    cloud_init(machine, report)?;
    target(machine, report);
    active(machine, report);
    if report.findings.is_empty() {
        report.pass("swap", "there is none, and swap.target is masked");
    }
    Ok(())
}

fn limited(machine: &Machine, report: &mut Report) {
    let why = "LimitedSwap needs control groups version 2";
    match cgroup::version(machine) {
        Some(2) => report.pass("swap", "pods may use some swap, and control groups are version 2"),
        Some(version) => report
            .fails("swap", why)
            .current(format!("cgroup v{version}"))
            .want("cgroup v2")
            .reference(KUBELET),
        None => report.unknown("swap", why).want("cgroup v2").reference(KUBELET),
    };
}

fn fstab(machine: &Machine, report: &mut Report) -> Result<()> {
    const PATH: &str = "/etc/fstab";
    let Some(bytes) = machine.bytes(PATH)? else { return Ok(()) };
    let mut table = Fstab::new(bytes);
    let swaps: Vec<Entry> = table.entries().filter(Entry::is_swap).collect();
    for entry in &swaps {
        let source = String::from_utf8_lossy(&entry.source).into_owned();
        report.mends("swap-fstab", "it comes back at every boot").file(PATH).line(entry.line).current(source);
    }
    if !swaps.is_empty() {
        table.comment(&swaps, MARK);
        report.wanted.push(machine.edited(PATH, table.as_bytes()));
    }
    Ok(())
}

/// A unit of the administrator's gets a condition that never holds, one of a
/// package is masked: neither is touched.
fn units(machine: &Machine, report: &mut Report) -> Result<()> {
    let mut seen = Vec::new();
    for directory in UNIT_DIRECTORIES {
        for unit in machine.files(directory, "swap") {
            if seen.contains(&unit) {
                continue;
            }
            seen.push(unit.clone());
            let drop_in = format!("{UNITS}/{unit}.d/50-node-prep.conf");
            if machine.is_masked(&unit) || machine.text(&drop_in)?.as_deref() == Some(NEVER) {
                continue;
            }
            let path = format!("{directory}/{unit}");
            report.mends("swap-unit", "the unit makes swap").file(&path).current(unit.clone());
            let own = directory == UNITS;
            report.wanted.push(if own { Wanted::file(drop_in, NEVER, 0o644) } else { mask(&unit) });
        }
    }
    Ok(())
}

/// zram-generator takes its configuration from the first place that has one,
/// and every drop-in (zram-generator.conf(5)).
fn zram(machine: &Machine, report: &mut Report) -> Result<()> {
    const NAME: &str = "zram-generator.conf";
    const PLACES: [&str; 4] = ["/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd"];
    let mut files = Vec::new();
    files.extend(PLACES.iter().map(|place| format!("{place}/{NAME}")).find(|path| machine.exists(path)));
    for place in PLACES {
        let directory = format!("{place}/{NAME}.d");
        files.extend(machine.list(&directory).iter().map(|name| format!("{directory}/{name}")));
    }
    for path in files {
        let text = machine.text(&path)?.unwrap_or_default();
        let (lines, without) = zram_devices(&text);
        for line in &lines {
            report.mends("swap-zram", "zram-generator makes swap of memory at boot").file(&path).line(*line);
        }
        if lines.is_empty() {
            continue;
        }
        if path.starts_with("/etc/") {
            report.wanted.push(machine.edited(&path, without));
        } else {
            let name = path.find("/systemd/").map_or("", |at| &path[at..]);
            let hides = "# By node-prep: no swap on Kubernetes nodes. Hides the one of the package.\n";
            report.wanted.push(Wanted::file(format!("/etc{name}"), hides, 0o644));
        }
    }
    Ok(())
}

/// The lines of sections that make swap, and the text with them as comments.
/// A section with a file system or a mount point is no swap.
fn zram_devices(text: &str) -> (Vec<u32>, String) {
    let mut sections: Vec<(u32, bool, Vec<&str>)> = vec![(1, false, Vec::new())];
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let bare = line.trim();
        if bare.starts_with("[zram") {
            sections.push((number, true, Vec::new()));
        } else if let Some((key, value)) = bare.split_once('=')
            && let Some((_, swap, _)) = sections.last_mut()
        {
            let (key, value) = (key.trim(), value.trim());
            *swap &= !(key == "mount-point" || (key == "fs-type" && value != "swap"));
        }
        if let Some((_, _, lines)) = sections.last_mut() {
            lines.push(line);
        }
    }
    let swap = sections.iter().filter(|(_, swap, _)| *swap).map(|(line, ..)| *line).collect();
    let kept = sections.iter().flat_map(|(_, swap, lines)| {
        lines.iter().map(move |line| {
            let bare = line.trim();
            let out = *swap && !bare.is_empty() && !bare.starts_with(['#', ';']);
            if out { format!("{MARK}{line}") } else { (*line).to_owned() }
        })
    });
    (swap, kept.collect())
}

fn services(machine: &Machine, report: &mut Report) {
    for service in SERVICES {
        let script = format!("/etc/init.d/{}", service.trim_end_matches(".service"));
        let path = machine.unit(service).or_else(|| machine.exists(&script).then_some(script));
        if let Some(path) = path.filter(|_| !machine.is_masked(service)) {
            report.mends("swap-service", "the service makes swap at boot").file(&path).current(service);
            report.wanted.push(mask(service));
        }
    }
}

/// cloud-init makes a swap file at the first boot of an instance if its
/// configuration has a `swap` section; a size of 0 makes none.
fn cloud_init(machine: &Machine, report: &mut Report) -> Result<()> {
    const DIRECTORY: &str = "/etc/cloud/cloud.cfg.d";
    const OURS: &str = "/etc/cloud/cloud.cfg.d/99-zz-node-prep.cfg";
    const NONE: &str = "# By node-prep: no swap on Kubernetes nodes.\nswap: {size: 0}\n";
    let section = |text: Option<String>| -> Option<u32> {
        let text = text.unwrap_or_default();
        (1..).zip(text.lines()).find(|(_, line)| line.starts_with("swap:")).map(|(number, _)| number)
    };
    let mut files = vec!["/etc/cloud/cloud.cfg".to_owned()];
    files.extend(machine.files(DIRECTORY, "cfg").iter().map(|name| format!("{DIRECTORY}/{name}")));
    let silenced = machine.text(OURS)?.as_deref() == Some(NONE);
    for path in files.iter().filter(|path| *path != OURS) {
        if let Some(line) = section(machine.text(path)?)
            && !silenced
        {
            report
                .mends("swap-cloud-init", "cloud-init makes swap when an instance boots first")
                .file(path)
                .line(line);
            report.wanted.retain(|wanted| wanted.path().to_str() != Some(OURS));
            report.wanted.push(Wanted::file(OURS, NONE, 0o644));
        }
    }
    // What the cloud hands over is not ours to edit, and stronger than all files.
    let user_data = "/var/lib/cloud/instance/cloud-config.txt";
    if let Some(line) = section(machine.text(user_data)?) {
        report
            .fails("swap-cloud-init", "the user data of the instance asks for swap")
            .file(user_data)
            .line(line)
            .fix("take `swap` out of the instance's user data");
    }
    Ok(())
}

fn target(machine: &Machine, report: &mut Report) {
    const TARGET: &str = "swap.target";
    if machine.is_masked(TARGET) {
        return;
    }
    // A partition of type swap is found by systemd-gpt-auto-generator, with no line anywhere.
    report
        .mends("swap-target", "systemd starts swap units and GPT swap partitions through swap.target")
        .file(format!("{UNITS}/{TARGET}"))
        .want("masked")
        .reference("systemd-gpt-auto-generator(8)");
    report.wanted.push(mask(TARGET));
}

fn active(machine: &Machine, report: &mut Report) {
    for unit in ["/run/systemd/generator.late", "/run/systemd/generator"].iter().flat_map(|directory| {
        let names = if machine.is_running() { machine.files(directory, "swap") } else { Vec::new() };
        names.into_iter().map(move |name| format!("{directory}/{name}"))
    }) {
        if machine.is_masked("swap.target") {
            report.pass("swap-generated", "generated, but swap.target is masked").file(&unit);
        } else {
            report
                .mends("swap-generated", "a generator made this unit; masking swap.target stops it")
                .file(&unit);
        }
    }
    for (path, _) in areas(&machine.kernel_text("/proc/swaps").unwrap_or_default()) {
        report
            .mends("swap-active", "the kubelet refuses to start with swap")
            .current(&*path)
            .reference(KUBELET);
        report.wanted.push(Wanted::setting(format!("swap {path}"), None));
    }
}

/// The active swap areas of /proc/swaps, with their priorities.
pub(crate) fn areas(text: &str) -> Vec<(String, String)> {
    let rows = text.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row.len() == 5).map(|row| (unescaped(row[0]), row[4].to_owned())).collect()
}

/// The kernel writes blanks and backslashes of a path as `\ooo`.
fn unescaped(path: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        let octal = rest.get(1..4).filter(|_| *first == b'\\').and_then(|digits| str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => (bytes.push(byte), rest = &rest[4..]),
            None => (bytes.push(*first), rest = tail),
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_swaps_is_read_with_its_escapes() {
        let text = "Filename\tType\tSize\tUsed\tPriority\n/dev/sda2 partition 1 0 -2\n/a\\040b file 1 0 5\n";
        assert_eq!(areas(text), [("/dev/sda2".into(), "-2".into()), ("/a b".into(), "5".into())]);
        assert!(areas("").is_empty());
    }

    #[test]
    fn only_zram_sections_that_make_swap_become_comments() {
        let text =
            "# top\n[zram0]\nzram-size = ram / 2\n\n[zram1]\nmount-point = /tmp\n[zram2]\nfs-type = swap\n";
        let (lines, without) = zram_devices(text);
        assert_eq!(lines, [2, 7]);
        let kept: Vec<_> = without.lines().filter(|line| !line.starts_with(MARK)).collect();
        assert_eq!(kept, ["# top", "", "[zram1]", "mount-point = /tmp"]);
        assert_eq!(without.replace(MARK, ""), text);
        assert_eq!(zram_devices(&without).0, [0; 0]);
    }
}
