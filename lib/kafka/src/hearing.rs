//! What librdkafka says between the lines: why nobody answers.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{DeliveryResult, ProducerContext};

use crate::Error;

/// Keeps what a client is told on the side.
#[derive(Debug, Default)]
pub(crate) struct Hearing {
    heard: Mutex<Heard>,
}

#[derive(Debug, Default)]
struct Heard {
    /// The last thing that went wrong on a connection.
    trouble: Option<String>,
    auth: bool,
}

impl Hearing {
    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether anything was heard of a cause.
    pub(crate) fn knows_why(&self) -> bool {
        self.heard().trouble.is_some()
    }

    /// The error with what was heard of its cause.
    pub(crate) fn explain(&self, error: Error) -> Error {
        let heard = self.heard();
        match (error, &heard.trouble) {
            (Error::Network(_) | Error::Timeout, Some(why)) if heard.auth => Error::Auth(why.clone()),
            (Error::Network(_) | Error::Timeout, Some(why)) => Error::Network(why.clone()),
            (error, _) => error,
        }
    }

    /// Whether we were turned away, which time does not heal.
    pub(crate) fn turned_away(&self) -> Option<Error> {
        let heard = self.heard();
        heard.auth.then(|| Error::Auth(heard.trouble.clone().unwrap_or_else(|| "turned away".to_owned())))
    }

    pub(crate) fn log_line(&self, facility: &str, message: &str) {
        if facility == "FAIL" {
            let mut heard = self.heard();
            // Who only asks is told of a wrong password in the log alone.
            heard.auth |= message.contains("SASL authentication error") || turns_away(message);
            heard.trouble = Some(plain(message));
        }
    }

    pub(crate) fn note(&self, code: Code, reason: &str) {
        let mut heard = self.heard();
        match code {
            Code::Authentication | Code::SaslAuthenticationFailed => heard.auth = true,
            Code::SSL => heard.auth |= turns_away(reason),
            Code::AllBrokersDown if heard.trouble.is_some() => return,
            _ => {}
        }
        heard.trouble = Some(plain(reason));
    }
}

/// Whether TLS failed for good: not if a broker that is going away has hung up in the middle of it.
fn turns_away(message: &str) -> bool {
    message.contains("SSL handshake failed: error:") && !message.contains("unexpected eof")
}

/// `…/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)`
/// as `127.0.0.1:1: Connection refused`.
fn plain(reason: &str) -> String {
    let reason = reason.trim();
    let reason = reason.rsplit_once("]: ").map_or(reason, |(_, rest)| rest);
    // librdkafka would say so itself, but looks for it in its format, not in the text.
    if reason.contains("Disconnected") && reason.contains("in state APIVERSION_QUERY") {
        return "the broker hangs up at the first word: perhaps it listens for TLS or a password there, \
                see security.protocol"
            .to_owned();
    }
    let reason = reason.split_once(" (after ").map_or(reason, |(text, _)| text);
    if let Some((_, rest)) = reason.split_once("SSL handshake failed: ") {
        // OpenSSL's number and the name of its library are for nobody.
        return format!("TLS handshake: {}", rest.split_once("::").map_or(rest, |(_, why)| why));
    }
    if let Some((_, rest)) = reason.split_once("Connect to ")
        && let Some((address, why)) = rest.split_once(" failed: ")
    {
        let address = address.split_once('#').map_or(address, |(_, address)| address);
        return format!("{address}: {}", why.to_lowercase());
    }
    reason.split_once("/bootstrap: ").map_or(reason, |(_, rest)| rest).to_owned()
}

impl ClientContext for Hearing {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        self.log_line(facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if let Some(code) = error.rdkafka_error_code() {
            self.note(code, reason);
        }
    }
}

impl ConsumerContext for Hearing {}

impl ProducerContext for Hearing {
    type DeliveryOpaque = ();

    /// Of messages that are under way when the writer is dropped.
    fn delivery(&self, _: &DeliveryResult, (): ()) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_librdkafka_says_is_cut_to_what_happened() {
        assert_eq!(
            plain(
                "[thrd:127.0.0.1:1/bootstrap]: 127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)"
            ),
            "127.0.0.1:1: connection refused"
        );
        assert_eq!(
            plain(
                "sasl_plaintext://127.0.0.1:1/bootstrap: SASL authentication error: no (after 3ms in state AUTH_REQ)"
            ),
            "SASL authentication error: no"
        );
        let hung_up = "[thrd:x]: x/bootstrap: Disconnected: connection closed by peer: receive 0 after POLLIN (after 1ms in state APIVERSION_QUERY)";
        assert!(plain(hung_up).contains("listens for TLS"));
    }

    #[test]
    fn a_wrong_certificate_stays_wrong_and_a_connection_that_breaks_does_not() {
        let wrong = "[thrd:x]: ssl://x/bootstrap: SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: broker certificate could not be verified (after 6ms in state SSL_HANDSHAKE)";
        let hearing = Hearing::default();
        hearing
            .log_line("FAIL", "[thrd:x]: ssl://x/bootstrap: SSL handshake failed: Disconnected (after 1ms)");
        assert_eq!(hearing.explain(Error::Timeout), Error::Network("TLS handshake: Disconnected".into()));
        hearing.log_line("FAIL", wrong);
        let why = "TLS handshake: certificate verify failed: broker certificate could not be verified";
        assert_eq!(hearing.explain(Error::Timeout), Error::Auth(why.into()));
    }

    #[test]
    fn who_is_turned_away_is_told_so_and_not_that_nobody_answers() {
        let hearing = Hearing::default();
        assert_eq!(hearing.explain(Error::Timeout), Error::Timeout);
        hearing.note(Code::BrokerTransportFailure, "Connect to ipv4#127.0.0.1:1 failed: Connection refused");
        assert_eq!(hearing.explain(Error::Timeout).word(), "network");
        hearing.note(Code::Authentication, "wrong password");
        assert_eq!(hearing.explain(Error::Timeout), Error::Auth("wrong password".into()));
        let hearing = Hearing::default();
        hearing.log_line(
            "FAIL",
            "[thrd:x]: x/bootstrap: SASL authentication error: Invalid username or password",
        );
        assert_eq!(hearing.explain(Error::Timeout).word(), "auth");
    }
}
