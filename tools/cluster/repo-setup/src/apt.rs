//! apt: sources, keyrings, pins.

use change::Report;
use conf::apt::{Form, Source, Sources};
use node::Machine;

use crate::key;
use crate::repository::{HELD, Repository, is_dead, is_garbled, same};
use crate::want::{Barred, Want};

const LIST: &str = "/etc/apt/sources.list";
const PARTS: &str = "/etc/apt/sources.list.d";
const KEYRINGS: &str = "/etc/apt/keyrings";
const PIN: &str = "/etc/apt/preferences.d/kubernetes";

/// Every file apt takes sources from.
pub(crate) struct Files {
    files: Vec<File>,
}

struct File {
    path: String,
    before: String,
    sources: Sources,
}

/// A source, and which file it is in.
type Found = (usize, Source);

impl Files {
    pub(crate) fn load(machine: &Machine) -> node::Result<Self> {
        let parts = machine.list(PARTS).into_iter().map(|name| format!("{PARTS}/{name}"));
        let mut files = Vec::new();
        for path in [LIST.to_owned()].into_iter().chain(parts) {
            if let (Some(form), Some(text)) = (Form::of(&path), machine.text(&path)?) {
                files.push(File { path, before: text.clone(), sources: Sources::new(form, text) });
            }
        }
        Ok(Self { files })
    }

    /// One line apt does not understand, and it reads no source at all.
    pub(crate) fn judge(&self, report: &mut Report) {
        for file in &self.files {
            for line in file.sources.malformed() {
                let text = file.sources.as_str().lines().nth(line as usize - 1).unwrap_or_default();
                let finding = report.fails(
                    "sources-malformed",
                    "apt does not understand it, and then reads no source at all",
                );
                finding
                    .file(&file.path)
                    .line(line)
                    .current(text.trim())
                    .fix("mend the line, or make it a comment");
            }
        }
    }

    /// Makes a repository one source, with its key, and says what was wrong.
    pub(crate) fn set_up(
        &mut self,
        machine: &Machine,
        want: &Want,
        report: &mut Report,
    ) -> node::Result<Barred> {
        let mut barred = Barred::default();
        if want.repository == Repository::Kubernetes {
            self.bury(report);
        }
        let chosen = self.choose(want, report);
        let signed_by = chosen.as_ref().and_then(|(_, source)| source.option("signed-by")).map(str::to_owned);
        let keyring = keyring(signed_by.as_deref(), machine, want, &mut barred, report)?;
        match chosen {
            Some(found) => self.mend(&found, keyring.as_deref(), want, report),
            None => self.add(keyring.as_deref().unwrap_or_default(), want, report),
        }
        if want.repository == Repository::Kubernetes {
            hold(machine, want, report)?;
        }
        Ok(barred)
    }

    /// What has to be written.
    pub(crate) fn wanted(self, machine: &Machine, report: &mut Report) {
        for file in self.files.into_iter().filter(|file| file.sources.as_str() != file.before) {
            if is_garbled(&file.before) {
                let finding = report.fails("encoding", "it is no UTF-8, and is not edited").file(&file.path);
                finding.fix("convert it with iconv");
                continue;
            }
            report.wanted.push(machine.edited(&file.path, file.sources.as_str()));
        }
    }

    fn found(&self, is: impl Fn(&Source) -> bool) -> Vec<Found> {
        let all = self.files.iter().enumerate();
        all.flat_map(|(at, file)| file.sources.sources().into_iter().map(move |source| (at, source)))
            .filter(|(_, source)| is(source))
            .collect()
    }

    /// Repositories nothing new comes to are switched off.
    fn bury(&mut self, report: &mut Report) {
        for (at, source) in
            self.found(|source| source.enabled && source.uris.iter().any(|uri| is_dead(uri, &source.suites)))
        {
            let file = &mut self.files[at];
            let why = "it was frozen in 2023 and is gone since 2024: every update fails";
            let finding = report.mends("repository-dead", why).file(&file.path).line(source.line);
            finding.current(source.uris.join(" ")).reference("kubernetes/release#3524");
            file.sources.disable(&source);
        }
    }

