//! What containerd's configuration says, held against what Kubernetes needs.

use std::path::Path;

use change::Report;
use model::{Finding, Severity};
use node::Machine;
use platform::{Host, Platform, Role};
use toml_edit::Item;

use crate::release::{self, Release};
use crate::text::{Broken, Text, dotted};

pub(crate) const TOOL: &str = "runtime-config";
pub(crate) const FILE: &str = "/etc/containerd/config.toml";

/// The plugins without which containerd is no runtime of Kubernetes, by their
/// names of today and of version 1.
const CRI: [&str; 4] = [GRPC, RUNTIME, IMAGES, "cri"];
const GRPC: &str = "io.containerd.grpc.v1.cri";
const RUNTIME: &str = "io.containerd.cri.v1.runtime";
const IMAGES: &str = "io.containerd.cri.v1.images";
/// Where Calico and the CNI project install their programs.
const CNI_BIN: &str = "/opt/cni/bin";
const RUNC: &str = "io.containerd.runc.v2";
const DISABLED: [&str; 1] = ["disabled_plugins"];

/// What is wanted of a configuration.
#[derive(Clone, Debug)]
pub(crate) struct Want {
    pub(crate) release: Release,
    /// The pause image; none where nobody knows it.
    pub(crate) pause: Option<String>,
    /// The minor version of Kubernetes.
    pub(crate) minor: u32,
    /// The release the platform plans.
    pub(crate) planned: Option<Release>,
}

impl Want {
    pub(crate) fn new(platform: &Platform, host: &Host, release: Release) -> Self {
        let runtime = platform.cluster.runtime.as_ref();
        let (_, minor) = platform.kubernetes_of(host);
        let pause = runtime.and_then(|runtime| runtime.pause.clone()).or_else(|| release::pause(minor));
        let planned = runtime.and_then(|runtime| runtime.containerd.parse().ok());
        Self { release, pause, minor, planned }
    }
}

/// Where a version of the configuration keeps what is asked for.
struct Layout {
    version: i64,
}

impl Layout {
    fn runtime(&self) -> [&'static str; 2] {
        ["plugins", if self.version < 3 { GRPC } else { RUNTIME }]
    }

    fn sandbox(&self) -> &'static [&'static str] {
        if self.version < 3 {
            &["plugins", GRPC, "sandbox_image"]
        } else {
            &["plugins", IMAGES, "pinned_images", "sandbox"]
        }
    }

    fn registry(&self) -> [&'static str; 3] {
        ["plugins", if self.version < 3 { GRPC } else { IMAGES }, "registry"]
    }

    /// Below the runtime's plugin.
    fn below<'a>(&self, path: &[&'a str]) -> Vec<&'a str> {
        let root: [&'a str; 2] = self.runtime();
        root.into_iter().chain(path.iter().copied()).collect()
    }

    /// Sections of the other layout, which containerd passes over.
    fn strangers(&self) -> Vec<Vec<&'static str>> {
        if self.version < 3 {
            return vec![vec!["plugins", RUNTIME], vec!["plugins", IMAGES]];
        }
        let moved = ["sandbox_image", "containerd", "cni", "registry"];
        moved.into_iter().map(|key| vec!["plugins", GRPC, key]).collect()
    }
}

/// What was found in a configuration, and how it ought to read.
pub(crate) struct Judgement {
    pub(crate) report: Report,
    /// The whole text; the same as before if nothing has to change.
    pub(crate) text: Text,
    /// Why it cannot be edited, a sentence each.
    pub(crate) refusals: Vec<String>,
}

/// Judges the configuration of a machine.
pub(crate) fn look(machine: &Machine, host: &Host, want: &Want) -> node::Result<Judgement> {
    let now = machine.text(FILE)?;
    let mut judgement = judge(now.as_deref(), host, want);
    if host.is(Role::ControlPlane) || host.is(Role::Worker) {
        imports(machine, want, &mut judgement)?;
    }
    let changed = judgement.text.as_str() != now.as_deref().unwrap_or_default();
    if changed && judgement.refusals.is_empty() {
        judgement.report.wanted.push(machine.edited(FILE, judgement.text.as_str()));
    }
    Ok(judgement)
}

