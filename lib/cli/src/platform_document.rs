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
        platform::parse(&text).map_err(|problems| Error::invalid_all(format!("reading {self}"), problems))
    }
}
