//! What the texts of the document must look like, each rule by itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use document::Field;

/// A label of RFC 1123: what Kubernetes takes as a node's name.
pub(crate) fn label(field: &Field) -> Option<String> {
    let text = field.text()?;
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.is_empty() || text.chars().count() > 63 {
        field.wrong("a name has 1 to 63 characters (RFC 1123)");
    } else if !text.chars().all(fine) || text.starts_with('-') || text.ends_with('-') {
        let meant: String =
            text.to_lowercase().chars().map(|c| if fine(c) { c } else { '-' }).collect::<String>();
        let meant = meant.trim_matches('-');
        let message = "a name is made of a-z, 0-9 and inner hyphens (RFC 1123)";
        if meant.is_empty() {
            field.wrong(message);
        } else {
            field.wrong_hint(message, format!("write {meant}"));
        }
    } else {
        return Some(text);
    }
    None
}

/// A DNS name: labels joined by dots.
pub(crate) fn domain(field: &Field) -> Option<String> {
    let text = field.text()?;
    let ok = is_domain(&text);
    if !ok {
        field.wrong("a domain is labels of a-z, 0-9 and inner hyphens, joined by dots (RFC 1123)");
    }
    ok.then_some(text)
}

fn is_domain(text: &str) -> bool {
    text.len() <= 253
        && text.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

/// A Kubernetes version down to the patch: with less kubeadm asks the internet.
pub(crate) fn kubernetes(field: &Field) -> Option<String> {
    let text = field.text()?;
    let (numbers, suffix) = split(text.strip_prefix('v').unwrap_or(&text));
    let known = numbers.len() == 3 && suffix && numbers[0] == 1;
    match (known, text.strip_prefix('v')) {
        (true, None) => return Some(text),
        (true, Some(bare)) => {
            field.wrong_hint("a version without `v` is wanted", format!("write \"{bare}\""));
        }
        (false, _) => field.wrong("a Kubernetes version such as \"1.36.3\" is wanted"),
    }
    None
}

/// A version of some software: `2.3`, `2.3.4`, `v3.31.7`.
pub(crate) fn version(field: &Field) -> Option<String> {
    let text = field.text()?;
    let (numbers, suffix) = split(text.strip_prefix('v').unwrap_or(&text));
    let ok = (2..=3).contains(&numbers.len()) && suffix;
    if !ok {
        field.wrong("a version such as \"2.3\" or \"v3.31.7\" is wanted");
    }
    ok.then_some(text)
}

/// The numbers of a version that [`kubernetes`] or [`version`] took.
pub(crate) fn numbers(version: &str) -> Vec<u32> {
    split(version.strip_prefix('v').unwrap_or(version)).0
}

/// The numbers, and whether what follows `-` or `+`, if anything, is well-formed.
fn split(version: &str) -> (Vec<u32>, bool) {
    let (release, suffix) = match version.find(['-', '+']) {
        Some(at) => (&version[..at], Some(&version[at + 1..])),
        None => (version, None),
    };
    // `01` is no number of a version, and neither is `+1`.
    let number = |part: &str| {
        let plain = part.chars().all(|c| c.is_ascii_digit()) && (part == "0" || !part.starts_with('0'));
        plain.then(|| part.parse().ok()).flatten()
    };
    let numbers: Option<Vec<u32>> = release.split('.').map(number).collect();
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+');
    let suffix = suffix.is_none_or(|suffix| !suffix.is_empty() && suffix.chars().all(fine));
    (numbers.unwrap_or_default(), suffix)
}

/// A network interface's name: the kernel takes 15 bytes (IFNAMSIZ without the NUL).
pub(crate) fn interface(field: &Field) -> Option<String> {
    let text = field.text()?;
    let ok = (1..=15).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_graphic() && c != '/')
        && !matches!(text.as_str(), "." | "..");
    if !ok {
        field.wrong("an interface's name has 1 to 15 characters without blanks and slashes");
    }
    ok.then_some(text)
}

