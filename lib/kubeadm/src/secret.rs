//! Bootstrap tokens and certificate keys.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use data_encoding::HEXLOWER;
use ring::rand::{SecureRandom, SystemRandom};

use crate::error::value;
use crate::{Error, Result, yaml};

/// A bootstrap token: six characters that name it, a dot, sixteen that are secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    id: String,
    secret: String,
}

impl Token {
    /// A new one, from the system's random numbers.
    ///
    /// # Errors
    /// Fails if the system has none.
    pub fn mint() -> Result<Self> {
        Ok(Self { id: random_word(6)?, secret: random_word(16)? })
    }

    /// The half that is no secret.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The half that is.
    pub(crate) fn secret(&self) -> &str {
        &self.secret
    }

    /// All of it, for where it must be written.
    pub fn reveal(&self) -> String {
        format!("{}.{}", self.id, self.secret)
    }
}

impl FromStr for Token {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let is_word = |word: &str, length| {
            word.len() == length && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        match text.trim().split_once('.') {
            Some((id, secret)) if is_word(id, 6) && is_word(secret, 16) => {
                Ok(Self { id: id.to_owned(), secret: secret.to_owned() })
            }
            // What it is instead might be a secret.
            _ => value("a bootstrap token is [a-z0-9]{6}.[a-z0-9]{16}"),
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}.****************)", self.id)
    }
}

/// Characters of `[a-z0-9]`, each as likely as any other.
fn random_word(length: usize) -> Result<String> {
    const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let random = SystemRandom::new();
    let mut word = String::with_capacity(length);
    while word.len() < length {
        let mut bytes = [0; 32];
        random.fill(&mut bytes).map_err(|_| Error::Random)?;
        // 252 is the largest multiple of 36 below 256: beyond it the first letters would be likelier.
        let even =
            bytes.iter().filter(|byte| **byte < 252).map(|byte| char::from(LETTERS[usize::from(byte % 36)]));
        word.extend(even.take(length - word.len()));
    }
    Ok(word)
}

/// The key that the control plane's certificates are kept under: AES-256.
#[derive(Clone, PartialEq, Eq)]
pub struct CertificateKey(String);

impl CertificateKey {
    /// A new one, from the system's random numbers.
    ///
    /// # Errors
    /// Fails if the system has none.
    pub fn mint() -> Result<Self> {
        let mut bytes = [0; 32];
        SystemRandom::new().fill(&mut bytes).map_err(|_| Error::Random)?;
        Ok(Self(HEXLOWER.encode(&bytes)))
    }

    /// All of it, for where it must be written.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for CertificateKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim().to_lowercase();
        match HEXLOWER.decode(text.as_bytes()) {
            Ok(bytes) if bytes.len() == 32 => Ok(Self(text)),
            _ => value("a certificate key is 64 hexadecimal digits"),
        }
    }
}

impl fmt::Debug for CertificateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CertificateKey(****)")
    }
}

/// The Secret that makes a token known to a cluster (for `kubectl apply`).
/// `expires` is none for a token that never does.
pub fn token_secret(token: &Token, expires: Option<SystemTime>) -> String {
    let mut data = serde_json::json!({
        "description": "made by kubeadm-join mint-token",
        "token-id": token.id(),
        "token-secret": token.secret(),
        "usage-bootstrap-authentication": "true",
        "usage-bootstrap-signing": "true",
        "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token",
    });
    if let Some(expires) = expires {
        data["expiration"] = humantime::format_rfc3339_seconds(expires).to_string().into();
    }
    yaml::document(&serde_json::json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": format!("bootstrap-token-{}", token.id()), "namespace": "kube-system"},
        "type": "bootstrap.kubernetes.io/token",
        "stringData": data,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minted_token_is_one_and_no_two_are_the_same() {
        let (one, two) = (Token::mint().unwrap(), Token::mint().unwrap());
        assert_eq!(one.reveal().parse::<Token>().unwrap(), one);
        assert_ne!(one, two);
        let key = CertificateKey::mint().unwrap();
        assert_eq!(key.reveal().parse::<CertificateKey>().unwrap(), key);
    }

    #[test]
    fn what_is_no_token_is_refused_without_being_repeated() {
        for text in
            ["", "abcdef", "abcdef.0123456789abcde", "ABCDEF.0123456789abcdef", "abcdef.0123456789abcdefg"]
        {
            let error = text.parse::<Token>().unwrap_err().to_string();
            assert_eq!(error, "a bootstrap token is [a-z0-9]{6}.[a-z0-9]{16}");
        }
        assert!("xyz".parse::<CertificateKey>().is_err());
        assert!("ab".repeat(31).parse::<CertificateKey>().is_err());
    }

    #[test]
    fn a_secret_is_not_shown_by_accident() {
        let token: Token = "abcdef.0123456789abcdef".parse().unwrap();
        assert_eq!(format!("{token:?}"), "Token(abcdef.****************)");
        assert_eq!(format!("{:?}", CertificateKey::mint().unwrap()), "CertificateKey(****)");
    }

    #[test]
    fn every_letter_of_a_word_is_as_likely_as_another() {
        let word = random_word(36_000).unwrap();
        for letter in ('a'..='z').chain('0'..='9') {
            let count = word.matches(letter).count();
            // 1000 are expected; the standard deviation is 31.
            assert!((800..1200).contains(&count), "{letter}: {count}");
        }
    }
}
