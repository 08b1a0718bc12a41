//! cluster-info: what a cluster says of itself to those who do not trust it yet.
//!
//! The `ConfigMap` kube-public/cluster-info holds a kubeconfig with the
//! cluster's CA, and for every bootstrap token that may sign a detached JWS
//! (RFC 7515 appendix F, HS256) of it: whoever knows the token's secret can
//! tell that the kubeconfig is genuine.

use std::time::Instant;

use data_encoding::{BASE64, BASE64URL_NOPAD};
use ring::hmac;
use serde_json::Value;

use crate::credentials::judge_pin;
use crate::{Result, Token};

/// What is wrong with a cluster-info.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// It is no such `ConfigMap`.
    #[error("this is no cluster-info: {0}")]
    Unreadable(String),
    /// Nobody signed it with this token: it expired, or the cluster never had it.
    #[error("no signature of token {0}: it expired, or this cluster never had it")]
    Unsigned(String),
    /// The signature is not that of this token's secret.
    #[error("the signature of token {0} is wrong: another secret, or somebody in between")]
    Forged(String),
    /// The CA is not the pinned one.
    #[error("the cluster's CA is {found}, not {pinned}")]
    OtherCa {
        /// The pin of the CA in it.
        found: String,
        /// The pin that was expected.
        pinned: String,
    },
}

/// A cluster-info that is genuine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genuine {
    /// Where it says the API is, a URL.
    pub server: String,
    /// The cluster's CA, PEM.
    pub ca: Vec<u8>,
    /// Its pin.
    pub ca_pin: String,
}

/// Judges a cluster-info (the `ConfigMap` as JSON) by a token, and by a pin if there is one.
///
/// # Errors
/// Says what is wrong with it.
pub fn judge(config_map: &str, token: &Token, pin: Option<&str>) -> std::result::Result<Genuine, Distrust> {
    let unreadable = |why: &str| Distrust::Unreadable(why.to_owned());
    let map: Value = serde_json::from_str(config_map).map_err(|_| unreadable("no JSON"))?;
    let data = &map["data"];
    let kubeconfig = data["kubeconfig"].as_str().ok_or_else(|| unreadable("no data.kubeconfig"))?;
    let name = format!("jws-kubeconfig-{}", token.id());
    let signature = data[&name].as_str().ok_or_else(|| Distrust::Unsigned(token.id().to_owned()))?;
    if !is_signed(kubeconfig, signature, token) {
        return Err(Distrust::Forged(token.id().to_owned()));
    }
    let genuine = cluster(kubeconfig).map_err(|why| unreadable(&why))?;
    match pin {
        Some(pinned) if pinned != genuine.ca_pin => {
            Err(Distrust::OtherCa { found: genuine.ca_pin, pinned: pinned.to_owned() })
        }
        _ => Ok(genuine),
    }
}

/// Where the `ConfigMap` is, for everybody to read.
const PATH: &str = "/api/v1/namespaces/kube-public/configmaps/cluster-info";
/// The most of it that is read.
const LIMIT_BYTES: u64 = 1 << 20;

/// Asks an API server (HOST:PORT) for its cluster-info. Nobody is trusted
/// here: [`judge`] says whether what came is genuine.
///
/// # Errors
/// Fails if there is no such answer by the deadline.
pub fn fetch(endpoint: &str, deadline: Instant) -> http::Result<String> {
    let client =
        http::Client::new(&http::Options { trust: http::Trust::Anybody, ..http::Options::default() })?;
    let answer = client.get(&format!("https://{endpoint}{PATH}"), deadline)?.success()?;
    Ok(String::from_utf8_lossy(&answer.bytes(LIMIT_BYTES)?).into_owned())
}

