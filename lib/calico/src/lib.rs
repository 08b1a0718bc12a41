//! What a Calico manifest says about addresses, and the bytes that say it.
//!
//! [`settings`] finds every setting of the forms Calico is installed by: the
//! `DaemonSet` of calico.yaml and canal.yaml (variables of its environment,
//! active, commented out, or half of each), their `ConfigMap`, and the
//! operator's Installation. [`set`] writes other values and leaves every
//! other byte as it was; done twice, it changes nothing.
//!
//! ```
//! let text = "\
//! apiVersion: operator.tigera.io/v1
//! kind: Installation
//! metadata: {name: default}
//! spec:
//!   calicoNetwork:
//!     ipPools:
//!     - cidr: 192.168.0.0/16 # ours
//! ";
//! let wanted = calico::Wanted { cidrs: vec!["10.244.0.0/16".parse().unwrap()], ..Default::default() };
//! let edited = calico::set(text, &wanted)?;
//! assert_eq!(edited, text.replace("192.168.0.0/16", "10.244.0.0/16"));
//! # Ok::<(), calico::Error>(())
//! ```

mod config;
mod env;
mod form;
mod operator;
mod set;
mod words;
mod wrapping;

pub use form::{Form, Name, Setting, State, settings};
pub use set::{Wanted, set};
pub use words::{Mode, autodetect, encap, encap_named, encap_word, mode};
pub use wrapping::{Wrapping, wrappings};

use model::{Fault, Kind};

/// Why a manifest cannot be read or edited.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is no YAML, or an edit of it would spread.
    #[error(transparent)]
    Yaml(#[from] yaml_splice::Error),
    /// There is nothing of Calico in it.
    #[error("no Calico in it: neither a DaemonSet with a container calico-node nor an Installation")]
    None,
    /// A value is written in a way that is not edited.
    #[error("line {line}: {field}: {why}")]
    Fixed {
        /// The variable or path.
        field: String,
        /// The line, from 1.
        line: u32,
        /// What is in the way.
        why: &'static str,
    },
    /// It still does not say what is wanted.
    #[error("{0} does not take its value: left alone")]
    Unsettled(String),
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }
}
