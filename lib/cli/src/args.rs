//! Types arguments become at the edge.

use std::fmt;
use std::str::FromStr;

/// The heading of the options all commands share.
pub(crate) const COMMON: &str = "Common options";

/// How records are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One JSON object a line.
    #[default]
    Json,
    /// A table for eyes; nothing may parse it.
    Text,
}

/// A host and a port: `10.0.0.11:6443`, `[2001:db8::1]:6443`, `cp1.lan:6443`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// A name or an address, without brackets.
    pub host: String,
    /// The port, never 0.
    pub port: u16,
}

impl FromStr for HostPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not HOST:PORT, such as 10.0.0.11:6443 or [2001:db8::1]:6443");
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        if host.is_empty() || (bare.is_none() && host.contains([':', '[', ']'])) {
            return Err(wrong());
        }
        match port.parse() {
            Ok(port) if port > 0 => Ok(Self { host: bare.unwrap_or(host).to_owned(), port }),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_round_trip() {
        for text in ["10.0.0.11:6443", "[2001:db8::1]:6443", "cp1.lan:6443"] {
            assert_eq!(text.parse::<HostPort>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_not_a_host_and_a_port_is_refused() {
        for text in ["", ":1", "a", "a:", "a:0", "a:65536", "::1:6443", "[::1:6443", "a:b:1"] {
            assert!(text.parse::<HostPort>().is_err(), "{text}");
        }
    }
}
