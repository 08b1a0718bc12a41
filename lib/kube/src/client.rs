//! Asking an API server.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use http::{Request, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{Config, Error, Result, Version};

/// Far above any single object, or a page of a list.
const BODY_BYTES: u64 = 64 << 20;
/// Far above any refusal, and any list of health checks.
const WORDS_BYTES: u64 = 256 << 10;
/// So many objects a page.
const PAGE: usize = 500;
/// Far above any cluster: a list that never ends is none.
const PAGES: usize = 1000;
/// An overloaded server is asked again so often.
const TRIES: usize = 4;
/// The longest a server may send us away for; who asks for more gets no second try.
const PATIENCE: Duration = Duration::from_secs(5);

/// Makes calls to one API server; connections are kept between them.
#[derive(Clone, Debug)]
pub struct Client {
    http: http::Client,
    server: String,
}

/// What a health endpoint such as `/readyz` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Whether it says yes.
    pub ok: bool,
    /// The HTTP status.
    pub status: u16,
    /// The names of checks that passed.
    pub passed: Vec<String>,
    /// The names of checks that failed.
    pub failed: Vec<String>,
}

impl Health {
    /// From the text of `?verbose`: a line `[+]NAME ok` or `[-]NAME failed: …` a check.
    pub(crate) fn parse(status: u16, text: &str) -> Self {
        let names = |mark: &str| {
            let lines = text.lines().filter_map(|line| line.trim().strip_prefix(mark));
            lines.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
        };
        Self { ok: status == 200, status, passed: names("[+]"), failed: names("[-]") }
    }
}

impl Client {
    /// A client of the server a kubeconfig names.
    ///
    /// # Errors
    /// Fails if the certificates or the key cannot be used.
    pub fn new(config: &Config) -> Result<Self> {
        let http = http::Client::new(&config.options)?;
        Ok(Self { http, server: config.url.clone() })
    }

    /// Where it asks.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// One object.
    ///
    /// # Errors
    /// Fails if there is none, the server says no, or does not answer by the deadline.
    pub fn get<T: DeserializeOwned>(&self, path: &str, deadline: Instant) -> Result<T> {
        Ok(self.call(&self.request("GET", path), deadline, true)?.json(BODY_BYTES)?)
    }

    /// All objects of a list, page by page; `query` selects, such as
    /// `fieldSelector=spec.nodeName%3Dcp1`, and may be empty.
    ///
    /// # Errors
    /// Fails if the server says no, or is not done by the deadline.
    pub fn list<T: DeserializeOwned>(&self, path: &str, query: &str, deadline: Instant) -> Result<Vec<T>> {
        let mut found = Vec::new();
        let mut next = String::new();
        for _ in 0..PAGES {
            let more = if next.is_empty() { String::new() } else { format!("&continue={}", escaped(&next)) };
            let and = if query.is_empty() { String::new() } else { format!("&{query}") };
            let page: Page<T> = self.get(&format!("{path}?limit={PAGE}{and}{more}"), deadline)?;
            found.extend(page.items);
            next = page.metadata.next.unwrap_or_default();
            if next.is_empty() {
                return Ok(found);
            }
        }
        Err(http::Error::Garbled("a list without end".to_owned()).into())
    }

