//! What is computed of the events of a window.

use std::fmt::Write;

use crate::Decimal;
use crate::bytes::{Corrupt, Reader, Writer};
use crate::distinct::Distinct;
use crate::quantile::Quantiles;

/// One thing to compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    /// How many events have a value.
    Count,
    /// Their exact sum.
    Sum,
    /// The least number.
    Min,
    /// The greatest number.
    Max,
    /// The mean, to 12 digits after the point.
    Average,
    /// The value of the earliest event, of those at the same time the one that came first.
    First,
    /// The value of the latest event, of those at the same time the one that came last.
    Last,
    /// How many different values: exact up to 256, then within some percent.
    Distinct,
    /// The number below which so many thousandths lie, within a percent of it.
    Quantile(u16),
}

impl Aggregate {
    /// Whether it is about numbers.
    pub fn needs_numbers(self) -> bool {
        matches!(self, Self::Sum | Self::Min | Self::Max | Self::Average | Self::Quantile(_))
    }

    pub(crate) fn begin(self) -> State {
        match self {
            Self::Count => State::Count(0),
            Self::Sum => State::Sum(Decimal::default(), 0),
            Self::Min => State::Min(None),
            Self::Max => State::Max(None),
            Self::Average => State::Average(Decimal::default(), 0),
            Self::First => State::First(None),
            Self::Last => State::Last(None),
            Self::Distinct => State::Distinct(Box::default()),
            Self::Quantile(per_mille) => State::Quantile(per_mille, Box::default()),
        }
    }
}

/// What an event brings for one aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input<'a> {
    /// No value, or null: the aggregate passes over it.
    Nothing,
    /// The event itself, for counting.
    Here,
    /// A number.
    Number(Decimal),
    /// A value as JSON.
    Json(&'a str),
}

/// How far an aggregate has come.
#[derive(Clone, Debug)]
pub(crate) enum State {
    Count(u64),
    Sum(Decimal, u64),
    Min(Option<Decimal>),
    Max(Option<Decimal>),
    Average(Decimal, u64),
    First(Option<(i64, Box<str>)>),
    Last(Option<(i64, Box<str>)>),
    Distinct(Box<Distinct>),
    Quantile(u16, Box<Quantiles>),
}

impl State {
    #[inline]
    pub(crate) fn add(&mut self, time_us: i64, input: Input) {
        match (self, input) {
            (_, Input::Nothing) => {}
            (Self::Count(count), _) => *count = count.saturating_add(1),
            (Self::Sum(sum, count) | Self::Average(sum, count), Input::Number(number)) => {
                *sum = sum.plus(number);
                *count = count.saturating_add(1);
            }
            (Self::Min(least), Input::Number(number)) => {
                *least = Some(least.map_or(number, |least| least.min(number)));
            }
            (Self::Max(most), Input::Number(number)) => {
                *most = Some(most.map_or(number, |most| most.max(number)));
            }
            (Self::First(first), Input::Json(json))
                if first.as_ref().is_none_or(|(time, _)| time_us < *time) =>
            {
                *first = Some((time_us, json.into()));
            }
            (Self::Last(last), Input::Json(json))
                if last.as_ref().is_none_or(|(time, _)| time_us >= *time) =>
            {
                *last = Some((time_us, json.into()));
            }
            (Self::Distinct(distinct), Input::Json(json)) => distinct.add(json.as_bytes()),
            (Self::Quantile(_, quantiles), Input::Number(number)) => quantiles.add(number),
            _ => {}
        }
    }

