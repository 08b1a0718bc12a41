//! Looking again and again, and telling what changed.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use cli::{Answer, Context, Out, Result};
use model::{CheckFile, Vip};

use crate::here::Keepalived;
use crate::look::{self, Question};

/// How long keepalived's word is taken while nothing around it changes.
const WORD: Duration = Duration::from_secs(30);

/// Prints a record an address at first, and one whenever it changes, until
/// a signal ends it or the reader leaves. The answer is that of the last look.
pub(crate) fn run(question: &Question, mut keepalived: Keepalived, out: &mut Out) -> Result {
    let stop = process::Stop::on_signals().unavailable("catching signals")?;
    let mut shown: Vec<Vip> = Vec::new();
    let mut asked = Instant::now();
    let (mut looks, mut changes, mut blind) = (0.0, 0.0, 0.0);
    let mut last = Ok(Vec::new());
    while !stop.requested() && !out.is_closed() {
        let began = Instant::now();
        let seen = see(question, &mut keepalived, &mut asked, &shown);
        looks += 1.0;
        match &seen {
            Ok(records) => {
                for record in records {
                    let before = shown.iter().find(|before| before.vip == record.vip);
                    if before.is_none_or(|before| picture(before) != picture(record)) {
                        out.emit(record)?;
                        changes += 1.0;
                    }
                }
                out.flush()?;
                shown.clone_from(records);
            }
            Err(error) => {
                blind += 1.0;
                // Once a trouble, not once a look.
                if last.as_ref().err().map(ToString::to_string) != Some(error.to_string()) {
                    cli::warn(error.to_string());
                }
            }
        }
        last = seen;
        let interval: Duration = question.ask.interval.into();
        stop.sleep(interval.saturating_sub(began.elapsed()));
    }
    question.ask.metrics.write(&[
        ("vip_status_looks_total", "How often it looked.", looks),
        ("vip_status_changes_total", "How many records it printed.", changes),
        ("vip_status_blind_total", "How often it could not look.", blind),
    ])?;
    keepalived.heard()?;
    Ok(Answer::from(last?.iter().all(look::is_well)))
}

/// One look. keepalived logs each question, so its word is taken again as
/// long as it is young and the rest of the picture stays the same.
fn see(
    question: &Question,
    keepalived: &mut Keepalived,
    asked: &mut Instant,
    shown: &[Vip],
) -> Result<Vec<Vip>> {
    let same_daemons = keepalived.living()? == keepalived.daemons();
    let records = look::look(question, keepalived)?;
    let facts = |records: &[Vip]| records.iter().map(facts).collect::<Vec<_>>();
    let at_odds = records.iter().any(|record| record.agrees == Some(false));
    if same_daemons && !at_odds && facts(&records) == facts(shown) && asked.elapsed() < WORD {
        return Ok(records);
    }
    let silent = keepalived.heard().is_err();
    keepalived.refresh()?;
    *asked = Instant::now();
    if let (false, Err(error)) = (silent, keepalived.heard()) {
        cli::warn(error.to_string());
    }
    Ok(records.into_iter().map(|record| look::judge(record, question.ask, keepalived)).collect())
}

/// What a look finds out without keepalived.
fn facts(record: &Vip) -> (IpAddr, bool, Vec<String>) {
    (record.vip, record.local, record.holders.iter().map(|holder| holder.mac.clone()).collect())
}

/// What makes a record worth printing again: all but the age of the check file.
fn picture(record: &Vip) -> Vip {
    let check_file = record.check_file.as_ref().map(|file| CheckFile { age_ms: None, ..file.clone() });
    Vip { check_file, ..record.clone() }
}
