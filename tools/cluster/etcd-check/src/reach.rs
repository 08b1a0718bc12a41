//! Whom to ask, and how.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use cli::{Context, Error, Input};
use etcd::{Client, Metrics, Tls};
use platform::{Host, Role};

use crate::survey;

/// etcd's port for clients.
const PORT: u16 = 2379;
/// How often a server is asked what it holds against us.
const TRIES: usize = 5;
/// The metrics of this machine are here or nowhere.
const METRICS_TIMEOUT: Duration = Duration::from_secs(1);

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Members to ask, as URL or HOST:PORT [default: the platform's etcd hosts]
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    endpoints: Vec<String>,
    /// The certificate authority of etcd, such as /etc/kubernetes/pki/etcd/ca.crt
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The certificate to show
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// Its key
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Where else metrics are, such as <http://127.0.0.1:2381/metrics>; may be repeated
    #[arg(long, value_name = "URL")]
    metrics_url: Vec<String>,
    /// The platform document; standard input if `-`, or if there are no endpoints
    file: Option<Input>,
}

/// Whom to ask, and how.
#[derive(Debug)]
pub(crate) struct Reach {
    pub(crate) urls: Vec<String>,
    /// The hosts the platform wants etcd on; `None` without a platform.
    pub(crate) hosts: Option<Vec<Host>>,
    tls: Tls,
    http: http::Client,
    metrics_urls: Vec<String>,
}

impl Options {
    pub(crate) fn reach(&self) -> cli::Result<Reach> {
        let file = match &self.file {
            None if self.endpoints.is_empty() => Some(&Input::Stdin),
            file => file.as_ref(),
        };
        let hosts = file.map(etcd_hosts).transpose()?;
        let urls = match &hosts {
            Some(hosts) if self.endpoints.is_empty() => hosts.iter().filter_map(url_of).collect(),
            _ => self.endpoints.iter().map(|endpoint| self.url(endpoint)).collect(),
        };
        let pair = self.cert.as_deref().zip(self.key.as_deref());
        let tls = Tls::files(self.ca.as_deref(), pair).doing("reading certificates")?;
        let trust = self.ca.as_deref().map(http::Trust::ca_file).transpose();
        let identity = pair.map(|(cert, key)| http::Identity::files(cert, key)).transpose();
        let options = http::Options {
            trust: trust.doing("reading certificates")?.unwrap_or_default(),
            identity: identity.doing("reading certificates")?,
            ..http::Options::default()
        };
        let http = http::Client::new(&options).doing("using the certificates")?;
        Ok(Reach { urls, hosts, tls, http, metrics_urls: self.metrics_url.clone() })
    }

    /// As etcdctl takes it: without a scheme it is TLS if there is a CA to believe.
    fn url(&self, endpoint: &str) -> String {
        let scheme = if self.ca.is_some() { "https" } else { "http" };
        if endpoint.contains("://") { endpoint.to_owned() } else { format!("{scheme}://{endpoint}") }
    }
}

fn etcd_hosts(file: &Input) -> cli::Result<Vec<Host>> {
    let platform = file.platform()?;
    let hosts: Vec<_> = platform.with_role(Role::Etcd).cloned().collect();
    if hosts.is_empty() {
        let why = "no host has the role etcd";
        return Err(Error::invalid(format!("reading {file}"), why).hint("name the members with --endpoints"));
    }
    Ok(hosts)
}

/// kubeadm's members speak TLS to their clients, always.
fn url_of(host: &Host) -> Option<String> {
    host.addresses().next().map(|address| match address {
        IpAddr::V4(address) => format!("https://{address}:{PORT}"),
        IpAddr::V6(address) => format!("https://[{address}]:{PORT}"),
    })
}

/// The host that has an address, or that name.
pub(crate) fn host_at<'a>(mut hosts: impl Iterator<Item = &'a Host>, at: &str) -> Option<&'a Host> {
    let address = at.parse::<IpAddr>().ok();
    hosts.find(|host| host.name == at || host.addresses().any(|own| Some(own) == address))
}

impl Reach {
    pub(crate) fn clients(&self, urls: &[String]) -> cli::Result<Vec<Client>> {
        let client = |url: &String| Client::new(url, &self.tls).doing("reading arguments");
        let hint = |error: Error| {
            error.hint(
                "etcd of kubeadm: --ca pki/etcd/ca.crt, --cert and --key of pki/etcd/healthcheck-client",
            )
        };
        urls.iter().map(client).collect::<cli::Result<_>>().map_err(hint)
    }

    /// What the URLs of metrics tell.
    pub(crate) fn metrics(&self) -> Vec<Metrics> {
        let soon = Instant::now() + METRICS_TIMEOUT;
        self.metrics_urls.iter().filter_map(|url| self.metrics_at(url, soon)).collect()
    }

    /// Why the two sides do not believe each other; `None` if that is not the trouble.
    ///
    /// A server that wants a certificate closes after the handshake (RFC 8446,
    /// section 4.6.2). A request on its way then fails before its alert is
    /// read, now and then: so it is asked more than once.
    pub(crate) fn tls_failure_at(&self, url: &str, deadline: Instant) -> Option<(&'static str, String)> {
        let url = format!("{}/health", url.trim_end_matches('/'));
        (0..TRIES).find_map(|_| match self.http.get(&url, deadline) {
            Err(http::Error::Tls { text, .. }) => Some(("tls", text)),
            _ => None,
        })
    }

    pub(crate) fn metrics_at(&self, url: &str, deadline: Instant) -> Option<Metrics> {
        survey::metrics(&self.http, url, deadline)
    }
}
