//! Looking at the node, its pods, its member of etcd.

use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use cli::{Context, Error};
use etcd::{Members, Tls};
use kube::{Node, Pod};
use model::{Fault, Kind};
use platform::{Host, Platform, Role};

use crate::Job;
use crate::guard::{self, Refusal};

/// etcd's port for clients.
const PORT: u16 = 2379;
/// So long members may take to say how they are.
const SURVEY: Duration = Duration::from_secs(5);
/// So long between two looks at an election.
const AGAIN: Duration = Duration::from_millis(250);
/// So long an election may take: the default timeout is a second, and votes may be split some times.
const ELECTION: Duration = Duration::from_secs(6);

/// Whom to ask, and about whom.
#[derive(Debug)]
pub(crate) struct Reach<'a> {
    pub(crate) host: &'a Host,
    pub(crate) api: kube::Client,
    /// The address or name the kubeconfig asks at.
    pub(crate) api_host: String,
    /// Members of etcd to ask; none if the host is none of etcd's.
    urls: Vec<String>,
    tls: Tls,
}

/// What there is.
#[derive(Debug, Default)]
pub(crate) struct Look {
    /// The node; `None` if there is none of its name.
    pub(crate) node: Option<Node>,
    /// The pods on it.
    pub(crate) pods: Vec<Pod>,
    /// Other control planes that are ready.
    pub(crate) control_planes: usize,
    /// `None` if the host is none of etcd's.
    pub(crate) etcd: Option<Etcd>,
}

/// The members of etcd, and which of them follow a leader.
#[derive(Clone, Debug)]
pub(crate) struct Etcd {
    pub(crate) members: Members,
    pub(crate) alive: Vec<u64>,
    /// How many answer, but follow no leader.
    pub(crate) leaderless: usize,
    /// Where to ask those that are alive, with their ids.
    pub(crate) urls: Vec<(u64, String)>,
}

impl<'a> Reach<'a> {
    pub(crate) fn new(job: &Job, platform: &Platform, host: &'a Host) -> cli::Result<Self> {
        let path = &job.kubeconfig;
        let config = kube::Config::load(path)
            .map_err(|error| Error::invalid_all(format!("reading {}", path.display()), error.reasons()))?;
        let api = kube::Client::new(&config).doing("using the kubeconfig")?;
        let pair = job.cert.as_deref().zip(job.key.as_deref());
        let tls = Tls::files(job.ca.as_deref(), pair).doing("reading certificates")?;
        let scheme = if job.ca.is_some() { "https" } else { "http" };
        let urls = match host.is(Role::Etcd) {
            false => Vec::new(),
            true if job.endpoints.is_empty() => platform.with_role(Role::Etcd).filter_map(url_of).collect(),
            true => {
                let whole = |text: &String| text.contains("://");
                let url =
                    |text: &String| if whole(text) { text.clone() } else { format!("{scheme}://{text}") };
                job.endpoints.iter().map(url).collect()
            }
        };
        Ok(Self { host, api, api_host: config.host().to_owned(), urls, tls })
    }

    /// Looks at everything; etcd first, since without its majority the API answers nobody.
    pub(crate) fn look(&self, deadline: Instant) -> cli::Result<Result<Look, Refusal>> {
        let etcd = if self.urls.is_empty() { None } else { Some(self.etcd(deadline)?) };
        if let Some(Err(refusal)) = etcd.as_ref().map(guard::majority) {
            return Ok(Err(refusal));
        }
        let asking = || format!("asking {}", self.api.server());
        let nodes: Vec<Node> = self.api.list("/api/v1/nodes", "", deadline).doing(asking())?;
        let own = |node: &Node| node.metadata.name == self.host.name;
        let control_planes =
            nodes.iter().filter(|node| !own(node) && node.is_control_plane() && node.is_ready()).count();
        let node = nodes.into_iter().find(own);
        let pods = if node.is_some() { self.pods(deadline).doing(asking())? } else { Vec::new() };
        Ok(Ok(Look { node, pods, control_planes, etcd }))
    }

    pub(crate) fn pods(&self, deadline: Instant) -> kube::Result<Vec<Pod>> {
        let query = format!("fieldSelector=spec.nodeName%3D{}", self.host.name);
        self.api.list("/api/v1/pods", &query, deadline)
    }

    pub(crate) fn client(&self, url: &str) -> cli::Result<etcd::Client> {
        etcd::Client::new(url, &self.tls).doing("reading arguments").map_err(|error| {
            error.hint(
                "etcd of kubeadm: --ca pki/etcd/ca.crt, --cert and --key of pki/etcd/healthcheck-client",
            )
        })
    }

