//! New credentials, from a control plane.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::Args;
use cli::{Answer, Context, Error, Input, Out, Place, Steps};
use kubeadm::{Call, CertificateKey, Credentials, Init, Site, Stage, Token};

/// So long kubeadm keeps the certificates it uploads (kubeadm, constants.DefaultCertTokenDuration).
const CERTIFICATES: Duration = Duration::from_hours(2);
/// So long each call of kubeadm may take.
const CALL: Duration = Duration::from_mins(2);

/// Makes new credentials, on a control plane.
#[derive(Args)]
pub(crate) struct Renew {
    /// Write them to FILE [default: where kubeadm-init kept the first ones]
    #[arg(long, value_name = "FILE", default_value = "/var/lib/bareplane/kubeadm/credentials.json")]
    out: PathBuf,
    /// How long the token holds, in whole hours
    #[arg(long, value_name = "TIME", default_value = "24h")]
    token_ttl: cli::Duration,
    /// For workers alone: do not upload the control plane's certificates
    #[arg(long)]
    no_certificates: bool,
    /// A DNS name for the API, as given to kubeadm-init
    #[arg(long, value_name = "NAME")]
    endpoint: Option<String>,
    /// The host of the platform this is [default: its hostname]
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// Work on the tree below DIR (kubeadm's --rootfs)
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
    /// The kubeadm to run
    #[arg(long, value_name = "PROGRAM", default_value = "kubeadm")]
    kubeadm: PathBuf,
    /// The platform document; standard input if `-`
    #[arg(default_value = "-")]
    file: Input,
}

impl Renew {
    pub(crate) fn run(&self, out: &mut Out) -> cli::Result {
        let platform = self.file.platform()?;
        let place = Place { root: self.root.clone(), journal: None, host: self.host.clone() };
        let host = place.host_of(&platform)?;
        let root = self.root.canonicalize().doing(format!("opening {}", self.root.display()))?;
        let site = Site::new(&root);
        if site.stage().doing("looking at /etc/kubernetes")? != Stage::ControlPlane {
            let why = format!("{} is no control plane that runs", host.name);
            return Err(Error::invalid("looking at /etc/kubernetes", why).hint("run it on one that does"));
        }
        let ca = files::read(&site.path("/etc/kubernetes/pki/ca.crt"), 1 << 20)
            .doing("reading the cluster's CA")?;
        let token_hours = u32::try_from(self.token_ttl.as_secs() / 3600).unwrap_or(u32::MAX).max(1);
        let key =
            if self.no_certificates { None } else { Some(CertificateKey::mint().doing("minting a key")?) };
        let init = Init {
            endpoint: self.endpoint.clone(),
            token_hours,
            token: Some(Token::mint().doing("minting a token")?),
            certificate_key: key,
            blank: false,
            ..Init::default()
        };
        let mut credentials = Credentials {
            endpoint: kubeadm::endpoint(&platform, &init).doing("reading the platform")?,
            ca_cert_hash: kubeadm::ca_pin(&ca).doing("reading the cluster's CA")?,
            token: init.token.clone(),
            token_expires: None,
            certificate_key: init.certificate_key.clone(),
            certificate_key_expires: None,
        };
        let document = kubeadm::init(&platform, host, &init).doing(format!("rendering for {}", host.name))?;
        let mut steps = Steps::new(out);
        let mut call = |step: &str, words: &[&str]| {
            let mut words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
            if !place.is_live() {
                words.extend(["--rootfs".to_owned(), root.display().to_string()]);
            }
            let secrets = credentials.secrets();
            let call = Call {
                program: self.kubeadm.clone(),
                words,
                document: document.clone(),
                secrets,
                timeout: CALL,
            };
            match call.run() {
                Ok(_) => steps.done(step),
                Err(failure) => {
                    steps.failed(step, failure.word())?;
                    Err(failure).doing(format!("running {}", call.line()))
                }
            }
        };
        call("token", &["token", "create", "--config", "/dev/stdin"])?;
        if init.certificate_key.is_some() {
            call(
                "certificates",
                &["init", "phase", "upload-certs", "--upload-certs", "--config", "/dev/stdin"],
            )?;
        }
        let now = SystemTime::now();
        credentials.token_expires = Some(now + Duration::from_hours(token_hours.into()));
        credentials.certificate_key_expires =
            credentials.certificate_key.as_ref().map(|_| now + CERTIFICATES);
        credentials.store(&self.out).doing("keeping the credentials")?;
        out.emit(&credentials.record(Some(&self.out), now))?;
        Ok(Answer::Yes)
    }
}
