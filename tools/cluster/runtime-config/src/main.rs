//! Makes containerd's configuration fit Kubernetes.
//!
//! Where a setting stands depends on the version of the file, and which
//! versions are read depends on the containerd that is installed: a section
//! of the wrong name is ignored without a word. So the tool finds out which
//! containerd it is, looks at the file as that one does, and edits it in
//! place: comments, order and line ends stay. Without a file it writes the
//! smallest one that does.
//!
//! ```console
//! $ mkdir -p image/etc/containerd && printf 'disabled_plugins = ["cri"]\n' > image/etc/containerd/config.toml
//! $ runtime-config check --root image --host w1 platform.yaml > findings || grep -c '"status":"fail"' findings
//! 4
//! $ runtime-config apply --root image --host w1 platform.yaml
//! {"record":"change","target":"w1","path":"/etc/containerd/config.toml","action":"update",[..]
//! $ cat image/etc/containerd/config.toml
//! version = 4
//! disabled_plugins = []
//!
//! [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
//! runtime_type = "io.containerd.runc.v2"
//!
//! [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
//! SystemdCgroup = true
//!
//! [plugins."io.containerd.cri.v1.images".pinned_images]
//! sandbox = "registry.k8s.io/pause:3.10.2"
//! $ runtime-config apply --root image --host w1 platform.yaml && echo nothing left to do
//! nothing left to do
//! ```
//!
//! # Which containerd
//!
//! `--containerd-version`; else what `containerd --version` says (on the
//! running machine); else the package containerd or containerd.io of dpkg;
//! else `cluster.runtime.containerd` of the platform. 1.x reads version 2 of
//! the file, 2.0 to 2.2 version 3, 2.3 and newer version 4, and each the
//! older ones from 2 on: a file that says an older version keeps it.
//!
//! # Checks
//!
//! - release: Kubernetes takes this containerd, and the platform plans it
//! - toml: the file is TOML
//! - version: the file says its version, and this containerd knows it. A file
//!   with sections of version 1 is not touched
//! - cri-enabled: no CRI plugin is in `disabled_plugins`
//! - plugin-name: the rest of that list is something containerd starts with
//! - runtime-type, systemd-cgroup, systemd-cgroup-old: runc and every runtime
//!   of its kind leave control groups to systemd
//! - sandbox-image: the pause image is `cluster.runtime.pause`, or kubeadm's
//! - cni-bin: CNI programs are looked for in /opt/cni/bin
//! - registry: `config_path` and the older `mirrors` and `configs` exclude each other
//! - section-ignored: sections at names of another version
//! - import: what an imported file takes back; on 1.x its section takes the
//!   place of the whole section of config.toml
//! - verified (with `--verify`): `containerd config dump` of what is wanted
//!   says what is wanted; where it does not, `apply` refuses
//!
//! # Files
//!
//! `/etc/containerd/config.toml` and what it imports. Journals lie below
//! `/var/lib/bareplane/undo/runtime-config`.
//!
//! # Exit status
//!
//! 0 as it should be (warnings apart), or done; 1 findings, changes pending,
//! containerd disagrees (`--verify`), or an undo refused because somebody
//! changed the file since; 2 the document or an argument is wrong, or the
//! file cannot be edited: no TOML, or sections of version 1; 3 another run is
//! at it, or the machine refuses.
//!
//! # Notes
//!
//! containerd reads the file when it starts: `--restart` restarts it after a
//! change, and running containers stay. Without it the command is named.

mod judge;
mod release;
mod text;
mod verify;

use std::process::{Command, ExitCode};
use std::time::Duration;

use change::Tree;
use clap::{Args as Group, Parser, Subcommand};
use cli::{Answer, Context, Error, Input, Keep, Out, Place, Steps, Undo};
use node::Machine;
use process::Limits;

use crate::judge::{Judgement, TOOL, Want};
use crate::release::Release;

/// Make containerd's configuration fit Kubernetes
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Tell what is not as Kubernetes needs it
    Check(Job),
    /// Show what would change
    Plan(Job),
    /// Make it so
    Apply {
        #[command(flatten)]
        job: Job,
        /// Restart containerd after a change
        #[arg(long)]
        restart: bool,
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
    /// The containerd the configuration is for [default: the one that is installed]
    #[arg(long, value_name = "VERSION")]
    containerd_version: Option<Release>,
    /// Let containerd itself read what is wanted
    #[arg(long)]
    verify: bool,
    /// The platform document; standard input if `-`
    #[arg(default_value = "-")]
    file: Input,
}

fn main() -> ExitCode {
    cli::main(&cli::tool!(), run)
}

fn run(args: &Args, out: &mut Out) -> cli::Result {
    match &args.verb {
        Verb::Check(job) => cli::check(&job.look(None)?.judgement.report, out),
        Verb::Plan(job) => {
            let looked = job.look(None)?.editable()?;
            cli::warn_of_the_rest(&looked.judgement.report);
            let planned = cli::plan(&looked.tree, &looked.judgement.report.wanted, out)?;
            Ok(if looked.agreed { planned } else { Answer::No })
        }
        Verb::Apply { job, restart, keep } => {
            if *restart && !job.place.is_live() {
                return Err(Error::invalid("reading arguments", "--restart is for the running machine"));
            }
            let looked = job.look(Some(out))?.editable()?;
            cli::warn_of_the_rest(&looked.judgement.report);
            if !looked.agreed {
                return Ok(Answer::No);
            }
            let wanted = &looked.judgement.report.wanted;
            let applied = cli::apply(&looked.tree, wanted, keep.keep, out)?;
            if wanted.is_empty() || !job.place.is_live() { Ok(applied) } else { activate(*restart, out) }
        }
        Verb::Undo(undo) => undo.run(TOOL, out),
    }
}

/// containerd reads its configuration when it starts.
fn activate(restart: bool, out: &mut Out) -> cli::Result {
    if !restart {
        cli::warn_hint("containerd runs with the old configuration", "`systemctl restart containerd`");
        return Ok(Answer::Yes);
    }
    let mut steps = Steps::new(out);
    let mut command = Command::new("systemctl");
    command.args(["restart", "containerd"]);
    let done = process::run(&mut command, &Limits::within(Duration::from_secs(90)))
        .doing("restarting containerd")?;
    if done.end.success() {
        steps.done("restart")?;
        return Ok(Answer::Yes);
    }
    cli::warn_hint("containerd did not restart", "`journalctl -u containerd`, or `runtime-config undo`");
    steps.failed("restart", "failed")?;
    Ok(Answer::No)
}

/// What was found on a machine, and what is wanted of it.
struct Looked {
    tree: Tree,
    judgement: Judgement,
    /// Whether containerd agrees, as far as it was asked.
    agreed: bool,
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
        let machine = Machine::tree(&self.place.root);
        let release = match self.containerd_version {
            Some(release) => release,
            None => release::of(&machine, self.place.is_live(), &platform)?,
        };
        let want = Want::new(&platform, host, release);
        let mut judgement = judge::look(&machine, host, &want).doing("looking at the machine")?;
        let ask = self.verify && judgement.refusals.is_empty();
        let agreed = !ask || verify::verify(&mut judgement, self.place.is_live(), host, &want)?;
        Ok(Looked { tree, judgement, agreed })
    }
}

impl Looked {
    /// Refuses a file that cannot be edited.
    fn editable(self) -> cli::Result<Self> {
        if self.judgement.refusals.is_empty() {
            return Ok(self);
        }
        let doing = format!("reading {}", judge::FILE);
        Err(Error::invalid_all(doing, &self.judgement.refusals)
            .hint("`runtime-config check` says what to do"))
    }
}
