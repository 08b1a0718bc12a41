//! Packages: those that are missing, and upgrades, by the system's own manager.
//!
//! A step of its own: what a package does to a machine cannot be undone.

use std::process::Command;
use std::time::Duration;

use cli::{Answer, Context, Error, Out};
use model::{Action, Change};
use process::{End, Finished, Limits};

use crate::{Job, Looked, Upgrade};

/// How long apt waits for another apt, seconds.
const LOCK_S: u32 = 120;
/// What `dnf check-update` says when there are updates.
const UPDATES: i32 = 100;

/// A package that would come, or come newer.
struct Pending {
    name: String,
    before: Option<String>,
    after: String,
}

pub(crate) fn plan(job: &Job, looked: &Looked, out: &mut Out) -> cli::Result {
    let Some((_, pending)) = pending(job, looked)? else { return Ok(Answer::Yes) };
    pending.iter().try_for_each(|package| out.emit(&package.change(&looked.host)))?;
    Ok(Answer::from(pending.is_empty()))
}

pub(crate) fn apply(job: &Job, looked: &Looked, out: &mut Out) -> cli::Result {
    let Some((manager, pending)) = pending(job, looked)? else { return Ok(Answer::Yes) };
    if pending.is_empty() {
        return Ok(Answer::Yes);
    }
    manager.install(&pending, *job.timeout)?;
    pending.iter().try_for_each(|package| out.emit(&package.change(&looked.host)))?;
    cli::warn("packages are not taken back by undo");
    if std::path::Path::new("/run/reboot-required").exists() {
        cli::warn_hint("what was upgraded runs only after a reboot", "drain the node, then reboot it");
    }
    Ok(Answer::Yes)
}

/// Refuses what cannot be done, before anything is.
pub(crate) fn refuse(job: &Job) -> cli::Result<()> {
    let doing = "reading arguments";
    if job.upgrade != Upgrade::None && !job.is_about_packages() {
        let error = Error::invalid(doing, "--upgrade is about packages");
        return Err(error.hint("say --only packages as well"));
    }
    if job.is_about_packages() && !job.place.is_live() {
        let error = Error::invalid(doing, "an image tree has no running package manager");
        return Err(
            error.hint("install packages when the image is built; `check --only packages` tells which")
        );
    }
    Ok(())
}

/// What the package manager would do; `None` if it was not asked for.
fn pending(job: &Job, looked: &Looked) -> cli::Result<Option<(Manager, Vec<Pending>)>> {
    if !job.is_about_packages() {
        return Ok(None);
    }
    let manager = Manager::find()?;
    let mut pending = Vec::new();
    if !looked.packages.is_empty() {
        pending.extend(manager.would_install(&looked.packages, *job.timeout)?);
    }
    if job.upgrade != Upgrade::None {
        let upgrades = manager.would_upgrade(job.upgrade == Upgrade::Security, *job.timeout)?;
        pending.extend(upgrades);
    }
    Ok(Some((manager, pending)))
}

impl Pending {
    fn change(&self, host: &str) -> Change {
        let Self { name, before, after } = self;
        let minus = before.as_ref().map(|version| format!("-{name} {version}\n")).unwrap_or_default();
        Change {
            target: host.to_owned(),
            path: None,
            action: if before.is_some() { Action::Update } else { Action::Create },
            before_sha256: None,
            after_sha256: None,
            diff: Some(format!("{minus}+{name} {after}\n")),
        }
    }
}

#[derive(Clone, Copy)]
enum Manager {
    Apt,
    Dnf,
}

impl Manager {
    fn find() -> cli::Result<Self> {
        let there = |path: &str| std::path::Path::new(path).exists();
        match (there("/usr/bin/apt-get"), there("/usr/bin/dnf")) {
            (true, _) => Ok(Self::Apt),
            (false, true) => Ok(Self::Dnf),
            _ => Err(Error::invalid("looking at packages", "neither apt-get nor dnf is here")),
        }
    }

    fn would_install(self, packages: &[&str], time: Duration) -> cli::Result<Vec<Pending>> {
        match self {
            Self::Apt => Ok(simulated(&text(&done(&mut apt(&["-s", "install"], packages), time)?), false)),
            // dnf has no simulation to read: the names are what will come.
            Self::Dnf => Ok(packages
                .iter()
                .map(|name| Pending { name: (*name).to_owned(), before: None, after: "newest".to_owned() })
                .collect()),
        }
    }

    fn would_upgrade(self, security: bool, time: Duration) -> cli::Result<Vec<Pending>> {
        match self {
            Self::Apt => Ok(simulated(&text(&done(&mut apt(&["-s", "dist-upgrade"], &[]), time)?), security)),
            Self::Dnf => {
                let mut command = Command::new("dnf");
                command.args(["-q", "check-update"]).args(security.then_some("--security"));
                let ran = ran(&mut command, time)?;
                match ran.end {
                    End::Code(0) => Ok(Vec::new()),
                    End::Code(UPDATES) => Ok(updates(&text(&ran))),
                    _ => Err(failure(&command, &ran)),
                }
            }
        }
    }