    /// Takes in what another session of the same key has; no event of the two has the same time.
    pub(crate) fn merge(&mut self, other: Self) {
        match (self, other) {
            (Self::Count(ours), Self::Count(theirs)) => *ours = ours.saturating_add(theirs),
            (Self::Sum(sum, count), Self::Sum(theirs, more))
            | (Self::Average(sum, count), Self::Average(theirs, more)) => {
                *sum = sum.plus(theirs);
                *count = count.saturating_add(more);
            }
            (Self::Min(ours), Self::Min(theirs)) => *ours = [*ours, theirs].into_iter().flatten().min(),
            (Self::Max(ours), Self::Max(theirs)) => *ours = [*ours, theirs].into_iter().flatten().max(),
            (Self::First(ours), Self::First(theirs)) => {
                *ours = [ours.take(), theirs].into_iter().flatten().min_by_key(|(time, _)| *time);
            }
            (Self::Last(ours), Self::Last(theirs)) => {
                *ours = [ours.take(), theirs].into_iter().flatten().max_by_key(|(time, _)| *time);
            }
            (Self::Distinct(ours), Self::Distinct(theirs)) => ours.merge(&theirs),
            (Self::Quantile(_, ours), Self::Quantile(_, theirs)) => ours.merge(&theirs),
            _ => {}
        }
    }

    /// The answer as JSON; null if there were no values.
    pub(crate) fn json(&self) -> String {
        let mut text = String::new();
        let said = match self {
            Self::Count(count) => Some(write!(text, "{count}")),
            Self::Sum(sum, count) => (*count > 0).then(|| write!(text, "{sum}")),
            Self::Min(number) | Self::Max(number) => number.map(|number| write!(text, "{number}")),
            Self::Average(sum, count) => sum.mean(*count).map(|mean| write!(text, "{mean}")),
            Self::First(value) | Self::Last(value) => value.as_ref().map(|(_, json)| text.write_str(json)),
            Self::Distinct(distinct) => Some(write!(text, "{}", distinct.count())),
            // Nine digits say more than a percent can.
            Self::Quantile(per_mille, quantiles) => quantiles
                .at(*per_mille)
                .map(|value| write!(text, "{}", format!("{value:.8e}").parse().unwrap_or(value))),
        };
        if said.is_some_and(|written| written.is_ok()) { text } else { "null".to_owned() }
    }

    pub(crate) fn save(&self, to: &mut Writer) {
        let decimal =
            |to: &mut Writer, number: Decimal| number.halves().iter().for_each(|half| to.i128(*half));
        match self {
            Self::Count(count) => to.u64(*count),
            Self::Sum(sum, count) | Self::Average(sum, count) => {
                decimal(to, *sum);
                to.u64(*count);
            }
            Self::Min(number) | Self::Max(number) => {
                to.u8(u8::from(number.is_some()));
                number.iter().for_each(|number| decimal(to, *number));
            }
            Self::First(value) | Self::Last(value) => {
                to.u8(u8::from(value.is_some()));
                if let Some((time, json)) = value {
                    to.i64(*time);
                    to.bytes(json.as_bytes());
                }
            }
            Self::Distinct(distinct) => distinct.save(to),
            Self::Quantile(_, quantiles) => quantiles.save(to),
        }
    }

    pub(crate) fn restore(aggregate: Aggregate, from: &mut Reader) -> Result<Self, Corrupt> {
        let decimal = |from: &mut Reader| Ok::<_, Corrupt>(Decimal::of_halves([from.i128()?, from.i128()?]));
        let number = |from: &mut Reader| if from.flag()? { decimal(from).map(Some) } else { Ok(None) };
        let value = |from: &mut Reader| {
            if from.flag()? { Ok(Some((from.i64()?, from.text()?.into()))) } else { Ok::<_, Corrupt>(None) }
        };
        Ok(match aggregate {
            Aggregate::Count => Self::Count(from.u64()?),
            Aggregate::Sum => Self::Sum(decimal(from)?, from.u64()?),
            Aggregate::Average => Self::Average(decimal(from)?, from.u64()?),
            Aggregate::Min => Self::Min(number(from)?),
            Aggregate::Max => Self::Max(number(from)?),
            Aggregate::First => Self::First(value(from)?),
            Aggregate::Last => Self::Last(value(from)?),
            Aggregate::Distinct => Self::Distinct(Box::new(Distinct::restore(from)?)),
            Aggregate::Quantile(per_mille) => Self::Quantile(per_mille, Box::new(Quantiles::restore(from)?)),
        })
    }
}
