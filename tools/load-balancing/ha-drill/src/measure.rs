//! What a series of clients says about an outage. Pure functions of values.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{PredictedMs, Spread};
use probe::Sample;

/// What clients saw. Times count from the first client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The largest gap between good answers that ended after the fault, or not at all.
    pub(crate) outage: Duration,
    /// The largest that ended before.
    pub(crate) baseline: Duration,
    /// When the first came that failed because of the fault.
    pub(crate) first_fail: Option<Duration>,
    /// When the first good answer came after the last failure.
    pub(crate) recovered: Option<Duration>,
    pub(crate) failed: u64,
    pub(crate) failed_before: u64,
    pub(crate) errors: BTreeMap<String, u64>,
    pub(crate) late_max: Duration,
}

/// Judges clients, in the order they came, around a fault at `fault`.
pub(crate) fn judge(samples: &[Sample], fault: Duration) -> Seen {
    let (outage, baseline) = gaps(samples, fault);
    let bad = || samples.iter().filter(|sample| sample.error.is_some());
    let mut errors = BTreeMap::new();
    for word in bad().filter_map(|sample| sample.error) {
        *errors.entry(word.to_owned()).or_default() += 1;
    }
    let last_bad = bad().filter(|sample| sample.done >= fault).map(|sample| sample.begun).max();
    let recovered = last_bad.and_then(|last| {
        let later = samples.iter().filter(|sample| sample.error.is_none() && sample.begun > last);
        later.map(|sample| sample.done).min()
    });
    Seen {
        outage,
        baseline,
        first_fail: bad().find(|sample| sample.done >= fault).map(|sample| sample.begun),
        recovered,
        failed: bad().count() as u64,
        failed_before: bad().filter(|sample| sample.done < fault).count() as u64,
        errors,
        late_max: samples.iter().map(|sample| sample.late).max().unwrap_or_default(),
    }
}

/// The largest gap between good answers that ends at or after the fault, and
/// the largest that ends before. An outage that has not ended lasts to the
/// last client's coming.
fn gaps(samples: &[Sample], fault: Duration) -> (Duration, Duration) {
    let mut good: Vec<_> =
        samples.iter().filter(|sample| sample.error.is_none()).map(|sample| sample.done).collect();
    good.sort_unstable();
    let end = samples.iter().map(|sample| sample.begun).max().unwrap_or_default();
    if good.last().is_none_or(|last| *last < end) {
        good.push(end);
    }
    let (mut outage, mut baseline, mut last) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    for answer in good {
        let larger = if answer >= fault { &mut outage } else { &mut baseline };
        *larger = (*larger).max(answer.saturating_sub(last));
        last = answer;
    }
    (outage, baseline)
}

/// The spread of a figure; `None` of nothing.
pub(crate) fn spread(figures: impl IntoIterator<Item = f64>) -> Option<Spread> {
    let mut figures: Vec<_> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    let (min, max) = (*figures.first()?, *figures.last()?);
    let half = figures.len() / 2;
    let median = if figures.len() % 2 == 1 {
        figures[half]
    } else {
        round(f64::midpoint(figures[half - 1], figures[half]))
    };
    Some(Spread { min, median, max })
}

/// Whether an outage lies within a prediction, give or take the tolerance.
pub(crate) fn within(outage_ms: f64, predicted: PredictedMs, tolerance: Duration) -> bool {
    let slack = ms(tolerance);
    outage_ms >= f64::from(predicted.min) - slack
        && predicted.max.is_none_or(|max| outage_ms <= f64::from(max) + slack)
}

/// Milliseconds with one decimal: more would be noise.
pub(crate) fn ms(time: Duration) -> f64 {
    round(time.as_secs_f64() * 1000.0)
}

/// From `start` to `time` in milliseconds; 0 if it was before.
pub(crate) fn ms_since(time: Duration, start: Duration) -> f64 {
    ms(time.saturating_sub(start))
}

