//! The JSON Schema of the document.

use schemars::{Schema, schema_for};

/// The JSON Schema of `pipeline.yaml`, made from the model.
pub fn schema() -> Schema {
    schema_for!(crate::Pipeline)
}
