//! What one check says of itself, and what the watcher makes of it.

use std::time::{Duration, Instant};

use model::{Check, VipCheck};

/// A verdict with what the watcher needs to judge how much it is worth.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) verdict: VipCheck,
    pub(crate) started: Instant,
    /// By how much the deadline was overrun; `None` if nothing timed out.
    pub(crate) overrun: Option<Duration>,
    /// The operator took the node out: not a matter of several rounds.
    pub(crate) certain: bool,
}

/// A check that has something to say about when and why.
pub(crate) fn check(name: impl Into<String>, started: Instant) -> Check {
    Check { name: name.into(), ok: true, elapsed_ms: millis(started.elapsed()), ..Check::default() }
}

/// The same, gone wrong.
pub(crate) fn failed(check: Check, phase: Option<&str>, error: &str, text: Option<String>) -> Check {
    Check {
        ok: false,
        phase: phase.map(str::to_owned),
        error: Some(error.to_owned()),
        // Without the `(os error N)` nobody reads at night.
        error_text: text.map(|text| text.split(" (os error").next().unwrap_or_default().to_owned()),
        ..check
    }
}

/// Milliseconds to a tenth: more digits would be noise.
pub(crate) fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}
