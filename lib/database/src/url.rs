//! Where a database is.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where a database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Url {
    /// A file: `sqlite:PATH`.
    Sqlite(PathBuf),
    /// `postgres://USER@HOST:PORT/DATABASE`.
    Postgres(Server),
    /// `mysql://USER@HOST:PORT/DATABASE`.
    Mysql(Server),
}

/// A database server.
#[derive(Clone, PartialEq, Eq)]
pub struct Server {
    /// Who we are.
    pub user: String,
    /// The password, where the URL holds one.
    pub password: Option<String>,
    /// A name, an address, or the path of a socket (of its folder, for `PostgreSQL`).
    pub host: String,
    /// The port.
    pub port: u16,
    /// The database.
    pub database: String,
    /// Whose certificate is believed.
    pub tls: Tls,
}

/// Whose certificate is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// None is asked for: the connection does not leave the machine, or
    /// `sslmode=disable` says so.
    Disable,
    /// The server's, by the authorities of this PEM file, or by the system's.
    Verify(Option<PathBuf>),
}

impl FromStr for Url {
    type Err = String;

    /// What stands there may hold a password: it is not repeated.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(path.into())),
            Some(("postgres" | "postgresql", rest)) => server(rest, 5432).map(Self::Postgres),
            Some(("mysql" | "mariadb", rest)) => server(rest, 3306).map(Self::Mysql),
            _ => {
                Err("a database is sqlite:PATH, postgres://USER@HOST/DATABASE or mysql://USER@HOST/DATABASE"
                    .into())
            }
        }
    }
}

impl Url {
    /// Whether the password stands in it.
    pub fn has_password(&self) -> bool {
        match self {
            Self::Sqlite(_) => false,
            Self::Postgres(server) | Self::Mysql(server) => server.password.is_some(),
        }
    }
}

fn server(rest: &str, port: u16) -> Result<Server, String> {
    let form = || "a server is postgres://USER@HOST:PORT/DATABASE, with mysql:// likewise".to_owned();
    let rest = rest.strip_prefix("//").ok_or_else(form)?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = rest.split_once('/').ok_or_else(form)?;
    let (login, place) = authority.rsplit_once('@').ok_or_else(form)?;
    let (user, password) = login.split_once(':').map_or((login, None), |(user, word)| (user, Some(word)));
    let (host, number) = match place.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    };
    let port =
        number.map_or(Some(port), |text| text.parse().ok().filter(|port| *port > 0)).ok_or_else(form)?;
    let mut found = Server {
        user: decoded(user)?,
        password: password.map(decoded).transpose()?,
        host: decoded(host)?,
        port,
        database: decoded(database)?,
        tls: Tls::Disable,
    };
    let (mut mode, mut root) = (None, None);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decoded(value)?;
        match name {
            "host" | "socket" => found.host = value,
            "sslmode" => mode = Some(value),
            "sslrootcert" => root = Some(PathBuf::from(value)),
            _ => return Err(format!("`{name}` is none of host, sslmode, sslrootcert")),
        }
    }
    if found.user.is_empty() || found.host.is_empty() || found.database.is_empty() {
        return Err(form());
    }
    let near = found.host.starts_with('/')
        || found.host == "localhost"
        || found.host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    found.tls = match mode.as_deref() {
        Some("disable") => Tls::Disable,
        None if near && root.is_none() => Tls::Disable,
        None | Some("verify-full") => Tls::Verify(root),
        Some(other) => {
            return Err(format!("sslmode is verify-full or disable; {} verifies nothing", shown(other)));
        }
    };
    Ok(found)
}

fn shown(text: &str) -> String {
    text.chars().take(32).collect()
}

/// `%41` is `A`.
fn decoded(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let digits = rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.ok_or("% in a URL is followed by two hexadecimal digits")?);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).map_err(|_| "a URL is UTF-8".to_owned())
}

/// As it was given, but never with a password.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, server) = match self {
            Self::Sqlite(path) => return write!(f, "sqlite:{}", path.display()),
            Self::Postgres(server) => ("postgres", server),
            Self::Mysql(server) => ("mysql", server),
        };
        let Server { user, host, port, database, .. } = server;
        if host.contains(':') {
            write!(f, "{scheme}://{user}@[{host}]:{port}/{database}")
        } else if host.starts_with('/') {
            write!(f, "{scheme}://{user}@localhost/{database}?host={host}")
        } else {
            write!(f, "{scheme}://{user}@{host}:{port}/{database}")
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Url::Postgres(self.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(text: &str) -> Server {
        match text.parse().unwrap() {
            Url::Postgres(server) | Url::Mysql(server) => server,
            Url::Sqlite(_) => panic!("{text}"),
        }
    }

    #[test]
    fn a_url_names_user_host_port_and_database() {
        let found = server("postgres://app@db.lan/shop");
        assert_eq!((found.host.as_str(), found.port, found.database.as_str()), ("db.lan", 5432, "shop"));
        assert_eq!(server("mysql://app@[::1]:3307/shop").port, 3307);
        assert_eq!(server("postgres://a%40b:p%2Fw@h/d").password.as_deref(), Some("p/w"));
        assert_eq!(server("postgres://app@localhost/shop?host=/run/pg").host, "/run/pg");
        for bad in [
            "",
            "oracle://a@b/c",
            "postgres://b/c",
            "postgres://a@b",
            "postgres://a@b:0/c",
            "postgres://a@b/c?x=1",
            "postgres://a@b/%zz",
        ] {
            assert!(bad.parse::<Url>().is_err(), "{bad}");
        }
    }

    #[test]
    fn certificates_are_verified_unless_the_connection_stays_here() {
        assert_eq!(server("postgres://a@db.lan/c").tls, Tls::Verify(None));
        assert_eq!(server("postgres://a@127.0.0.1/c").tls, Tls::Disable);
        assert_eq!(server("postgres://a@127.0.0.1/c?sslrootcert=ca").tls, Tls::Verify(Some("ca".into())));
        assert_eq!(server("postgres://a@db.lan/c?sslmode=disable").tls, Tls::Disable);
        assert!("postgres://a@db.lan/c?sslmode=require".parse::<Url>().is_err());
    }

    #[test]
    fn a_password_is_never_shown() {
        let url: Url = "postgres://app:hunter2@db/shop".parse().unwrap();
        assert!(!format!("{url} {url:?}").contains("hunter2"));
    }
}
