//! Secrets, read from where they are kept.

use std::path::Path;

use pipeline::Secret;

use crate::{Context, Error, Result};

/// The longest secret.
const LIMIT_BYTES: u64 = 64 << 10;

/// Reads a secret; a line end at its end is none of it. Messages name the place, never the secret.
///
/// # Errors
/// Fails if the variable is not set, or the file cannot be read.
pub fn secret(place: &Secret) -> Result<String> {
    let doing = format!("reading the secret {place}");
    let text = match place {
        Secret::Env(name) => std::env::var(name)
            .map_err(|_| Error::invalid(&doing, "the variable is not set, or is no text"))?,
        Secret::File(path) => {
            let bytes = files::read(Path::new(path), LIMIT_BYTES).doing(&doing)?;
            String::from_utf8(bytes).map_err(|_| Error::invalid(&doing, "not text"))?
        }
    };
    Ok(text.strip_suffix('\n').map_or(&*text, |text| text.strip_suffix('\r').unwrap_or(text)).to_owned())
}
