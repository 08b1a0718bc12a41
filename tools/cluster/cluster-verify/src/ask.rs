//! Asking everybody there is to ask, at once.

use std::net::IpAddr;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Instant, SystemTime};

use cli::{Context, Error};
use kube::{
    Client, Config, DaemonSet, Deployment, EndpointSlice, Health, IpPool, Lease, Node, Service, Version,
};
use model::{Fault, Kind};
use platform::Platform;

use crate::Area;

/// An answer, or why there is none.
pub(crate) type Told<T> = Result<T, Untold>;

/// Why there is no answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Untold {
    /// In words.
    pub(crate) why: String,
    /// Whether there is an answer: no such thing.
    pub(crate) missing: bool,
}

/// All that was seen. What no check needs was not asked for.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) nodes: Told<Vec<Node>>,
    pub(crate) leases: Told<Vec<Lease>>,
    pub(crate) coredns: Told<Deployment>,
    pub(crate) dns_service: Told<Service>,
    pub(crate) dns_endpoints: Told<Vec<EndpointSlice>>,
    pub(crate) calico: Told<DaemonSet>,
    pub(crate) pools: Told<Vec<IpPool>>,
    /// Each control plane, by its own address.
    pub(crate) servers: Vec<Server>,
    /// Each virtual address.
    pub(crate) vips: Vec<Server>,
    /// When the leases were read.
    pub(crate) now: SystemTime,
}

/// An API server behind an address.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// The host, or the virtual address.
    pub(crate) name: String,
    /// Where it was asked.
    pub(crate) url: String,
    pub(crate) health: Told<Health>,
    pub(crate) version: Told<Version>,
    /// Its clock, and at that moment this machine's; `None` if it does not say.
    pub(crate) date: Option<(SystemTime, SystemTime)>,
}

impl Seen {
    pub(crate) fn of(
        config: &Config,
        platform: &Platform,
        areas: &[Area],
        deadline: Instant,
    ) -> cli::Result<Self> {
        let own = Client::new(config).doing("using the kubeconfig")?;
        let port = platform.network.api_port;
        let servers: Vec<_> = platform
            .control_planes()
            .filter_map(|host| Some((host.name.clone(), url(host.addresses().next()?, port))))
            .collect();
        let balanced = platform.balanced_port();
        let vips: Vec<_> =
            platform.network.vips.iter().map(|vip| (vip.to_string(), url(*vip, balanced))).collect();
        let mut all = vec![(String::new(), config.server().to_owned())];
        all.extend(servers.iter().cloned());
        if areas.contains(&Area::Vip) {
            all.extend(vips);
        }
        // Whoever hangs must leave time for the questions that follow.
        let now = Instant::now();
        let mut asked = ask(config, &own, &all, now + deadline.saturating_duration_since(now) / 2)?;
        let reader = reader(config, &own, &asked[..=servers.len()])?;
        // An API server without etcd takes seconds to say so.
        let mut seen = thread::scope(|scope| {
            for one in &mut asked[1..] {
                scope.spawn(move || one.examine(deadline));
            }
            Self::read(&reader, areas, deadline)
        })?;
        let mut asked = asked.into_iter().skip(1).map(|one| one.server);
        seen.servers = asked.by_ref().take(servers.len()).collect();
        seen.vips = asked.collect();
        Ok(seen)
    }

    /// What the chosen checks need, all at once: one that hangs keeps no other from its answer.
    fn read(client: &Client, areas: &[Area], deadline: Instant) -> cli::Result<Self> {
        const SYSTEM: &str = "/api/v1/namespaces/kube-system";
        let wanted = |of: &[Area]| areas.iter().any(|area| of.contains(area));
        thread::scope(|scope| {
            macro_rules! ask {
                ($areas:expr, $call:expr) => {
                    wanted($areas).then(|| scope.spawn(move || $call))
                };
            }
            let nodes = ask!(
                &[Area::Nodes, Area::Versions, Area::Addresses, Area::Calico, Area::Time],
                client.list::<Node>("/api/v1/nodes", "", deadline)
            );
            let leases = ask!(
                &[Area::Time],
                client.list::<Lease>(
                    "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases",
                    "",
                    deadline
                )
            );
            let coredns = ask!(
                &[Area::Coredns],
                client
                    .get::<Deployment>("/apis/apps/v1/namespaces/kube-system/deployments/coredns", deadline)
            );
            let service = ask!(
                &[Area::Coredns],
                client.get::<Service>(&format!("{SYSTEM}/services/kube-dns"), deadline)
            );
            let slices = ask!(
                &[Area::Coredns],
                client.list::<EndpointSlice>(
                    "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices",
                    "labelSelector=kubernetes.io%2Fservice-name%3Dkube-dns",
                    deadline
                )
            );
            let calico = ask!(&[Area::Calico], calico(client, deadline));
            let pools = ask!(&[Area::Calico], pools(client, deadline));
            let nodes = nodes.map(ScopedJoinHandle::join);
            if let Some(Ok(Err(error))) = &nodes
                && error.is_denied()
            {
                return Err(Error::invalid(format!("asking {} for the nodes", client.server()), error));
            }
            Ok(Self {
                nodes: joined(nodes),
                leases: joined(leases.map(ScopedJoinHandle::join)),
                coredns: joined(coredns.map(ScopedJoinHandle::join)),
                dns_service: joined(service.map(ScopedJoinHandle::join)),
                dns_endpoints: joined(slices.map(ScopedJoinHandle::join)),
                calico: joined(calico.map(ScopedJoinHandle::join)),
                pools: joined(pools.map(ScopedJoinHandle::join)),
                servers: Vec::new(),
                vips: Vec::new(),
                now: SystemTime::now(),
            })
        })
    }
}