fn round(figure: f64) -> f64 {
    (figure * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clients every 10 ms up to `end`; those that come within `down` fail after 300 ms.
    fn clients(end: u64, down: std::ops::Range<u64>) -> Vec<Sample> {
        let one = |begun| {
            let failed = down.contains(&begun);
            sample(begun, begun + if failed { 300 } else { 2 }, failed.then_some("timeout"))
        };
        (0..=end).step_by(10).map(one).collect()
    }

    fn sample(begun: u64, done: u64, error: Option<&'static str>) -> Sample {
        let ms = Duration::from_millis;
        Sample { begun: ms(begun), late: Duration::ZERO, done: ms(done), status: None, error }
    }

    fn after(samples: &[Sample], fault: u64) -> Seen {
        judge(samples, Duration::from_millis(fault))
    }

    #[test]
    fn without_a_failure_the_outage_is_the_pace_of_the_clients() {
        let seen = after(&clients(1000, 0..0), 500);
        assert_eq!((seen.outage, seen.baseline), (Duration::from_millis(10), Duration::from_millis(10)));
        assert_eq!((seen.first_fail, seen.recovered, seen.failed), (None, None, 0));
    }

    #[test]
    fn an_outage_lasts_from_the_last_good_answer_to_the_next() {
        let seen = after(&clients(1000, 500..700), 495);
        assert_eq!(seen.outage, Duration::from_millis(210));
        assert_eq!(seen.first_fail, Some(Duration::from_millis(500)));
        assert_eq!(seen.recovered, Some(Duration::from_millis(702)));
        assert_eq!((seen.failed, seen.failed_before), (20, 0));
        assert_eq!(seen.errors["timeout"], 20);
    }

    #[test]
    fn an_outage_that_never_ends_lasts_to_the_end() {
        let seen = after(&clients(1000, 500..2000), 495);
        assert_eq!(seen.outage, Duration::from_millis(1000 - 492));
        assert_eq!(seen.recovered, None);
    }

    #[test]
    fn without_a_good_answer_the_outage_is_the_whole_run() {
        let seen = after(&clients(1000, 0..2000), 500);
        assert_eq!(seen.outage, Duration::from_secs(1));
        assert_eq!(after(&[], 500).outage, Duration::ZERO);
    }

    #[test]
    fn one_slow_answer_among_quick_ones_is_no_outage() {
        let mut samples = clients(1000, 0..0);
        samples[50] = sample(500, 790, None);
        assert_eq!(after(&samples, 495).outage, Duration::from_millis(20));
    }

    #[test]
    fn a_slow_answer_in_the_midst_of_an_outage_divides_it() {
        // Clients saw service then: two gaps, and the larger counts.
        let mut samples = clients(1000, 300..700);
        samples[30] = sample(300, 590, None);
        assert_eq!(after(&samples, 295).outage, Duration::from_millis(590 - 292));
    }

    #[test]
    fn a_gap_before_the_fault_is_not_its_doing() {
        let seen = after(&clients(2000, 100..200), 1000);
        assert_eq!((seen.outage, seen.baseline), (Duration::from_millis(10), Duration::from_millis(110)));
        assert_eq!((seen.failed, seen.failed_before, seen.first_fail), (10, 10, None));
    }

    #[test]
    fn recovery_counts_from_the_last_of_scattered_failures() {
        let mut samples = clients(1000, 0..0);
        for n in [50, 53, 56] {
            samples[n].error = Some("status");
        }
        let seen = after(&samples, 495);
        assert_eq!(seen.recovered, Some(Duration::from_millis(572)));
        assert_eq!(seen.outage, Duration::from_millis(20));
    }

    #[test]
    fn the_median_of_an_even_number_is_the_mean_of_the_middle_two() {
        assert_eq!(spread([4.0, 1.0, 3.0, 2.0]), Some(Spread { min: 1.0, median: 2.5, max: 4.0 }));
        assert_eq!(spread([3.0, 1.0, 2.0]), Some(Spread { min: 1.0, median: 2.0, max: 3.0 }));
        assert_eq!(spread([]), None);
    }

    #[test]
    fn a_prediction_without_end_bounds_from_below_only() {
        let (open, slack) = (PredictedMs { min: 100, max: None }, Duration::from_millis(80));
        assert!(within(1e9, open, slack));
        assert!(!within(19.0, open, slack));
        assert!(!within(281.0, PredictedMs { min: 100, max: Some(200) }, slack));
    }
}
