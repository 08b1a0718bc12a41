//! Rows that were given before.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use crate::scalar::Scalar;
use crate::time::{self, Written};
use crate::{Error, Result};

/// How many rows may lie in the overlap.
const MOST: usize = 1_000_000;

/// A row given before: its time in microseconds, and half of its line's SHA-256.
pub type Seen = (i64, String);

/// Which rows of the last so-many seconds were given before: rows that are
/// committed late, with a time that has passed, are found without giving the
/// others twice.
#[derive(Clone, Debug, Default)]
pub struct Overlap {
    span_us: i64,
    high_us: Option<i64>,
    seen: BTreeSet<(i64, u128)>,
}

impl Overlap {
    /// An overlap of so many milliseconds, with the rows seen before.
    ///
    /// # Errors
    /// Fails if a row's hash is none.
    pub fn new(length_ms: u64, seen: &[Seen]) -> Result<Self> {
        let read = |(at, hash): &Seen| Some((*at, u128::from_str_radix(hash, 16).ok()?));
        let seen: Option<BTreeSet<_>> = seen.iter().map(read).collect();
        let seen = seen.ok_or_else(|| Error::invalid("a row given before has no hash"))?;
        let span_us = i64::try_from(length_ms).unwrap_or(i64::MAX).saturating_mul(1000);
        Ok(Self { span_us, high_us: seen.last().map(|(at, _)| *at), seen })
    }

    /// Where to begin again: so much before a position.
    ///
    /// # Errors
    /// Fails if the position is no time.
    pub fn before(&self, position: &Scalar) -> Result<Scalar> {
        match position {
            Scalar::Int(number) => {
                let (_, unit) = time::of_number(*number);
                Ok(Scalar::Int(number.saturating_sub(self.span_us / unit)))
            }
            #[expect(clippy::cast_precision_loss, reason = "a span; the position is no more exact")]
            Scalar::Real(number) => Ok(Scalar::Real(number - self.span_us as f64 / 1e6)),
            Scalar::Text(text) => {
                let written = Written::read(text).ok_or_else(|| no_time(position))?;
                Ok(Scalar::Text(written.back(self.span_us)))
            }
            Scalar::Bytes(_) => Err(no_time(position)),
        }
    }

    /// Whether a row is given for the first time; it is remembered.
    ///
    /// # Errors
    /// Fails if its cursor is no time, or too many rows are remembered.
    pub(crate) fn is_new(&mut self, cursor: &Scalar, line: &[u8]) -> Result<bool> {
        let at = micros(cursor)?;
        let digest = Sha256::digest(line);
        let hash = digest.iter().take(16).fold(0, |hash, byte| hash << 8 | u128::from(*byte));
        if self.high_us.is_none_or(|high| at > high) {
            self.high_us = Some(at);
            let oldest = at.saturating_sub(self.span_us);
            if self.seen.first().is_some_and(|(at, _)| *at < oldest) {
                self.seen = self.seen.split_off(&(oldest, 0));
            }
        }
        let new = self.seen.insert((at, hash));
        if self.seen.len() > MOST {
            return Err(
                Error::invalid(format!("more than {MOST} rows lie in the overlap")).hint("shorten it")
            );
        }
        Ok(new)
    }

    /// Whether a position is before the newest row: rows committed late.
    pub(crate) fn is_behind(&self, cursor: &Scalar) -> bool {
        self.high_us.is_some_and(|high| micros(cursor).is_ok_and(|at| at < high))
    }

    /// The rows that are remembered.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.iter().map(|(at, hash)| (*at, format!("{hash:032x}"))).collect()
    }
}

fn micros(cursor: &Scalar) -> Result<i64> {
    match cursor {
        Scalar::Int(number) => Ok(time::of_number(*number).0),
        #[expect(clippy::cast_possible_truncation, reason = "saturates")]
        Scalar::Real(number) => Ok((number * 1e6) as i64),
        Scalar::Text(text) => Written::read(text).map(|w| w.us).ok_or_else(|| no_time(cursor)),
        Scalar::Bytes(_) => Err(no_time(cursor)),
    }
}

fn no_time(cursor: &Scalar) -> Error {
    Error::invalid(format!("an overlap needs a time, and the cursor's first column holds `{cursor}`"))
        .hint("a time is RFC 3339 text, YYYY-MM-DD HH:MM:SS, or a number since 1970")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_new_once_and_again_when_it_changed() {
        let mut overlap = Overlap::new(5000, &[]).unwrap();
        let at = Scalar::Text("2026-01-01 00:00:10".into());
        assert!(overlap.is_new(&at, b"a").unwrap());
        assert!(!overlap.is_new(&at, b"a").unwrap());
        assert!(overlap.is_new(&at, b"b").unwrap());
        let mut again = Overlap::new(5000, &overlap.seen()).unwrap();
        assert!(!again.is_new(&at, b"a").unwrap());
        assert!(again.is_behind(&Scalar::Text("2026-01-01 00:00:09".into())));
        assert_eq!(again.before(&at).unwrap(), Scalar::Text("2026-01-01 00:00:05".into()));
    }

    #[test]
    fn what_lies_before_the_overlap_is_forgotten() {
        let mut overlap = Overlap::new(5000, &[]).unwrap();
        for second in [1, 2, 7, 20] {
            assert!(overlap.is_new(&Scalar::Int(second), b"a").unwrap());
        }
        assert_eq!(overlap.seen().len(), 1);
    }

    #[test]
    fn a_cursor_that_is_no_time_is_told() {
        let mut overlap = Overlap::new(5000, &[]).unwrap();
        let told = overlap.is_new(&Scalar::Text("yesterday".into()), b"").unwrap_err();
        assert!(told.to_string().contains("`yesterday`"));
    }
}