    /// Which version the server is.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn version(&self, deadline: Instant) -> Result<Version> {
        self.get("/version", deadline)
    }

    /// The server's clock, to the second; `None` if it does not say.
    ///
    /// # Errors
    /// Fails if the server does not answer by the deadline.
    pub fn date(&self, deadline: Instant) -> Result<Option<SystemTime>> {
        Ok(self.http.send(&self.request("GET", "/version"), deadline)?.date())
    }

    /// What a health endpoint says, such as `/readyz`; no is an answer too.
    ///
    /// # Errors
    /// Fails if the server does not let us ask, or does not answer by the deadline.
    pub fn health(&self, path: &str, deadline: Instant) -> Result<Health> {
        let answer = self.http.send(&self.request("GET", &format!("{path}?verbose")), deadline)?;
        let status = answer.status();
        if status != 200 && status != 500 {
            return Err(refusal(answer));
        }
        Ok(Health::parse(status, &answer.text(WORDS_BYTES)?))
    }

    /// Changes an object (a JSON merge patch, RFC 7396).
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn patch<T: DeserializeOwned>(&self, path: &str, change: &Value, deadline: Instant) -> Result<T> {
        let request = self.request("PATCH", path).header("content-type", "application/merge-patch+json");
        Ok(self.call(&request.body(change.to_string()), deadline, true)?.json(BODY_BYTES)?)
    }

    /// Asks a pod to go, if the disruption budgets allow it: an error whose
    /// word is `budget` says not now.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn evict(&self, pod: &crate::Pod, grace_s: Option<u32>, deadline: Instant) -> Result<()> {
        let body = json!({
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod.metadata.name, "namespace": pod.metadata.namespace},
            "deleteOptions": options(&pod.metadata.uid, grace_s),
        });
        let path = format!("{}/eviction", pod.path());
        let request = self.request("POST", &path).header("content-type", "application/json");
        self.call(&request.body(body.to_string()), deadline, false).map(drop)
    }

    /// Deletes the object with this uid, and not its successor of the same name.
    ///
    /// # Errors
    /// As [`Client::get`]; 409 if the uid is another's.
    pub fn delete(&self, path: &str, uid: &str, grace_s: Option<u32>, deadline: Instant) -> Result<()> {
        let request = self.request("DELETE", path).header("content-type", "application/json");
        self.call(&request.body(options(uid, grace_s).to_string()), deadline, true).map(drop)
    }

    fn request(&self, method: &str, path: &str) -> Request {
        Request::new(method, &format!("{}{path}", self.server)).header("accept", "application/json")
    }

    /// A good answer. A server with too much to do (429) has done nothing: it is asked again.
    fn call(&self, request: &Request, deadline: Instant, patient: bool) -> Result<Response> {
        let mut tries = TRIES;
        loop {
            let answer = self.http.send(request, deadline)?;
            if (200..300).contains(&answer.status()) {
                return Ok(answer);
            }
            tries -= 1;
            match refusal(answer) {
                Error::Refused { status: 429, retry_after: Some(wait), budget: false, .. }
                    if patient && tries > 0 && wait <= PATIENCE && Instant::now() + wait < deadline =>
                {
                    thread::sleep(
                        (wait + apart(wait)).min(deadline.saturating_duration_since(Instant::now())),
                    );
                }
                error => return Err(error),
            }
        }
    }
}

/// Up to a quarter of a wait: not all who were sent away come back at once.
fn apart(wait: Duration) -> Duration {
    // The keys of a RandomState are random: enough to keep clients apart.
    let random = u32::try_from(RandomState::new().hash_one(wait) % 1_000).unwrap_or_default();
    wait / 4 * random / 1_000
}

/// What to delete: `uid` and no other.
fn options(uid: &str, grace_s: Option<u32>) -> Value {
    let mut options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}});
    if let Some(seconds) = grace_s {
        options["gracePeriodSeconds"] = seconds.into();
    }
    options
}

/// Why the server said no, in its own words.
fn refusal(answer: Response) -> Error {
    let (status, retry_after) = (answer.status(), answer.retry_after());
    let body = answer.bytes(WORDS_BYTES).unwrap_or_default();
    let said: Said = serde_json::from_slice(&body).unwrap_or_default();
    let message = if said.message.is_empty() {
        String::from_utf8_lossy(&body).chars().take(200).collect()
    } else {
        said.message
    };
    let message: String = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let message = message.chars().filter(|c| !c.is_control()).take(1000).collect();
    let budget = said.details.causes.iter().any(|cause| cause.reason == "DisruptionBudget");
    let wait = said.details.retry_after_seconds.map(Duration::from_secs);
    Error::Refused { status, reason: said.reason, message, budget, retry_after: retry_after.or(wait) }
}

/// A value in a query.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[derive(Deserialize)]
struct Page<T> {
    #[serde(default)]
    metadata: PageMeta,
    // Go writes null for an empty list now and then.
    #[serde(default = "none")]
    items: Vec<T>,
}

fn none<T>() -> Vec<T> {
    Vec::new()
}

#[derive(Default, Deserialize)]
struct PageMeta {
    #[serde(rename = "continue")]
    next: Option<String>,
}

/// A `Status`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Said {
    message: String,
    reason: String,
    details: Details,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Details {
    retry_after_seconds: Option<u64>,
    causes: Vec<Cause>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Cause {
    reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checks_of_a_health_endpoint_are_told_apart_by_their_marks() {
        let text = "[+]ping ok\n[-]etcd failed: reason withheld\n[+]etcd-readiness ok\nreadyz check failed\n";
        let health = Health::parse(500, text);
        assert!(!health.ok);
        assert_eq!(health.failed, ["etcd"]);
        assert_eq!(health.passed, ["ping", "etcd-readiness"]);
    }

    #[test]
    fn what_a_query_must_not_hold_is_escaped() {
        assert_eq!(escaped("a-b.c_d~E9"), "a-b.c_d~E9");
        assert_eq!(escaped("a=b&c+/ é"), "a%3Db%26c%2B%2F%20%C3%A9");
    }

    #[test]
    fn only_the_object_that_was_seen_is_deleted() {
        let options = options("17", Some(0));
        assert_eq!(options["preconditions"]["uid"], "17");
        assert_eq!(options["gracePeriodSeconds"], 0);
        assert!(super::options("17", None).get("gracePeriodSeconds").is_none());
    }
}
