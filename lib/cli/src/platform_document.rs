//! Reading the platform document.

use platform::Platform;

use crate::{Error, Input, Result};

impl Input {
    /// Reads it as a platform document.
    ///
    /// # Errors
    /// Everything that is wrong with the document, each with its line.
    pub fn platform(&self) -> Result<Platform> {
        let text = self.read_text(platform::LIMIT_BYTES)?;
        platform::parse(&text).map_err(|problems| {
            let hint = problems.iter().find_map(|problem| problem.hint.clone());
            let error = Error::invalid_all(format!("reading {self}"), problems);
            match hint {
                Some(hint) => error.hint(hint),
                None => error,
            }
        })
    }
}
