//! All that a joining node needs, as kept in a private file.

use std::path::Path;
use std::time::SystemTime;

use files::Attributes;
use serde::{Deserialize, Serialize};

use crate::error::value;
use crate::{CertificateKey, Error, Result, Token};

/// The most a credentials file holds.
const LIMIT_BYTES: u64 = 64 << 10;
/// SHA-256 of no bytes at all: what a pipe prints whose first command failed.
const OF_NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// What a cluster lets a node in with.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The API, HOST:PORT.
    pub endpoint: String,
    /// The pin of the cluster's certificate authority: `sha256:` and 64 hex digits.
    pub ca_cert_hash: String,
    /// The bootstrap token.
    pub token: Option<Token>,
    /// When the token expires; none if never or unknown.
    pub token_expires: Option<SystemTime>,
    /// The key the control plane's certificates are kept under.
    pub certificate_key: Option<CertificateKey>,
    /// When the certificates kept under it are deleted; none if unknown.
    pub certificate_key_expires: Option<SystemTime>,
}

/// The file's form.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    endpoint: String,
    ca_cert_hash: String,
    token: Option<String>,
    token_expires: Option<String>,
    certificate_key: Option<String>,
    certificate_key_expires: Option<String>,
}

impl Credentials {
    /// Reads them from a file.
    ///
    /// # Errors
    /// Fails if it cannot be read, or is no such file.
    pub fn load(path: &Path) -> Result<Self> {
        let broken = |why: String| Error::Value(format!("{}: {why}", path.display()));
        let text = files::read(path, LIMIT_BYTES)?;
        // What serde says of a value it dislikes could quote a secret.
        let kept: Kept = serde_json::from_slice(&text).map_err(|error| {
            broken(format!("no credentials (line {} column {})", error.line(), error.column()))
        })?;
        let time = |text: Option<String>| {
            text.map(|text| {
                humantime::parse_rfc3339(&text).map_err(|_| broken(format!("`{text}` is no RFC 3339 time")))
            })
            .transpose()
        };
        judge_pin(&kept.ca_cert_hash)?;
        Ok(Self {
            endpoint: kept.endpoint,
            ca_cert_hash: kept.ca_cert_hash,
            token: kept.token.map(|text| text.parse()).transpose()?,
            token_expires: time(kept.token_expires)?,
            certificate_key: kept.certificate_key.map(|text| text.parse()).transpose()?,
            certificate_key_expires: time(kept.certificate_key_expires)?,
        })
    }

    /// What of them may be shown, with what is left of them at `now`.
    pub fn record(&self, path: Option<&Path>, now: SystemTime) -> model::Credentials {
        let left = |time: SystemTime| match time.duration_since(now) {
            Ok(left) => i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            Err(over) => -i64::try_from(over.duration().as_secs()).unwrap_or(i64::MAX),
        };
        model::Credentials {
            endpoint: self.endpoint.clone(),
            ca_cert_hash: self.ca_cert_hash.clone(),
            token_id: self.token.as_ref().map(|token| token.id().to_owned()),
            token_expires: self.token_expires.map(rfc3339),
            token_remaining_seconds: self.token_expires.map(left),
            certificate_key: self.certificate_key.is_some(),
            certificate_key_expires: self.certificate_key_expires.map(rfc3339),
            certificate_key_remaining_seconds: self.certificate_key_expires.map(left),
            path: path.map(|path| path.display().to_string()),
        }
    }

    /// The secrets in them, for whoever must not repeat them.
    pub fn secrets(&self) -> Vec<String> {
        let token = self.token.iter().map(|token| token.secret().to_owned());
        token.chain(self.certificate_key.iter().map(|key| key.reveal().to_owned())).collect()
    }

