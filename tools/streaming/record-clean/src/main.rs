//! Cleans rows by rules.
//!
//! Reads rows, one JSON object a line, and prints what the rules make of them.
//! Rules come from the `clean` of a source in the pipeline document, or from
//! `--rule`, in the order they are written. bareplane-pipeline(5) explains each:
//! require, keep, drop, rename, copy, format, cast, default, trim, lower, upper,
//! range, match, `one_of`, mask, hash, discard, purge, dedupe, jq, schema.
//!
//! ```console
//! $ head -2 orders.ndjson | record-clean --pipeline pipeline.yaml --step a-orders
//! {"order_id":1,"customer":"Ada","amount":12.50,"ts":"2026-05-01T08:00:00Z","country":"DE","card":"************1111","email":"[..]"}
//! {"order_id":2,"customer":"Bob","amount":7.00,"ts":"2026-05-01T08:00:30Z","country":"FR","card":"************4444","email":"[..]"}
//! $ echo '{"id":"7","name":" Ada "}' | record-clean --rule 'trim: [name]' --rule 'cast: {id: int}'
//! {"id":7,"name":"Ada"}
//! $ echo '{"id":7,"meta":{"page":"/a/b"}}' | record-clean --rule 'jq: ".meta.depth = (.meta.page / \"/\" | length - 1)"'
//! {"id":7,"meta":{"page":"/a/b","depth":2}}
//! ```
//!
//! A row that breaks a rule goes to `--reject`, whole, with its line, the field,
//! the rule and the reason:
//!
//! ```console
//! $ record-clean --pipeline pipeline.yaml --step a-orders --reject bad.ndjson orders.ndjson > good.ndjson
//! record-clean: 6 in = 2 out + 1 filtered + 3 rejected
//! $ cut -c-82 bad.ndjson
//! {"record":"reject","line":3,"field":"amount","rule":"cast","error":"`1e` is no num
//! {"record":"reject","line":5,"field":"country","rule":"one_of","error":"\"XX\" is n
//! {"record":"reject","line":6,"field":null,"rule":null,"error":"EOF while parsing an
//! ```
//!
//! Without `--reject` the run stops at it, after all earlier rows are out.
//!
//! A value no rule names stays byte for byte as it came: long numbers and
//! decimals lose nothing. Numbers are compared and cast exactly.
//!
//! # Counts
//!
//! The closing line on standard error counts rows: in = out + filtered + rejected;
//! where all are out it comes with `-v` alone. Filtered are those that discard, purge,
//! dedupe and jq took out. Blank lines are no rows. `--metrics` writes the same for Prometheus.
//!
//! # Schema
//!
//! Once all rules are applied, rows have to be valid by the JSON Schema of the
//! step's topic (`topics.NAME.schema`) and by that of `--json-schema`. Messages do
//! not repeat the values.
//!
//! # Keys
//!
//! The key of `hash` is a file (`--key-file`, or `key: file:PATH` in the rule) or
//! an environment variable (`key: env:NAME`), of at least 16 bytes; a line feed
//! at its end is no part of it. The same key gives the same hash everywhere.
//!
//! # Files
//!
//! The file of `--reject` is begun anew and readable by its owner alone: it
//! holds what nobody has masked yet.
//!
//! # Exit status
//!
//! 0 all rows are out, filtered or put aside; 1 more were rejected than
//! `--max-reject` allows; 2 a rule, the document or, without `--reject`, a row is
//! wrong; 3 reading or writing failed, or a signal came: what was read until
//! then is out.
//!
//! # Notes
//!
//! A row is at most 16 MiB long and has at most 4096 fields, none twice.
//! `dedupe` remembers nothing from one run to the next, and no more keys than it is told.

mod cast;
mod clean;
mod nested;
mod row;
mod run;
mod schema;
mod seen;

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use clap::Parser;
use cli::{Answer, Context, Error, Input, Metrics, Out};
use jiff::Timestamp;
use jiff::tz::Offset;
use pipeline::Secret;
use pipeline::clean::{Hash, Rule};
use ring::hmac;

use crate::clean::{Cleaner, Wrong};
use crate::run::{Counts, Run};

/// Clean rows by rules
#[derive(Debug, Parser)]
struct Args {
    /// The rows; standard input if `-`
    #[arg(value_name = "FILE", default_value = "-")]
    rows: Input,
    /// Take the rules of a source of this pipeline document
    #[arg(long, value_name = "FILE", requires = "step")]
    pipeline: Option<Input>,
    /// The source's name
    #[arg(long, value_name = "NAME", requires = "pipeline")]
    step: Option<String>,
    /// Apply this rule, such as 'trim: [name]'; may be repeated; comes after those of the document
    #[arg(long = "rule", value_name = "RULE")]
    rules: Vec<String>,
    /// Reject rows that are not valid by this JSON Schema, once all rules are applied
    #[arg(long, value_name = "FILE")]
    json_schema: Option<String>,
    /// The key of every hash whose rule names none
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Put rows that break a rule into FILE and go on
    #[arg(long, value_name = "FILE")]
    reject: Option<PathBuf>,
    /// Answer no if more rows are rejected: a number, or a share such as 1%
    #[arg(long, value_name = "N", requires = "reject")]
    max_reject: Option<Limit>,
    /// What purge takes as the present [default: now]
    #[arg(long, value_name = "TIME")]
    now: Option<Timestamp>,
    #[command(flatten)]
    metrics: Metrics,
}

/// How many rows may be rejected.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Limit {
    Rows(u64),
    Percent(f64),
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is neither a number of rows nor a share such as 0.5%");
        match text.strip_suffix('%') {
            Some(share) => match share.parse() {
                Ok(share) if (0.0..=100.0).contains(&share) => Ok(Self::Percent(share)),
                _ => Err(wrong()),
            },
            None => text.parse().map(Self::Rows).map_err(|_| wrong()),
        }
    }
}

