//! What is put where, by arguments or by the document.

use cli::{Error, Input};
use pipeline::{NosqlKind, Secret, Sink};

use crate::{Args, Kind};

/// What is put where.
#[derive(Debug, Default)]
pub(crate) struct Job {
    pub(crate) kind: Kind,
    pub(crate) url: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) table: String,
    pub(crate) pk: String,
    pub(crate) sk: Option<String>,
    pub(crate) newer_by: Option<String>,
}

impl Job {
    pub(crate) fn of(args: &Args) -> cli::Result<Self> {
        let mut job = match (&args.pipeline, &args.step) {
            (Some(document), Some(step)) => of_document(document, step)?,
            _ => Self {
                kind: args.store.unwrap_or(Kind::Redis),
                url: args.url.clone(),
                password: None,
                table: args.table.clone().unwrap_or_default(),
                pk: args.pk.clone().unwrap_or_default(),
                sk: args.sk.clone(),
                newer_by: args.newer_by.clone(),
            },
        };
        if job.newer_by.is_none() && !args.messages {
            return Err(Error::invalid("reading arguments", "which of two rows is newer is not said")
                .hint("--newer-by FIELD, or --messages, whose offsets say it"));
        }
        if let Some(text) = job.url.take() {
            job.url = Some(match text.split_once(':') {
                Some(("env" | "file", _)) => {
                    let place: Secret =
                        text.parse().map_err(|why: String| Error::invalid("reading the store's URL", why))?;
                    cli::secret(&place)?.trim().to_owned()
                }
                _ => text,
            });
        }
        if let Some(place) = &args.password {
            job.password = Some(cli::secret(place)?);
        }
        Ok(job)
    }
}

fn of_document(document: &Input, step: &str) -> cli::Result<Job> {
    let pipeline = document.pipeline()?;
    let found = pipeline.sinks.iter().find_map(|sink| match sink {
        Sink::Nosql(nosql) if nosql.name == step => Some(nosql.clone()),
        _ => None,
    });
    let Some(nosql) = found else {
        let names = pipeline.sinks.iter().filter(|sink| matches!(sink, Sink::Nosql(_)));
        let names = names.map(Sink::name).collect::<Vec<_>>().join(", ");
        let names = if names.is_empty() { "nothing".to_owned() } else { names };
        return Err(Error::invalid(
            format!("reading {document}"),
            format!("there is no store of keys `{step}`"),
        )
        .hint(format!("there are: {names}")));
    };
    let kind = match nosql.store {
        NosqlKind::Redis => Kind::Redis,
        NosqlKind::Dynamodb => Kind::Dynamodb,
        NosqlKind::Mongo => {
            return Err(Error::invalid(format!("reading {document}"), "MongoDB is not spoken"));
        }
    };
    Ok(Job {
        kind,
        url: nosql.url,
        password: nosql.password.as_ref().map(cli::secret).transpose()?,
        table: nosql.table,
        pk: nosql.pk,
        sk: nosql.sk,
        newer_by: nosql.newer_by,
    })
}