/// An absolute path, fit for a configuration file.
pub(crate) fn path(field: &Field) -> Option<String> {
    let text = field.text()?;
    let ok = text.starts_with('/') && is_plain(&text);
    if !ok {
        field.wrong("an absolute path without blanks and quotes is wanted");
    }
    ok.then_some(text)
}

/// A file, absolute or below the user's home (`~/`).
pub(crate) fn key_file(field: &Field) -> Option<String> {
    let text = field.text()?;
    let ok = (text.starts_with('/') || text.starts_with("~/")) && is_plain(&text);
    if !ok {
        field.wrong("a path that begins with / or ~/ is wanted, without blanks and quotes");
    }
    ok.then_some(text)
}

/// A `sun_path` holds 108 bytes with the NUL, and haproxy binds a temporary
/// name beside it, `.PID.tmp`, before it renames.
pub(crate) fn socket(field: &Field) -> Option<String> {
    let text = path(field)?;
    if text.len() > 91 {
        field.wrong("a socket's path is at most 91 bytes long");
        return None;
    }
    Some(text)
}

/// A word that goes into configuration files as it is: no blanks, quotes or control characters.
pub(crate) fn plain(field: &Field) -> Option<String> {
    let text = field.text()?;
    let ok = is_plain(&text);
    if !ok {
        field.wrong("one word without blanks, quotes and control characters is wanted");
    }
    ok.then_some(text)
}

fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 1024
        && !text.chars().any(|c| {
            c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '`' | '\\' | '#' | '$' | ';')
        })
}

/// Printable text of one line, for a label's value.
pub(crate) fn line(field: &Field) -> Option<String> {
    let text = field.text()?;
    let ok = text.chars().count() <= 63 && !text.chars().any(char::is_control);
    if !ok {
        field.wrong("one line of at most 63 characters is wanted");
    }
    ok.then_some(text)
}

/// A label's key: `zone`, `topology.kubernetes.io/zone`.
pub(crate) fn is_label_key(key: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    (1..=63).contains(&key.len()) && key.chars().all(fine)
}

/// A login name.
pub(crate) fn user(field: &Field) -> Option<String> {
    let text = field.text()?;
    let ok = (1..=32).contains(&text.len())
        && !text.starts_with('-')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if !ok {
        field.wrong("a login name is 1 to 32 letters, digits, `-`, `_` and `.`");
    }
    ok.then_some(text)
}

/// An IPv4 address of a host.
pub(crate) fn ipv4(field: &Field) -> Option<Ipv4Addr> {
    match address(field)? {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(address) => {
            field.wrong_hint(format!("{address} is an IPv6 address"), "write it under `ip6`");
            None
        }
    }
}

/// An IPv6 address of a host.
pub(crate) fn ipv6(field: &Field) -> Option<Ipv6Addr> {
    match address(field)? {
        IpAddr::V6(address) => Some(address),
        IpAddr::V4(address) => {
            field.wrong_hint(format!("{address} is an IPv4 address"), "write it under `ip`");
            None
        }
    }
}

/// An address a machine on a network can have.
pub(crate) fn address(field: &Field) -> Option<IpAddr> {
    let text = field.text()?;
    let Ok(address) = text.parse::<IpAddr>() else {
        let shown: String = text.chars().take(64).collect();
        match text.split_once('/') {
            Some((bare, _)) if bare.parse::<IpAddr>().is_ok() => {
                field.wrong_hint(format!("{shown} is a network, not an address"), format!("write {bare}"));
            }
            _ => field.wrong(format!("`{shown}` is no IP address")),
        }
        return None;
    };
    let nobody = match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_unspecified() || v4.is_multicast() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unspecified() || v6.is_multicast(),
    };
    if nobody {
        field.wrong(format!("{address} is loopback, multicast or nobody: no other machine reaches it"));
    }
    (!nobody).then_some(address)
}

