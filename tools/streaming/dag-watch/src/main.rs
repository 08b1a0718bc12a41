//! Follows a run of an Airflow DAG to its end.
//!
//! Asks Airflow 3 for a run, or takes up one that is there, prints a record for
//! every change of the run and its tasks, and answers what came of it. A question
//! that is not answered fails nothing: it is asked again.
//!
//! ```sh
//! dag-watch --url https://airflow.lan --token-file token --dag shop --trigger --key 2026-11-26 --state shop.state
//! ```
//!
//! ```console
//! $ dag-watch --url http://127.0.0.1:1 --dag shop --trigger --key 2026-11-26 --fail-after 1 >records || echo "status $?"
//! dag-watch: following bareplane-50b045fb2386db70c7ec3ac0 of shop: network
//! hint: the run goes on; run this again to take it up
//! status 3
//! ```
//!
//! # One run
//! The run's id comes from `--key`: whoever asks with the same key again, on
//! whatever machine, gets the same run, which is there already, and no second one.
//! `--state FILE` keeps the id before the run is asked for, so that a watcher
//! that was killed takes up the run it had, with or without a key; once a run
//! was followed to its end, the next call asks for a new one. Two watchers with
//! one file are one too many: the second answers 3.
//!
//! # Failed tasks
//! With `--retry-failed N` the failed tasks of a run that failed are cleared, so that
//! Airflow tries them again, at most N times in the run's life, however many
//! watchers it has had.
//!
//! # Waiting
//! It looks every `--every`; when Airflow says Retry-After, then. Questions
//! without an answer are counted, and so are those in a row: with
//! `--fail-after N` so many of these end the watch with 3. The token is read again for each
//! question; one that is refused ends the watch when it begins, and later is a
//! question without an answer, since tokens are renewed. Whatever ends the watch, the
//! run goes on.
//!
//! # Exit status
//! 0 the run succeeded. 1 it failed (`dag_failed`). 2 there is no such DAG
//! (`no_such_dag`) or run (`no_such_run`), the token is refused (`auth`), or an
//! argument is wrong. 3 nobody answers (`network`), the time is up (`deadline`) or a
//! signal came (`interrupted`): run it again, and it takes the run up.

mod api;
mod kept;
mod watch;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use clap::Parser;
use cli::{Context, Error, Out};
use http::{Token, Trust};
use process::Stop;
use serde_json::Value;

use crate::api::Api;
use crate::kept::{Kept, Place};
use crate::watch::Watch;

/// Follow a run of an Airflow DAG to its end
#[derive(Parser)]
struct Args {
    /// Where Airflow is, such as <https://airflow.lan>
    #[arg(long, value_name = "URL")]
    url: String,
    /// The DAG
    #[arg(long, value_name = "ID")]
    dag: String,
    /// Follow this run
    #[arg(long, value_name = "ID", conflicts_with_all = ["trigger", "key", "conf"], required_unless_present = "trigger")]
    run: Option<String>,
    /// Ask for a run
    #[arg(long)]
    trigger: bool,
    /// What makes a run this one: the same key never begins a second
    #[arg(long, value_name = "TEXT", requires = "trigger")]
    key: Option<String>,
    /// What the run is given, a JSON object
    #[arg(long, value_name = "JSON", default_value = "{}", value_parser = object)]
    conf: Value,
    /// Keep which run it is in FILE, and take it up again
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// A file with the token
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Believe the certificate authorities of FILE alone
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// How often to look
    #[arg(long, value_name = "TIME", default_value = "5s")]
    every: cli::Duration,
    /// How long an answer may take
    #[arg(long, value_name = "TIME", default_value = "30s")]
    attempt: cli::Duration,
    /// How often failed tasks are cleared
    #[arg(long, value_name = "N", default_value_t = 0)]
    retry_failed: u32,
    /// Give up after so many questions in a row without an answer
    #[arg(long, value_name = "N")]
    fail_after: Option<u64>,
    /// Give up after so long
    #[arg(long, value_name = "TIME", default_value = "1d")]
    timeout: cli::Duration,
}

