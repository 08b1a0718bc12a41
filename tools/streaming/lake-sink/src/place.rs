//! Where the lake is, and who we are there.

use std::env;
use std::sync::Arc;

use cli::{Access, Context, Error};
use lake::{Lake, Pause, S3Options, Store};
use process::Stop;

use crate::Place;

/// Opens the lake of a URL; a damaged one only to look at it.
pub(crate) fn open(url: &str, place: &Place, stop: &Arc<Stop>, damaged: bool) -> cli::Result<Lake> {
    let doing = format!("opening the lake {url}");
    let stop = Arc::clone(stop);
    let store = Store::of(url, || options(place, stop)).map_err(|problem| problem.told(&doing))?;
    if damaged { Lake::open_damaged(store) } else { Lake::open(store) }.doing(doing)
}

/// The place's own trouble, or ours with its options.
enum Problem {
    Lake(lake::Error),
    Ours(Error),
}

impl Problem {
    fn told(self, doing: &str) -> Error {
        match self {
            Self::Ours(error) => error,
            Self::Lake(error) => match Err::<(), _>(error).doing(doing) {
                Err(error) => error,
                Ok(()) => Error::invalid(doing, ""),
            },
        }
    }
}

impl From<lake::Error> for Problem {
    fn from(error: lake::Error) -> Self {
        Self::Lake(error)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

fn options(place: &Place, stop: Arc<Stop>) -> Result<S3Options, Problem> {
    let Access { credentials, region, endpoint, trust, attempt, tries } = place.aws.access("S3")?;
    Ok(S3Options {
        credentials,
        region,
        endpoint,
        trust,
        spool: place.spool.clone().unwrap_or_else(env::temp_dir),
        attempt,
        tries,
        pause: Pause(Box::new(move |time| stop.sleep(time))),
    })
}
