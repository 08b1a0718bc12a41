//! What is asked for, by arguments or by the document.

use cli::Error;
use database::{Follow, Url, Wanted};
use pipeline::{Secret, Span};

use crate::{Args, Mode};

/// What is extracted.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) url: Url,
    pub(crate) password: Option<String>,
    pub(crate) wanted: Wanted,
    pub(crate) mode: Mode,
    pub(crate) overlap: Span,
    /// How changes are captured.
    pub(crate) follow: Follow,
}

/// What both arguments and documents say.
struct Asked {
    url: String,
    password: Option<Secret>,
    wanted: Wanted,
    mode: Mode,
    overlap: Span,
    slot: Option<String>,
    publication: Option<String>,
    server_id: Option<u32>,
}

impl Job {
    pub(crate) fn of(args: &Args) -> cli::Result<Self> {
        let asked = if let (Some(document), Some(step)) = (&args.pipeline, &args.step) {
            of_document(document, step)?
        } else {
            of_arguments(args)
        };
        let Asked { wanted, mode, overlap, .. } = asked;
        let wrong = |why: &str| Error::invalid("reading arguments", why);
        if mode == Mode::Incremental && wanted.cursor.is_empty() {
            return Err(
                wrong("incremental reading needs the columns it goes by").hint("--cursor updated_at,id")
            );
        }
        if mode != Mode::Incremental && (!wanted.cursor.is_empty() || overlap.ms > 0) {
            return Err(wrong("--cursor and --overlap are for --mode incremental alone"));
        }
        let password = asked.password.map(|place| cli::secret(&place)).transpose()?;
        let url = url_of(&asked.url)?;
        let (mut slot, mut publication) = (String::new(), String::new());
        if mode == Mode::Cdc {
            if args.state.is_none() {
                return Err(wrong("change capture keeps its place: --state FILE is missing"));
            }
            match (&url, asked.slot, asked.server_id) {
                (Url::Postgres(_), Some(name), _) => {
                    publication = asked.publication.unwrap_or_else(|| name.clone());
                    slot = name;
                }
                (Url::Postgres(_), None, _) => {
                    return Err(
                        wrong("change capture from PostgreSQL needs a replication slot").hint("--slot NAME")
                    );
                }
                (Url::Mysql(_), _, None) => {
                    return Err(wrong("change capture from MySQL needs a number no other replica has")
                        .hint("--server-id N"));
                }
                _ => {}
            }
        }
        let follow = Follow {
            slot,
            publication,
            server_id: asked.server_id.unwrap_or_default(),
            from: None,
            columns: Vec::new(),
            accept_schema: args.accept_schema,
            until_now: args.until.is_some(),
            heartbeat: args.heartbeat.into(),
            max_slot_bytes: args.max_slot_bytes.map(|size| size.bytes),
        };
        let wanted = Wanted { batch_rows: args.batch.min(args.rate.unwrap_or(u32::MAX)), ..wanted };
        Ok(Self { url, password, wanted, mode, overlap, follow })
    }

    /// What the state says it is of.
    pub(crate) fn words(&self) -> String {
        let Wanted { table, columns, cursor, .. } = &self.wanted;
        let list = |name: &str, of: &[String]| match of {
            [] => String::new(),
            of => format!(" {name} {}", of.join(",")),
        };
        let mode = match self.mode {
            Mode::Snapshot => "snapshot".to_owned(),
            Mode::Incremental => "incremental".to_owned(),
            Mode::Cdc => format!(
                "cdc by {}",
                [self.follow.slot.as_str(), "binlog"][usize::from(self.follow.slot.is_empty())]
            ),
        };
        format!("{mode} of {table} in {}{}{}", self.url, list("columns", columns), list("cursor", cursor))
    }
}

fn of_arguments(args: &Args) -> Asked {
    Asked {
        url: args.url.clone().unwrap_or_default(),
        password: args.password.clone(),
        wanted: Wanted {
            table: args.table.clone().unwrap_or_default(),
            columns: args.columns.clone(),
            cursor: args.cursor.clone(),
            ..Wanted::default()
        },
        mode: args.mode,
        overlap: args.overlap,
        slot: args.slot.clone(),
        publication: args.publication.clone(),
        server_id: args.server_id,
    }
}

fn of_document(document: &cli::Input, step: &str) -> cli::Result<Asked> {
    let mut pipeline = document.pipeline()?;
    let doing = format!("reading {document}");
    let names: Vec<_> = pipeline.sources.iter().map(|source| source.name.clone()).collect();
    let source = pipeline.sources.into_iter().find(|source| source.name == step).ok_or_else(|| {
        Error::invalid(&doing, format!("no source is called {step}"))
            .hint(format!("there are: {}", names.join(", ")))
    })?;
    let mode = match source.mode {
        pipeline::Mode::Snapshot => Mode::Snapshot,
        pipeline::Mode::Incremental => Mode::Incremental,
        pipeline::Mode::Cdc => Mode::Cdc,
    };
    let database = pipeline.databases.remove(&source.from);
    let database = database.ok_or_else(|| Error::invalid(doing, format!("no database {}", source.from)))?;
    let wanted =
        Wanted { table: source.table, columns: source.columns, cursor: source.cursor, ..Wanted::default() };
    Ok(Asked {
        url: database.url,
        password: database.password,
        wanted,
        mode,
        overlap: source.overlap,
        slot: source.slot,
        publication: source.publication,
        server_id: source.server_id,
    })
}

/// A URL, or where it is found. Only one that is found elsewhere may hold a password.
fn url_of(text: &str) -> cli::Result<Url> {
    let secret = text.split_once(':').is_some_and(|(scheme, _)| matches!(scheme, "env" | "file"));
    if !secret {
        let doing = "reading the database's URL";
        let url: Url = text.parse().map_err(|why: String| Error::invalid(doing, why))?;
        if url.has_password() {
            return Err(Error::invalid(doing, "a password on the command line is seen by everybody")
                .hint("--password file:PATH or env:NAME"));
        }
        return Ok(url);
    }
    let secret: Secret = text.parse().map_err(|why: String| Error::invalid("reading --url", why))?;
    let found = cli::secret(&secret)?;
    found.parse().map_err(|why: String| Error::invalid(format!("reading the URL in {secret}"), why))
}
