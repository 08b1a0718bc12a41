//! How many different values: exact while they are few, `HyperLogLog` after.

use std::collections::BTreeSet;

use crate::bytes::{Corrupt, Reader, Writer};

/// So many hashes are kept before registers are cheaper.
const EXACT: usize = 256;
const REGISTER_BITS: u32 = 12;
const REGISTERS: usize = 1 << REGISTER_BITS;

/// The set of values seen, as hashes or as 4096 registers (1.6 % standard error).
#[derive(Clone, Debug)]
pub(crate) enum Distinct {
    Few(BTreeSet<u64>),
    Many(Box<[u8]>),
}

impl Default for Distinct {
    fn default() -> Self {
        Self::Few(BTreeSet::new())
    }
}

impl Distinct {
    pub(crate) fn add(&mut self, value: &[u8]) {
        self.add_hash(hash(value));
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        match other {
            Self::Few(hashes) => hashes.iter().for_each(|hash| self.add_hash(*hash)),
            Self::Many(theirs) => {
                let ours = self.registers();
                for (ours, theirs) in ours.iter_mut().zip(theirs) {
                    *ours = (*ours).max(*theirs);
                }
            }
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate"
    )]
    pub(crate) fn count(&self) -> u64 {
        let registers = match self {
            Self::Few(hashes) => return hashes.len() as u64,
            Self::Many(registers) => registers,
        };
        let size = REGISTERS as f64;
        let sum: f64 = registers.iter().map(|rank| 0.5_f64.powi(i32::from(*rank))).sum();
        let raw = 0.7213 / (1.0 + 1.079 / size) * size * size / sum;
        let empty: u32 = registers.iter().map(|rank| u32::from(*rank == 0)).sum();
        let estimate =
            if raw <= 2.5 * size && empty > 0 { size * (size / f64::from(empty)).ln() } else { raw };
        estimate.round() as u64
    }

    fn add_hash(&mut self, hash: u64) {
        match self {
            Self::Few(hashes) => {
                hashes.insert(hash);
                if hashes.len() > EXACT {
                    self.registers();
                }
            }
            Self::Many(registers) => mark(registers, hash),
        }
    }

    /// Its registers; from now on it has no others.
    fn registers(&mut self) -> &mut [u8] {
        if let Self::Few(hashes) = self {
            let mut registers = vec![0; REGISTERS].into_boxed_slice();
            hashes.iter().for_each(|hash| mark(&mut registers, *hash));
            *self = Self::Many(registers);
        }
        match self {
            Self::Many(registers) => registers,
            Self::Few(_) => &mut [],
        }
    }

    pub(crate) fn save(&self, to: &mut Writer) {
        match self {
            Self::Few(hashes) => {
                to.length(hashes.len());
                hashes.iter().for_each(|hash| to.u64(*hash));
            }
            Self::Many(registers) => {
                to.length(usize::MAX);
                to.bytes(registers);
            }
        }
    }

    pub(crate) fn restore(from: &mut Reader) -> Result<Self, Corrupt> {
        match from.u64()? {
            u64::MAX => {
                let registers = from.bytes()?;
                if registers.len() != REGISTERS || registers.iter().any(|rank| *rank > 64) {
                    return Err(Corrupt);
                }
                Ok(Self::Many(registers.into()))
            }
            count if count <= EXACT as u64 => {
                (0..count).map(|_| from.u64()).collect::<Result<_, _>>().map(Self::Few)
            }
            _ => Err(Corrupt),
        }
    }
}

fn mark(registers: &mut [u8], hash: u64) {
    let register = usize::try_from(hash >> (64 - REGISTER_BITS)).unwrap_or_default();
    // A bit beyond those that choose the register ends the run of zeros.
    let rank = (hash << REGISTER_BITS | 1 << (REGISTER_BITS - 1)).leading_zeros() + 1;
    registers[register] = registers[register].max(u8::try_from(rank).unwrap_or(u8::MAX));
}

/// FNV-1a, then the finalizer of `MurmurHash3`, both public domain: the same in every run,
/// since it is saved.
fn hash(value: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in value {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ hash >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ hash >> 33
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(range: std::ops::Range<u32>) -> Distinct {
        let mut distinct = Distinct::default();
        range.for_each(|number| distinct.add(format!("user{number}").as_bytes()));
        distinct
    }

    #[test]
    fn few_are_counted_exactly_and_many_within_five_percent() {
        assert_eq!(of(0..200).count(), 200);
        for size in [1000_u32, 5000, 10_000, 100_000] {
            let count = of(0..size).count();
            assert!(count.abs_diff(u64::from(size)) * 20 <= u64::from(size), "{count} for {size}");
        }
    }

    #[test]
    fn merged_sets_count_as_one_whatever_their_size() {
        for (one, other) in [(0..100, 50..150), (0..1000, 10..20), (10..20, 0..1000), (0..5000, 2000..9000)] {
            let mut merged = of(one.clone());
            merged.merge(&of(other.clone()));
            assert_eq!(merged.count(), of(one.start.min(other.start)..one.end.max(other.end)).count());
        }
    }
}
