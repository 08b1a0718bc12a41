//! One certificate (RFC 5280).

use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;
use x509_parser::time::ASN1Time;

use crate::Error;

/// What a certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The certificate itself, DER.
    pub der: Vec<u8>,
    /// Whom it names, such as `O=system:masters, CN=kubernetes-admin`.
    pub subject: String,
    /// Who issued it.
    pub issuer: String,
    /// Its number, in hex.
    pub serial: String,
    /// It does not hold before.
    pub not_before: SystemTime,
    /// It does not hold after.
    pub not_after: SystemTime,
    /// The DNS names it holds for.
    pub names: Vec<String>,
    /// The addresses it holds for.
    pub addresses: Vec<IpAddr>,
    /// Whether it may sign others.
    pub is_ca: bool,
    /// The kind of its key, such as `rsa-2048` or `ecdsa-p256`.
    pub key: String,
    /// Its public key: DER of `SubjectPublicKeyInfo`.
    pub public_key: Vec<u8>,
    /// SHA-256 of the certificate, in hex.
    pub sha256: String,
}

impl Certificate {
    /// Reads one.
    ///
    /// # Errors
    /// Fails if it is broken, or something follows it.
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        let (rest, parsed) = X509Certificate::from_der(der)
            .map_err(|_| Error::Certificate("it is cut off, or none at all".into()))?;
        if !rest.is_empty() {
            return Err(Error::Certificate("something follows it".into()));
        }
        let (names, addresses) = holders(&parsed);
        Ok(Self {
            der: der.to_vec(),
            subject: parsed.subject().to_string(),
            issuer: parsed.issuer().to_string(),
            serial: parsed.raw_serial().iter().map(|byte| format!("{byte:02x}")).collect(),
            not_before: moment(parsed.validity().not_before),
            not_after: moment(parsed.validity().not_after),
            names,
            addresses,
            is_ca: parsed.is_ca(),
            key: kind(&parsed),
            public_key: parsed.public_key().raw.to_vec(),
            sha256: files::sha256_hex(der),
        })
    }

    /// Whether `issuer` signed it: by its signature, not by its word.
    pub fn is_signed_by(&self, issuer: &Self) -> bool {
        let parsed = X509Certificate::from_der(&self.der);
        let by = X509Certificate::from_der(&issuer.der);
        match (parsed, by) {
            (Ok((_, parsed)), Ok((_, by))) => parsed.verify_signature(Some(by.public_key())).is_ok(),
            _ => false,
        }
    }

    /// The pin of its public key as kubeadm writes it: `sha256:` and the
    /// SHA-256 of its `SubjectPublicKeyInfo` (RFC 7469 section 2.4), in hex.
    pub fn pin(&self) -> String {
        format!("sha256:{}", files::sha256_hex(&self.public_key))
    }

    /// Whether it holds for a name (a wildcard stands for one label) or an address.
    pub fn holds_for(&self, host: &str) -> bool {
        if let Ok(address) = host.parse::<IpAddr>() {
            return self.addresses.contains(&address);
        }
        let host = host.to_lowercase();
        self.names.iter().any(|name| {
            let name = name.to_lowercase();
            name == host
                || name.strip_prefix("*.").is_some_and(|domain| {
                    host.split_once('.').is_some_and(|(first, rest)| !first.is_empty() && rest == domain)
                })
        })
    }
}

/// The DNS names and addresses of subjectAltName.
fn holders(parsed: &X509Certificate) -> (Vec<String>, Vec<IpAddr>) {
    let (mut names, mut addresses) = (Vec::new(), Vec::new());
    let alternatives = parsed.subject_alternative_name().ok().flatten();
    for name in alternatives.iter().flat_map(|extension| &extension.value.general_names) {
        match name {
            GeneralName::DNSName(name) => names.push((*name).to_owned()),
            GeneralName::IPAddress(bytes) => {
                let four = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
                addresses.extend(four.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from)));
            }
            _ => {}
        }
    }
    (names, addresses)
}

fn kind(parsed: &X509Certificate) -> String {
    match parsed.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => format!("rsa-{}", key.key_size()),
        Ok(PublicKey::EC(key)) => format!("ecdsa-p{}", key.key_size()),
        _ => match parsed.public_key().algorithm.algorithm.to_id_string().as_str() {
            // RFC 8410 section 3.
            "1.3.101.112" => "ed25519".into(),
            other => other.into(),
        },
    }
}

fn moment(time: ASN1Time) -> SystemTime {
    let seconds = time.timestamp();
    let distance = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { UNIX_EPOCH - distance } else { UNIX_EPOCH + distance }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{certificates, public_key};
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

    /// A CA and what it signed for cp1, *.lab and 10.77.0.100, with its key.
    fn signed() -> (Certificate, Certificate, String) {
        let ca_key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
        let key = KeyPair::generate().unwrap();
        let names = ["cp1", "*.lab", "10.77.0.100"].map(String::from);
        let leaf = CertificateParams::new(names).unwrap();
        let leaf = leaf.signed_by(&key, &Issuer::new(ca, ca_key)).unwrap();
        let one = |pem: String| certificates(pem.as_bytes()).unwrap().remove(0);
        (one(ca_pem), one(leaf.pem()), key.serialize_pem())
    }

    #[test]
    fn a_signature_tells_who_issued_it_and_a_name_alone_does_not() {
        let (ca, leaf, _) = signed();
        let (other, _, _) = signed();
        assert_eq!(ca.subject, other.subject);
        assert!(leaf.is_signed_by(&ca) && !leaf.is_signed_by(&other) && !ca.is_signed_by(&leaf));
        assert!(ca.is_ca && !leaf.is_ca);
    }

    #[test]
    fn a_wildcard_stands_for_one_label() {
        let (_, leaf, _) = signed();
        for host in ["cp1", "CP1", "a.lab", "10.77.0.100"] {
            assert!(leaf.holds_for(host), "{host}");
        }
        for host in ["cp2", "lab", "a.b.lab", ".lab", "10.77.0.101"] {
            assert!(!leaf.holds_for(host), "{host}");
        }
    }

    #[test]
    fn a_key_matches_its_certificate_alone() {
        let (ca, leaf, key) = signed();
        assert_eq!(public_key(key.as_bytes()).unwrap(), leaf.public_key);
        assert_ne!(public_key(key.as_bytes()).unwrap(), ca.public_key);
        assert_eq!(public_key(b"nothing"), Err(Error::Key));
    }

    #[test]
    fn what_is_no_certificate_is_said() {
        assert_eq!(certificates(b"hello"), Err(Error::None));
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(certificates(broken.as_bytes()), Err(Error::Certificate(_))));
    }
}