/// Whether a detached JWS `header..signature` is the token's over this text.
fn is_signed(text: &str, jws: &str, token: &Token) -> bool {
    let mut parts = jws.split('.');
    let (Some(header), Some(""), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let said = BASE64URL_NOPAD.decode(header.as_bytes()).ok();
    let said: Option<Value> = said.and_then(|said| serde_json::from_slice(&said).ok());
    // Another algorithm (`none` among them) is no signature.
    if !said.is_some_and(|said| said["alg"] == "HS256" && said["kid"] == token.id()) {
        return false;
    }
    let Ok(signature) = BASE64URL_NOPAD.decode(signature.as_bytes()) else { return false };
    let signed = format!("{header}.{}", BASE64URL_NOPAD.encode(text.as_bytes()));
    let key = hmac::Key::new(hmac::HMAC_SHA256, token.secret().as_bytes());
    hmac::verify(&key, signed.as_bytes(), &signature).is_ok()
}

/// The cluster of a kubeconfig as kubeadm writes it: one `server`, one CA.
fn cluster(kubeconfig: &str) -> std::result::Result<Genuine, String> {
    let value = |name: &str| {
        let line = kubeconfig.lines().map(|line| line.trim().trim_start_matches("- "));
        let mut lines = line.filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        match (lines.next(), lines.next()) {
            (Some(value), None) => Ok(value.trim().trim_matches('"').to_owned()),
            _ => Err(format!("its kubeconfig has not exactly one {name}")),
        }
    };
    let ca = value("certificate-authority-data")?;
    let ca = BASE64.decode(ca.as_bytes()).map_err(|_| "its CA is no base64".to_owned())?;
    let ca_pin = crate::ca_pin(&ca).map_err(|error| error.to_string())?;
    Ok(Genuine { server: value("server")?, ca, ca_pin })
}

/// The pin, if it is one.
///
/// # Errors
/// Says what it is instead.
pub fn pinned(pin: &str) -> Result<&str> {
    judge_pin(pin).map(|()| pin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
    use serde_json::json;

    fn kubeconfig() -> String {
        let mut ca = CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = ca.self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
        let ca = BASE64.encode(pem.as_bytes());
        format!(
            "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: {ca}\n    server: https://10.77.0.100:6443\n  name: \"\"\n"
        )
    }

    fn signed(text: &str, token: &Token, header: &Value) -> String {
        let header = BASE64URL_NOPAD.encode(header.to_string().as_bytes());
        let key = hmac::Key::new(hmac::HMAC_SHA256, token.secret().as_bytes());
        let tag =
            hmac::sign(&key, format!("{header}.{}", BASE64URL_NOPAD.encode(text.as_bytes())).as_bytes());
        format!("{header}..{}", BASE64URL_NOPAD.encode(tag.as_ref()))
    }

    fn map(text: &str, jws: &str) -> String {
        json!({"data": {"kubeconfig": text, "jws-kubeconfig-abcdef": jws}}).to_string()
    }

    #[test]
    fn what_the_token_signed_is_genuine_and_nothing_else() {
        let token: Token = "abcdef.0123456789abcdef".parse().unwrap();
        let other: Token = "abcdef.ffffffffffffffff".parse().unwrap();
        let unknown: Token = "zzzzzz.0123456789abcdef".parse().unwrap();
        let text = kubeconfig();
        let header = json!({"alg": "HS256", "kid": "abcdef"});
        let good = map(&text, &signed(&text, &token, &header));
        let genuine = judge(&good, &token, None).unwrap();
        assert_eq!(genuine.server, "https://10.77.0.100:6443");
        assert!(judge(&good, &token, Some(&genuine.ca_pin)).is_ok());
        let pin = format!("sha256:{}", "1".repeat(64));
        assert!(matches!(judge(&good, &token, Some(&pin)), Err(Distrust::OtherCa { .. })));
        assert_eq!(judge(&good, &other, None), Err(Distrust::Forged("abcdef".into())));
        assert_eq!(judge(&good, &unknown, None), Err(Distrust::Unsigned("zzzzzz".into())));
        let changed = map(&text.replace("10.77.0.100", "10.77.0.66"), &signed(&text, &token, &header));
        assert_eq!(judge(&changed, &token, None), Err(Distrust::Forged("abcdef".into())));
        for header in [json!({"alg": "none", "kid": "abcdef"}), json!({"alg": "HS256", "kid": "ffffff"})] {
            let jws = signed(&text, &token, &header);
            assert_eq!(judge(&map(&text, &jws), &token, None), Err(Distrust::Forged("abcdef".into())));
        }
    }
}