    fn install(self, pending: &[Pending], time: Duration) -> cli::Result<()> {
        let mut command = match self {
            Self::Apt => {
                let exact: Vec<_> = pending.iter().map(|one| format!("{}={}", one.name, one.after)).collect();
                apt(&["-y", "install"], &exact.iter().map(String::as_str).collect::<Vec<_>>())
            }
            Self::Dnf => {
                let mut command = Command::new("dnf");
                let (news, olds): (Vec<_>, Vec<_>) = pending.iter().partition(|one| one.before.is_none());
                // One transaction for what is new, which also upgrades what is named.
                command.args(["-y", "-q", "install"]);
                command.args(news.iter().chain(&olds).map(|one| one.name.as_str()));
                command
            }
        };
        done(&mut command, time).map(drop)
    }
}

/// apt-get that asks nobody, keeps configuration files, and waits for another apt.
fn apt(verb: &[&str], packages: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("LC_ALL", "C")
        .args(["-q", "--no-install-recommends", "-o", &format!("DPkg::Lock::Timeout={LOCK_S}")])
        .args(["-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"])
        .args(verb)
        .args(packages);
    command
}

fn ran(command: &mut Command, time: Duration) -> cli::Result<Finished> {
    let program = command.get_program().to_string_lossy().into_owned();
    process::run(command, &Limits::within(time)).doing(format!("running {program}"))
}

fn done(command: &mut Command, time: Duration) -> cli::Result<Finished> {
    let ran = ran(command, time)?;
    if ran.end.success() { Ok(ran) } else { Err(failure(command, &ran)) }
}

fn failure(command: &Command, ran: &Finished) -> Error {
    let program = command.get_program().to_string_lossy();
    let stderr = String::from_utf8_lossy(&ran.stderr);
    let said = stderr.lines().find(|line| line.starts_with("E:") || line.starts_with("Error"));
    let why = match (ran.end, said.or(stderr.lines().next_back())) {
        (End::TimedOut, _) => "its time is up".to_owned(),
        (_, Some(line)) => line.to_owned(),
        (end, None) => format!("{end:?}"),
    };
    Error::unavailable(format!("running {program}"), why)
}

fn text(ran: &Finished) -> String {
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

/// `Inst NAME [OLD] (NEW ORIGIN… [ARCH])` lines of `apt-get -s`.
fn simulated(text: &str, security: bool) -> Vec<Pending> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("Inst "));
    let lines = lines.filter(|line| !security || line.contains("-security") || line.contains("-Security"));
    lines
        .filter_map(|line| {
            let (name, rest) = line.split_once(' ')?;
            let (head, tail) = rest.split_once('(')?;
            let before = head.trim().strip_prefix('[').and_then(|old| old.strip_suffix(']'));
            let after = tail.split(' ').next()?.to_owned();
            Some(Pending { name: name.to_owned(), before: before.map(str::to_owned), after })
        })
        .collect()
}

/// `NAME.ARCH VERSION REPOSITORY` lines of `dnf check-update`.
fn updates(text: &str) -> Vec<Pending> {
    let rows = text.lines().take_while(|line| !line.starts_with("Obsoleting"));
    rows.filter_map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let [name, version, _] = words[..] else { return None };
        Some(Pending {
            name: name.to_owned(),
            before: Some("installed".to_owned()),
            after: version.to_owned(),
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const APT: &str = "Reading package lists...\nInst libc6 [2.36-9] (2.36-9+deb12u13 Debian-Security:12/oldstable-security [amd64])\nInst socat (1.7.4.4-2 Debian:12.12/oldstable [amd64])\nConf libc6 (2.36)\n";

    #[test]
    fn what_apt_would_do_is_read_with_both_versions() {
        let all = simulated(APT, false);
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].before.as_deref(), all[0].after.as_str()), (Some("2.36-9"), "2.36-9+deb12u13"));
        assert_eq!(all[1].change("cp1").diff.as_deref(), Some("+socat 1.7.4.4-2\n"));
    }

    #[test]
    fn security_upgrades_are_told_by_their_origin() {
        let names: Vec<_> = simulated(APT, true).into_iter().map(|one| one.name).collect();
        assert_eq!(names, ["libc6"]);
    }

    #[test]
    fn updates_of_dnf_end_where_obsoletes_begin() {
        let text = "\nkernel.x86_64   5.14.0-503   baseos\nObsoleting Packages\nold.x86_64 1 x\n";
        let names: Vec<_> = updates(text).into_iter().map(|one| one.name).collect();
        assert_eq!(names, ["kernel.x86_64"]);
    }
}
