//! The command line, made into what is asked for.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use cli::{Context, Error, Input, Place};
use kubeadm::{Api, Call, Credentials, Join, Site, Stage, Verb};
use model::{Action, Change};
use platform::{Host, Platform, Role};

/// What joining wants to know.
#[derive(Args)]
pub(crate) struct Job {
    /// What `kubeadm-init apply`, renew, mint-token or parse wrote
    #[arg(long, value_name = "FILE")]
    credentials: Option<PathBuf>,
    /// The host of the platform this is [default: its hostname]
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// What it becomes [default: what the platform says]
    #[arg(long, value_name = "ROLE")]
    role: Option<As>,
    /// Work on the tree below DIR (kubeadm's --rootfs)
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
    /// The version of kubeadm's configuration
    #[arg(long, value_name = "VERSION", default_value = "v1beta4")]
    config_version: Version,
    /// The container runtime's socket
    #[arg(long, value_name = "URL", default_value = "unix:///run/containerd/containerd.sock")]
    cri_socket: String,
    /// A directory of patches for the static pods
    #[arg(long, value_name = "DIR")]
    patches: Option<String>,
    /// The kubeadm to run
    #[arg(long, value_name = "PROGRAM", default_value = "kubeadm")]
    kubeadm: PathBuf,
    /// The platform document; standard input if `-`
    #[arg(default_value = "-")]
    file: Input,
    /// More words for kubeadm
    #[arg(last = true, value_name = "WORD")]
    words: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum As {
    #[value(alias = "cp")]
    ControlPlane,
    Worker,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Version {
    V1beta3,
    V1beta4,
}

impl From<Version> for Api {
    fn from(version: Version) -> Self {
        match version {
            Version::V1beta3 => Self::V1Beta3,
            Version::V1beta4 => Self::V1Beta4,
        }
    }
}

/// The documents read, the host found.
pub(crate) struct Looked {
    pub(crate) platform: Platform,
    at: usize,
    pub(crate) site: Site,
    /// Whether this is the running machine.
    pub(crate) live: bool,
    credentials: Option<Credentials>,
    pub(crate) control_plane: bool,
    pub(crate) socket: String,
    pub(crate) kubeadm: PathBuf,
    api: Api,
    patches: Option<String>,
    words: Vec<String>,
}

impl Job {
    pub(crate) fn look(&self) -> cli::Result<Looked> {
        let platform = self.file.platform()?;
        let place = Place { root: self.root.clone(), journal: None, host: self.host.clone() };
        let host = place.host_of(&platform)?;
        let control_plane = match self.role {
            Some(role) => role == As::ControlPlane,
            None => host.is(Role::ControlPlane),
        };
        let name = host.name.clone();
        let root = self.root.canonicalize().doing(format!("opening {}", self.root.display()))?;
        let mut words = self.words.clone();
        if !place.is_live() {
            words.extend(["--rootfs".to_owned(), root.display().to_string()]);
        }
        Ok(Looked {
            at: platform.hosts.iter().position(|host| host.name == name).unwrap_or_default(),
            site: Site::new(root),
            live: place.is_live(),
            credentials: self
                .credentials
                .as_ref()
                .map(|path| Credentials::load(path).doing("reading the credentials"))
                .transpose()?,
            control_plane,
            socket: self.cri_socket.clone(),
            kubeadm: self.kubeadm.clone(),
            api: self.config_version.into(),
            patches: self.patches.clone(),
            words,
            platform,
        })
    }
}

impl Looked {
    pub(crate) fn host(&self) -> &Host {
        &self.platform.hosts[self.at]
    }

    pub(crate) fn credentials(&self) -> cli::Result<&Credentials> {
        self.credentials.as_ref().ok_or_else(|| {
            Error::invalid("reading arguments", "--credentials is missing")
                .hint("`kubeadm-join renew` on a control plane makes them")
        })
    }

    /// The credentials, if there are any.
    pub(crate) fn known(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    pub(crate) fn document(&self, blank: bool) -> cli::Result<String> {
        let join = Join {
            api: self.api,
            credentials: self.credentials()?,
            socket: self.socket.clone(),
            patches: self.patches.clone(),
            control_plane: self.control_plane,
            blank,
        };
        kubeadm::join(&self.platform, self.host(), &join).doing(format!("rendering for {}", self.host().name))
    }

    /// `kubeadm join`; what a killed run has done is not done again.
    pub(crate) fn call(&self, stage: Stage, document: String, timeout: Duration) -> Call {
        let mut words: Vec<_> = ["join", "--config", "/dev/stdin"].map(str::to_owned).into();
        if let Stage::Begun { verb: Verb::Join, registered } = stage {
            words.extend(Call::past_what_is_left(self.platform.network.api_port, &self.words));
            // A node that is registered must not ask to be registered again.
            if registered {
                words.push("--skip-phases=kubelet-start".into());
            }
        }
        words.extend(self.words.iter().cloned());
        let secrets = self.credentials.as_ref().map(Credentials::secrets).unwrap_or_default();
        Call { program: self.kubeadm.clone(), words, document, secrets, timeout }
    }

    /// What becomes of /etc/kubernetes: the document is all it is made from.
    pub(crate) fn change(&self, document: Option<&str>) -> Change {
        Change {
            target: self.host().name.clone(),
            path: Some("/etc/kubernetes".into()),
            action: Action::Create,
            before_sha256: None,
            after_sha256: None,
            diff: document.map(|text| text.lines().map(|line| format!("+{line}\n")).collect()),
        }
    }
}