    /// Writes them to a file only its owner can read.
    ///
    /// # Errors
    /// Fails if it cannot be written.
    pub fn store(&self, path: &Path) -> Result<()> {
        let kept = Kept {
            endpoint: self.endpoint.clone(),
            ca_cert_hash: self.ca_cert_hash.clone(),
            token: self.token.as_ref().map(Token::reveal),
            token_expires: self.token_expires.map(rfc3339),
            certificate_key: self.certificate_key.as_ref().map(|key| key.reveal().to_owned()),
            certificate_key_expires: self.certificate_key_expires.map(rfc3339),
        };
        let mut text = serde_json::to_vec_pretty(&kept).map_err(|error| Error::Value(error.to_string()))?;
        text.push(b'\n');
        Ok(files::replace(path, &text, &Attributes::mode(0o600))?)
    }
}

fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}

/// Whether a text is the pin of a certificate authority.
///
/// # Errors
/// Says what it is instead.
pub fn judge_pin(pin: &str) -> Result<()> {
    let Some(hash) = pin.strip_prefix("sha256:") else {
        return value(format!("{pin}: a CA hash begins with sha256:"));
    };
    if hash == OF_NOTHING {
        return value(
            "this CA hash is the hash of nothing: the command that read the CA's key failed \
             (`openssl rsa` on an ECDSA key does); `kubeadm-join ca-hash ca.crt` reads every kind",
        );
    }
    if hash.len() != 64 || !hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return value(format!("{pin}: a CA hash has 64 lower-case hexadecimal digits"));
    }
    Ok(())
}

/// The pin of the certificate authority in a PEM text, or in a kubeconfig.
///
/// # Errors
/// Fails if there is none.
pub fn ca_pin(text: &[u8]) -> Result<String> {
    let found = x509::certificates(text).or_else(|error| match of_kubeconfig(text) {
        found if found.is_empty() => Err(error),
        found => Ok(found),
    })?;
    match found.iter().find(|certificate| certificate.is_ca) {
        Some(ca) => Ok(ca.pin()),
        None => value(format!("{} is no certificate authority", found[0].subject)),
    }
}

/// The certificates inside a kubeconfig; none if it is none.
fn of_kubeconfig(text: &[u8]) -> Vec<x509::Certificate> {
    let held = x509::kubeconfig(&String::from_utf8_lossy(text)).unwrap_or_default();
    let inside = held.into_iter().filter_map(|held| match held.what {
        x509::Material::Inside(found) => Some(found),
        x509::Material::File(_) => None,
    });
    inside.flatten().collect()
}

