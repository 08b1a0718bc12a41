//! Sets up the signed package repositories of Kubernetes and Docker.
//!
//! Kubernetes has a repository a minor version, signed by a key that has
//! expired before; what older guides set up is gone. The tool makes it one
//! source with one key, for apt or dnf: it edits what is there in the form
//! it has, switches off what is dead or there twice, and keeps the packages
//! from going up unasked. It fetches nothing: `--key` names a file, which is
//! judged before anything trusts it.
//!
//! ```console
//! $ mkdir -p image/etc/apt && printf 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n' > image/etc/os-release
//! $ echo 'deb https://apt.kubernetes.io/ kubernetes-xenial main' > image/etc/apt/sources.list
//! $ repo-setup apply --root image --host w1 --key kubernetes.asc platform.yaml
//! {"record":"change","target":"w1","path":"/etc/apt/keyrings/kubernetes-apt-keyring.asc","action":"create",[..]
//! {"record":"change","target":"w1","path":"/etc/apt/preferences.d/kubernetes","action":"create",[..]
//! {"record":"change","target":"w1","path":"/etc/apt/sources.list","action":"update",[..]
//! {"record":"change","target":"w1","path":"/etc/apt/sources.list.d/kubernetes.sources","action":"create",[..]
//! $ cat image/etc/apt/sources.list image/etc/apt/sources.list.d/kubernetes.sources
//! # deb https://apt.kubernetes.io/ kubernetes-xenial main
//! Types: deb
//! URIs: https://pkgs.k8s.io/core:/stable:/v1.36/deb/
//! Suites: /
//! Signed-By: /etc/apt/keyrings/kubernetes-apt-keyring.asc
//! $ repo-setup apply --root image --host w1 platform.yaml && echo nothing left to do
//! nothing left to do
//! $ repo-setup check --root image --host w1 --fingerprint 00112233445566778899AABBCCDDEEFF00112233 platform.yaml | grep -c '"key-fingerprint","status":"fail"'
//! 1
//! ```
//!
//! A mirror is a prefix: what follows it is as upstream. Without `--mirror`
//! a source that names a mirror already keeps it.
//!
//! ```sh
//! repo-setup plan --mirror https://mirror.lan/kubernetes --key kubernetes.asc platform.yaml
//! repo-setup apply --with kubernetes,docker --key kubernetes.asc --docker-key docker.asc platform.yaml
//! ```
//!
//! # Checks
//!
//! - repository, repository-uri, repository-minor, repository-suite: there is
//!   one that packages come from, at its place, for this minor version and release
//! - sources-malformed: a line apt does not understand: it then reads none at all
//! - encoding: a file that has to be edited is UTF-8
//! - repository-dead: apt.kubernetes.io, packages.cloud.google.com, and copies of them
//! - repository-twice: the same packages from two sources
//! - repository-trusted: `trusted=yes`, `gpgcheck=0`
//! - repository-signed-by: its packages are signed by its key, and by no other apt trusts
//! - key, key-fingerprint, key-expired, key-revoked: the key is a key, the
//!   one it has to be, and good for another 30 days
//! - key-file, key-form: it is where it is looked for. apt reads `.asc` only
//!   if it is armoured and `.gpg` only if it is not; rpm reads armoured keys alone
//! - hold: kubelet, kubeadm and kubectl stay at the platform's version: by
//!   `apt-mark hold`, by a pin, or by `exclude` of the repository
//!
//! Which key it has to be say `--fingerprint` and `--docker-fingerprint`; a
//! key that is neither pinned nor upstream's is a warning.
//!
//! # Files
//!
//! apt: `/etc/apt/sources.list`, `/etc/apt/sources.list.d/`,
//! `/etc/apt/keyrings/`, `/etc/apt/preferences.d/kubernetes`; dnf:
//! `/etc/yum.repos.d/`, `/etc/pki/rpm-gpg/`. Journals lie below
//! `/var/lib/bareplane/undo/repo-setup`.
//!
//! # Exit status
//!
//! 0 as it should be (warnings apart), or done; 1 findings, changes pending,
//! an undo refused because somebody changed a file since, or a key that is
//! expired, revoked, broken or another one: `plan` and `apply` print the
//! finding and touch nothing; 2 the document or an argument is wrong, or
//! there is no key at all; 3 another run is at it, or the machine refuses.
//!
//! # Notes
//!
//! The key's self-signatures are read for its expiration, not verified: that
//! is for apt and rpm. Its fingerprint is computed, and that is what to pin.
//!
//! The pin keeps apt from other versions than the platform's, up or down;
//! with dnf name the version and `--disableexcludes=kubernetes`.

