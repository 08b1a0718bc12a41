//! What holds where the document says nothing; the schema shows the same.

use crate::model::{Roll, Watch};
use crate::unit::{Size, Span};

pub(crate) fn partitions() -> u32 {
    1
}

pub(crate) fn replicas() -> u16 {
    1
}

/// A key takes some 100 bytes.
pub(crate) fn dedupe_last() -> u32 {
    1_000_000
}

pub(crate) fn roll_size() -> Size {
    Size { bytes: 128 << 20 }
}

pub(crate) fn roll_age() -> Span {
    Span::ms(300_000)
}

pub(crate) fn timezone() -> String {
    "UTC".to_owned()
}

pub(crate) fn max_active() -> u32 {
    1
}

pub(crate) fn retries() -> u32 {
    3
}

pub(crate) fn delay() -> Span {
    Span::ms(30_000)
}

pub(crate) fn backoff() -> u32 {
    2
}

pub(crate) fn timeout() -> Span {
    Span::ms(1_200_000)
}

pub(crate) fn lag_for() -> Span {
    Span::ms(120_000)
}

pub(crate) fn stall() -> Span {
    Span::ms(60_000)
}

impl Default for Roll {
    fn default() -> Self {
        Self { size: roll_size(), age: roll_age() }
    }
}

impl Default for Watch {
    fn default() -> Self {
        Self { lag_max: None, lag_for: lag_for(), freshness: None, stall: stall() }
    }
}
