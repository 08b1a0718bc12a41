//! Where the lake is, and who we are there.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cli::{Context, Error};
use http::Trust;
use lake::{Credentials, Lake, Pause, S3Options, Store};
use process::Stop;

use crate::Place;

/// Far above any file of credentials.
const FILE_BYTES: u64 = 1 << 20;

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
    let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let region = place.region.clone().or_else(|| set("AWS_REGION")).or_else(|| set("AWS_DEFAULT_REGION"));
    let endpoint = place.endpoint.clone();
    let endpoint = endpoint.or_else(|| set("AWS_ENDPOINT_URL_S3")).or_else(|| set("AWS_ENDPOINT_URL"));
    let ca = place.ca_file.clone().or_else(|| set("AWS_CA_BUNDLE").map(PathBuf::from));
    let trust = match ca {
        Some(path) => Trust::ca_file(&path).doing("reading the certificates of --ca-file")?,
        None => Trust::System,
    };
    Ok(S3Options {
        credentials: credentials(place, set)?,
        region: region.unwrap_or_else(|| "us-east-1".to_owned()),
        endpoint,
        trust,
        spool: place.spool.clone().unwrap_or_else(env::temp_dir),
        attempt: Duration::from(place.attempt),
        tries: place.tries,
        pause: Pause(Box::new(move |time| stop.sleep(time))),
    })
}

/// Those of `--credentials-file`, of the environment, or of the file the AWS tools share.
fn credentials(place: &Place, set: impl Fn(&str) -> Option<String>) -> Result<Credentials, Error> {
    let profile = set("AWS_PROFILE").unwrap_or_else(|| "default".to_owned());
    if let Some(path) = &place.credentials_file {
        return of_file(path, &profile);
    }
    if let (Some(key_id), Some(secret)) = (set("AWS_ACCESS_KEY_ID"), set("AWS_SECRET_ACCESS_KEY")) {
        return Ok(Credentials { key_id, secret, session: set("AWS_SESSION_TOKEN") });
    }
    let shared = set("AWS_SHARED_CREDENTIALS_FILE").map(PathBuf::from);
    let shared = shared.or_else(|| set("HOME").map(|home| Path::new(&home).join(".aws/credentials")));
    match shared.filter(|path| path.exists()) {
        Some(path) => of_file(&path, &profile),
        None => Err(Error::invalid("looking for credentials", "there are none").hint(
            "--credentials-file FILE, AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY, or ~/.aws/credentials",
        )),
    }
}

fn of_file(path: &Path, profile: &str) -> Result<Credentials, Error> {
    let doing = format!("reading {}", path.display());
    let text = files::read(path, FILE_BYTES).doing(&doing)?;
    parse(&String::from_utf8_lossy(&text), profile)
        .ok_or_else(|| Error::invalid(doing, format!("no key and secret of [{profile}] in it")))
}

/// The keys of a profile, in the form of the AWS tools.
fn parse(text: &str, profile: &str) -> Option<Credentials> {
    let (mut key_id, mut secret, mut session) = (None, None, None);
    let mut ours = false;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            ours = name.trim() == profile;
        } else if let Some((name, value)) = line.split_once('=').filter(|_| ours) {
            let value = Some(value.trim().to_owned());
            match name.trim() {
                "aws_access_key_id" => key_id = value,
                "aws_secret_access_key" => secret = value,
                "aws_session_token" => session = value,
                _ => {}
            }
        }
    }
    Some(Credentials { key_id: key_id?, secret: secret?, session })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_of_a_profile_are_found_among_others() {
        let text = "[other]\naws_access_key_id = no\naws_secret_access_key = no\n# a note\n[default]\n\
                    aws_access_key_id=A\naws_secret_access_key = b=c/d+\nregion = x\n[third]\n";
        let found = parse(text, "default").unwrap();
        assert_eq!((&*found.key_id, &*found.secret, found.session), ("A", "b=c/d+", None));
        assert!(parse(text, "third").is_none());
    }
}
