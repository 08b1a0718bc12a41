//! Private keys, as far as they can be matched with certificates.

use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;

use crate::Error;

/// The public key (DER of `SubjectPublicKeyInfo`, RFC 5280 section 4.1.2.7)
/// that belongs to the first private key of a PEM text.
///
/// # Errors
/// Fails if there is none that can be read.
pub fn public_key(pem: &[u8]) -> Result<Vec<u8>, Error> {
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| Error::Key)?;
    let key = any_supported_type(&key).map_err(|_| Error::Key)?;
    Ok(key.public_key().ok_or(Error::Key)?.to_vec())
}
