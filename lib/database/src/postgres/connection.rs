//! A conversation with a server, blocking.

use std::error::Error as _;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use model::Kind;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls, Row};

use super::value::Types;
use crate::url::{Server, Tls};
use crate::{Error, Patience, Result, tls};

/// How long a server may take to answer at first.
const CONNECT: Duration = Duration::from_secs(10);

/// Values come out the same whatever the server's and the user's settings are.
const SETTINGS: &str = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres';
    SET bytea_output = 'hex'; SET extra_float_digits = 3; SET standard_conforming_strings = on;
    SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET lock_timeout = '10s'";

pub(crate) struct Connection {
    pub(crate) client: Client,
    runtime: Runtime,
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
        let mut config = Config::new();
        config.user(&server.user).dbname(&server.database).port(server.port).host(&server.host);
        config.application_name("bareplane").connect_timeout(CONNECT);
        if let Some(password) = password.or(server.password.as_deref()) {
            config.password(password);
        }
        let client = match &server.tls {
            Tls::Disable => {
                config.ssl_mode(SslMode::Disable);
                let (client, talk) = patience.wait(&runtime, config.connect(NoTls))??;
                runtime.spawn(talk);
                client
            }
            Tls::Verify(authorities) => {
                config.ssl_mode(SslMode::Require);
                let maker = tls::Maker(Arc::new(tls::config(authorities.as_deref())?));
                let (client, talk) = patience.wait(&runtime, config.connect(maker))??;
                runtime.spawn(talk);
                client
            }
        };
        patience.wait(&runtime, client.batch_execute(SETTINGS))??;
        Ok(Self { client, runtime, patience: patience.clone() })
    }

    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> Result<T> {
        self.patience.wait(&self.runtime, future)
    }

    pub(crate) fn execute(&self, asked: &str) -> Result<()> {
        Ok(self.wait(self.client.batch_execute(asked))??)
    }

    pub(crate) fn rows(
        &self,
        asked: &str,
        values: &[&(dyn tokio_postgres::types::ToSql + Sync)],
    ) -> Result<Vec<Row>> {
        Ok(self.wait(self.client.query(asked, values))??)
    }

    /// What is known of types.
    pub(crate) fn types(&self) -> Result<Types> {
        let asked = "SELECT oid, typtype::text, typbasetype, typelem FROM pg_catalog.pg_type
            WHERE typtype = 'd' OR typcategory = 'A' AND typdelim = ','";
        let mut types = Types::default();
        for row in self.rows(asked, &[])? {
            let (oid, domain, base, element): (u32, String, u32, u32) =
                (row.get(0), row.get(1), row.get(2), row.get(3));
            if domain == "d" {
                types.base.insert(oid, base);
            } else {
                types.element.insert(oid, element);
            }
        }
        Ok(types)
    }
}

/// A name in SQL.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Text in SQL.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        if let Some(answer) = error.as_db_error() {
            let text = answer.message().to_owned();
            let error = match answer.code() {
                code if *code == SqlState::INVALID_PASSWORD
                    || *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION
                    || *code == SqlState::INSUFFICIENT_PRIVILEGE =>
                {
                    Self::invalid(text).word("auth")
                }
                code if *code == SqlState::UNDEFINED_TABLE => Self::invalid(text).word("no_such_table"),
                code if *code == SqlState::UNDEFINED_COLUMN => Self::invalid(text).word("no_such_column"),
                code => match code.code().get(..2) {
                    // Connection, rollback, resources, lock not available, operator intervention, system.
                    Some("08" | "40" | "53" | "57" | "58") => Self::unavailable(text),
                    _ if *code == SqlState::LOCK_NOT_AVAILABLE || *code == SqlState::OBJECT_IN_USE => {
                        Self::unavailable(text).word("locked")
                    }
                    _ => Self::invalid(text),
                },
            };
            let error = Self { context: answer.where_().map(str::to_owned), ..error };
            return match answer.hint() {
                Some(hint) => error.hint(hint),
                None => error,
            };
        }
        let mut text = error.to_string();
        let mut kind = Kind::Unavailable;
        let mut source = error.source();
        while let Some(cause) = source {
            let words = cause.to_string();
            if !text.contains(&words) {
                text = format!("{text}: {words}");
            }
            if cause.is::<rustls::Error>() || cause.downcast_ref::<std::io::Error>().is_some_and(is_tls) {
                kind = Kind::Invalid;
            }
            source = cause.source();
        }
        match kind {
            Kind::Invalid => Self::invalid(text).word("tls"),
            Kind::Unavailable if text.contains("password missing") => {
                Self::invalid("the server asks for a password")
                    .word("auth")
                    .hint("--password file:PATH or env:NAME")
            }
            Kind::Unavailable if text.contains("server does not support TLS") => {
                Self::invalid(text).word("tls").hint("?sslmode=disable sends everything in clear")
            }
            Kind::Unavailable => Self::unavailable(text).word("network"),
        }
    }
}

fn is_tls(error: &std::io::Error) -> bool {
    matches!(error.get_ref(), Some(inner) if inner.is::<rustls::Error>())
}
