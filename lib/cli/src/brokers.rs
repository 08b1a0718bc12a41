//! The options of commands that speak with Kafka.

use std::time::Instant;

use kafka::Connection;
use pipeline::{Kafka, Secret};

use crate::{Context, Duration, HostPort, Result, secret};

/// Where the brokers are. What is not given here is taken from the pipeline document, if there is one.
#[derive(Clone, Debug, clap::Args)]
pub struct Brokers {
    /// The brokers to ask first
    #[arg(long = "brokers", value_name = "HOST:PORT", value_delimiter = ',')]
    first: Vec<HostPort>,
    /// Where the client's secret settings are, lines of NAME=VALUE: a file or a variable
    #[arg(long, value_name = "file:PATH|env:NAME")]
    security: Option<Secret>,
    /// A setting of librdkafka
    #[arg(long = "kafka-config", value_name = "NAME=VALUE")]
    config: Vec<String>,
    /// How long the whole run may take
    #[arg(long, value_name = "TIME")]
    timeout: Option<Duration>,
}

/// How long one question to the brokers may take.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

impl Brokers {
    /// Whether they were given.
    pub fn is_given(&self) -> bool {
        !self.first.is_empty()
    }

    /// When the whole run has to be over.
    pub fn deadline(&self) -> Option<Instant> {
        self.timeout.map(|timeout| Instant::now() + *timeout)
    }

    /// The connection they describe; what was not given comes from the document.
    ///
    /// # Errors
    /// Fails if nobody names a broker, or a setting makes no sense.
    pub fn connection(&self, document: Option<&Kafka>) -> Result<Connection> {
        let given: Vec<_> = self.first.iter().map(ToString::to_string).collect();
        let brokers = match document {
            Some(document) if given.is_empty() => &document.brokers,
            _ => &given,
        };
        if brokers.is_empty() {
            let error = crate::Error::invalid("reading arguments", "no broker is named");
            return Err(error.hint("--brokers HOST:PORT, or kafka.brokers in the document"));
        }
        let mut connection =
            Connection::new(brokers).timeout(self.timeout.map_or(PATIENCE, |timeout| PATIENCE.min(*timeout)));
        for (name, value) in document.iter().flat_map(|document| &document.config) {
            connection = connection.set(name, value).doing(format!("reading kafka.config.{name}"))?;
        }
        for text in &self.config {
            let doing = "reading --kafka-config";
            let (name, value) =
                text.split_once('=').ok_or_else(|| crate::Error::invalid(doing, "not NAME=VALUE"))?;
            connection = connection.set(name, value).doing(doing)?;
        }
        match self.security.as_ref().or_else(|| document.and_then(|document| document.security.as_ref())) {
            Some(place) => {
                let text = secret(place)?;
                connection.secrets(&text).doing(format!("reading the settings of {place}"))
            }
            None => Ok(connection),
        }
    }
}