/// HOST:PORT; the port may be left out if `bare`.
pub(crate) fn authority(field: &Field, bare: bool) -> Option<String> {
    let text = field.text()?;
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(':') && !port.ends_with(']') => (host, Some(port)),
        _ => (text.as_str(), None),
    };
    let inner = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    let host_ok = match inner {
        Some(inner) => inner.parse::<Ipv6Addr>().is_ok(),
        None => is_domain(host),
    };
    let port_ok = match port {
        Some(port) => port.parse::<u16>().is_ok_and(|port| port > 0) && !port.starts_with('+'),
        None => bare,
    };
    let ok = host_ok && port_ok;
    if !ok {
        let form = if bare { "HOST or HOST:PORT" } else { "HOST:PORT" };
        field.wrong(format!("{form} is wanted, such as zabbix.lan:10051 or [fd00::1]:10051"));
    }
    ok.then_some(text)
}

/// An http or https URL without user and password.
pub(crate) fn url(field: &Field) -> Option<String> {
    let text = field.text()?;
    let rest = text.strip_prefix("https://").or(text.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?']).next()).unwrap_or_default();
    if host.contains('@') {
        // The document is read by many: secrets come from files.
        field.wrong("a URL here holds no user and password");
        return None;
    }
    let ok = !host.is_empty() && is_plain(&text);
    if !ok {
        field.wrong("a URL that begins with https:// or http:// is wanted");
    }
    ok.then_some(text)
}

/// How Calico finds a node's address.
pub(crate) fn autodetect(field: &Field) -> Option<String> {
    let text = field.text()?;
    let ok = match text.split_once('=') {
        None => matches!(text.as_str(), "first-found" | "kubernetes-internal-ip"),
        Some((method, value)) => {
            matches!(method, "can-reach" | "interface" | "skip-interface" | "cidr") && !value.is_empty()
        }
    };
    if !ok {
        field.wrong(
            "first-found, kubernetes-internal-ip, can-reach=…, interface=…, skip-interface=… or cidr=… is wanted",
        );
    }
    ok.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T>(text: &str, rule: impl Fn(&Field) -> Option<T>) -> Option<T> {
        let tree = document::parse(&format!("\"{text}\"")).unwrap();
        let problems = document::Problems::default();
        let value = rule(&Field::root(&tree, &problems));
        assert_eq!(value.is_none(), !problems.is_empty(), "{text}: a refusal says why");
        value
    }

    #[test]
    fn names_are_what_kubernetes_takes() {
        for good in ["a", "cp1", "a-b", "1", &"a".repeat(63)] {
            assert!(read(good, label).is_some(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a_b", "a.b", "é", &"a".repeat(64)] {
            assert!(read(bad, label).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_kubernetes_version_goes_down_to_the_patch() {
        for good in ["1.36.3", "1.37.0-rc.1"] {
            assert!(read(good, kubernetes).is_some(), "{good}");
        }
        for bad in ["1.36", "v1.36.3", "1.36.x", "2.0.0", "1.036.1", "1.+36.1", "1.36.3-", "latest", ""] {
            assert!(read(bad, kubernetes).is_none(), "{bad}");
        }
    }

    #[test]
    fn authorities_carry_a_host_and_a_port() {
        for good in ["a:1", "zabbix.lan:10051", "[fd00::1]:10051", "10.0.0.1:5000"] {
            assert!(read(good, |f| authority(f, false)).is_some(), "{good}");
        }
        for bad in
            ["a", "a:", "a:0", "a:65536", "a:+1", ":1", "fd00::1:5", "[fd00::1]", "http://a:1", "a b:1"]
        {
            assert!(read(bad, |f| authority(f, false)).is_none(), "{bad}");
        }
        for good in ["registry.lan", "[fd00::1]"] {
            assert!(read(good, |f| authority(f, true)).is_some(), "{good}");
        }
    }

    #[test]
    fn what_would_break_out_of_a_configuration_file_is_refused() {
        for bad in ["/a b", "/a\\n", "/a#b", "/a'b", "relative", ""] {
            assert!(read(bad, path).is_none(), "{bad}");
        }
        for bad in ["eth 0", "a/b", "", "sixteen-letters-", ".."] {
            assert!(read(bad, interface).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_url_with_a_password_is_refused() {
        assert!(read("https://ops:secret@zabbix.lan/api", url).is_none());
        assert!(read("https://zabbix.lan/api_jsonrpc.php", url).is_some());
        assert!(read("ftp://zabbix.lan/", url).is_none());
    }
}
