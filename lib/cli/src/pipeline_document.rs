//! Reading the pipeline document.

use pipeline::Pipeline;

use crate::{Error, Input, Result};

impl Input {
    /// Reads it as a pipeline document.
    ///
    /// # Errors
    /// Everything that is wrong with the document, each with its line.
    pub fn pipeline(&self) -> Result<Pipeline> {
        let text = self.read_text(pipeline::LIMIT_BYTES)?;
        pipeline::parse(&text).map_err(|problems| Error::invalid_all(format!("reading {self}"), problems))
    }
}