/// Finds the join commands in what `kubeadm init` or `kubeadm token create
/// --print-join-command` printed, wherever lines are broken.
///
/// # Errors
/// Fails if there is none, or one of its values is no good.
pub fn parse_join_command(text: &str) -> Result<Credentials> {
    let text = text.replace("\\\n", " ").replace("\\\r\n", " ");
    let mut found: Option<Credentials> = None;
    for line in text.lines() {
        let mut words = line.split_whitespace().skip_while(|word| *word != "kubeadm").skip(1);
        if words.next() != Some("join") {
            continue;
        }
        let (mut endpoint, mut token, mut pin, mut key) = (None, None, None, None);
        let words: Vec<&str> = words.flat_map(|word| word.splitn(2, '=')).collect();
        let mut at = 0;
        while at < words.len() {
            let next = words.get(at + 1).copied();
            let target = match words[at] {
                "--token" => &mut token,
                "--discovery-token-ca-cert-hash" => &mut pin,
                "--certificate-key" => &mut key,
                word => {
                    if !word.starts_with('-') && endpoint.is_none() {
                        endpoint = Some(word);
                    }
                    at += 1;
                    continue;
                }
            };
            *target = next;
            at += 2;
        }
        let (Some(endpoint), Some(token), Some(pin)) = (endpoint, token, pin) else {
            return value("a join command without endpoint, --token or --discovery-token-ca-cert-hash");
        };
        judge_pin(pin)?;
        let key = key.map(str::parse).transpose()?;
        let known = found.take().and_then(|found| found.certificate_key);
        found = Some(Credentials {
            endpoint: endpoint.to_owned(),
            ca_cert_hash: pin.to_owned(),
            token: Some(token.parse()?),
            token_expires: None,
            certificate_key: key.or(known),
            certificate_key_expires: None,
        });
    }
    found.ok_or_else(|| Error::Value("no `kubeadm join` command in it".into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const PRINTED: &str = "Your Kubernetes control-plane has initialized successfully!\n\n\
        You can now join any number of control-plane nodes running the following command on each as root:\n\n  \
        kubeadm join 10.77.0.100:6443 --token abcdef.0123456789abcdef \\\n\t\
        --discovery-token-ca-cert-hash sha256:1111111111111111111111111111111111111111111111111111111111111111 \\\n\t\
        --control-plane --certificate-key cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd\n\n\
        Then you can join any number of worker nodes by running the following on each as root:\n\n\
        kubeadm join 10.77.0.100:6443 --token abcdef.0123456789abcdef \\\n\t\
        --discovery-token-ca-cert-hash sha256:1111111111111111111111111111111111111111111111111111111111111111 \n";

    #[test]
    fn both_commands_of_kubeadm_init_are_one_set_of_credentials() {
        let found = parse_join_command(PRINTED).unwrap();
        assert_eq!(found.endpoint, "10.77.0.100:6443");
        assert_eq!(found.token.unwrap().id(), "abcdef");
        assert_eq!(found.certificate_key.unwrap().reveal(), "cd".repeat(32));
    }

    #[test]
    fn a_line_of_print_join_command_is_enough() {
        let line = format!(
            "kubeadm join [fd77::100]:6443 --token=abcdef.0123456789abcdef --discovery-token-ca-cert-hash sha256:{} \n",
            "1".repeat(64)
        );
        let found = parse_join_command(&line).unwrap();
        assert_eq!((found.endpoint.as_str(), found.certificate_key.is_none()), ("[fd77::100]:6443", true));
    }

    #[test]
    fn what_is_no_join_command_is_said() {
        assert!(parse_join_command("hello\n").unwrap_err().to_string().contains("no `kubeadm join`"));
        assert!(parse_join_command("kubeadm join 10.0.0.1:6443 --token abcdef.0123456789abcdef\n").is_err());
    }

    #[test]
    fn they_survive_a_file_nobody_else_can_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("credentials.json");
        let mut known = parse_join_command(PRINTED).unwrap();
        known.token_expires = Some(humantime::parse_rfc3339("2026-11-24T00:00:00Z").unwrap());
        known.store(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let read = Credentials::load(&path).unwrap();
        assert_eq!(read.token, known.token);
        assert_eq!(read.token_expires, known.token_expires);
    }

    #[test]
    fn a_broken_file_is_named_and_its_secrets_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.json");
        std::fs::write(&path, r#"{"endpoint":"a:1","token":["abcdef.0123456789abcdef"]}"#).unwrap();
        let error = Credentials::load(&path).unwrap_err().to_string();
        assert!(error.contains("no credentials (line 1") && !error.contains("0123456789"), "{error}");
    }

    proptest::proptest! {
        /// Words as kubeadm prints them, in any order, cut anywhere.
        #[test]
        fn whatever_was_printed_is_read_or_refused(
            text in "(kubeadm join |--token |--token=|abcdef\\.0123456789abcdef |10\\.0\\.0\\.1:6443 |--discovery-token-ca-cert-hash |sha256:[0-9a-f]{0,64} |\\\\\n|\n){0,12}"
        ) {
            if let Ok(found) = parse_join_command(&text) {
                proptest::prop_assert!(judge_pin(&found.ca_cert_hash).is_ok());
                proptest::prop_assert_eq!(found.token.unwrap().reveal(), "abcdef.0123456789abcdef");
            }
        }
    }
}