/// Judges a text, or that there is none.
pub(crate) fn judge(now: Option<&str>, host: &Host, want: &Want) -> Judgement {
    let mut report = Report::new(TOOL, &host.name);
    if !host.is(Role::ControlPlane) && !host.is(Role::Worker) {
        report.not_applicable("runtime", "no kubelet runs here");
        return Judgement { report, text: empty(), refusals: Vec::new() };
    }
    let mut refusals = Vec::new();
    // Bytes that are no UTF-8 became marks: written back they would be lost.
    let garbled = (1..).zip(now.unwrap_or_default().lines()).find(|(_, line)| line.contains('\u{fffd}'));
    let parsed = match garbled {
        Some((line, _)) => Err(Broken { line, why: "it is no UTF-8".into() }),
        None => Text::parse(now.unwrap_or_default()),
    };
    let text = match parsed {
        Ok(text) => text,
        Err(Broken { line, why }) => {
            refusals.push(format!("line {line}: {why}"));
            report.fails("toml", format!("containerd does not start with it: {why}")).file(FILE).line(line);
            return Judgement { report, text: empty(), refusals };
        }
    };
    let mut editor = Editor { text, report, refusals, want };
    release_fits(&mut editor);
    if let Some(layout) = version(now.is_some(), &mut editor) {
        enabled(&mut editor);
        cgroups(&layout, &mut editor);
        sandbox(&layout, &mut editor);
        network(&layout, &mut editor);
        registry(&layout, &mut editor);
        strangers(&layout, &mut editor);
    }
    let Editor { text, report, refusals, .. } = editor;
    Judgement { report, text, refusals }
}

fn empty() -> Text {
    Text::parse("").expect("nothing is TOML")
}

/// A configuration on its way to what is wanted.
struct Editor<'a> {
    text: Text,
    report: Report,
    refusals: Vec<String>,
    want: &'a Want,
}

impl Editor<'_> {
    /// Names the place of what is at a path, or of the file alone.
    fn at<'f>(finding: &'f mut Finding, text: &Text, path: &[&str]) -> &'f mut Finding {
        let item = text.get(path);
        finding.file(FILE).line = item.and_then(|item| text.line(item));
        finding.current = item.and_then(|item| text.written(item));
        finding
    }

    fn passes(&mut self, check: &str, why: &str, path: &[&str]) -> &mut Finding {
        Self::at(self.report.pass(check, why), &self.text, path)
    }

    /// Gives a key its value, and says why.
    fn mend(&mut self, check: &str, why: &str, path: &[&str], value: &str) -> &mut Finding {
        let before = self.text.clone();
        let done = self.text.set(path, value);
        self.refuse(done);
        let finding = Self::at(self.report.mends(check, why), &before, path);
        finding.want(format!("{} = {value}", dotted(path)))
    }

    /// An edit that does not come out as TOML is not made.
    fn refuse(&mut self, done: Result<(), Broken>) {
        if let Err(Broken { line, why }) = done {
            self.refusals.push(format!("line {line}: no place for what is wanted: {why}"));
        }
    }
}

/// The release is one Kubernetes takes, and the one the platform plans.
fn release_fits(editor: &mut Editor) {
    let Want { release, minor, planned, .. } = *editor.want;
    if release.major < 2 && minor >= 36 {
        let why = format!("the kubelet of Kubernetes 1.{minor} needs containerd 2.0 or newer");
        editor.report.fails("release", why).current(release.to_string()).fix("install containerd 2.x");
    } else if let Some(planned) = planned.filter(|planned| *planned != release) {
        let finding = editor.report.warns("release", "the platform plans another containerd");
        finding.current(release.to_string()).want(planned.to_string());
    } else {
        editor.report.pass("release", "Kubernetes takes it").current(release.to_string());
    }
}

/// Which layout the file has; none if it cannot be edited.
fn version(exists: bool, editor: &mut Editor) -> Option<Layout> {
    const PATH: [&str; 1] = ["version"];
    let release = editor.want.release;
    let newest = release.newest_config();
    let done = |version| Some(Layout { version });
    if !exists {
        let why = "without a file containerd takes its defaults, which are not Kubernetes's";
        editor.report.mends("version", why).file(FILE).want(format!("version = {newest}"));
        let put = editor.text.put_first(&format!("version = {newest}"));
        editor.refuse(put);
        return done(newest);
    }
    match editor.text.get(&PATH).map(Item::as_integer) {
        Some(Some(version)) if (2..=newest).contains(&version) => {
            if version < newest {
                let why = format!("containerd {release} translates it at every start");
                let finding = Editor::at(editor.report.warns("version", why), &editor.text, &PATH);
                finding.severity = Severity::Low;
                finding.want(newest.to_string()).fix("`containerd config migrate`");
            } else {
                editor.passes("version", "containerd reads it as it is meant", &PATH);
            }
            done(version)
        }
        Some(Some(version)) if version > newest => {
            let why = if newest == 2 {
                "this containerd does not know the version, and ignores its sections without a word"
                    .to_owned()
            } else {
                format!("containerd {release} does not start with it: it reads versions up to {newest}")
            };
            editor.mend("version", &why, &PATH, &newest.to_string()).reference("containerd/containerd#7319");
            done(newest)
        }
        found => old_version(found.is_some(), newest, editor),
    }
}

