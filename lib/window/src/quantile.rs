//! Quantiles within one percent of the value, in bins that can be merged.
//!
//! Bins grow by a factor, as in Masson, Rim and Lee, "`DDSketch`" (VLDB 2019).

use std::collections::BTreeMap;

use crate::Decimal;
use crate::bytes::{Corrupt, Reader, Writer};

/// From one bin to the next: (GROWTH - 1) / (GROWTH + 1) is the relative error.
const GROWTH: f64 = 1.02;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Quantiles {
    /// How many values fell into a bin; negative values are in bins of their own,
    /// zero in the one between.
    bins: BTreeMap<(i8, i16), u64>,
}

impl Quantiles {
    pub(crate) fn add(&mut self, value: Decimal) {
        let count = self.bins.entry(bin(value.rough())).or_default();
        *count = count.saturating_add(1);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (bin, count) in &other.bins {
            let ours = self.bins.entry(*bin).or_default();
            *ours = ours.saturating_add(*count);
        }
    }

    /// The least value that `per_mille` thousandths of all do not exceed, as `percentile_disc`
    /// of SQL has it; `None` if there are none.
    pub(crate) fn at(&self, per_mille: u16) -> Option<f64> {
        let total = self.bins.values().fold(0_u64, |sum, count| sum.saturating_add(*count));
        total.checked_sub(1)?;
        let rank = (u128::from(total) * u128::from(per_mille)).div_ceil(1000).max(1);
        let mut before = 0_u128;
        let found = self.bins.iter().find(|(_, count)| {
            before += u128::from(**count);
            before >= rank
        });
        found.map(|(&(sign, place), _)| {
            let place = i32::from(sign) * i32::from(place);
            f64::from(sign) * 2.0 * GROWTH.powi(place) / (GROWTH + 1.0)
        })
    }

    pub(crate) fn save(&self, to: &mut Writer) {
        to.length(self.bins.len());
        for (&(sign, place), count) in &self.bins {
            to.i64(i64::from(sign));
            to.i64(i64::from(place));
            to.u64(*count);
        }
    }

    pub(crate) fn restore(from: &mut Reader) -> Result<Self, Corrupt> {
        let mut bins = BTreeMap::new();
        for _ in 0..from.u64()? {
            let sign = i8::try_from(from.i64()?).map_err(|_| Corrupt)?;
            let place = i16::try_from(from.i64()?).map_err(|_| Corrupt)?;
            if !(-1..=1).contains(&sign) {
                return Err(Corrupt);
            }
            bins.insert((sign, place), from.u64()?);
        }
        Ok(Self { bins })
    }
}

/// Sign, and place among those of that sign, in the order of values.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a decimal has at most 24 digits on either side: some thousand bins"
)]
fn bin(value: f64) -> (i8, i16) {
    if value == 0.0 {
        return (0, 0);
    }
    let place = (value.abs().ln() / GROWTH.ln()).ceil() as i16;
    if value < 0.0 { (-1, -place) } else { (1, place) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn quantiles_are_within_a_percent_and_merge(
            mut cents in prop::collection::vec(-100_000_i32..1_000_000, 1..200), per_mille in 0_u16..=1000, cut in 0_usize..200,
        ) {
            let decimal = |cents: &i32| format!("{cents}e-2").parse::<Decimal>().unwrap();
            let of = |cents: &[i32]| {
                let mut all = Quantiles::default();
                cents.iter().for_each(|cents| all.add(decimal(cents)));
                all
            };
            let all = of(&cents);
            let (one, other) = cents.split_at(cut.min(cents.len()));
            let mut merged = of(one);
            merged.merge(&of(other));
            prop_assert_eq!(&merged, &all);
            cents.sort_unstable();
            let exact = f64::from(cents[(cents.len() * usize::from(per_mille)).div_ceil(1000).max(1) - 1]) / 100.0;
            let said = all.at(per_mille).unwrap();
            prop_assert!((said - exact).abs() <= exact.abs() * 0.01 + 1e-12, "{} for {}", said, exact);
        }
    }
}
