//! The command line, made into what is asked for.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use cli::{Context, Input, Place};
use kubeadm::{Api, Call, Credentials, Etcd, Init, Site, Stage, Verb};
use platform::{Host, Platform};

/// What every verb wants to know.
#[derive(Args)]
pub(crate) struct Job {
    /// The host of the platform this is [default: its hostname]
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// Work on the tree below DIR (kubeadm's --rootfs)
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
    /// The version of kubeadm's configuration
    #[arg(long, value_name = "VERSION", default_value = "v1beta4")]
    config_version: Version,
    /// A DNS name for the API instead of the virtual address
    #[arg(long, value_name = "NAME")]
    endpoint: Option<String>,
    /// One more name or address for the API server's certificate
    #[arg(long, value_name = "NAME")]
    san: Vec<String>,
    /// The container runtime's socket
    #[arg(long, value_name = "URL", default_value = "unix:///run/containerd/containerd.sock")]
    cri_socket: String,
    /// Where images come from
    #[arg(long, value_name = "REGISTRY")]
    image_repository: Option<String>,
    /// The kind of the certificates' keys
    #[arg(long, value_name = "KIND", value_parser = ["RSA-2048", "RSA-3072", "RSA-4096", "ECDSA-P256", "ECDSA-P384"])]
    encryption_algorithm: Option<String>,
    /// How long certificates hold [default: kubeadm's, a year]
    #[arg(long, value_name = "TIME")]
    certificate_validity: Option<cli::Duration>,
    /// How long certificate authorities hold [default: kubeadm's, ten years]
    #[arg(long, value_name = "TIME")]
    ca_validity: Option<cli::Duration>,
    /// A directory of patches for the static pods
    #[arg(long, value_name = "DIR")]
    patches: Option<String>,
    /// Leave out a phase
    #[arg(long, value_name = "PHASE", value_delimiter = ',')]
    skip_phases: Vec<String>,
    /// The CA of an etcd on hosts of its own
    #[arg(long, value_name = "FILE", default_value = "/etc/kubernetes/pki/etcd/ca.crt")]
    etcd_ca: String,
    /// The API server's certificate for that
    #[arg(long, value_name = "FILE", default_value = "/etc/kubernetes/pki/apiserver-etcd-client.crt")]
    etcd_cert: String,
    /// The key of that certificate
    #[arg(long, value_name = "FILE", default_value = "/etc/kubernetes/pki/apiserver-etcd-client.key")]
    etcd_key: String,
    /// How long the token holds, in whole hours
    #[arg(long, value_name = "TIME", default_value = "24h")]
    token_ttl: cli::Duration,
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

#[derive(Clone, Copy, ValueEnum)]
enum Version {
    V1beta3,
    V1beta4,
}

/// The document read, the host found.
pub(crate) struct Looked {
    pub(crate) platform: Platform,
    at: usize,
    pub(crate) site: Site,
    /// Whether this is the running machine.
    pub(crate) live: bool,
    pub(crate) init: Init,
    pub(crate) kubeadm: PathBuf,
    words: Vec<String>,
}

impl Job {
    pub(crate) fn look(&self) -> cli::Result<Looked> {
        let platform = self.file.platform()?;
        let place = Place { root: self.root.clone(), journal: None, host: self.host.clone() };
        let name = place.host_of(&platform)?.name.clone();
        let at = platform.hosts.iter().position(|host| host.name == name).unwrap_or_default();
        let mut words = self.words.clone();
        let root = self.root.canonicalize().doing(format!("opening {}", self.root.display()))?;
        if !place.is_live() {
            words.extend(["--rootfs".to_owned(), root.display().to_string()]);
        }
        let init = Init {
            api: match self.config_version {
                Version::V1beta3 => Api::V1Beta3,
                Version::V1beta4 => Api::V1Beta4,
            },
            endpoint: self.endpoint.clone(),
            names: self.san.clone(),
            socket: self.cri_socket.clone(),
            image_repository: self.image_repository.clone(),
            algorithm: self.encryption_algorithm.clone(),
            certificate_hours: self
                .certificate_validity
                .map(|time| hours("--certificate-validity", *time))
                .transpose()?,
            ca_hours: self.ca_validity.map(|time| hours("--ca-validity", *time)).transpose()?,
            patches: self.patches.clone(),
            skip_phases: self.skip_phases.clone(),
            etcd: Etcd { ca: self.etcd_ca.clone(), cert: self.etcd_cert.clone(), key: self.etcd_key.clone() },
            token_hours: hours("--token-ttl", *self.token_ttl)?,
            token: None,
            certificate_key: None,
            blank: true,
        };
        Ok(Looked {
            at,
            site: Site::new(root),
            live: place.is_live(),
            init,
            kubeadm: self.kubeadm.clone(),
            words,
            platform,
        })
    }
}

fn hours(option: &str, time: Duration) -> cli::Result<u32> {
    match u32::try_from(time.as_secs() / 3600) {
        Ok(hours) if hours > 0 && time.as_secs().is_multiple_of(3600) => Ok(hours),
        _ => Err(cli::Error::invalid(
            "reading arguments",
            format!("{option}: not a whole number of hours, at least one"),
        )),
    }
}

impl Looked {
    pub(crate) fn host(&self) -> &Host {
        &self.platform.hosts[self.at]
    }

    /// What kubeadm reads; with secrets if they are given, for the pipe alone.
    pub(crate) fn document(&self, secrets: Option<&Credentials>) -> cli::Result<String> {
        let mut init = self.init.clone();
        if let Some(secrets) = secrets {
            init.token.clone_from(&secrets.token);
            init.certificate_key.clone_from(&secrets.certificate_key);
            init.blank = false;
        }
        kubeadm::init(&self.platform, self.host(), &init).doing(format!("rendering for {}", self.host().name))
    }

    pub(crate) fn endpoint(&self) -> cli::Result<String> {
        kubeadm::endpoint(&self.platform, &self.init).doing("reading the platform")
    }

    /// `kubeadm init`; a run that was begun left files its checks would stumble over.
    pub(crate) fn call(&self, stage: Stage, document: String, timeout: Duration) -> Call {
        let mut words: Vec<_> =
            ["init", "--config", "/dev/stdin", "--upload-certs"].map(str::to_owned).into();
        if matches!(stage, Stage::Begun { verb: Verb::Init, .. }) {
            words.extend(Call::past_what_is_left(self.platform.network.api_port, &self.words));
        }
        words.extend(self.words.iter().cloned());
        Call { program: self.kubeadm.clone(), words, document, secrets: Vec::new(), timeout }
    }
}