    /// The one source that stays: one that apt looks at, and the right one, if there is one.
    fn choose(&mut self, want: &Want, report: &mut Report) -> Option<Found> {
        let is = |source: &Source| {
            let binary = source.types.iter().any(|kind| kind == "deb");
            binary && source.uris.iter().any(|uri| want.repository.prefix(uri).is_some())
        };
        let mut ours = self.found(is);
        let right = |source: &Source| source.uris.iter().any(|uri| same(uri, &want.place(Some(uri))));
        ours.sort_by_key(|(_, source)| (!source.enabled, !right(source)));
        let mut ours = ours.into_iter();
        let chosen = ours.next();
        for (at, source) in ours.filter(|(_, source)| source.enabled) {
            let file = &mut self.files[at];
            let finding = report.mends("repository-twice", "the same packages come from two sources");
            finding.file(&file.path).line(source.line).current(source.uris.join(" "));
            file.sources.disable(&source);
        }
        chosen
    }

    /// Edits a source that is there.
    fn mend(&mut self, (at, source): &Found, keyring: Option<&str>, want: &Want, report: &mut Report) {
        let File { path, sources, .. } = &mut self.files[*at];
        let before = sources.clone();
        let line = source.line;
        if !source.enabled {
            report.mends("repository", "it is switched off").file(&*path).line(line).current("Enabled: no");
            sources.enable(source);
        }
        if let [uri] = source.uris.as_slice() {
            let place = want.place(Some(uri));
            if !same(uri, &place) {
                let (check, why) = want.wrong_place(uri);
                report.mends(check, why).file(&*path).line(line).current(uri).want(&place);
                sources.set_uri(source, &place);
            }
        } else {
            let finding = report.fails("repository-uri", "it shares a stanza with other places");
            finding.file(&*path).line(line).current(source.uris.join(" ")).fix("give it a stanza of its own");
        }
        let now = [source.suites.join(" "), source.components.join(" ")];
        let [suites, components] = suites(want);
        let listed =
            |wanted: &str, now: &[String]| wanted.is_empty() || now.iter().any(|word| word == wanted);
        if !listed(&suites, &source.suites) || !listed(&components, &source.components) {
            let finding = report.mends("repository-suite", "apt finds no packages for this release there");
            finding.file(&*path).line(line).current(now.join(" ").trim());
            finding.want(format!("{suites} {components}").trim());
            sources.set_suites(source, &suites, &components);
        }
        if source.option("trusted").is_some_and(|value| value.eq_ignore_ascii_case("yes")) {
            let finding = report.mends("repository-trusted", "whoever is in between can put packages in");
            finding.file(&*path).line(line).current("trusted=yes");
            sources.set_option(source, "trusted", None);
        }
        if let Some(keyring) = keyring.filter(|keyring| source.option("signed-by") != Some(keyring)) {
            let why = "its packages may be signed by one key alone, and not by every key apt trusts";
            let finding = report.mends("repository-signed-by", why).file(&*path).line(line).want(keyring);
            finding.current = source.option("signed-by").map(str::to_owned);
            sources.set_option(source, "signed-by", Some(keyring));
        }
        if *sources == before {
            report
                .pass("repository", "apt takes packages from it")
                .file(&*path)
                .line(line)
                .current(source.uris.join(" "));
        }
    }

    /// Adds a source of its own.
    fn add(&mut self, keyring: &str, want: &Want, report: &mut Report) {
        let path = format!("{PARTS}/{}.sources", want.repository.name());
        let place = want.place(None);
        let [suites, components] = suites(want);
        let components =
            if components.is_empty() { components } else { format!("Components: {components}\n") };
        let stanza =
            format!("Types: deb\nURIs: {place}\nSuites: {suites}\n{components}Signed-By: {keyring}\n");
        report.mends("repository", "apt knows no packages of it").file(&path).want(place);
        if let Some(file) = self.files.iter_mut().find(|file| file.path == path) {
            file.sources.push(&stanza);
        } else {
            let sources = Sources::new(Form::Deb822, stanza);
            self.files.push(File { path, before: String::new(), sources });
        }
    }
}

/// Suite and component of a repository.
fn suites(want: &Want) -> [String; 2] {
    match want.repository {
        Repository::Kubernetes => ["/".into(), String::new()],
        Repository::Docker => [want.system.codename().unwrap_or_default().into(), "stable".into()],
    }
}