/// Without a slash at its end. Its errors do not repeat it: a password may stand in it.
fn url(text: &str) -> Result<String, &'static str> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match host {
        Some(host) if host.contains('@') => Err("no name and no password stand in the URL: --token-file"),
        Some(host) if !host.is_empty() => Ok(text.trim_end_matches('/').to_owned()),
        _ => Err("not a URL such as https://airflow.lan"),
    }
}

fn object(text: &str) -> Result<Value, String> {
    match serde_json::from_str(text) {
        Ok(value @ Value::Object(_)) => Ok(value),
        _ => Err("not a JSON object such as {\"day\":\"2026-11-26\"}".to_owned()),
    }
}

fn main() -> ExitCode {
    cli::main(&cli::tool!(), run)
}

fn run(args: &Args, out: &mut Out) -> cli::Result {
    let base = url(&args.url).map_err(|why| Error::invalid("reading --url", why))?;
    let trust = args.ca_file.as_deref().map(Trust::ca_file).transpose().doing("reading certificates")?;
    let options = http::Options {
        trust: trust.unwrap_or_default(),
        token: args.token_file.clone().map(Token::File),
        ..http::Options::default()
    };
    let http = http::Client::new(&options).doing("using the certificates")?;
    let api = Api { http, base: format!("{base}/api/v2"), dag: args.dag.clone(), attempt: *args.attempt };
    let place = args.state.as_deref().map(Place::open).transpose()?;
    let left = place.as_ref().map(|place| place.read(&args.dag)).transpose()?.flatten();
    let asked = args.run.clone().or_else(|| args.key.as_deref().map(|key| id_of(&args.dag, key)));
    let kept = match left {
        // Another key is another run: the one that was left is nobody's to wait for.
        Some(left) if asked.as_ref().is_none_or(|asked| *asked == left.run) => left,
        _ => Kept {
            dag: args.dag.clone(),
            run: asked.unwrap_or_else(|| fresh(&args.dag)),
            cleared: 0,
            done: false,
        },
    };
    let stop = Stop::on_signals().unavailable("waiting for signals")?;
    let until = Instant::now()
        .checked_add(*args.timeout)
        .unwrap_or_else(|| Instant::now() + Duration::from_hours(8760));
    let mut watch = Watch::new(&api, kept, place, &stop, until, args);
    watch.follow(out)
}

/// The id of the run a key stands for.
fn id_of(dag: &str, key: &str) -> String {
    format!("bareplane-{}", &files::sha256_hex(format!("{dag}\0{key}").as_bytes())[..24])
}

/// An id nobody has.
fn fresh(dag: &str) -> String {
    id_of(dag, &format!("{:?} {}", SystemTime::now(), std::process::id()))
}

/// A refusal of the API, as the command's error.
fn refused(dag: &str, error: http::Error, about_run: bool) -> Error {
    let word = api::final_word(&error, about_run).unwrap_or("network");
    let told = Err::<(), _>(error).invalid(format!("asking Airflow about {dag}: {word}"));
    told.err().unwrap_or_else(|| Error::invalid("asking Airflow", word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stands_for_one_run_of_one_dag() {
        assert_eq!(id_of("shop", "a"), id_of("shop", "a"));
        assert_ne!(id_of("shop", "a"), id_of("shop", "b"));
        assert_ne!(id_of("shop", "a"), id_of("sho", "pa"));
        assert_ne!(fresh("shop"), fresh("shop"));
    }

    #[test]
    fn a_url_holds_no_secret_and_ends_without_a_slash() {
        assert_eq!(url("https://a.lan/x/").as_deref(), Ok("https://a.lan/x"));
        assert!(url("https://u:p@a.lan").unwrap_err().contains("--token-file"));
        assert!(url("airflow.lan").is_err() && url("https://").is_err());
    }
}