/// A file of version 1, or one that merely does not say its version.
fn old_version(said: bool, newest: i64, editor: &mut Editor) -> Option<Layout> {
    let short = |name: &&String| !name.contains('.');
    let plugins = editor.text.keys(&["plugins"]);
    let lists =
        ["disabled_plugins", "required_plugins"].map(|list| editor.text.strings(&[list]).unwrap_or_default());
    let old = plugins.iter().find(short).map(|name| vec!["plugins", name.as_str()]).or_else(|| {
        let named = lists.iter().flatten().any(|name| !name.contains('.') && *name != "cri");
        named.then(|| vec!["disabled_plugins"])
    });
    if let Some(path) = old {
        let why =
            "it is of version 1, with names no later version knows; containerd 2 does not start with it";
        let finding = Editor::at(editor.report.fails("version", why), &editor.text, &path);
        finding.fix("`containerd config migrate` of a 1.x, or move the file away and apply");
        let line = finding.line.unwrap_or(1);
        editor.refusals.push(format!("line {line}: {why}"));
        return None;
    }
    let modern = plugins.iter().any(|name| name == RUNTIME || name == IMAGES);
    let version = if modern || plugins.is_empty() { newest } else { 2 };
    let why = if newest == 2 {
        "without it containerd reads the file as of version 1, and ignores the sections of today's names"
    } else {
        "without it containerd reads the file as of version 1, and does not start with that"
    };
    if said {
        editor.mend("version", why, &["version"], &version.to_string());
    } else {
        editor.report.mends("version", why).file(FILE).want(format!("version = {version}"));
        let put = editor.text.put_first(&format!("version = {version}"));
        editor.refuse(put);
    }
    Some(Layout { version })
}

/// The CRI plugins are not switched off.
fn enabled(editor: &mut Editor) {
    let listed = editor.text.strings(&DISABLED).unwrap_or_default();
    let off: Vec<String> =
        listed.iter().filter(|name| CRI.contains(name)).map(|name| (*name).to_owned()).collect();
    let broken: Vec<String> =
        listed.iter().filter(|name| !name.contains('.')).map(|n| (*n).to_owned()).collect();
    if off.is_empty() {
        editor.passes("cri-enabled", "the kubelet finds its runtime", &DISABLED);
    } else {
        let why = "the kubelet finds no runtime: Docker's package ships it switched off";
        let finding = editor.report.mends("cri-enabled", why);
        Editor::at(finding, &editor.text, &DISABLED).want(format!("without {}", off.join(", ")));
        for name in off {
            let removed = editor.text.remove(&DISABLED, &name);
            editor.refuse(removed);
        }
    }
    for name in broken.iter().filter(|name| *name != "cri") {
        let why = format!("containerd does not start: {name} is no full name of a plugin");
        Editor::at(editor.report.fails("plugin-name", why), &editor.text, &DISABLED)
            .fix("write it as io.containerd.KIND.vN.NAME, or remove it");
    }
}

/// Every runtime of runc's kind leaves control groups to systemd.
fn cgroups(layout: &Layout, editor: &mut Editor) {
    let table = layout.below(&["containerd", "runtimes"]);
    let mut names = editor.text.keys(&table);
    if !names.iter().any(|name| name == "runc") {
        names.push("runc".into());
    }
    for name in &names {
        let runtime: Vec<&str> = table.iter().copied().chain([name.as_str()]).collect();
        let kind: Vec<&str> = runtime.iter().copied().chain(["runtime_type"]).collect();
        match editor.text.string(&kind) {
            Some(RUNC) => {}
            None if editor.text.get(&runtime).is_none() => {
                let done = editor.text.set(&kind, &format!("\"{RUNC}\""));
                editor.refuse(done);
            }
            None | Some("") if name == "runc" => {
                let why = "a runtime that is named has to say its kind: containerd 1.x then starts none";
                editor
                    .mend("runtime-type", why, &kind, &format!("\"{RUNC}\""))
                    .reference("containerd/containerd#6224");
            }
            _ => continue,
        }
        let option: Vec<&str> = runtime.iter().copied().chain(["options", "SystemdCgroup"]).collect();
        if editor.text.get(&option).and_then(Item::as_bool) == Some(true) {
            editor.passes(
                "systemd-cgroup",
                "containerd and the kubelet agree on who keeps control groups",
                &option,
            );
        } else {
            let why =
                "the kubelet leaves control groups to systemd: two keepers lose pods under memory pressure";
            let finding = editor.mend("systemd-cgroup", why, &option, "true");
            finding.reference("https://kubernetes.io/docs/setup/production-environment/container-runtimes/");
        }
    }
    let old = layout.below(&["systemd_cgroup"]);
    if layout.version < 3 && editor.text.get(&old).and_then(Item::as_bool) == Some(true) {
        let why = "it is an option of a runtime long gone: the CRI plugin does not load with it";
        editor.mend("systemd-cgroup-old", why, &old, "false");
    }
}

