//! What a machine is, and what Kubernetes wants of it.
//!
//! A [`Machine`] is the running one or an image tree; [`look`] judges one
//! [`Area`] of it for a host of the platform and says two things: findings,
//! and what is wanted so that they go away: files, links, and settings of
//! the running kernel, for [`change`] to make and take back. [`Kernel`] is
//! who reads and writes those settings.
//!
//! Nothing here starts a program for an image tree, and next to none for the
//! running machine: what /proc, /sys and /etc say is read, not asked for.
//!
//! ```
//! use node::{Area, Machine, Options, Want};
//! # let text = include_str!("../../../tests/fixtures/examples/platform.yaml");
//! let platform = platform::parse(text).unwrap();
//! # let dir = tempfile::tempdir().unwrap();
//! # std::fs::create_dir(dir.path().join("etc")).unwrap();
//! # std::fs::write(dir.path().join("etc/fstab"), "/swap.img\tnone\tswap\tsw\t0\t0\n").unwrap();
//! let machine = Machine::tree(dir.path());
//! let want = Want { platform: &platform, host: platform.host("w1").unwrap(), options: Options::default() };
//! let report = node::look(Area::Swap, &machine, &want).unwrap();
//! assert!(report.findings.iter().any(|judged| judged.finding.check == "swap-fstab"));
//! ```

mod cgroup;
mod clock;
mod firewall;
mod hostname;
mod kernel;
mod machine;
mod modules;
mod packages;
mod security;
mod swap;
mod sysctl;

pub use kernel::Kernel;
pub use machine::Machine;
pub use packages::{Upgrade, missing_commands, missing_packages};

use change::Report;
use model::{Fault, Kind};
use platform::{Host, Platform, Role};

/// Who finds, in records.
pub const TOOL: &str = "node-prep";

/// One concern of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Area {
    /// Swap in all its forms.
    Swap,
    /// Kernel modules.
    Modules,
    /// Kernel parameters.
    Sysctl,
    /// The ports the host's roles need.
    Firewall,
    /// The hostname and what identifies the machine.
    Hostname,
    /// `SELinux` and `AppArmor`.
    Selinux,
    /// Control groups.
    Cgroup,
    /// The clock.
    Time,
    /// Programs the kubelet and kubeadm start.
    Packages,
}

/// What is asked for beyond the platform document.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Turn the firewall off rather than open what is needed.
    pub disable_firewall: bool,
    /// Make `SELinux` permissive.
    pub selinux_permissive: bool,
}

/// What a machine is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Want<'a> {
    /// The platform.
    pub platform: &'a Platform,
    /// The host of it this machine is.
    pub host: &'a Host,
    /// What else was asked for.
    pub options: Options,
}

impl Want<'_> {
    /// Whether a kubelet runs here.
    pub(crate) fn is_node(&self) -> bool {
        self.host.is(Role::ControlPlane) || self.host.is(Role::Worker)
    }

    /// The Kubernetes version of this host, as (major, minor).
    pub(crate) fn kubernetes(&self) -> (u32, u32) {
        self.platform.kubernetes_of(self.host)
    }
}

/// Why a machine could not be judged.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of it could not be read.
    #[error(transparent)]
    Files(#[from] files::Error),
    /// A program that was asked had no answer.
    #[error("{0}")]
    Mute(String),
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Files(error) => error.kind(),
            Self::Mute(_) => Kind::Unavailable,
        }
    }
}

/// What this crate's functions return.
pub type Result<T> = std::result::Result<T, Error>;

/// Judges one area of a machine.
///
/// # Errors
/// Fails if a file cannot be read, or a program that has to be asked has no answer.
pub fn look(area: Area, machine: &Machine, want: &Want) -> Result<Report> {
    let mut report = Report::new(TOOL, &want.host.name);
    match area {
        Area::Swap => swap::look(machine, want, &mut report),
        Area::Modules => modules::look(machine, want, &mut report),
        Area::Sysctl => sysctl::look(machine, want, &mut report),
        Area::Firewall => firewall::look(machine, want, &mut report),
        Area::Hostname => hostname::look(machine, want, &mut report),
        Area::Selinux => security::look(machine, want, &mut report),
        Area::Cgroup => {
            cgroup::look(machine, want, &mut report);
            Ok(())
        }
        Area::Time => {
            clock::look(machine, &mut report);
            Ok(())
        }
        Area::Packages => packages::look(machine, want, &mut report),
    }?;
    Ok(report)
}
