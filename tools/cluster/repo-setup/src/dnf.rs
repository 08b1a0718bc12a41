//! dnf: repositories, keys, exclusions.

use change::Report;
use conf::dnf::{Repo, Repos};
use node::Machine;

use crate::key;
use crate::repository::{HELD, Repository, is_dead, is_garbled, same};
use crate::want::{Barred, Want};

const PARTS: &str = "/etc/yum.repos.d";
const KEYS: &str = "/etc/pki/rpm-gpg";
/// Packages of the repository that nobody upgrades in passing.
const EXCLUDED: &str = "kubelet kubeadm kubectl cri-tools kubernetes-cni";

/// Every file dnf takes repositories from.
pub(crate) struct Files {
    files: Vec<File>,
}

struct File {
    path: String,
    before: String,
    repos: Repos,
}

/// Which file, which repository in it, and what it says.
type Found = (usize, usize, Repo);

impl Files {
    pub(crate) fn load(machine: &Machine) -> node::Result<Self> {
        let mut files = Vec::new();
        for path in machine.files(PARTS, "repo").into_iter().map(|name| format!("{PARTS}/{name}")) {
            if let Some(text) = machine.text(&path)? {
                files.push(File { path, before: text.clone(), repos: Repos::new(text) });
            }
        }
        Ok(Self { files })
    }

    /// Makes a repository one section, with its key, and says what was wrong.
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
        let gpgkey = chosen.as_ref().and_then(|(.., repo)| repo.get("gpgkey")).map(str::to_owned);
        let gpgkey = self::gpgkey(gpgkey.as_deref(), machine, want, &mut barred, report)?;
        match chosen {
            Some(found) => self.mend(&found, &gpgkey, want, report),
            None => self.add(&gpgkey, want, report),
        }
        Ok(barred)
    }

    /// What has to be written.
    pub(crate) fn wanted(self, machine: &Machine, report: &mut Report) {
        for file in self.files.into_iter().filter(|file| file.repos.as_str() != file.before) {
            if is_garbled(&file.before) {
                let finding = report.fails("encoding", "it is no UTF-8, and is not edited").file(&file.path);
                finding.fix("convert it with iconv");
                continue;
            }
            report.wanted.push(machine.edited(&file.path, file.repos.as_str()));
        }
    }

    fn found(&self, is: impl Fn(&Repo) -> bool) -> Vec<Found> {
        let mut found = Vec::new();
        for (at, file) in self.files.iter().enumerate() {
            let repos = file.repos.repos().into_iter().enumerate();
            found.extend(repos.filter(|(_, repo)| is(repo)).map(|(place, repo)| (at, place, repo)));
        }
        found
    }

    fn bury(&mut self, report: &mut Report) {
        let dead =
            |repo: &Repo| repo.is_enabled() && repo.get("baseurl").is_some_and(|url| is_dead(url, &[]));
        for (at, place, repo) in self.found(dead) {
            let file = &mut self.files[at];
            let why = "it was frozen in 2023 and is gone since 2024: every update fails";
            let finding = report.mends("repository-dead", why).file(&file.path).line(repo.line);
            finding.current(repo.get("baseurl").unwrap_or_default()).reference("kubernetes/release#3524");
            file.repos.set(place, "enabled", "0");
        }
    }

    fn choose(&mut self, want: &Want, report: &mut Report) -> Option<Found> {
        // Docker's own file has sections for sources and for tests as well.
        let is = |repo: &Repo| {
            let place = repo.get("baseurl").filter(|url| want.repository.prefix(url).is_some());
            place.is_some_and(|url| match want.repository {
                Repository::Kubernetes => true,
                Repository::Docker => url.trim_end_matches('/').ends_with("$basearch/stable"),
            })
        };
        let mut ours = self.found(is);
        let right = |repo: &Repo| repo.get("baseurl").is_some_and(|url| same(url, &want.place(Some(url))));
        ours.sort_by_key(|(.., repo)| (!repo.is_enabled(), !right(repo)));
        let mut ours = ours.into_iter();
        let chosen = ours.next();
        for (at, place, repo) in ours.filter(|(.., repo)| repo.is_enabled()) {
            let file = &mut self.files[at];
            let finding = report.mends("repository-twice", "the same packages come from two repositories");
            finding.file(&file.path).line(repo.line).current(&repo.id);
            file.repos.set(place, "enabled", "0");
        }
        chosen
    }

    fn mend(&mut self, (at, place, repo): &Found, gpgkey: &str, want: &Want, report: &mut Report) {
        let File { path, repos, .. } = &mut self.files[*at];
        let before = repos.clone();
        let mut set = |check: &str, why: String, key: &str, value: &str| {
            let finding = report.mends(check, why).file(&*path).line(repo.line_of(key).unwrap_or(repo.line));
            finding.current = repo.get(key).map(str::to_owned);
            finding.want(format!("{key}={value}"));
            repos.set(*place, key, value);
        };
        if !repo.is_enabled() {
            set("repository", "it is switched off".into(), "enabled", "1");
        }
        let now = repo.get("baseurl").unwrap_or_default();
        let url = want.place(Some(now));
        if !same(now, &url) {
            let (check, why) = want.wrong_place(now);
            set(check, why, "baseurl", &url);
        }
        if repo.get("gpgcheck") != Some("1") {
            set("repository-trusted", "whoever is in between can put packages in".into(), "gpgcheck", "1");
        }
        if repo.get("gpgkey") != Some(gpgkey) {
            set(
                "repository-signed-by",
                "dnf checks its packages with the key that is named here".into(),
                "gpgkey",
                gpgkey,
            );
        }
        let excluded = repo.get("exclude").or(repo.get("excludepkgs")).unwrap_or_default();
        let has = |name: &&str| excluded.split([' ', ',', '\n']).any(|found| found == *name);
        if want.repository == Repository::Kubernetes && !HELD.iter().all(has) {
            let why =
                "an upgrade of all packages takes the kubelet along, past what the control plane allows";
            set("hold", why.into(), "exclude", EXCLUDED);
        } else if want.repository == Repository::Kubernetes {
            let held = report.pass("hold", "dnf passes them over unless told not to").file(&*path);
            held.line(repo.line).current(excluded.replace('\n', " "));
        }
        if *repos == before {
            report.pass("repository", "dnf takes packages from it").file(&*path).line(repo.line).current(now);
        }
    }

    fn add(&mut self, gpgkey: &str, want: &Want, report: &mut Report) {
        let name = want.repository.name();
        let (file, id) = match want.repository {
            Repository::Kubernetes => (name, name),
            Repository::Docker => ("docker-ce", "docker-ce-stable"),
        };
        let path = format!("{PARTS}/{file}.repo");
        let url = want.place(None);
        let hold = match want.repository {
            Repository::Kubernetes => format!("exclude={EXCLUDED}\n"),
            Repository::Docker => String::new(),
        };
        let section = format!(
            "[{id}]\nname={}\nbaseurl={url}\nenabled=1\ngpgcheck=1\ngpgkey={gpgkey}\n{hold}",
            want.repository.title()
        );
        report.mends("repository", "dnf knows no packages of it").file(&path).want(url);
        match self.files.iter_mut().find(|file| file.path == path) {
            Some(file) => file.repos.push(&section),
            None => self.files.push(File { path, before: String::new(), repos: Repos::new(section) }),
        }
    }
}

