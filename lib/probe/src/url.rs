//! As much of a URL as a health check needs.

use std::net::{IpAddr, SocketAddr};

use crate::Error;

/// `http[s]://HOST[:PORT][/PATH]`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) tls: bool,
    /// Without the brackets of an IPv6 address.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Host and port as written, for the Host header.
    pub(crate) authority: String,
    pub(crate) path: String,
}

impl Url {
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |why| Error::Url { url: text.to_owned(), why };
        if text.bytes().any(|byte| byte <= b' ' || byte >= 0x7f) {
            return Err(wrong("contains blanks or characters that must be percent-encoded"));
        }
        let (tls, rest) = match text.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            _ => return Err(wrong("does not begin with https:// or http://")),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(wrong("holds a user name: secrets do not belong into arguments"));
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(bracketed) => {
                let (host, rest) = bracketed.split_once(']').ok_or_else(|| wrong("lacks a `]`"))?;
                let address = host.parse::<std::net::Ipv6Addr>();
                address.map_err(|_| wrong("has no IPv6 address between its brackets"))?;
                (host, rest)
            }
            None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
        };
        if host.is_empty() {
            return Err(wrong("names no host"));
        }
        let port = match port.strip_prefix(':').map(str::parse) {
            None if port.is_empty() => 80 + 363 * u16::from(tls),
            Some(Ok(port)) if port > 0 => port,
            _ => return Err(wrong("has no usable port")),
        };
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { tls, host: host.to_owned(), port, authority: authority.to_owned(), path })
    }
}

/// The same URL at another address.
///
/// # Errors
/// Fails if it is no URL.
pub fn at_address(url: &str, address: IpAddr) -> Result<String, Error> {
    let Url { tls, port, path, .. } = Url::parse(url)?;
    let scheme = if tls { "https" } else { "http" };
    Ok(format!("{scheme}://{}{path}", SocketAddr::new(address, port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (bool, String, u16, String) {
        let url = Url::parse(text).unwrap();
        (url.tls, url.host, url.port, url.path)
    }

    #[test]
    fn the_usual_forms_are_understood() {
        assert_eq!(
            parts("https://127.0.0.1:6443/readyz"),
            (true, "127.0.0.1".into(), 6443, "/readyz".into())
        );
        assert_eq!(parts("https://[fd00::100]/a?b=c"), (true, "fd00::100".into(), 443, "/a?b=c".into()));
        assert_eq!(parts("http://lb?x#frag"), (false, "lb".into(), 80, "/?x".into()));
    }

    #[test]
    fn the_same_url_is_found_at_another_address() {
        let there = at_address("https://localhost/readyz?a", "fd00::100".parse().unwrap()).unwrap();
        assert_eq!(there, "https://[fd00::100]:443/readyz?a");
    }

    #[test]
    fn what_could_smuggle_a_header_or_is_no_url_is_refused() {
        for text in [
            "",
            "lb:6443",
            "ftp://lb/",
            "https://",
            "https://:1/",
            "https://a:0/",
            "https://a:99999/",
            "https://[::1/",
            "https://[zz]/",
            "https://[::1]x/",
            "https://u:p@lb/",
            "https://lb/a b",
            "https://lb/\r\nX: y",
            "https://lb/é",
        ] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
    }
}
