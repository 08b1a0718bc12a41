//! Credentials: made, read, judged; never printed.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use clap::Args;
use cli::{Answer, Context, Error, HostPort, Input, Out};
use files::Attributes;
use kubeadm::{Credentials, Token, cluster_info};
use model::{Finding, Severity, Status};

/// The most of a text that is read.
const LIMIT_BYTES: u64 = 1 << 20;

/// Makes a token for a cluster somebody else reaches.
#[derive(Args)]
pub(crate) struct Mint {
    /// Write the Secret that makes the token known to FILE, for `kubectl apply`
    #[arg(long, value_name = "FILE")]
    secret: PathBuf,
    /// Write the credentials to FILE
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The API
    #[arg(long, value_name = "HOST:PORT")]
    endpoint: HostPort,
    /// The cluster's CA: a certificate, or a kubeconfig that holds it
    #[arg(long, value_name = "FILE")]
    ca: PathBuf,
    /// How long the token holds; 0s for ever
    #[arg(long, value_name = "TIME", default_value = "24h")]
    ttl: cli::Duration,
}

impl Mint {
    pub(crate) fn run(&self, out: &mut Out) -> cli::Result {
        let now = SystemTime::now();
        let ca = files::read(&self.ca, LIMIT_BYTES).doing("reading the cluster's CA")?;
        let token = Token::mint().doing("minting a token")?;
        let expires = (!self.ttl.is_zero()).then(|| now + *self.ttl);
        let credentials = Credentials {
            endpoint: self.endpoint.to_string(),
            ca_cert_hash: kubeadm::ca_pin(&ca).doing(format!("reading {}", self.ca.display()))?,
            token: Some(token.clone()),
            token_expires: expires,
            certificate_key: None,
            certificate_key_expires: None,
        };
        let manifest = kubeadm::token_secret(&token, expires);
        files::replace(&self.secret, manifest.as_bytes(), &Attributes::mode(0o600))
            .doing("writing the Secret")?;
        keep(&credentials, &self.out, now, out)
    }
}

/// Makes credentials of what kubeadm printed.
#[derive(Args)]
pub(crate) struct Parse {
    /// Write the credentials to FILE
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// What `kubeadm init` or `kubeadm token create --print-join-command` printed
    #[arg(default_value = "-", value_name = "FILE")]
    printed: Input,
}

impl Parse {
    pub(crate) fn run(&self, out: &mut Out) -> cli::Result {
        let text = self.printed.read_text(LIMIT_BYTES)?;
        let credentials = kubeadm::parse_join_command(&text).doing(format!("reading {}", self.printed))?;
        keep(&credentials, &self.out, SystemTime::now(), out)
    }
}

fn keep(credentials: &Credentials, path: &std::path::Path, now: SystemTime, out: &mut Out) -> cli::Result {
    credentials.store(path).doing("keeping the credentials")?;
    out.emit(&credentials.record(Some(path), now))?;
    Ok(Answer::Yes)
}

/// Prints the hash of a cluster's CA.
#[derive(Args)]
pub(crate) struct CaHash {
    /// A certificate, or a kubeconfig that holds one
    #[arg(value_name = "FILE", default_value = "/etc/kubernetes/pki/ca.crt")]
    file: Input,
}

impl CaHash {
    pub(crate) fn run(&self, out: &mut Out) -> cli::Result {
        let text = self.file.read(LIMIT_BYTES)?;
        let pin = kubeadm::ca_pin(&text).doing(format!("reading {}", self.file))?;
        out.write(format!("{pin}\n").as_bytes())?;
        Ok(Answer::Yes)
    }
}

/// Tells whether a cluster is the one the credentials are for.
#[derive(Args)]
pub(crate) struct Verify {
    /// The credentials
    #[arg(long, value_name = "FILE")]
    credentials: PathBuf,
    /// Judge this instead of what the cluster answers: the `ConfigMap` as JSON
    #[arg(long, value_name = "FILE")]
    from: Option<Input>,
    /// How long the cluster may take to answer
    #[arg(long, value_name = "TIME", default_value = "10s")]
    timeout: cli::Duration,
}

impl Verify {
    pub(crate) fn run(&self, out: &mut Out) -> cli::Result {
        let known = Credentials::load(&self.credentials).doing("reading the credentials")?;
        let Some(token) = &known.token else {
            return Err(Error::invalid("reading the credentials", "they hold no token"));
        };
        let info = match &self.from {
            Some(input) => input.read_text(LIMIT_BYTES)?,
            None => cluster_info::fetch(&known.endpoint, Instant::now() + *self.timeout)
                .doing(format!("asking {} for cluster-info", known.endpoint))?,
        };
        let verdict = cluster_info::judge(&info, token, Some(&known.ca_cert_hash));
        let (status, severity, why, current) = match &verdict {
            Ok(genuine) => (
                Status::Pass,
                Severity::Info,
                "the token signed it, and its CA is the pinned one".to_owned(),
                Some(genuine.server.clone()),
            ),
            Err(distrust) => (Status::Fail, Severity::High, distrust.to_string(), None),
        };
        out.emit(&Finding {
            tool: "kubeadm-join".into(),
            target: known.endpoint.clone(),
            check: "cluster-info".into(),
            status,
            severity,
            file: None,
            line: None,
            current,
            want: Some(known.ca_cert_hash.clone()),
            why,
            fix: verdict
                .is_err()
                .then(|| "`kubeadm-join renew` on a control plane, and see that the address is right".into()),
            reference: Some("RFC 7515, appendix F".into()),
        })?;
        Ok(Answer::from(verdict.is_ok()))
    }
}

/// Tells how long credentials still hold.
#[derive(Args)]
pub(crate) struct Remaining {
    /// The credentials
    #[arg(long, value_name = "FILE", default_value = "/var/lib/bareplane/kubeadm/credentials.json")]
    credentials: PathBuf,
    /// Answer no if they hold no longer than this
    #[arg(long, value_name = "TIME", default_value = "15m")]
    min_ttl: cli::Duration,
    /// Judge the token alone: workers need no certificate key
    #[arg(long)]
    worker: bool,
}

impl Remaining {
    pub(crate) fn run(&self, out: &mut Out) -> cli::Result {
        let now = SystemTime::now();
        let known = Credentials::load(&self.credentials).doing("reading the credentials")?;
        out.emit(&known.record(Some(&self.credentials), now))?;
        let key = known.certificate_key_expires.filter(|_| !self.worker);
        let mut enough = true;
        for (what, expires) in [("the token", known.token_expires), ("the certificate key", key)] {
            let Some(expires) = expires else { continue };
            match expires.duration_since(now) {
                Ok(left) if left > *self.min_ttl => continue,
                Ok(left) => cli::warn(format!("{what} holds for {} only", rough(left))),
                Err(over) => cli::warn_hint(
                    format!("{what} expired {} ago", rough(over.duration())),
                    "`kubeadm-join renew` on a control plane makes new credentials",
                ),
            }
            enough = false;
        }
        Ok(Answer::from(enough))
    }
}

/// A time for eyes, as fine as one would say it.
pub(crate) fn rough(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min", seconds / 60),
        seconds @ 3600..172_800 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        seconds => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_two_hours_and_a_minute_is_told_in_both() {
        let told = |seconds| rough(Duration::from_secs(seconds));
        assert_eq!(told(2 * 3600 + 60), "2 h 1 min");
        assert_eq!([told(59), told(3599), told(172_800)], ["59 s", "59 min", "2 days"]);
    }
}
