//! The options of commands that speak with Amazon's services, or what speaks like them.

use std::env;
use std::path::{Path, PathBuf};

use aws::Credentials;
use http::Trust;

use crate::{Context, Duration, Error, Result};

/// Far above any file of credentials.
const FILE_BYTES: u64 = 1 << 20;

/// How one of Amazon's services is reached.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Of Amazon's services")]
pub struct Aws {
    /// The server, if it is not Amazon's [default: $`AWS_ENDPOINT_URL`]
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// The region [default: $`AWS_REGION`, or us-east-1]
    #[arg(long, value_name = "NAME")]
    region: Option<String>,
    /// Who we are, in the form of ~/.aws/credentials [default: $`AWS_ACCESS_KEY_ID`, or that file]
    #[arg(long, value_name = "FILE")]
    credentials_file: Option<PathBuf>,
    /// Believe the certificate authorities of FILE alone [default: $`AWS_CA_BUNDLE`, or the machine's]
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// How long a request may take
    #[arg(long, value_name = "TIME", default_value = "30s")]
    attempt: Duration,
    /// How often a request is tried
    #[arg(long, value_name = "N", default_value = "8")]
    tries: u32,
}

/// What a service wants of us.
#[derive(Clone, Debug)]
pub struct Access {
    /// Who we are.
    pub credentials: Credentials,
    /// The region.
    pub region: String,
    /// The server, if it is not Amazon's.
    pub endpoint: Option<String>,
    /// Whose certificates are believed.
    pub trust: Trust,
    /// How long a request may take.
    pub attempt: std::time::Duration,
    /// How often a request is tried.
    pub tries: u32,
}

impl Aws {
    /// How a service is reached; `name` is what its variables end with, such as `S3`.
    ///
    /// # Errors
    /// Fails if there are no credentials, or a file cannot be read.
    pub fn access(&self, name: &str) -> Result<Access> {
        let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let region = self.region.clone().or_else(|| set("AWS_REGION")).or_else(|| set("AWS_DEFAULT_REGION"));
        let endpoint = self.endpoint.clone().or_else(|| set(&format!("AWS_ENDPOINT_URL_{name}")));
        let ca = self.ca_file.clone().or_else(|| set("AWS_CA_BUNDLE").map(PathBuf::from));
        let trust = match ca {
            Some(path) => Trust::ca_file(&path).doing("reading the certificates of --ca-file")?,
            None => Trust::System,
        };
        Ok(Access {
            credentials: self.credentials(set)?,
            region: region.unwrap_or_else(|| "us-east-1".to_owned()),
            endpoint: endpoint.or_else(|| set("AWS_ENDPOINT_URL")),
            trust,
            attempt: self.attempt.into(),
            tries: self.tries,
        })
    }

    /// Those of `--credentials-file`, of the environment, or of the file the AWS tools share.
    fn credentials(&self, set: impl Fn(&str) -> Option<String>) -> Result<Credentials> {
        let profile = set("AWS_PROFILE").unwrap_or_else(|| "default".to_owned());
        if let Some(path) = &self.credentials_file {
            return of_file(path, &profile);
        }
        if let (Some(key_id), Some(secret)) = (set("AWS_ACCESS_KEY_ID"), set("AWS_SECRET_ACCESS_KEY")) {
            return Ok(Credentials { key_id, secret, session: set("AWS_SESSION_TOKEN") });
        }
        let shared = set("AWS_SHARED_CREDENTIALS_FILE").map(PathBuf::from);
        let shared = shared.or_else(|| set("HOME").map(|home| Path::new(&home).join(".aws/credentials")));
        match shared.filter(|path| path.exists()) {
            Some(path) => of_file(&path, &profile),
            None => Err(Error::invalid("looking for credentials", "there are none").hint(
                "--credentials-file FILE, AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY, or ~/.aws/credentials",
            )),
        }
    }
}

fn of_file(path: &Path, profile: &str) -> Result<Credentials> {
    let doing = format!("reading {}", path.display());
    let text = files::read(path, FILE_BYTES).doing(&doing)?;
    Credentials::parse(&String::from_utf8_lossy(&text), profile)
        .ok_or_else(|| Error::invalid(doing, format!("no key and secret of [{profile}] in it")))
}
