//! The pools a cluster has, against the manifest: what is there stays.

use calico::{Form, Name, Setting, encap, encap_word, mode, wrappings};
use model::{Finding, Severity};
use net::{Cidr, Family};
use serde::Deserialize;

use crate::check::Manifest;

/// A pool of the cluster.
#[derive(Debug, Deserialize)]
pub(crate) struct Pool {
    metadata: Metadata,
    spec: Spec,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    cidr: Cidr,
    block_size: Option<u8>,
    #[serde(default)]
    ipip_mode: String,
    #[serde(default)]
    vxlan_mode: String,
}

/// What `kubectl get ippools -o json` prints: a list, or one.
#[derive(Deserialize)]
#[serde(untagged)]
enum Printed {
    List { items: Vec<Pool> },
    One(Pool),
}

/// Reads the pools of a cluster.
pub(crate) fn parse(bytes: &[u8]) -> Result<Vec<Pool>, serde_json::Error> {
    Ok(match serde_json::from_slice(bytes)? {
        Printed::List { items } => items,
        Printed::One(pool) => vec![pool],
    })
}

/// What the manifest says in vain.
pub(crate) fn findings(manifest: &Manifest, pools: &[Pool]) -> Vec<Finding> {
    let of_family =
        |family: Option<Family>| pools.iter().filter(move |pool| Some(pool.spec.cidr.family()) == family);
    let mut found = Vec::new();
    for setting in manifest.active(Name::Cidr, None) {
        let Some(first) = of_family(setting.family).next() else { continue };
        let wanted = setting.value.as_deref().and_then(|text| text.parse::<Cidr>().ok());
        match of_family(setting.family).find(|pool| Some(pool.spec.cidr) == wanted) {
            None => {
                let live = first.spec.cidr.to_string();
                let fix = "add a pool of its own, disable the old one, and restart its pods (Calico: migrate from one IP pool to another)";
                found.push(in_vain(manifest, setting, first, live, fix));
            }
            Some(pool) => {
                let size = manifest.active(Name::BlockSize, setting.family).next();
                let live = pool.spec.block_size.filter(|live| {
                    size.and_then(|size| size.value.as_deref()).is_some_and(|size| size != live.to_string())
                });
                if let (Some(size), Some(live)) = (size, live) {
                    let fix = "add a pool of its own, disable the old one, and restart its pods (Calico: change IP pool block size)";
                    found.push(in_vain(manifest, size, pool, live.to_string(), fix));
                }
            }
        }
    }
    // The operator writes wrappings into the pools it made.
    for wrapping in wrappings(manifest.settings).iter().filter(|wrapping| wrapping.by.form == Form::Manifest)
    {
        for pool in of_family(wrapping.by.family) {
            let live =
                mode(&pool.spec.ipip_mode).zip(mode(&pool.spec.vxlan_mode)).and_then(|(i, v)| encap(i, v));
            if let (Some(live), Some(wanted)) = (live, wrapping.encap)
                && live != wanted
            {
                let fix = format!(
                    "kubectl patch ippool {} --type merge, with its ipipMode and vxlanMode",
                    pool.metadata.name
                );
                let finding = in_vain(manifest, wrapping.by, pool, encap_word(live).to_owned(), &fix);
                found.push(Finding { want: Some(encap_word(wanted).to_owned()), ..finding });
            }
        }
    }
    found
}

fn in_vain(manifest: &Manifest, setting: &Setting, pool: &Pool, live: String, fix: &str) -> Finding {
    let why = format!("no effect after install: the pool {} is there already", pool.metadata.name);
    Finding {
        severity: Severity::High,
        current: Some(live),
        want: setting.value.clone(),
        fix: Some(fix.to_owned()),
        reference: Some("projectcalico/calico#1378".into()),
        ..manifest.warn(setting, "no-effect", why)
    }
}