mod apt;
mod dnf;
mod key;
mod repository;
mod system;
mod want;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use change::{Report, Tree};
use clap::{Args as Group, Parser, Subcommand};
use cli::{Answer, Context, Error, Input, Keep, Out, Place, Undo};
use conf::os_release::Family;
use model::Status;
use node::Machine;
use platform::{Host, Platform, Role};

use crate::key::Trust;
use crate::repository::Repository;
use crate::system::System;
use crate::want::{Barred, Given, Want};

const TOOL: &str = "repo-setup";

/// Set up the signed package repositories of Kubernetes
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Tell what is not as it should be
    Check(Job),
    /// Show what would change
    Plan(Job),
    /// Make it so
    Apply {
        #[command(flatten)]
        job: Job,
        #[command(flatten)]
        keep: Keep,
    },
    /// Put back what an apply replaced
    Undo(Undo),
}

#[derive(Group)]
struct Job {
    #[command(flatten)]
    place: Place,
    /// Which repositories
    #[arg(long, value_name = "NAME", value_delimiter = ',', default_value = "kubernetes")]
    with: Vec<Repository>,
    /// The distribution, such as debian-12 [default: what os-release says]
    #[arg(long, value_name = "NAME-VERSION")]
    os: Option<String>,
    /// The minor version of Kubernetes, such as 1.36 [default: the platform's]
    #[arg(long, value_name = "MINOR", value_parser = minor)]
    minor: Option<u32>,
    /// What stands instead of <https://pkgs.k8s.io> and <https://download.docker.com>
    #[arg(long, value_name = "URL", value_parser = mirror)]
    mirror: Option<String>,
    /// The key of Kubernetes's packages
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The key of Docker's packages
    #[arg(long, value_name = "FILE")]
    docker_key: Option<PathBuf>,
    /// The fingerprint the key of Kubernetes has to have; may be given again
    #[arg(long, value_name = "HEX", value_parser = fingerprint)]
    fingerprint: Vec<String>,
    /// The fingerprint the key of Docker has to have; may be given again
    #[arg(long, value_name = "HEX", value_parser = fingerprint)]
    docker_fingerprint: Vec<String>,
    /// The platform document; standard input if `-`
    #[arg(default_value = "-")]
    file: Input,
}

fn minor(text: &str) -> Result<u32, String> {
    let text = text.strip_prefix("1.").unwrap_or(text);
    text.parse().map_err(|_| "a minor version such as 1.36 is wanted".to_owned())
}

fn mirror(text: &str) -> Result<String, String> {
    let is_url = ["https://", "http://", "file:/"].iter().any(|scheme| text.starts_with(scheme));
    if is_url && !text.contains(char::is_whitespace) {
        Ok(text.to_owned())
    } else {
        Err("a URL is wanted".to_owned())
    }
}

fn fingerprint(text: &str) -> Result<String, String> {
    let plain: String = text.chars().filter(|c| !c.is_whitespace() && *c != ':').collect();
    let is_hex = plain.chars().all(|c| c.is_ascii_hexdigit());
    // The short ids of a key are easily made again.
    if is_hex && matches!(plain.len(), 40 | 64) {
        Ok(plain.to_uppercase())
    } else {
        Err("a whole fingerprint is wanted: 40 hex digits, or 64".to_owned())
    }
}

fn main() -> ExitCode {
    cli::main(&cli::tool!(), run)
}

fn run(args: &Args, out: &mut Out) -> cli::Result {
    match &args.verb {
        Verb::Check(job) => cli::check(&job.look(None)?.report, out),
        Verb::Plan(job) => {
            let looked = job.look(None)?.with_keys()?;
            if looked.barred.by_key {
                return looked.refuse(out);
            }
            cli::warn_of_the_rest(&looked.report);
            cli::plan(&looked.tree, &looked.report.wanted, out)
        }
        Verb::Apply { job, keep } => {
            let looked = job.look(Some(out))?.with_keys()?;
            if looked.barred.by_key {
                return looked.refuse(out);
            }
            cli::warn_of_the_rest(&looked.report);
            cli::apply(&looked.tree, &looked.report.wanted, keep.keep, out)
        }
        Verb::Undo(undo) => undo.run(TOOL, out),
    }
}

