//! A conversation with a server, blocking.

use std::future::Future;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, DriverError, IoError, Opts, OptsBuilder, SslOpts, Value};
use rustls_native_certs::load_native_certs;
use tokio::runtime::{Builder, Runtime};

use crate::url::{Server, Tls};
use crate::{Error, Patience, Result};

/// How long a server may take to answer at first.
const CONNECT: Duration = Duration::from_secs(10);

/// Values come out the same whatever the server's settings are; a reader that
/// is slow is no reason to hang up.
const SETTINGS: &str = "SET SESSION time_zone = '+00:00', sql_mode = '', net_write_timeout = 3600, \
    net_read_timeout = 3600, wait_timeout = 28800, lock_wait_timeout = 10";

pub(crate) struct Connection {
    pub(crate) runtime: Runtime,
    pub(crate) conn: Option<Conn>,
    opts: Opts,
    patience: Patience,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection")
    }
}

impl Connection {
    pub(crate) fn open(server: &Server, password: Option<&str>, patience: &Patience) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Error::unavailable(error.to_string()))?;
        let mut opts = OptsBuilder::default()
            .user(Some(&server.user))
            .pass(password.or(server.password.as_deref()))
            .db_name(Some(&server.database))
            .prefer_socket(false)
            .tcp_nodelay(true)
            .stmt_cache_size(0)
            .setup(vec![SETTINGS.to_owned(), "SET NAMES utf8mb4".to_owned()]);
        opts = if server.host.starts_with('/') {
            opts.socket(Some(&server.host)).prefer_socket(true)
        } else {
            opts.ip_or_hostname(&server.host).tcp_port(server.port)
        };
        if let Tls::Verify(authorities) = &server.tls {
            let roots = match authorities {
                Some(path) => vec![path.clone().into()],
                None => load_native_certs().certs.iter().map(|c| c.to_vec().into()).collect(),
            };
            opts = opts.ssl_opts(SslOpts::default().with_root_certs(roots).with_disable_built_in_roots(true));
        }
        let mut this = Self { runtime, conn: None, opts: opts.into(), patience: patience.clone() };
        this.conn = Some(this.another()?);
        Ok(this)
    }

    /// Another of the same kind, on a conversation of its own.
    pub(crate) fn like(other: &Self) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Error::unavailable(error.to_string()))?;
        let mut this =
            Self { runtime, conn: None, opts: other.opts.clone(), patience: other.patience.clone() };
        this.conn = Some(this.another()?);
        Ok(this)
    }

    /// One more conversation with the same server.
    pub(crate) fn another(&self) -> Result<Conn> {
        let opened =
            self.wait(async { tokio::time::timeout(CONNECT, Conn::new(self.opts.clone())).await })?;
        match opened {
            Ok(conn) => Ok(conn?),
            Err(_) => Err(Error::unavailable("the server does not answer").word("network")),
        }
    }

    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> Result<T> {
        self.patience.wait(&self.runtime, future)
    }

    pub(crate) fn execute(&mut self, asked: &str) -> Result<()> {
        let conn = self.conn.as_mut().ok_or_else(busy)?;
        Ok(self.patience.wait(&self.runtime, conn.query_drop(asked))??)
    }

    /// Rows as text; null is none.
    pub(crate) fn rows(&mut self, asked: &str) -> Result<Vec<Vec<Option<String>>>> {
        let conn = self.conn.as_mut().ok_or_else(busy)?;
        let rows: Vec<mysql_async::Row> = self.patience.wait(&self.runtime, conn.query(asked))??;
        let text = |value: Value| match value {
            Value::NULL => None,
            Value::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            Value::Int(number) => Some(number.to_string()),
            Value::UInt(number) => Some(number.to_string()),
            other => Some(other.as_sql(true)),
        };
        Ok(rows.into_iter().map(|row| row.unwrap().into_iter().map(text).collect()).collect())
    }

    /// The first column of the first row.
    pub(crate) fn value(&mut self, asked: &str) -> Result<Option<String>> {
        Ok(self.rows(asked)?.into_iter().next().and_then(|row| row.into_iter().next().flatten()))
    }
}

pub(crate) fn busy() -> Error {
    Error::unavailable("the connection is in use")
}

/// A name in SQL.
pub(crate) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Text in SQL.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

impl From<mysql_async::Error> for Error {
    fn from(error: mysql_async::Error) -> Self {
        match error {
            mysql_async::Error::Server(answer) => {
                let text = answer.message;
                match answer.code {
                    // Access denied, in its many forms.
                    1044 | 1045 | 1142 | 1143 | 1227 | 1370 | 1698 => Self::invalid(text).word("auth"),
                    1146 => Self::invalid(text).word("no_such_table"),
                    1054 => Self::invalid(text).word("no_such_column"),
                    1236 => purged(&text),
                    // Too many connections, shutdown, locks, out of something, read-only for now.
                    1040 | 1053 | 1203 | 1205 | 1206 | 1213 | 1037 | 1038 | 1041 | 1290 | 3024 => {
                        Self::unavailable(text)
                    }
                    _ => Self::invalid(text),
                }
            }
            mysql_async::Error::Io(IoError::Tls(error)) => Self::invalid(error.to_string()).word("tls"),
            mysql_async::Error::Io(IoError::Io(error)) => match error.get_ref() {
                Some(inner) if inner.is::<rustls::Error>() => Self::invalid(error.to_string()).word("tls"),
                _ => Self::unavailable(error.to_string()).word("network"),
            },
            mysql_async::Error::Driver(DriverError::NoClientSslFlagFromServer) => {
                Self::invalid("the server speaks no TLS")
                    .word("tls")
                    .hint("?sslmode=disable sends everything in clear")
            }
            other => Self::unavailable(other.to_string()).word("network"),
        }
    }
}

pub(crate) fn purged(why: &str) -> Error {
    Error::invalid(format!("{why}: changes since are lost"))
        .word("binlog_purged")
        .hint("remove the state and begin with all rows; a longer binlog_expire_logs_seconds (expire_logs_days) keeps more")
}
