//! kubeadm's documents, tokens and signatures.
//!
//! [`init`] and [`join`] turn the platform document into what `kubeadm init`
//! and `kubeadm join` read (kubeadm-config v1beta4, or v1beta3). [`Token`] and
//! [`CertificateKey`] are its two secrets, [`Credentials`] all that a joining
//! node needs, as kept in a private file. [`cluster_info`] judges what a
//! cluster says of itself to those who do not trust it yet.

pub mod cluster_info;
mod credentials;
mod document;
mod error;
mod init;
mod join;
mod secret;
mod yaml;

pub use credentials::{Credentials, ca_pin, judge_pin, parse_join_command};
pub use document::Api;
pub use error::{Error, Result};
pub use init::{Etcd, Init, init};
pub use join::{Join, join};
pub use secret::{CertificateKey, Token, token_secret};
