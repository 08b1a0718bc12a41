//! AWS Signature Version 4.

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ring::{digest, hmac};

use crate::Credentials;

/// What is signed of a request.
#[derive(Debug)]
pub struct Signing<'a> {
    /// The service's name, such as `s3`.
    pub service: &'a str,
    /// The method.
    pub method: &'a str,
    /// The host, with its port if that is another than the scheme's.
    pub host: &'a str,
    /// The path, encoded.
    pub path: &'a str,
    /// The query, encoded and in order.
    pub query: &'a str,
    /// The body.
    pub body: &'a [u8],
    /// Further headers, lower case and in order, after `host`.
    pub headers: &'a [(&'a str, &'a str)],
}

impl Signing<'_> {
    /// The headers that make a request a signed one.
    pub fn headers(
        &self,
        credentials: &Credentials,
        region: &str,
        now: SystemTime,
    ) -> Vec<(&'static str, String)> {
        let (day, moment) = stamps(now);
        let body = hex(digest::digest(&digest::SHA256, self.body).as_ref());
        let mut headers = vec![("host", self.host.to_owned())];
        headers.extend(self.headers.iter().map(|(name, value)| (*name, (*value).to_owned())));
        headers.push(("x-amz-content-sha256", body.clone()));
        headers.push(("x-amz-date", moment.clone()));
        if let Some(session) = &credentials.session {
            headers.push(("x-amz-security-token", session.clone()));
        }
        headers.sort_by_key(|(name, _)| *name);
        let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let lines = headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim()));
        let lines: String = lines.collect();
        let request = format!("{}\n{}\n{}\n{lines}\n{names}\n{body}", self.method, self.path, self.query);
        let scope = format!("{day}/{region}/{}/aws4_request", self.service);
        let hashed = hex(digest::digest(&digest::SHA256, request.as_bytes()).as_ref());
        let text = format!("AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashed}");
        let key = [&*day, region, self.service, "aws4_request"]
            .iter()
            .fold(format!("AWS4{}", credentials.secret).into_bytes(), |key, part| mac(&key, part.as_bytes()));
        let signature = hex(&mac(&key, text.as_bytes()));
        let mut signed = vec![
            ("x-amz-content-sha256", body),
            ("x-amz-date", moment),
            (
                "authorization",
                format!(
                    "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
                    credentials.key_id
                ),
            ),
        ];
        if let Some(session) = &credentials.session {
            signed.push(("x-amz-security-token", session.clone()));
        }
        signed
    }
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// `20260131` and `20260131T120000Z`.
fn stamps(now: SystemTime) -> (String, String) {
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let micros = i64::try_from(seconds).unwrap_or_default().saturating_mul(1_000_000);
    let mut text = String::new();
    ndjson::time::write(micros, &mut text);
    let moment: String = text.chars().filter(|c| !matches!(c, '-' | ':')).collect();
    (moment.chars().take(8).collect(), moment)
}

/// A text as a part of a path or a query; `/` stays if `path`.
pub fn encode(text: &str, path: bool) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                encoded.push(char::from(byte));
            }
            b'/' if path => encoded.push('/'),
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials() -> Credentials {
        Credentials {
            key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            session: None,
        }
    }

    fn signature(signing: &Signing) -> String {
        // 2013-05-24T00:00:00Z
        let now = UNIX_EPOCH + Duration::from_hours(380_376);
        let headers = signing.headers(&credentials(), "us-east-1", now);
        let (_, authorization) = headers.iter().find(|(name, _)| *name == "authorization").unwrap();
        authorization.rsplit_once('=').unwrap().1.to_owned()
    }

    // The examples of Amazon S3's API reference, "Authenticating Requests (AWS Signature Version 4)".
    #[test]
    fn signatures_are_those_of_the_manual() {
        let get = Signing {
            service: "s3",
            method: "GET",
            host: "examplebucket.s3.amazonaws.com",
            path: "/test.txt",
            query: "",
            body: b"",
            headers: &[("range", "bytes=0-9")],
        };
        assert_eq!(signature(&get), "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
        let list = Signing { query: "max-keys=2&prefix=J", path: "/", headers: &[], ..get };
        assert_eq!(signature(&list), "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
        let put = Signing {
            method: "PUT",
            path: "/test%24file.text",
            query: "",
            body: b"Welcome to Amazon S3.",
            headers: &[
                ("date", "Fri, 24 May 2013 00:00:00 GMT"),
                ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ],
            ..list
        };
        assert_eq!(signature(&put), "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
    }

    #[test]
    fn what_a_path_cannot_hold_is_encoded() {
        assert_eq!(encode("dt=1/a%2Fb é~", true), "dt%3D1/a%252Fb%20%C3%A9~");
        assert_eq!(encode("a/b", false), "a%2Fb");
    }

    #[test]
    fn credentials_are_not_shown() {
        assert!(!format!("{:?}", credentials()).contains("AKIA"));
    }
}