impl Limit {
    fn holds(self, counts: &Counts) -> bool {
        match self {
            Self::Rows(most) => counts.rejected <= most,
            // Exact far beyond any number of rows that fits into a day.
            #[expect(clippy::cast_precision_loss, reason = "2^53 rows are enough")]
            Self::Percent(most) => counts.rejected as f64 * 100.0 <= most * counts.rows as f64,
        }
    }
}

fn main() -> ExitCode {
    cli::main(&cli::tool!(), run)
}

fn run(args: &Args, out: &mut Out) -> cli::Result {
    let rules = rules(args)?;
    if rules.iter().any(|rule| matches!(rule, Rule::Jq(_))) {
        // An expression may recurse deeper than the stack of a main thread.
        return jq::with_stack(|| clean(args, rules, out)).unavailable("starting")?;
    }
    clean(args, rules, out)
}

fn clean(args: &Args, rules: Vec<Rule>, out: &mut Out) -> cli::Result {
    let now = Offset::UTC.to_datetime(args.now.unwrap_or_else(Timestamp::now));
    let cleaner = Cleaner::new(rules, now, |hash| key(args, hash))?;
    let rejects = args.reject.as_deref().map(cli::Rejects::create).transpose()?;
    let mut run = Run::new(args.rows.to_string(), cleaner, rejects, out);
    let done = match &args.rows {
        Input::Stdin => run.all(io::stdin()),
        Input::File(path) => run.all(File::open(path).doing(format!("reading {}", args.rows))?),
    };
    let counts = run.counts;
    if run.cleaner.overflowed() {
        cli::warn("dedupe: more keys than `last` within the time: the oldest were forgotten");
    }
    if counts.out == counts.rows {
        cli::note(counts.to_string());
    } else {
        cli::tell(counts.to_string());
    }
    metrics(&args.metrics, &counts)?;
    done?;
    let Some(limit) = args.max_reject.filter(|limit| !limit.holds(&counts)) else { return Ok(Answer::Yes) };
    let most = match limit {
        Limit::Rows(most) => most.to_string(),
        Limit::Percent(most) => format!("{most}%"),
    };
    cli::warn(format!("{} of {} rows were rejected, more than {most}", counts.rejected, counts.rows));
    Ok(Answer::No)
}

/// The document's rules, then those of the command line, then what the rows must look like.
fn rules(args: &Args) -> cli::Result<Vec<Rule>> {
    let mut rules = Vec::new();
    let mut schema = None;
    if let (Some(document), Some(step)) = (&args.pipeline, &args.step) {
        let pipeline = document.pipeline()?;
        let names: Vec<_> = pipeline.sources.iter().map(|source| source.name.clone()).collect();
        let source = pipeline.sources.into_iter().find(|source| source.name == *step);
        let source = source.ok_or_else(|| {
            Error::invalid(format!("reading {document}"), format!("no source is called {step}"))
                .hint(format!("there are: {}", names.join(", ")))
        })?;
        rules = source.clean;
        schema = pipeline.topics.get(&source.to).and_then(|topic| topic.schema.clone());
    }
    for text in &args.rules {
        let more = pipeline::clean::parse(text);
        rules.extend(
            more.map_err(|problems| Error::invalid_all(format!("reading --rule '{text}'"), problems))?,
        );
    }
    rules.extend(schema.into_iter().chain(args.json_schema.clone()).map(Rule::Schema));
    Ok(rules)
}

/// A key nobody guesses.
const KEY_BYTES: usize = 16;

/// The key of a hash.
fn key(args: &Args, hash: &Hash) -> cli::Result<hmac::Key> {
    let file = args.key_file.as_ref().map(|path| Secret::File(path.display().to_string()));
    let Some(secret) = hash.key.clone().or(file) else {
        return Err(Error::invalid("reading rules", "a hash has no key").hint("--key-file FILE"));
    };
    let doing = format!("reading the key {secret}");
    let mut bytes = match &secret {
        Secret::File(path) => files::read(path.as_ref(), 1 << 20).doing(&doing)?,
        Secret::Env(name) => std::env::var(name).invalid(&doing)?.into_bytes(),
    };
    while bytes.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        bytes.pop();
    }
    if bytes.len() < KEY_BYTES {
        return Err(Error::invalid(doing, format!("shorter than {KEY_BYTES} bytes"))
            .hint("openssl rand -base64 32 makes one"));
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

fn metrics(metrics: &Metrics, counts: &Counts) -> cli::Result<()> {
    #[expect(clippy::cast_precision_loss, reason = "2^53 rows are enough")]
    let number = |count: u64| count as f64;
    metrics.write(&[
        ("record_clean_in_total", "Rows read.", number(counts.rows)),
        ("record_clean_out_total", "Rows printed.", number(counts.out)),
        (
            "record_clean_filtered_total",
            "Rows taken out by discard, purge, dedupe, jq.",
            number(counts.filtered),
        ),
        ("record_clean_rejected_total", "Rows that broke a rule.", number(counts.rejected)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_or_a_share() {
        let counts = Counts { rows: 200, out: 198, filtered: 0, rejected: 2 };
        for (limit, holds) in [("2", true), ("1", false), ("1%", true), ("0.99%", false), ("100%", true)] {
            assert_eq!(limit.parse::<Limit>().unwrap().holds(&counts), holds, "{limit}");
        }
        for bad in ["", "%", "-1", "101%", "1.5", "NaN%"] {
            assert!(bad.parse::<Limit>().is_err(), "{bad}");
        }
    }
}
