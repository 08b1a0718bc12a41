//! Whose certificates are believed.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::Error;

/// Whose certificates are believed.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Those signed by these certificate authorities (PEM).
    Ca(Vec<u8>),
    /// Anybody's. Says that something answers, not who.
    Insecure,
}

/// Far above any CA bundle.
const CA_BYTES: u64 = 4 << 20;

impl Trust {
    /// Believes the certificate authorities of a PEM file.
    ///
    /// # Errors
    /// Fails if the file cannot be read; what it holds is judged by
    /// [`Target::new`](crate::Target::new).
    pub fn ca_file(path: &Path) -> Result<Self, Error> {
        Ok(Self::Ca(files::read(path, CA_BYTES)?))
    }

    pub(crate) fn config(&self) -> Result<ClientConfig, Error> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::Ca(error.to_string()))?;
        let config = match self {
            Self::Ca(pem) => builder.with_root_certificates(roots(pem)?).with_no_client_auth(),
            Self::Insecure => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
                .with_no_client_auth(),
        };
        Ok(config)
    }
}

fn roots(pem: &[u8]) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| Error::Ca(format!("is no PEM: {error}")))?;
        roots.add(certificate).map_err(|error| Error::Ca(format!("CA certificate: {error}")))?;
    }
    if roots.is_empty() { Err(Error::Ca("no certificate in the CA file".into())) } else { Ok(roots) }
}

/// Accepts every certificate whatsoever, and keeps what was shown: nothing is
/// asked over such a connection.
#[derive(Debug, Default)]
pub(crate) struct Keeper {
    shown: Mutex<Vec<Vec<u8>>>,
}

impl Keeper {
    /// A configuration that keeps what the server shows, and the keeper.
    pub(crate) fn config(mut config: ClientConfig) -> (ClientConfig, Arc<Self>) {
        let keeper = Arc::new(Self::default());
        config.dangerous().set_certificate_verifier(Arc::<Self>::clone(&keeper));
        (config, keeper)
    }

    /// What the server has shown, DER, its own first.
    pub(crate) fn shown(&self) -> Vec<Vec<u8>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ServerCertVerifier for Keeper {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain = std::iter::once(own).chain(others).map(|der| der.to_vec()).collect();
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = chain;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// Accepts every certificate, but still demands that its key signed the handshake.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