/// Judges the key, and sees that it is where it ought to be; says what `gpgkey` ought to be.
fn gpgkey(
    now: Option<&str>,
    machine: &Machine,
    want: &Want,
    barred: &mut Barred,
    report: &mut Report,
) -> node::Result<String> {
    let usual = format!("{KEYS}/RPM-GPG-KEY-{}", want.repository.name());
    let named = now
        .and_then(|now| now.strip_prefix("file://"))
        .filter(|path| path.starts_with('/') && !path.contains('\n'));
    let path = named.unwrap_or(&usual);
    let there = machine.bytes(path)?;
    let remote = now.filter(|now| now.contains("://") && !now.starts_with("file:"));
    let (bytes, from) = match (want.key, &there, remote) {
        (Some(given), ..) => (&given.bytes, given.path.as_str()),
        (None, Some(bytes), None) => (bytes, path),
        (None, _, Some(remote)) => {
            let why = "dnf fetches the key when it first needs it, and nobody judges it";
            let finding = report.warns("key-file", why).current(remote).want(format!("file://{usual}"));
            finding.fix("give it with --key");
            // The key of a minor version lies with its packages.
            let moves = want.repository == Repository::Kubernetes && want.repository.prefix(remote).is_some();
            let place = moves.then(|| format!("{}repodata/repomd.xml.key", want.place(Some(remote))));
            return Ok(place.unwrap_or_else(|| remote.to_owned()));
        }
        (None, None, None) => {
            barred.misses(want);
            let fix =
                format!("fetch {} and give it with --key", want.repository.key_url(want.system, want.minor));
            report.fails("key-file", "dnf cannot check its packages: the key is missing").file(path).fix(fix);
            return Ok(format!("file://{path}"));
        }
    };
    let judged = key::judge(bytes, from, want.repository, &want.trust, report);
    barred.by_key |= judged.is_none();
    if let Some(keyring) = judged {
        // rpm reads armoured keys alone.
        let content = key::content("key.asc", &keyring, bytes);
        if there.as_ref() == Some(&content) {
            report.pass("key-file", "it is where dnf looks for it").file(path);
        } else if want.key.is_none() {
            report.mends("key-form", "rpm reads armoured keys alone").file(path);
            report.wanted.push(machine.edited(path, content));
        } else {
            report.mends("key-file", "dnf checks its packages with it").file(path);
            report.wanted.push(machine.edited(path, content));
        }
    }
    Ok(format!("file://{path}"))
}
