//! The brokers, and the settings of the client.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rdkafka::ClientConfig;

use crate::{Admin, Cluster, Error, Result};

/// Where the brokers are, and how one speaks with them.
#[derive(Clone)]
pub struct Connection {
    brokers: String,
    settings: BTreeMap<String, String>,
    secrets: BTreeMap<String, String>,
    pub(crate) timeout: Duration,
}

/// What of transactions a reader sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// Only what was committed; the end of a partition is its last stable offset.
    #[default]
    Committed,
    /// Everything; the end of a partition is its high watermark.
    Uncommitted,
}

/// What would take from us what the commands promise.
const OURS: [&str; 9] = [
    "bootstrap.servers",
    "metadata.broker.list",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "group.id",
    "isolation.level",
    "transactional.id",
    "acks",
];

/// Parts of the names of settings that hold secrets.
const SECRET: [&str; 5] = ["password", "secret", "ssl.key.pem", "oauthbearer.config", "private.key.pem"];

impl Connection {
    /// Brokers, each `HOST:PORT`.
    pub fn new(brokers: &[String]) -> Self {
        let (settings, secrets) = (BTreeMap::new(), BTreeMap::new());
        Self { brokers: brokers.join(","), settings, secrets, timeout: Duration::from_secs(30) }
    }

    /// How long one question may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long that is.
    pub fn patience(&self) -> Duration {
        self.timeout
    }

    /// A setting of librdkafka's.
    ///
    /// # Errors
    /// Fails if it is secret, or one the commands decide themselves, or there is none of that name.
    pub fn set(mut self, name: &str, value: &str) -> Result<Self> {
        if SECRET.iter().any(|part| name.contains(part)) {
            let why = format!("{name} is a secret: it stands where `security` says, in a file or a variable");
            return Err(Error::Invalid(why));
        }
        check(name, value)?;
        self.settings.insert(name.to_owned(), value.to_owned());
        Ok(self)
    }

    /// The same, unless it is set already.
    ///
    /// # Errors
    /// As [`Connection::set`].
    pub fn or_set(self, name: &str, value: &str) -> Result<Self> {
        if self.settings.contains_key(name) || self.secrets.contains_key(name) {
            return Ok(self);
        }
        self.set(name, value)
    }

    /// Settings that are secret: `name=value` lines; `#` begins a comment.
    ///
    /// # Errors
    /// As [`Connection::set`]; messages never hold a value.
    pub fn secrets(mut self, text: &str) -> Result<Self> {
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |why: &str| Error::Invalid(format!("line {}: {why}", number + 1));
            let (name, value) = line.split_once('=').ok_or_else(|| wrong("not name=value"))?;
            let (name, value) = (name.trim(), value.trim());
            check(name, value).map_err(|error| match error {
                Error::Invalid(why) => wrong(&why),
                other => other,
            })?;
            self.secrets.insert(name.to_owned(), value.to_owned());
        }
        Ok(self)
    }

    /// What there is: topics, offsets, groups.
    ///
    /// # Errors
    /// Fails if the settings make no sense.
    pub fn cluster(&self) -> Result<Cluster> {
        Cluster::open(self, Isolation::Committed)
    }

    /// The same with the ends as readers of uncommitted messages see them.
    ///
    /// # Errors
    /// Fails if the settings make no sense.
    pub fn cluster_uncommitted(&self) -> Result<Cluster> {
        Cluster::open(self, Isolation::Uncommitted)
    }

    /// Who changes topics.
    ///
    /// # Errors
    /// Fails if the settings make no sense.
    pub fn admin(&self) -> Result<Admin> {
        Admin::open(self)
    }

    pub(crate) fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", "bareplane")
            .set("client.software.name", "bareplane")
            .set("allow.auto.create.topics", "false")
            // Half of it passes before a client connects to a second broker, too.
            .set("reconnect.backoff.ms", "20")
            // A broker that was killed is back within a second.
            .set("reconnect.backoff.max.ms", "1000")
            .set_log_level(rdkafka::config::RDKafkaLogLevel::Info);
        for (name, value) in self.settings.iter().chain(&self.secrets) {
            config.set(name, value);
        }
        config
    }
}

/// Names are right, values of the right kind: librdkafka says so itself, without the value.
fn check(name: &str, value: &str) -> Result<()> {
    if OURS.contains(&name) {
        return Err(Error::Invalid(format!("{name} is not for settings: the command decides it")));
    }
    match ClientConfig::new().set(name, value).create_native_config() {
        Ok(_) => Ok(()),
        Err(rdkafka::error::KafkaError::ClientConfig(kind, ..)) => {
            let unknown = format!("{kind:?}").contains("UNKNOWN");
            // What librdkafka says of a wrong value quotes it.
            let why = if unknown {
                format!("no setting is called {name}")
            } else {
                format!("{name} cannot have this value")
            };
            Err(Error::Invalid(why))
        }
        Err(_) => Err(Error::Invalid(format!("{name} cannot be set"))),
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secrets: Vec<_> = self.secrets.keys().collect();
        f.debug_struct("Connection")
            .field("brokers", &self.brokers)
            .field("settings", &self.settings)
            .field("secrets", &secrets)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection() -> Connection {
        Connection::new(&["a:1".to_owned(), "b:2".to_owned()])
    }

    #[test]
    fn a_setting_has_a_name_and_a_value_librdkafka_knows() {
        assert!(connection().set("linger.ms", "7").is_ok());
        let told = |name: &str, value: &str| connection().set(name, value).unwrap_err().to_string();
        assert_eq!(told("linger.mss", "7"), "no setting is called linger.mss");
        assert_eq!(told("linger.ms", "soon"), "linger.ms cannot have this value");
        assert!(told("sasl.password", "hunter2").starts_with("sasl.password is a secret: "));
        assert_eq!(told("acks", "1"), "acks is not for settings: the command decides it");
    }

    #[test]
    fn a_secret_is_in_no_message() {
        let secret =
            connection().secrets("# a comment\n\nsasl.username = me\nsasl.password=hunter2=\n").unwrap();
        assert!(!format!("{secret:?}").contains("hunter2"));
        assert_eq!(secret.config().get("sasl.password"), Some("hunter2="));
        let wrong = connection().secrets("\nsecurity.protocol=hunter2").unwrap_err();
        assert_eq!(wrong.to_string(), "line 2: security.protocol cannot have this value");
        assert_eq!(connection().secrets("hunter2").unwrap_err().to_string(), "line 1: not name=value");
    }
}
