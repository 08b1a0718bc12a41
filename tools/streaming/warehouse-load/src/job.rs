//! What is to be loaded, by arguments or by the document.

use cli::{Error, Input};
use database::Url;
use pipeline::{LoadMode, Secret, Sink};

use crate::{Asked, Mode};

/// What is to be loaded.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) url: Url,
    pub(crate) password: Option<String>,
    pub(crate) table: String,
    /// The columns that make two rows the same; none if nobody looks.
    pub(crate) key: Vec<String>,
    pub(crate) from: From,
}

/// Where rows come from.
#[derive(Debug)]
pub(crate) enum From {
    /// Rows, one JSON object a line.
    Input(Input),
    /// The commits of a lake.
    Lake { url: String, topic: Option<String> },
}

impl Job {
    pub(crate) fn of(asked: &Asked) -> cli::Result<Self> {
        let wrong = |why: &str| Error::invalid("reading arguments", why);
        let given = asked.input.clone().map(From::Input);
        let (url, password, table, key, mode, from) = match (&asked.pipeline, &asked.step) {
            (Some(document), Some(step)) => of_document(document, step, given)?,
            _ => (
                asked.url.clone().unwrap_or_default(),
                asked.password.clone(),
                asked.table.clone().unwrap_or_default(),
                asked.key.clone(),
                asked.mode,
                match &asked.lake {
                    Some(url) => From::Lake { url: url.clone(), topic: asked.topic.clone() },
                    None => given.unwrap_or(From::Input(Input::Stdin)),
                },
            ),
        };
        match (mode, key.is_empty()) {
            (Mode::Merge, true) => {
                return Err(wrong("merging needs the columns that make rows the same").hint("--key id"));
            }
            (Mode::Append, false) => return Err(wrong("--key is for --mode merge alone")),
            _ => {}
        }
        let password = password.map(|place| cli::secret(&place)).transpose()?;
        Ok(Self { url: url_of(&url)?, password, table, key, from })
    }
}

type Step = (String, Option<Secret>, String, Vec<String>, Mode, From);

fn of_document(document: &Input, step: &str, given: Option<From>) -> cli::Result<Step> {
    let pipeline = document.pipeline()?;
    let doing = format!("reading {document}");
    let found = pipeline.sinks.iter().find_map(|sink| match sink {
        Sink::Warehouse(warehouse) if warehouse.name == step => Some(warehouse.clone()),
        _ => None,
    });
    let Some(warehouse) = found else {
        let names = pipeline.sinks.iter().filter(|sink| matches!(sink, Sink::Warehouse(_)));
        let names = names.map(Sink::name).collect::<Vec<_>>().join(", ");
        let names = if names.is_empty() { "nothing".to_owned() } else { names };
        return Err(Error::invalid(doing, format!("there is no warehouse `{step}`"))
            .hint(format!("there are: {names}")));
    };
    let mode = match warehouse.mode {
        LoadMode::Append => Mode::Append,
        LoadMode::Merge => Mode::Merge,
    };
    let lake = pipeline.sinks.iter().find_map(|sink| match sink {
        Sink::Lake(lake) if lake.name == warehouse.from => Some(lake),
        _ => None,
    });
    let url = lake.map(|lake| lake.url.clone()).unwrap_or_default();
    let topic = warehouse.topic.or_else(|| lake.and_then(|lake| lake.from.first().cloned()));
    let from = given.unwrap_or(From::Lake { url, topic });
    Ok((warehouse.url, warehouse.password, warehouse.table, warehouse.key, mode, from))
}

/// A URL, or what a place holds of one.
fn url_of(text: &str) -> cli::Result<Url> {
    let doing = "reading the database's URL";
    if !matches!(text.split_once(':'), Some(("env" | "file", _))) {
        let url: Url = text.parse().map_err(|why: String| Error::invalid(doing, why))?;
        if url.has_password() {
            return Err(Error::invalid(doing, "a password on the command line is seen by everybody")
                .hint("--password file:PATH or env:NAME"));
        }
        return Ok(url);
    }
    let place: Secret = text.parse().map_err(|why: String| Error::invalid(doing, why))?;
    cli::secret(&place)?.trim().parse().map_err(|why: String| Error::invalid(doing, why))
}
