//! How far it has come, and how it ended.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cli::Series;
use kafka::{Place, Run};
use model::{Fault, Kind};

use crate::job::Rate;

/// Why a run did not come to its end.
#[derive(Debug)]
pub(crate) enum Ended {
    Failed(cli::Error),
    /// Another run with this transactional id has taken over; what was being done.
    Fenced(String),
    /// By a signal (`None`), the deadline, or because nothing came: what was read is finished first.
    Stopped(Option<String>),
}

pub(crate) type Result<T> = std::result::Result<T, Ended>;

impl From<cli::Error> for Ended {
    fn from(error: cli::Error) -> Self {
        Self::Failed(error)
    }
}

/// What the brokers said, with its word.
pub(crate) fn told(doing: impl Into<String>) -> impl FnOnce(kafka::Error) -> Ended {
    let doing = doing.into();
    move |error| {
        let why = format!("{}: {error}", error.word());
        let hint = match &error {
            kafka::Error::Fenced => return Ended::Fenced(doing),
            kafka::Error::TooLarge(_) => {
                Some("the brokers' message.max.bytes or the topic's max.message.bytes is smaller")
            }
            kafka::Error::Invalid(text) if text.contains("is gone") => Some(
                "messages were deleted before they were read; set the group's offset, or take another --group",
            ),
            _ => None,
        };
        let failed = match error.kind() {
            Kind::Invalid => cli::Error::invalid(doing, why),
            Kind::Unavailable => cli::Error::unavailable(doing, why),
        };
        Ended::Failed(match hint {
            Some(hint) => failed.hint(hint),
            None => failed,
        })
    }
}

/// The closing counts: messages in are those out and those rejected.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) read: u64,
    pub(crate) out: u64,
    pub(crate) rejected: u64,
    /// What was read of each partition.
    pub(crate) from: BTreeMap<Place, Run>,
    /// What was written to each partition.
    pub(crate) to: BTreeMap<Place, Run>,
}

impl Progress {
    /// Tells them, aloud if something was rejected.
    pub(crate) fn say(&self) {
        let Self { read, out, rejected, .. } = self;
        let said = format!("{read} in = {out} out + {rejected} rejected");
        if *rejected > 0 {
            cli::warn(said);
        } else {
            cli::note(said);
        }
        for (way, runs) in [("from", &self.from), ("to", &self.to)] {
            for (place, run) in runs {
                let Run { first, last, count } = run;
                cli::note(format!("{way} {place}: {count} messages, offsets {first} to {last}"));
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "Prometheus counts in doubles")]
    pub(crate) fn metrics(&self) -> Vec<Series<'static>> {
        let count = |name, help, value: u64| Series { name, help, values: vec![(Vec::new(), value as f64)] };
        let last = |name, help, runs: &BTreeMap<Place, Run>| {
            let labels = |place: &Place| {
                vec![("topic", place.topic.clone()), ("partition", place.partition.to_string())]
            };
            let values = runs.iter().map(|(place, run)| (labels(place), run.last as f64));
            Series { name, help, values: values.collect() }
        };
        vec![
            count("kafka_relay_in_total", "messages read", self.read),
            count("kafka_relay_out_total", "messages written", self.out),
            count("kafka_relay_rejected_total", "messages put aside", self.rejected),
            last("kafka_relay_from_offset", "the last offset read of a partition", &self.from),
            last("kafka_relay_to_offset", "the last offset written of a partition", &self.to),
        ]
    }
}

/// Holds a run to its rate.
pub(crate) struct Pace {
    rate: Option<Rate>,
    since: Instant,
    spent: u64,
}

impl Pace {
    pub(crate) fn of(rate: Option<Rate>) -> Self {
        Self { rate, since: Instant::now(), spent: 0 }
    }

    /// A message of so many bytes has gone; whether the next one must wait.
    #[inline]
    pub(crate) fn spend(&mut self, bytes: usize) -> bool {
        let Some(rate) = self.rate else { return false };
        self.spent += if rate.bytes { bytes as u64 } else { 1 };
        self.hold().is_some()
    }

    /// How long to wait before the next message: a tenth of a second at a time,
    /// so that signals and commits do not.
    #[inline]
    pub(crate) fn hold(&mut self) -> Option<Duration> {
        let ahead = self.ahead(self.rate?, self.since.elapsed());
        ahead.map(|ahead| ahead.min(Duration::from_millis(100)))
    }

    fn ahead(&mut self, rate: Rate, elapsed: Duration) -> Option<Duration> {
        let due = Duration::from_secs(self.spent / rate.per_second)
            + Duration::from_nanos(self.spent % rate.per_second * 1_000_000_000 / rate.per_second);
        let ahead = due.saturating_sub(elapsed);
        // What was not used while nothing came is not made up for.
        if elapsed > due + Duration::from_secs(1) {
            self.since = Instant::now();
            self.spent = 0;
        }
        (ahead > Duration::from_millis(5)).then_some(ahead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_waited_for_once_it_is_ahead_of_time() {
        let rate = Rate { per_second: 100, bytes: false };
        let mut pace = Pace { rate: Some(rate), since: Instant::now(), spent: 50 };
        assert_eq!(pace.ahead(rate, Duration::from_millis(400)), Some(Duration::from_millis(100)));
        assert_eq!(pace.ahead(rate, Duration::from_millis(600)), None);
        assert_eq!(pace.spent, 50);
        assert_eq!(pace.ahead(rate, Duration::from_secs(3)), None);
        assert_eq!(pace.spent, 0);
    }

    #[test]
    fn being_fenced_is_an_answer_and_everything_else_an_error_with_its_word() {
        assert!(matches!(told("writing")(kafka::Error::Fenced), Ended::Fenced(_)));
        let Ended::Failed(error) = told("writing topic P")(kafka::Error::Timeout) else { panic!() };
        assert_eq!(
            (error.status(), error.to_string().as_str()),
            (3, "writing topic P: network: no answer in time")
        );
    }
}
