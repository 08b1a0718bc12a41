//! How long to wait before the next attempt.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::Duration;

/// The pause after attempt `number`: between half and all of `delay` doubled
/// `number - 1` times, never more than `most`.
pub(crate) fn pause(delay: Duration, most: Duration, number: u32) -> Duration {
    let full = delay.saturating_mul(2_u32.saturating_pow(number - 1)).min(most);
    // The keys of a RandomState are random: enough to keep clients apart.
    let random = RandomState::new().hash_one(number) % 1_000;
    full.mul_f64(0.5 + f64::from(u16::try_from(random).unwrap_or(0)) / 2_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_their_bound_and_are_never_under_half() {
        let (delay, most) = (Duration::from_millis(100), Duration::from_secs(1));
        for (number, full) in [(1, 100), (2, 200), (3, 400), (4, 800), (5, 1000), (40, 1000)] {
            let full = Duration::from_millis(full);
            for _ in 0..50 {
                let pause = pause(delay, most, number);
                assert!(pause >= full / 2 && pause <= full, "{number}: {pause:?}");
            }
        }
    }
}