/// What was found on a machine, and what is wanted of it.
struct Looked {
    tree: Tree,
    report: Report,
    barred: Barred,
}

impl Job {
    /// Looks at the machine; who is about to change it clears up after a killed run first.
    fn look(&self, recover: Option<&mut Out>) -> cli::Result<Looked> {
        let platform = self.file.platform()?;
        let host = self.place.host_of(&platform)?;
        let tree = self.place.tree(TOOL, &host.name)?;
        if let Some(out) = recover {
            cli::recover(&tree, out)?;
        }
        let mut report = Report::new(TOOL, &host.name);
        let mut barred = Barred::default();
        if host.is(Role::ControlPlane) || host.is(Role::Worker) {
            self.look_at(&platform, host, &mut report, &mut barred)?;
        } else {
            report.not_applicable("repository", "no kubelet runs here");
        }
        Ok(Looked { tree, report, barred })
    }

    fn look_at(
        &self,
        platform: &Platform,
        host: &Host,
        report: &mut Report,
        barred: &mut Barred,
    ) -> cli::Result<()> {
        const DOING: &str = "looking at the machine";
        let machine = Machine::tree(&self.place.root);
        let system = System::of(self.os.as_deref(), &machine, host)?;
        let keys = [given(self.key.as_deref())?, given(self.docker_key.as_deref())?];
        let mut apt = apt::Files::load(&machine).doing(DOING)?;
        let mut dnf = dnf::Files::load(&machine).doing(DOING)?;
        apt.judge(report);
        for repository in &self.with {
            let want = self.want(*repository, &system, platform, host, &keys)?;
            let found = match system.family {
                Family::RedHat => dnf.set_up(&machine, &want, report),
                _ => apt.set_up(&machine, &want, report),
            };
            let Barred { by_key, missing } = found.doing(DOING)?;
            barred.by_key |= by_key;
            barred.missing.extend(missing);
        }
        apt.wanted(&machine, report);
        dnf.wanted(&machine, report);
        // In the order of their names, as whoever reads the plan expects.
        report.wanted.sort_by(|a, b| a.path().cmp(b.path()));
        Ok(())
    }

    fn want<'a>(
        &'a self,
        repository: Repository,
        system: &'a System,
        platform: &Platform,
        host: &Host,
        keys: &'a [Option<Given>; 2],
    ) -> cli::Result<Want<'a>> {
        let (_, planned) = platform.kubernetes_of(host);
        let minor = self.minor.unwrap_or(planned);
        let full = host.kubernetes.as_ref().unwrap_or(&platform.cluster.kubernetes);
        let version = if minor == planned { format!("{full}-*") } else { format!("1.{minor}.*") };
        let (key, pins) = match repository {
            Repository::Kubernetes => (&keys[0], &self.fingerprint),
            Repository::Docker => (&keys[1], &self.docker_fingerprint),
        };
        if repository == Repository::Docker && system.family == Family::Debian {
            system.codename()?;
        }
        let trust = Trust::new(pins.clone());
        Ok(Want {
            repository,
            system,
            minor,
            version,
            mirror: self.mirror.as_deref(),
            key: key.as_ref(),
            trust,
        })
    }
}

/// Reads a key file that was given.
fn given(path: Option<&Path>) -> cli::Result<Option<Given>> {
    let read = |path: &Path| -> cli::Result<Given> {
        let bytes = files::read(path, openpgp::LIMIT_BYTES).doing("reading the key")?;
        Ok(Given { path: path.display().to_string(), bytes })
    };
    path.map(read).transpose()
}

impl Looked {
    /// Refuses where no key is to be had.
    fn with_keys(self) -> cli::Result<Self> {
        if self.barred.missing.is_empty() {
            return Ok(self);
        }
        let hint = "fetch it, compare its fingerprint, and give it with --key or --docker-key";
        Err(Error::invalid_all("looking for keys", &self.barred.missing).hint(hint))
    }

    /// A key that is no good is trusted by nobody: nothing is touched.
    fn refuse(&self, out: &mut Out) -> cli::Result {
        let findings = self.report.findings.iter().map(|judged| &judged.finding);
        let bad: Vec<_> = findings
            .filter(|finding| finding.status == Status::Fail && finding.check.starts_with("key"))
            .collect();
        bad.iter().try_for_each(|finding| out.emit(*finding))?;
        for finding in bad {
            let file = finding.file.as_deref().unwrap_or("the key");
            cli::warn(format!("refused: {file}: {}", finding.why));
        }
        Ok(Answer::No)
    }
}
