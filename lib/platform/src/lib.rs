//! The platform document: one cluster and what it stands on.
//!
//! [`parse`] turns `platform.yaml` into a [`Platform`] with every default
//! filled in, or says all that is wrong with it at once. The format is
//! described in bareplane-platform(5).

mod check;
mod decode;
mod defaults;
mod derive;
mod model;
mod rules;
#[cfg(feature = "schema")]
mod schema;
mod select;
mod view;

pub use check::networks::named as networks;
pub use document::{LIMIT_BYTES, Problem};
pub use model::{
    Bmc, BmcKind, Check, CheckMode, Cluster, Cni, Defaults, Encap, Endpoints, Host, LoadBalancing, Network,
    Platform, Role, Runtime, Ssh, Swap, Zabbix,
};
#[cfg(feature = "schema")]
pub use schema::schema;
pub use select::Selector;
pub use view::Named;

/// Reads a platform document.
///
/// # Errors
/// Everything that is wrong with it, in the order of the document.
pub fn parse(text: &str) -> Result<Platform, Vec<Problem>> {
    read(text, true)
}

/// The same without judging how its networks overlap, for whoever does that
/// in more detail.
///
/// # Errors
/// Everything else that is wrong with it.
pub fn parse_unplanned(text: &str) -> Result<Platform, Vec<Problem>> {
    read(text, false)
}

fn read(text: &str, networks: bool) -> Result<Platform, Vec<Problem>> {
    let tree = document::parse(text)?;
    let problems = document::Problems::default();
    let platform = decode::platform(&document::Field::root(&tree, &problems));
    if let Some(platform) = &platform {
        check::check(platform, &tree, &problems, networks);
    }
    match platform {
        Some(mut platform) if problems.is_empty() => {
            derive::derive(&mut platform);
            Ok(platform)
        }
        _ => Err(problems.into_sorted()),
    }
}

#[cfg(test)]
mod tests {
    pub(crate) const EXAMPLE: &str =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/examples/platform.yaml"));

    /// The example with one passage replaced.
    pub(crate) fn edited(passage: &str, by: &str) -> String {
        assert!(EXAMPLE.contains(passage), "the example holds {passage:?}");
        EXAMPLE.replacen(passage, by, 1)
    }
}
