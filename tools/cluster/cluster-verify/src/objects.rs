//! A cluster as kubectl printed it, for where nobody can be asked.

use std::time::SystemTime;

use cli::{Context, Error, Input};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Area;
use crate::ask::{Seen, Told, Untold};

/// A large cluster with all its services.
const LIMIT_BYTES: u64 = 256 << 20;

/// What can be told from objects alone.
pub(crate) const AREAS: [Area; 5] =
    [Area::Nodes, Area::Versions, Area::Addresses, Area::Coredns, Area::Calico];

/// `kubectl get … -o json`: a list, or a single object.
#[derive(Deserialize)]
struct List {
    #[serde(default)]
    kind: String,
    items: Option<Vec<Value>>,
}

/// Reads what kubectl printed.
pub(crate) fn read(input: &Input) -> cli::Result<Seen> {
    let doing = || format!("reading {input}");
    let value: Value = serde_json::from_slice(&input.read(LIMIT_BYTES)?).invalid(doing())?;
    let list = List::deserialize(&value).invalid(doing())?;
    match list.items {
        Some(items) if list.kind.ends_with("List") => seen(&items),
        _ => Err(Error::invalid(doing(), "is not what `kubectl get … -o json` prints")),
    }
    .map_err(|error| {
        error.hint("kubectl get -A nodes,deployments,services,endpointslices,daemonsets,ippools -o json")
    })
}

fn seen(items: &[Value]) -> cli::Result<Seen> {
    let dns = |value: &Value| value["metadata"]["labels"]["kubernetes.io/service-name"] == "kube-dns";
    let calico = |value: &Value| value["metadata"]["name"] == "calico-node";
    let in_system = |name: &'static str| {
        move |value: &Value| {
            value["metadata"]["name"] == name && value["metadata"]["namespace"] == "kube-system"
        }
    };
    Ok(Seen {
        nodes: all(items, "Node", |_| true)?,
        leases: Err(Untold::default()),
        coredns: one(items, "Deployment", in_system("coredns"))?,
        dns_service: one(items, "Service", in_system("kube-dns"))?,
        dns_endpoints: all(items, "EndpointSlice", dns)?,
        calico: one(items, "DaemonSet", calico)?,
        pools: all(items, "IPPool", |_| true)?,
        servers: Vec::new(),
        vips: Vec::new(),
        now: SystemTime::now(),
    })
}

/// The objects of a kind; if there is none, perhaps nobody asked for them.
fn all<T: DeserializeOwned>(
    items: &[Value],
    kind: &str,
    which: impl Fn(&Value) -> bool,
) -> cli::Result<Told<Vec<T>>> {
    let of_kind: Vec<_> = items.iter().filter(|item| item["kind"] == kind).collect();
    if of_kind.is_empty() {
        return Ok(Err(Untold { why: format!("there is no {kind} among the objects"), missing: false }));
    }
    let chosen = of_kind.into_iter().filter(|item| which(item));
    chosen
        .map(|item| T::deserialize(item.clone()).invalid(format!("reading a {kind}")))
        .collect::<cli::Result<_>>()
        .map(Ok)
}

fn one<T: DeserializeOwned>(
    items: &[Value],
    kind: &str,
    which: impl Fn(&Value) -> bool,
) -> cli::Result<Told<T>> {
    let missing = || Untold { why: format!("no such {kind}"), missing: true };
    Ok(all(items, kind, which)?.and_then(|found| found.into_iter().next().ok_or_else(missing)))
}
