//! What is asked for, by arguments or by the document.

use cli::{Context, Error};
use database::{Url, Wanted};
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
}

impl Job {
    pub(crate) fn of(args: &Args) -> cli::Result<Self> {
        let (url, password, (wanted, mode, overlap)) =
            if let (Some(document), Some(step)) = (&args.pipeline, &args.step) {
                of_document(document, step)?
            } else {
                let wanted = Wanted {
                    table: args.table.clone().unwrap_or_default(),
                    columns: args.columns.clone(),
                    cursor: args.cursor.clone(),
                    ..Wanted::default()
                };
                let url = args.url.clone().unwrap_or_default();
                (url, args.password.clone(), (wanted, args.mode, args.overlap))
            };
        let doing = "reading arguments";
        if mode == Mode::Incremental && wanted.cursor.is_empty() {
            return Err(Error::invalid(doing, "incremental reading needs the columns it goes by")
                .hint("--cursor updated_at,id"));
        }
        if mode != Mode::Incremental && (!wanted.cursor.is_empty() || overlap.ms > 0) {
            return Err(Error::invalid(doing, "--cursor and --overlap are for --mode incremental alone"));
        }
        let password = password.map(|secret| read(&secret)).transpose()?;
        let wanted = Wanted { batch_rows: args.batch.min(args.rate.unwrap_or(u32::MAX)), ..wanted };
        Ok(Self { url: url_of(&url)?, password, wanted, mode, overlap })
    }

    /// What the state says it is of.
    pub(crate) fn words(&self) -> String {
        let Wanted { table, columns, cursor, .. } = &self.wanted;
        let list = |name: &str, of: &[String]| match of {
            [] => String::new(),
            of => format!(" {name} {}", of.join(",")),
        };
        let mode = if self.mode == Mode::Snapshot { "snapshot" } else { "incremental" };
        format!("{mode} of {table} in {}{}{}", self.url, list("columns", columns), list("cursor", cursor))
    }
}

type Asked = (String, Option<Secret>, (Wanted, Mode, Span));

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
        pipeline::Mode::Cdc => return Err(Error::invalid(doing, "change capture is not there yet")),
    };
    let database = pipeline.databases.remove(&source.from);
    let database = database.ok_or_else(|| Error::invalid(doing, format!("no database {}", source.from)))?;
    let wanted =
        Wanted { table: source.table, columns: source.columns, cursor: source.cursor, ..Wanted::default() };
    Ok((database.url, database.password, (wanted, mode, source.overlap)))
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
    let found = read(&secret)?;
    found.parse().map_err(|why: String| Error::invalid(format!("reading the URL in {secret}"), why))
}

/// A secret; a line feed at its end is no part of it.
fn read(secret: &Secret) -> cli::Result<String> {
    let doing = format!("reading {secret}");
    let text = match secret {
        Secret::Env(name) => std::env::var(name).invalid(&doing)?,
        Secret::File(path) => {
            String::from_utf8(files::read(path.as_ref(), 1 << 20).doing(&doing)?).invalid(&doing)?
        }
    };
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}
