//! kubeadm's documents, tokens and signatures.
//!
//! [`init`] and [`join`] turn the platform document into what `kubeadm init`
//! and `kubeadm join` read (kubeadm-config v1beta4, or v1beta3). [`Token`] and
//! [`CertificateKey`] are its two secrets, [`Credentials`] all that a joining
//! node needs, as kept in a private file. [`cluster_info`] judges what a
//! cluster says of itself to those who do not trust it yet. [`Site`] tells how far
//! kubeadm has come on a machine, [`Judge`] what speaks against going on, and
//! [`Call`] runs it.

mod call;
pub mod cluster_info;
mod credentials;
mod document;
mod error;
mod init;
mod join;
mod judge;
mod secret;
mod site;
mod yaml;

pub use call::{Call, Failure};
pub use credentials::{Credentials, ca_pin, judge_pin, parse_join_command};
pub use document::Api;
pub use error::{Error, Result};
pub use init::{Etcd, Init, endpoint, init};
pub use join::{Join, join};
pub use judge::Judge;
pub use secret::{CertificateKey, Token, token_secret};
pub use site::{Site, Stage, Verb};