    /// The members; while some that answer have no leader, their election is waited for: who removes a leader, or is
    /// killed right after that, meets it.
    pub(crate) fn etcd(&self, deadline: Instant) -> cli::Result<Etcd> {
        let elected = deadline.min(Instant::now() + ELECTION);
        loop {
            let etcd = self.survey(deadline)?;
            if etcd.leaderless == 0 || Instant::now() + AGAIN >= elected {
                return Ok(etcd);
            }
            thread::sleep(AGAIN);
        }
    }

    /// Asks the members named, then those these know of.
    fn survey(&self, deadline: Instant) -> cli::Result<Etcd> {
        let deadline = deadline.min(Instant::now() + SURVEY);
        let half = Instant::now() + deadline.saturating_duration_since(Instant::now()) / 2;
        let mut said = self.ask(&self.urls, half)?;
        let best = |said: &[Said]| {
            let told = said.iter().filter_map(|said| said.answer.as_ref().ok());
            told.max_by_key(|(status, _)| status.raft_index).map(|(_, members)| members.clone())
        };
        let Some(members) = best(&said) else { return Err(nobody(&said)) };
        let heard = |id: u64| said.iter().any(|said| said.answer.as_ref().is_ok_and(|(s, _)| s.member == id));
        let silent = members.list.iter().filter(|member| !heard(member.id));
        let more: Vec<_> = silent
            .filter_map(|member| member.client_urls.first())
            .filter(|url| !self.urls.contains(url))
            .cloned()
            .collect();
        said.extend(self.ask(&more, deadline)?);
        let members = best(&said).unwrap_or(members);
        let leaderless = said
            .iter()
            .filter(|said| said.answer.as_ref().is_ok_and(|(status, _)| status.leader.is_none()))
            .count();
        let well = said.iter().filter_map(|said| {
            let (status, _) = said.answer.as_ref().ok()?;
            status.leader.map(|_| (status.member, said.url.clone()))
        });
        let mut urls: Vec<_> = well.collect();
        urls.sort();
        urls.dedup_by_key(|(id, _)| *id);
        Ok(Etcd { members, alive: urls.iter().map(|(id, _)| *id).collect(), leaderless, urls })
    }

    fn ask(&self, urls: &[String], deadline: Instant) -> cli::Result<Vec<Said>> {
        let clients: Vec<_> = urls.iter().map(|url| self.client(url)).collect::<cli::Result<_>>()?;
        Ok(thread::scope(|scope| {
            let ask = |client: etcd::Client| {
                let answer = client.status(deadline).and_then(|status| {
                    // A learner refuses to tell the membership.
                    let members = if status.learner { None } else { Some(client.members(deadline)?) };
                    Ok((status, members))
                });
                let url = client.url().to_owned();
                match answer {
                    Ok((status, Some(members))) => Some(Said { url, answer: Ok((status, members)) }),
                    Ok((_, None)) => None,
                    Err(error) => Some(Said { url, answer: Err(error) }),
                }
            };
            let running: Vec<_> =
                clients.into_iter().map(|client| scope.spawn(move || ask(client))).collect();
            running.into_iter().filter_map(|one| one.join().ok().flatten()).collect()
        }))
    }
}

/// What a member said of itself and of the others.
struct Said {
    url: String,
    answer: etcd::Result<(etcd::Status, Members)>,
}

/// Why nobody answered.
fn nobody(said: &[Said]) -> Error {
    let failures: Vec<_> = said.iter().filter_map(|said| said.answer.as_ref().err()).collect();
    let mut reasons: Vec<_> = failures.iter().map(ToString::to_string).collect();
    reasons.sort();
    reasons.dedup();
    let why = format!("none answers: {}", reasons.join("; "));
    let doing = "asking for the members of etcd";
    // Wrong certificates stay wrong, whoever else is dead.
    if failures.iter().any(|error| error.kind() == Kind::Invalid) {
        return Error::invalid(doing, why);
    }
    Error::unavailable(doing, why)
}

/// kubeadm's members speak TLS to their clients, always.
fn url_of(host: &Host) -> Option<String> {
    host.addresses().next().map(|address| match address {
        IpAddr::V4(address) => format!("https://{address}:{PORT}"),
        IpAddr::V6(address) => format!("https://[{address}]:{PORT}"),
    })
}