/// Judges the key and sees that it is where it ought to be; none where the
/// source names it in another way that is as good.
fn keyring(
    signed_by: Option<&str>,
    machine: &Machine,
    want: &Want,
    barred: &mut Barred,
    report: &mut Report,
) -> node::Result<Option<String>> {
    let stem = match want.repository {
        Repository::Kubernetes => "kubernetes-apt-keyring",
        Repository::Docker => "docker",
    };
    let usual = ["asc", "gpg"].map(|ending| format!("{KEYRINGS}/{stem}.{ending}"));
    let named = signed_by.filter(|named| named.starts_with('/')).map(str::to_owned);
    if let Some(given) = want.key {
        let judged = key::judge(&given.bytes, &given.path, want.repository, &want.trust, report);
        barred.by_key |= judged.is_none();
        let Some(keyring) = judged else { return Ok(named.or(Some(usual[0].clone()))) };
        let path = named.unwrap_or_else(|| {
            usual.iter().find(|path| key::fits(path, &keyring)).unwrap_or(&usual[0]).clone()
        });
        put(&path, key::content(&path, &keyring, &given.bytes), machine, report)?;
        return Ok(Some(path));
    }
    if let Some(text) = signed_by.filter(|text| text.contains("-----BEGIN")) {
        // In deb822 a lone dot stands for an empty line.
        let text: Vec<&str> = text.lines().map(|line| if line == "." { "" } else { line }).collect();
        let good = key::judge(text.join("\n").as_bytes(), "Signed-By", want.repository, &want.trust, report)
            .is_some();
        barred.by_key |= !good;
        return Ok(None);
    }
    if signed_by.is_some() && named.is_none() {
        let why = "a fingerprint names one of the keys apt trusts for everything";
        report.warns("repository-signed-by", why).want(&usual[0]).fix("give the key with --key");
        return Ok(None);
    }
    let places = named.map_or_else(|| usual.to_vec(), |named| vec![named]);
    for path in &places {
        let Some(bytes) = machine.bytes(path)? else { continue };
        let judged = key::judge(&bytes, path, want.repository, &want.trust, report);
        barred.by_key |= judged.is_none();
        if let Some(keyring) = judged {
            put(path, key::content(path, &keyring, &bytes), machine, report)?;
        }
        return Ok(Some(path.clone()));
    }
    barred.misses(want);
    let fix = format!("fetch {} and give it with --key", want.repository.key_url(want.system, want.minor));
    report.fails("key-file", "apt cannot check its packages: the key is missing").file(&places[0]).fix(fix);
    Ok(Some(places[0].clone()))
}

/// Puts a key where it ought to be.
fn put(path: &str, content: Vec<u8>, machine: &Machine, report: &mut Report) -> node::Result<()> {
    let now = machine.bytes(path)?;
    if now.as_ref() == Some(&content) {
        report.pass("key-file", "it is where apt looks for it").file(path);
        return Ok(());
    }
    let same_key = now.as_deref().and_then(|now| openpgp::parse(now).ok()).map(|keyring| keyring.bytes);
    if same_key.is_some() && same_key == openpgp::parse(&content).ok().map(|keyring| keyring.bytes) {
        let why = "apt goes by the name: .asc is armoured, .gpg is not, and what does not fit is not read";
        report.mends("key-form", why).file(path).reference("hobby-kube/provisioning#86");
    } else {
        report.mends("key-file", "apt checks its packages with it").file(path);
    }
    report.wanted.push(machine.edited(path, content));
    Ok(())
}

/// What is installed stays until the platform says otherwise.
fn hold(machine: &Machine, want: &Want, report: &mut Report) -> node::Result<()> {
    let status = machine.text("/var/lib/dpkg/status")?.unwrap_or_default();
    let held: Vec<_> =
        conf::dpkg::packages(&status).filter(|package| package.held).map(|package| package.name).collect();
    let now = machine.text(PIN)?;
    if now.is_none() && HELD.iter().all(|name| held.iter().any(|held| held == name)) {
        report.pass("hold", "dpkg holds them").file("/var/lib/dpkg/status").current(HELD.join(" "));
        return Ok(());
    }
    let wanted = format!(
        "# They go up when the platform says so: kubeadm first, one minor version at a time.\n\
         Package: {}\nPin: version {}\nPin-Priority: 999\n",
        HELD.join(" "),
        want.version
    );
    if now.as_deref() == Some(&wanted) {
        report.pass("hold", "apt stays at the platform's version").file(PIN).current(&want.version);
    } else {
        let why = "an upgrade of all packages takes the kubelet along, past what the control plane allows";
        let finding = report.mends("hold", why).file(PIN).want(&want.version);
        finding.reference("https://kubernetes.io/releases/version-skew-policy/");
        report.wanted.push(machine.edited(PIN, wanted));
    }
    Ok(())
}
