//! Airflow's REST API, version 2.

use std::time::{Duration, Instant};

use http::{Client, Error, Request, Result};
use serde::Deserialize;
use serde_json::{Value, json};

/// No answer is longer.
const LIMIT_BYTES: u64 = 16 << 20;
/// As many tasks as are asked for at once.
const PAGE: usize = 100;

/// A DAG, and whom to ask about it.
pub(crate) struct Api {
    pub(crate) http: Client,
    /// `https://airflow.lan/api/v2`
    pub(crate) base: String,
    pub(crate) dag: String,
    /// How long an answer may take.
    pub(crate) attempt: Duration,
}

/// What became of asking for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// There is one now.
    New,
    /// There was one of that id.
    Known,
}

#[derive(Deserialize)]
struct Run {
    state: Option<String>,
}

/// A task of a run.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Task {
    #[serde(rename = "task_id")]
    pub(crate) id: String,
    pub(crate) state: Option<String>,
    #[serde(default)]
    pub(crate) try_number: u32,
    #[serde(default)]
    pub(crate) map_index: i64,
}

#[derive(Deserialize)]
struct Tasks {
    task_instances: Vec<Task>,
    total_entries: usize,
}

impl Api {
    fn url(&self, rest: &str) -> String {
        format!("{}/dags/{}{rest}", self.base, escaped(&self.dag))
    }

    fn until(&self) -> Instant {
        Instant::now() + self.attempt
    }

    /// Asks for a run of that id.
    pub(crate) fn trigger(&self, run: &str, conf: &Value) -> Result<Asked> {
        let body = json!({"dag_run_id": run, "logical_date": null, "conf": conf}).to_string();
        let answer = self.http.send(&Request::post_json(&self.url("/dagRuns"), body), self.until())?;
        if answer.status() == 409 {
            return Ok(Asked::Known);
        }
        answer.success().map(|_| Asked::New)
    }

    /// A run's state.
    pub(crate) fn run(&self, run: &str) -> Result<Option<String>> {
        let url = self.url(&format!("/dagRuns/{}", escaped(run)));
        Ok(self.http.get(&url, self.until())?.success()?.json::<Run>(LIMIT_BYTES)?.state)
    }

    /// A run's tasks.
    pub(crate) fn tasks(&self, run: &str) -> Result<Vec<Task>> {
        let mut tasks = Vec::new();
        loop {
            let from = tasks.len();
            let rest =
                format!("/dagRuns/{}/taskInstances?limit={PAGE}&offset={from}&order_by=id", escaped(run));
            let page: Tasks = self.http.get(&self.url(&rest), self.until())?.success()?.json(LIMIT_BYTES)?;
            let last = page.task_instances.is_empty();
            tasks.extend(page.task_instances);
            if last || tasks.len() >= page.total_entries {
                return Ok(tasks);
            }
        }
    }

    /// Has the failed tasks of a run tried again, and what comes after them.
    pub(crate) fn clear(&self, run: &str) -> Result<()> {
        let body = json!({"dry_run": false, "dag_run_id": run, "only_failed": true, "reset_dag_runs": true});
        let request = Request::post_json(&self.url("/clearTaskInstances"), body.to_string());
        self.http.send(&request, self.until())?.success().map(drop)
    }
}

/// What a refusal means: the word of a record, if trying again changes nothing.
pub(crate) fn final_word(error: &Error, about_run: bool) -> Option<&'static str> {
    match error {
        Error::Status { status: 401 | 403, .. } => Some("auth"),
        Error::Status { status: 404, .. } => Some(if about_run { "no_such_run" } else { "no_such_dag" }),
        Error::Status { status: 400 | 405 | 422, .. } => Some("refused"),
        Error::Request(_) | Error::Certificates(_) | Error::File(_) | Error::Tls { .. } => Some("invalid"),
        _ => None,
    }
}

/// A segment of a URL's path.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_one_segment_of_the_path() {
        assert_eq!(escaped("a-b.c_d~1"), "a-b.c_d~1");
        assert_eq!(escaped("../x?y#z é"), "..%2Fx%3Fy%23z%20%C3%A9");
    }

    #[test]
    fn only_a_refusal_is_final() {
        let status = |status| Error::Status { status, retry_after: None, text: String::new() };
        assert_eq!(final_word(&status(401), false), Some("auth"));
        assert_eq!(final_word(&status(404), false), Some("no_such_dag"));
        for again in [status(429), status(500), status(503), Error::Timeout, Error::Garbled("cut".into())] {
            assert_eq!(final_word(&again, false), None);
        }
    }
}
