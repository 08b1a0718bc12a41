//! Tests of the built commands; see `tests/`.
