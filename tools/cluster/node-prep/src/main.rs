//! Prepares a machine for Kubernetes: swap, kernel, firewall, name, clock.
//!
//! The platform document says what the host is; its roles say what it needs.
//! `check` tells what is not so and why, `plan` shows every change with a diff
//! and touches nothing, `apply` makes the changes, `undo` takes them back byte
//! for byte. On the running machine live settings (swap areas, kernel
//! parameters, modules, the hostname, loaded rules) are changed and taken back
//! with the files; on an image tree (`--root`) the files alone.
//!
//! ```console
//! $ mkdir -p image/etc && printf '/swap.img\tnone\tswap\tsw\t0\t0\n' > image/etc/fstab
//! $ node-prep check --root image --host w1 --only swap platform.yaml || echo not ready
//! {"record":"finding","tool":"node-prep","target":"w1","check":"swap-fstab","status":"fail",[..]"file":"/etc/fstab","line":1,"current":"/swap.img",[..]
//! {"record":"finding","tool":"node-prep","target":"w1","check":"swap-target",[..]
//! not ready
//! $ node-prep apply --root image --host w1 --only swap platform.yaml
//! {"record":"change","target":"w1","path":"/etc/fstab","action":"update",[..]
//! {"record":"change","target":"w1","path":"/etc/systemd/system/swap.target","action":"create",[..]
//! $ tr "\t" " " < image/etc/fstab
//! #node-prep: no swap on Kubernetes nodes# /swap.img none swap sw 0 0
//! $ node-prep apply --root image --host w1 --only swap platform.yaml && echo nothing left to do
//! nothing left to do
//! $ node-prep undo --root image --host w1 | grep -c fstab
//! 1
//! ```
//!
//! On a whole cluster:
//!
//! ```sh
//! inventory nodes platform.yaml | ssh-fan run -- node-prep apply - < platform.yaml
//! ```
//!
//! # Areas
//!
//! - swap: fstab (its lines become comments), .swap units, zram-generator,
//!   swap services, cloud-init, GPT partitions (through a masked swap.target),
//!   and what is on; by `cluster.swap`: off, no-swap or limited-swap
//! - modules: `overlay`, `br_netfilter`, `nf_conntrack` and what Calico's
//!   encapsulation needs; judged by what they do, not by modprobe's status
//! - sysctl: what runs, what will run after a boot, and which line of which
//!   file wins; values that are higher than needed stay
//! - firewall: opens what the roles need in firewalld, ufw or nftables,
//!   whichever is in charge; `--firewall disable` turns it off
//! - hostname: the platform's name; machine-id and product UUID as findings
//! - selinux: `SELinux` and `AppArmor` as findings; `--selinux permissive` changes it
//! - cgroup: version 2, which the kubelet insists on from 1.35 on
//! - time: a service that keeps the clock; enables systemd-timesyncd if it is there
//! - packages: programs the kubelet starts, and upgrades; only when named
//!
//! # Files
//!
//! `/etc/fstab`, `/etc/systemd/system/`, `/etc/systemd/zram-generator.conf`,
//! `/etc/cloud/cloud.cfg.d/99-zz-node-prep.cfg`,
//! `/etc/modules-load.d/bareplane-node.conf`,
//! `/etc/sysctl.d/99-zz-bareplane-node.conf`, `/etc/hostname`,
//! `/etc/selinux/config`; of the firewall in charge
//! `/etc/bareplane/node.nft` with a line at the end of `/etc/nftables.conf`,
//! `/etc/ufw/before.rules` and `before6.rules`, or the zone's file below
//! `/etc/firewalld/zones`. Journals lie below `/var/lib/bareplane/undo/node-prep`.
//!
//! # Exit status
//!
//! 0 as it should be (warnings apart), or done; 1 findings, or changes
//! pending, or an undo refused because somebody changed a file since (a step
//! record says `changed-since`); 2 the document or an argument is wrong;
//! 3 another run is at it, or the machine refuses.
//!
//! # Notes
//!
//! Either everything of an apply is made or nothing: what fails takes all of
//! it back, and what a killed run left is taken back by the next one. What no
//! change of files can mend (control groups of version 1, a kernel without a
//! module) is a finding of `check` and a warning of `plan` and `apply`.
//!
//! Modules stay loaded after an undo, and upgrades of packages cannot be
//! undone at all. In a container the kernel is somebody else's: parameters
//! that are not the network's are written to the file and warned about.
//!
//! firewalld is told to reload, ufw likewise; nftables gets its rules in one
//! transaction, with nothing flushed, since kube-proxy and Calico keep rules
//! of their own there. Elements that firewalld or ufw got for a role the host
//! no longer has stay in firewalld; undo takes them away.

mod upgrade;

use std::process::ExitCode;
use std::rc::Rc;