/// The pause image is the one kubeadm pulls.
fn sandbox(layout: &Layout, editor: &mut Editor) {
    let path = layout.sandbox();
    let Some(want) = editor.want.pause.clone() else {
        let why = format!("which pause image Kubernetes 1.{} takes is not known here", editor.want.minor);
        editor.report.not_applicable("sandbox-image", why).fix("name it: cluster.runtime.pause");
        return;
    };
    if editor.text.string(path) == Some(&want) {
        editor.passes("sandbox-image", "it is the one kubeadm pulls", path);
    } else {
        let why =
            "kubeadm pulls another: pods wait for an image nobody mirrored, and the kubelet may delete it";
        editor.mend("sandbox-image", why, path, &format!("\"{want}\"")).reference("kubernetes/kubeadm#3146");
    }
}

/// CNI plugins are looked for where Calico puts them.
fn network(layout: &Layout, editor: &mut Editor) {
    const WHY: &str = "Calico installs its programs to /opt/cni/bin: pods stay in ContainerCreating";
    let one = layout.below(&["cni", "bin_dir"]);
    let many = layout.below(&["cni", "bin_dirs"]);
    let listed = layout.version >= 3 && editor.want.release >= Release { major: 2, minor: 1 };
    let directory = editor.text.string(&one).filter(|directory| !directory.is_empty()).map(str::to_owned);
    let directories = editor.text.strings(&many).filter(|_| listed).unwrap_or_default();
    let fits = |directory: &str| Path::new(directory) == Path::new(CNI_BIN);
    let has = directories.iter().any(|directory| fits(directory));
    let (any, last) = (!directories.is_empty(), directories.last().copied() != Some(CNI_BIN));
    match directory {
        Some(_) if any && last => {
            let why = "bin_dir and bin_dirs exclude each other: the CRI plugin does not load";
            Editor::at(editor.report.fails("cni-bin", why), &editor.text, &one).fix("remove bin_dir");
        }
        Some(directory) if fits(&directory) => {
            editor.passes("cni-bin", "Calico installs there", &one);
        }
        Some(_) => {
            editor
                .mend("cni-bin", WHY, &one, &format!("\"{CNI_BIN}\""))
                .reference("projectcalico/calico#9336");
        }
        None if has || !any => {
            editor.passes("cni-bin", "Calico installs there", if any { &many } else { &one });
        }
        None => {
            let finding = Editor::at(editor.report.mends("cni-bin", WHY), &editor.text, &many);
            finding.want(CNI_BIN).reference("projectcalico/calico#9336");
            let pushed = editor.text.push(&many, CNI_BIN);
            editor.refuse(pushed);
        }
    }
}

/// Registries are set up in one way, not in two.
fn registry(layout: &Layout, editor: &mut Editor) {
    let at =
        |key: &'static str| -> Vec<&'static str> { layout.registry().into_iter().chain([key]).collect() };
    let (path, mirrors, configs) = (at("config_path"), at("mirrors"), at("configs"));
    let directory = editor.text.string(&path).is_some_and(|directory| !directory.is_empty());
    let old = [&mirrors, &configs].into_iter().find(|table| !editor.text.keys(table).is_empty());
    match (directory, old) {
        (true, Some(table)) => {
            let why = "mirrors and configs exclude config_path: the CRI plugin does not load";
            Editor::at(editor.report.fails("registry", why), &editor.text, table)
                .fix("move them to hosts.toml files below config_path, then remove them")
                .reference("https://github.com/containerd/containerd/blob/main/docs/cri/registry.md");
        }
        (false, Some(table)) => {
            let why = "mirrors and configs here are deprecated since 1.5, and need a restart at every change";
            Editor::at(editor.report.warns("registry", why), &editor.text, table)
                .fix("set config_path = \"/etc/containerd/certs.d\" and write hosts.toml files there");
        }
        _ => {
            editor.passes("registry", "registries are set up in one way", &path);
        }
    }
}