fn joined<T>(answer: Option<thread::Result<kube::Result<T>>>) -> Told<T> {
    match answer {
        Some(Ok(answer)) => answer.map_err(|error| Untold::of(&error)),
        _ => Err(Untold { why: "nobody was asked".to_owned(), missing: false }),
    }
}

impl Untold {
    fn of(error: &kube::Error) -> Self {
        Self { why: plain(error), missing: error.is_not_found() }
    }
}

/// An API server that was asked for its version.
struct Asked {
    client: Client,
    server: Server,
    failure: Option<kube::Error>,
}

fn ask(
    config: &Config,
    own: &Client,
    servers: &[(String, String)],
    deadline: Instant,
) -> cli::Result<Vec<Asked>> {
    let mut clients = vec![own.clone()];
    for (_, url) in &servers[1..] {
        clients.push(Client::new(&config.at(url)).doing("using the kubeconfig")?);
    }
    Ok(thread::scope(|scope| {
        let running: Vec<_> = clients
            .into_iter()
            .zip(servers)
            .map(|(client, (name, url))| scope.spawn(move || Asked::of(client, name, url, deadline)))
            .collect();
        running.into_iter().filter_map(|one| one.join().ok()).collect()
    }))
}

impl Asked {
    fn of(client: Client, name: &str, url: &str, deadline: Instant) -> Self {
        let (version, failure) = match client.version(deadline) {
            Ok(version) => (Ok(version), None),
            Err(error) => (Err(Untold::of(&error)), Some(error)),
        };
        let health = Err(version.as_ref().err().cloned().unwrap_or_default());
        let (name, url) = (name.to_owned(), url.to_owned());
        Self { client, server: Server { name, url, health, version, date: None }, failure }
    }

    /// The rest of what it has to say, if it says anything at all.
    fn examine(&mut self, deadline: Instant) {
        if self.failure.is_none() {
            // The connection stands: what comes back took one round trip.
            let (start, at) = (Instant::now(), SystemTime::now());
            let date = self.client.date(deadline).ok().flatten();
            self.server.date = date.map(|date| (date, at + start.elapsed() / 2));
            self.server.health = self.client.health("/readyz", deadline).map_err(|error| Untold::of(&error));
        }
    }
}

/// Whom to ask for everything else: the kubeconfig's server, or the first
/// control plane that answers in its place.
fn reader(config: &Config, own: &Client, asked: &[Asked]) -> cli::Result<Client> {
    match asked.iter().position(|one| one.failure.is_none()) {
        Some(0) => return Ok(own.clone()),
        Some(place) => {
            let first = asked[0].server.version.as_ref();
            let why = first.err().map(|untold| untold.why.clone()).unwrap_or_default();
            let instead = &asked[place];
            cli::warn(format!("asking {}: {why}; asking {} instead", config.server(), instead.server.name));
            return Ok(instead.client.clone());
        }
        None => {}
    }
    let mut reasons: Vec<_> =
        asked.iter().filter_map(|one| Some((one.server.url.as_str(), one.failure.as_ref()?))).collect();
    // What stays wrong is told before what may be well next time.
    reasons.sort_by_key(|(_, error)| error.kind() != Kind::Invalid);
    let Some((url, worst)) = reasons.first() else {
        return Err(Error::unavailable("asking the API", "nobody was asked"));
    };
    let doing = format!("asking {url}");
    let error = match worst.kind() {
        Kind::Invalid => Error::invalid(doing, worst),
        Kind::Unavailable => Error::unavailable(doing, format!("{}; no control plane answers", plain(worst))),
    };
    Err(match config.expires().filter(|end| *end < SystemTime::now()) {
        Some(end) => error.hint(format!("the kubeconfig's certificate expired at {}", cli::rfc3339(end))),
        None if worst.word() == "certificate" => {
            error.hint("the kubeconfig's certificate-authority did not sign it")
        }
        None => error,
    })
}

/// As other messages have it, without the number nobody reads at night.
fn plain(error: &kube::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().replacen("Connection", "connection", 1)
}

/// Calico's daemon set: of its manifest, or of its operator.
fn calico(client: &Client, deadline: Instant) -> kube::Result<DaemonSet> {
    let path = |namespace| format!("/apis/apps/v1/namespaces/{namespace}/daemonsets/calico-node");
    match client.get(&path("kube-system"), deadline) {
        Err(error) if error.is_not_found() => client.get(&path("calico-system"), deadline),
        answer => answer,
    }
}

/// Calico's pools, as its API or the resources behind it show them.
fn pools(client: &Client, deadline: Instant) -> kube::Result<Vec<IpPool>> {
    match client.list("/apis/crd.projectcalico.org/v1/ippools", "", deadline) {
        Err(error) if error.is_not_found() => client.list("/apis/projectcalico.org/v3/ippools", "", deadline),
        answer => answer,
    }
}

fn url(address: IpAddr, port: u16) -> String {
    match address {
        IpAddr::V4(address) => format!("https://{address}:{port}"),
        IpAddr::V6(address) => format!("https://[{address}]:{port}"),
    }
}