use change::{Report, Tree};
use clap::{Args as Group, Parser, Subcommand, ValueEnum};
use cli::{Answer, Context, Input, Keep, Out, Place, Undo};
use node::{Area, Kernel, Machine, Options, Want};

/// Prepare a machine for Kubernetes
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
    /// Look at these areas alone
    #[arg(long, value_name = "AREA", value_delimiter = ',')]
    only: Vec<Part>,
    /// What becomes of an active firewall
    #[arg(long, value_name = "WHAT", default_value = "open")]
    firewall: Firewall,
    /// Change the mode of `SELinux`
    #[arg(long, value_name = "MODE")]
    selinux: Option<Selinux>,
    /// Upgrade packages (with --only packages)
    #[arg(long, value_name = "WHICH", default_value = "none")]
    upgrade: Upgrade,
    /// How long package managers may take
    #[arg(long, value_name = "TIME", default_value = "30m")]
    timeout: cli::Duration,
    /// The platform document; standard input if `-`
    #[arg(default_value = "-")]
    file: Input,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Swap,
    Modules,
    Sysctl,
    Firewall,
    Hostname,
    Selinux,
    Cgroup,
    Time,
    Packages,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Firewall {
    /// Open what the host's roles need.
    Open,
    /// Turn it off.
    Disable,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Selinux {
    /// Log what would be denied, deny nothing.
    Permissive,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Upgrade {
    None,
    Security,
    All,
}

fn main() -> ExitCode {
    cli::main(&cli::tool!(), run)
}

fn run(args: &Args, out: &mut Out) -> cli::Result {
    match &args.verb {
        Verb::Check(job) => cli::check(&job.look(None)?.report, out),
        Verb::Plan(job) => {
            upgrade::refuse(job)?;
            let looked = job.look(None)?;
            cli::warn_of_the_rest(&looked.report);
            let files = cli::plan(&looked.tree, &looked.report.wanted, out)?;
            Ok(both(files, upgrade::plan(job, &looked, out)?))
        }
        Verb::Apply { job, keep } => {
            upgrade::refuse(job)?;
            let looked = job.look(Some(out))?;
            cli::warn_of_the_rest(&looked.report);
            let files = cli::apply(&looked.tree, &looked.report.wanted, keep.keep, out)?;
            Ok(both(files, upgrade::apply(job, &looked, out)?))
        }
        Verb::Undo(Undo { place, id }) => cli::undo(&tree(place, &place.host()?)?, *id, out),
    }
}

fn both(one: Answer, other: Answer) -> Answer {
    if one == Answer::Yes { other } else { one }
}

/// What was found on a machine, and what is wanted of it.
struct Looked {
    tree: Tree,
    host: String,
    report: Report,
    packages: Vec<&'static str>,
}

impl Job {
    /// Looks at the machine; who is about to change it clears up after a killed run first.
    fn look(&self, recover: Option<&mut Out>) -> cli::Result<Looked> {
        let platform = self.file.platform()?;
        let host = self.place.host_of(&platform)?;
        let machine = machine(&self.place);
        let options = Options {
            disable_firewall: self.firewall == Firewall::Disable,
            selinux_permissive: self.selinux.is_some(),
        };
        let want = Want { platform: &platform, host, options };
        let tree = tree(&self.place, &host.name)?;
        if let Some(out) = recover {
            cli::recover(&tree, out)?;
        }
        let mut looked = Looked {
            tree,
            host: host.name.clone(),
            report: Report::new(node::TOOL, &host.name),
            packages: Vec::new(),
        };
        for area in self.areas() {
            looked.report.add(node::look(area, &machine, &want).doing("looking at the machine")?);
        }
        if self.is_about_packages() {
            looked.packages = node::missing_packages(&machine, &want).doing("looking at the machine")?;
        }
        Ok(looked)
    }

    /// Modules before the parameters they bring.
    fn areas(&self) -> Vec<Area> {
        let all = [
            (Part::Swap, Area::Swap),
            (Part::Modules, Area::Modules),
            (Part::Sysctl, Area::Sysctl),
            (Part::Firewall, Area::Firewall),
            (Part::Hostname, Area::Hostname),
            (Part::Selinux, Area::Selinux),
            (Part::Cgroup, Area::Cgroup),
            (Part::Time, Area::Time),
            (Part::Packages, Area::Packages),
        ];
        let named =
            |part| if self.only.is_empty() { part != Part::Packages } else { self.only.contains(&part) };
        all.into_iter().filter(|(part, _)| named(*part)).map(|(_, area)| area).collect()
    }

    fn is_about_packages(&self) -> bool {
        self.only.contains(&Part::Packages)
    }
}

fn machine(place: &Place) -> Machine {
    if place.is_live() { Machine::running() } else { Machine::tree(&place.root) }
}

fn tree(place: &Place, host: &str) -> cli::Result<Tree> {
    let tree = place.tree("node-prep", host)?;
    Ok(if place.is_live() { tree.running(Rc::new(Kernel)) } else { tree })
}