/// Sections at the names of another version.
fn strangers(layout: &Layout, editor: &mut Editor) {
    for path in layout.strangers() {
        if editor.text.get(&path).is_some() {
            let version = layout.version;
            let why = format!("version {version} of the configuration has no such section: nobody reads it");
            Editor::at(editor.report.warns("section-ignored", why), &editor.text, &path)
                .current(dotted(&path))
                .fix("move what is needed to the section of this version")
                .reference("kubernetes/website#48976");
        }
    }
}

/// What other files add comes later, and wins.
fn imports(machine: &Machine, want: &Want, judgement: &mut Judgement) -> node::Result<()> {
    let text = judgement.text.clone();
    let root = text.get(&["version"]).and_then(Item::as_integer).unwrap_or(1);
    for pattern in text.strings(&["imports"]).unwrap_or_default() {
        for (file, found) in matching(machine, pattern)? {
            let report = &mut judgement.report;
            match found.as_deref().map(Text::parse) {
                None => {
                    let why = "containerd does not start: the imported file is missing";
                    Editor::at(report.fails("import", why), &text, &["imports"]).want(file);
                }
                Some(Err(Broken { line, why })) => {
                    let why = format!("containerd does not start with it: {why}");
                    report.fails("import", why).file(file).line(line);
                }
                Some(Ok(imported)) => import(&file, &imported, root, want, report),
            }
        }
    }
    Ok(())
}

fn import(file: &str, imported: &Text, root: i64, want: &Want, report: &mut Report) {
    let version = imported.get(&["version"]).and_then(Item::as_integer).unwrap_or(root);
    let layout = Layout { version };
    if imported.strings(&DISABLED).unwrap_or_default().iter().any(|name| CRI.contains(name)) {
        let finding = report.fails("import", "it switches the CRI plugin off: lists of all files are joined");
        Editor::at(finding, imported, &DISABLED).file(file).fix("remove it from the list");
        return;
    }
    if version > root && want.release.major >= 2 {
        let why = format!(
            "its version is higher than config.toml's {root}: containerd refuses it, or loses settings"
        );
        let finding = report.fails("import", why).reference("containerd/containerd#12891");
        Editor::at(finding, imported, &["version"]).file(file).want(root.to_string());
        return;
    }
    let section = layout.runtime();
    if want.release.major < 2 && imported.get(&section).is_some() {
        let why = "its section takes the place of the whole section of config.toml";
        let finding = report.fails("import", why).reference("containerd/containerd#5837");
        Editor::at(finding, imported, &section).file(file).fix("move it into config.toml");
        return;
    }
    let option = layout.below(&["containerd", "runtimes", "runc", "options", "SystemdCgroup"]);
    let cgroup =
        imported.get(&option).filter(|option| option.as_bool() != Some(true)).map(|_| option.as_slice());
    let pause = imported.string(layout.sandbox());
    let image = pause.filter(|pause| want.pause.as_deref() != Some(pause)).map(|_| layout.sandbox());
    if let Some(path) = cgroup.or(image) {
        let finding = report.fails("import", "it comes after config.toml, and wins");
        Editor::at(finding, imported, path).file(file).fix("remove the line");
    } else {
        report.pass("import", "it adds, and takes nothing back").file(file);
    }
}

/// The files a pattern means, with their texts; relative to the folder of the configuration.
fn matching(machine: &Machine, pattern: &str) -> node::Result<Vec<(String, Option<String>)>> {
    let base = Path::new(FILE).parent().unwrap_or(Path::new("/"));
    let path = base.join(pattern).to_string_lossy().into_owned();
    let Some((before, after)) = path.split_once('*') else {
        let text = machine.text(&path)?;
        return Ok(vec![(path, text)]);
    };
    let (directory, start) = before.rsplit_once('/').unwrap_or(("/", before));
    let fits = |name: &str| {
        name.len() >= start.len() + after.len() && name.starts_with(start) && name.ends_with(after)
    };
    let files = machine.list(directory).into_iter().filter(|name| fits(name));
    files
        .map(|name| format!("{directory}/{name}"))
        .map(|file| Ok((file.clone(), machine.text(&file)?)))
        .collect()
}

#[cfg(test)]
mod tests;
