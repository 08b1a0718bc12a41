//! What a certificate says, and whether another one signed it.
//!
//! [`certificates`] reads every certificate of a PEM text. Nothing here
//! decides about trust: that is for whoever opens a connection. It answers
//! an operator's questions: how long, for which names, signed by whom, and
//! with which key.
//!
//! ```
//! # let pem = rcgen::generate_simple_self_signed(vec!["cp1".into()]).unwrap().cert.pem();
//! let found = x509::certificates(pem.as_bytes())?;
//! assert_eq!(found[0].names, ["cp1"]);
//! assert!(found[0].is_signed_by(&found[0]));
//! # Ok::<(), x509::Error>(())
//! ```

mod certificate;
mod key;
mod kubeconfig;

pub use certificate::Certificate;
pub use key::public_key;
pub use kubeconfig::{Held, Material, kubeconfig};

use model::{Fault, Kind};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};

/// Why there is no certificate or key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The PEM text holds no certificate.
    #[error("no certificate in it")]
    None,
    /// A PEM block cannot be read.
    #[error("broken PEM: {0}")]
    Pem(String),
    /// A certificate cannot be read.
    #[error("broken certificate: {0}")]
    Certificate(String),
    /// A private key cannot be read.
    #[error("no private key that can be read")]
    Key,
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }
}

/// Every certificate of a PEM text, in its order; other blocks are passed over.
///
/// # Errors
/// Fails if there is none, or one cannot be read.
pub fn certificates(pem: &[u8]) -> Result<Vec<Certificate>, Error> {
    let mut found = Vec::new();
    for der in CertificateDer::pem_slice_iter(pem) {
        let der = der.map_err(|error| Error::Pem(said(&error)))?;
        found.push(Certificate::from_der(&der)?);
    }
    if found.is_empty() { Err(Error::None) } else { Ok(found) }
}

/// In words: the library's own list the bytes of a marker, or quote what is inside.
fn said(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a block has no end".into(),
        pem::Error::IllegalSectionStart { .. } => "a block begins with a line that is no marker".into(),
        pem::Error::Base64Decode(_) => "a block is no base64".into(),
        other => other.to_string(),
    }
}
