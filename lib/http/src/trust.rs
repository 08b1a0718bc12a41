//! Whose certificates are believed, and how we show who we are.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Far above any bundle of certificates.
const PEM_BYTES: u64 = 4 << 20;
/// Far above any token.
const TOKEN_BYTES: u64 = 64 << 10;

/// Whose certificates are believed.
#[derive(Clone, Debug, Default)]
pub enum Trust {
    /// Those the machine believes (its ca-certificates).
    #[default]
    System,
    /// Those signed by these certificate authorities (PEM), and no others.
    Ca(Vec<u8>),
    /// Anybody's. Says that something answers, not who.
    Anybody,
}

impl Trust {
    /// Believes the certificate authorities of a PEM file, and no others.
    ///
    /// # Errors
    /// Fails if the file cannot be read; what it holds is judged by
    /// [`Client::new`](crate::Client::new).
    pub fn ca_file(path: &Path) -> Result<Self> {
        Ok(Self::Ca(files::read(path, PEM_BYTES)?))
    }

    /// The certificates of a PEM text.
    pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<reqwest::Certificate>> {
        let found = reqwest::Certificate::from_pem_bundle(pem).unwrap_or_default();
        if found.is_empty() {
            return Err(Error::Certificates("no certificate in the CA's PEM".into()));
        }
        Ok(found)
    }
}

/// The certificate and key we show.
#[derive(Clone)]
pub struct Identity {
    pem: Vec<u8>,
}

impl Identity {
    /// A certificate (with its chain) and its key, both PEM.
    pub fn pem(certificate: &[u8], key: &[u8]) -> Self {
        let mut pem = certificate.to_vec();
        pem.push(b'\n');
        pem.extend_from_slice(key);
        Self { pem }
    }

    /// The same from two files.
    ///
    /// # Errors
    /// Fails if a file cannot be read; what they hold is judged by
    /// [`Client::new`](crate::Client::new).
    pub fn files(certificate: &Path, key: &Path) -> Result<Self> {
        Ok(Self::pem(&files::read(certificate, PEM_BYTES)?, &files::read(key, PEM_BYTES)?))
    }

    pub(crate) fn identity(&self) -> Result<reqwest::Identity> {
        reqwest::Identity::from_pem(&self.pem)
            .map_err(|_| Error::Certificates("no certificate with its key in the PEM".into()))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}

/// A bearer token.
#[derive(Clone)]
pub enum Token {
    /// Read again for every call: those Kubernetes mounts are renewed in place.
    File(PathBuf),
    /// The token itself.
    Text(String),
}

impl Token {
    pub(crate) fn header(&self) -> Result<String> {
        let token = match self {
            Self::Text(token) => token.clone(),
            Self::File(path) => String::from_utf8_lossy(&files::read(path, TOKEN_BYTES)?).into_owned(),
        };
        Ok(format!("Bearer {}", token.trim()))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Text(_) => f.write_str("Text"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_again_for_every_call_and_never_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let token = Token::File(path.clone());
        for text in ["one\n", "two\n"] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(token.header().unwrap(), format!("Bearer {}", text.trim()));
        }
        assert!(
            !format!("{:?} {:?}", Token::Text("secret".into()), Identity::pem(b"", b"secret"))
                .contains("secret")
        );
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        assert!(Trust::certificates(b"nonsense").is_err());
        assert!(Identity::pem(b"nonsense", b"").identity().is_err());
    }
}
