//! Loads of what a lake has committed.

use std::env;
use std::sync::Arc;

use cli::{Access, Answer, Aws, Context, Error, Out};
use lake::{Commit, Lake, Pause, S3Options, Store};
use model::Load;
use ndjson::Line;
use process::Stop;
use sha2::{Digest, Sha256};

use crate::load::{Loader, Name};

/// Opens the lake of a URL.
pub(crate) fn open(url: &str, aws: &Aws, stop: &Arc<Stop>) -> cli::Result<Lake> {
    let doing = format!("opening the lake {url}");
    let stop = Arc::clone(stop);
    let mut ours = None;
    let store = Store::of(url, || {
        aws.access("S3").map(|access| options(access, stop)).map_err(|error| {
            ours = Some(error);
            lake::Error::Endpoint
        })
    });
    match ours {
        Some(error) => Err(error),
        None => Lake::open(store.doing(&doing)?).doing(doing),
    }
}

fn options(access: Access, stop: Arc<Stop>) -> S3Options {
    let Access { credentials, region, endpoint, trust, attempt, tries } = access;
    let pause = Pause(Box::new(move |time| stop.sleep(time)));
    S3Options { credentials, region, endpoint, trust, spool: env::temp_dir(), attempt, tries, pause }
}

/// Loads every commit of a topic that was not loaded yet, in their order.
pub(crate) fn load(
    mut loader: Loader,
    lake: &Lake,
    url: &str,
    topic: Option<&str>,
    applies: bool,
    out: &mut Out,
) -> cli::Result<(Answer, Load)> {
    let doing = format!("reading the lake {url}");
    let topic = topic_of(lake, topic, &doing)?;
    let (mut answer, mut all) = (Answer::Yes, Load { already: true, ..Load::default() });
    for commit in lake.entries() {
        let commit = commit.doing(&doing)?;
        if commit.topic != topic {
            continue;
        }
        let name = Name { source: url.to_owned(), id: Some(id(&commit)) };
        if let Some(known) = loader.known(&name.source, name.id.as_deref().unwrap_or_default())? {
            add(&mut all, &known);
            continue;
        }
        let mut feed = |take: &mut dyn FnMut(&Line) -> cli::Result<()>| rows(lake, &commit, &doing, take);
        if applies {
            let (went, load) = loader.apply(&name, &mut feed)?;
            add(&mut all, &load);
            if went == Answer::No {
                return Ok((went, all));
            }
            out.emit(&load)?;
            out.flush()?;
        } else {
            let plan = loader.plan(&name, &mut feed)?;
            add(&mut all, &Load { rows: plan.rows, rejected: plan.rejected, ..Load::default() });
            out.emit(&plan)?;
            answer = Answer::No;
        }
    }
    Ok((answer, all))
}

/// The topic that was asked for, or the only one there is.
fn topic_of(lake: &Lake, asked: Option<&str>, doing: &str) -> cli::Result<String> {
    let mut there: Vec<_> = lake.partitions().map(|(topic, _, _)| topic.to_owned()).collect();
    there.dedup();
    match (asked, &*there) {
        (Some(topic), _) => Ok(topic.to_owned()),
        (None, [only]) => Ok(only.clone()),
        (None, []) => Err(Error::invalid(doing, "there is nothing in it")),
        (None, several) => Err(Error::invalid(doing, "it has several topics: --topic is needed")
            .hint(format!("there are: {}", several.join(", ")))),
    }
}

fn id(commit: &Commit) -> String {
    let Commit { topic, partition, from, to, .. } = commit;
    format!("lake:{topic}/{partition}/{from}-{}", to.saturating_sub(1))
}

fn add(all: &mut Load, load: &Load) {
    all.already &= load.already;
    all.rows += load.rows;
    all.inserted += load.inserted;
    all.updated += load.updated;
    all.unchanged += load.unchanged;
    all.superseded += load.superseded;
    all.rejected += load.rejected;
}

/// The rows of a commit's files, counted against what it says of them.
fn rows(
    lake: &Lake,
    commit: &Commit,
    doing: &str,
    take: &mut dyn FnMut(&Line) -> cli::Result<()>,
) -> cli::Result<String> {
    let (mut hash, mut line, mut number) = (Sha256::new(), Vec::new(), 0);
    for file in &commit.files {
        let mut rows = lake.read(&commit.topic, file).doing(doing)?;
        hash.update(rows.sha256());
        let before = number;
        while rows.next(&mut line).doing(doing)? {
            number += 1;
            take(&Line { bytes: &line, number, offset: 0, length_bytes: line.len() as u64 })?;
        }
        if number - before != file.rows {
            let why = format!("{} has {} rows, and not {}", file.file, number - before, file.rows);
            return Err(Error::invalid(doing, why));
        }
    }
    Ok(data_encoding::HEXLOWER.encode(&hash.finalize()))
}
