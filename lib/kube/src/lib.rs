//! Kubernetes: the few calls and objects commands need.
//!
//! A [`Config`] is what a kubeconfig says: where the API is, whom to believe
//! there, who we are. A [`Client`] gets, lists, patches, evicts and deletes;
//! each call ends at its deadline, and an [`Error`] already knows whether
//! another try could help. The objects have the fields that are read, and no
//! others.
//!
//! Not `kube-rs`: these are a dozen blocking calls, and `http` has the TLS,
//! the deadlines and the judgement.
//!
//! ```
//! let text = "current-context: lab\n\
//!     contexts: [{name: lab, context: {cluster: lab, user: me}}]\n\
//!     clusters: [{name: lab, cluster: {server: 'https://10.0.0.10:6443'}}]\n\
//!     users: [{name: me, user: {token: secret}}]\n";
//! let config = kube::Config::parse(text, "/etc/kubernetes".as_ref())?;
//! assert_eq!(config.server(), "https://10.0.0.10:6443");
//! assert!(!format!("{config:?}").contains("secret"));
//! # Ok::<(), kube::Error>(())
//! ```

mod client;
mod config;
mod error;
mod objects;

pub use client::{Client, Health};
pub use config::Config;
pub use error::{Error, Result};
pub use objects::{
    Condition, DaemonSet, DaemonSetStatus, Deployment, DeploymentSpec, DeploymentStatus, Endpoint,
    EndpointConditions, EndpointSlice, IpPool, IpPoolSpec, Lease, LeaseSpec, Meta, Node, NodeAddress,
    NodeInfo, NodeSpec, NodeStatus, Owner, Pod, PodSpec, PodStatus, Service, ServiceSpec, Taint, Version,
    Volume,
};
