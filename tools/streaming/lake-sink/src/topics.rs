//! Rows from topics: what transactions have committed, from where the lake ends.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cli::Error;
use kafka::{Consumer, Event, Isolation, Place};
use model::{Fault, Kind};
use process::Stop;

use crate::Args;
use crate::run::{Cut, Row, Run, Whole};

/// How many messages go by between two looks at the clock.
const STRIDE: u32 = 1000;

/// A partition that is read.
struct Part {
    name: String,
    next: i64,
    /// Where it ends, if the run does.
    end: Option<i64>,
    /// All there is was read, for now.
    at_end: bool,
}

impl Part {
    fn is_done(&self) -> bool {
        self.end.is_some_and(|end| self.next >= end)
    }
}

/// Reads until a signal, or, with `--until end`, what is there now. The lake
/// itself says where to begin: no group has to know.
pub(crate) fn all(run: &mut Run, topics: &[String], args: &Args, stop: &Stop) -> cli::Result<()> {
    let doing = format!("reading {}", args.input);
    let connection = args.brokers.connection(run.job.kafka.as_ref())?;
    let cluster = connection.cluster().map_err(told(&doing))?;
    let mut places = Vec::new();
    for topic in topics {
        places.extend(cluster.topic(topic).map_err(told(&doing))?.places());
    }
    run.share(places.len());
    let begins = cluster.begins(&places).map_err(told(&doing))?;
    let ends = args.until.map(|_| cluster.ends(&places).map_err(told(&doing))).transpose()?;
    let mut parts = BTreeMap::new();
    for place in places {
        let begin = begins.get(&place).copied().unwrap_or_default();
        let name = place.partition.to_string();
        let held = run.lake.held(&place.topic, &name).map(|held| i64::try_from(held.to).unwrap_or(i64::MAX));
        let next = match held {
            Some(held) if held < begin && !args.accept_gap => {
                let why = format!(
                    "{place}: the offsets {held} to {} were deleted before they were read",
                    begin - 1
                );
                return Err(Error::invalid(doing, why).hint("--accept-gap goes on without them"));
            }
            Some(held) => held.max(begin),
            None => begin,
        };
        let end = ends.as_ref().and_then(|ends| ends.get(&place).copied());
        parts.insert(place, Part { name, next, end, at_end: false });
    }
    let from =
        parts.iter().filter(|(_, part)| !part.is_done()).map(|(place, part)| (place.clone(), part.next));
    let consumer =
        Consumer::assigned(&connection, None, Isolation::Committed, &from.collect()).map_err(told(&doing))?;
    let went = through(run, &consumer, &mut parts, args, stop, &doing);
    run.whole(went)?;
    let interrupted = stop.requested();
    run.commit_all(if interrupted { Cut::Early } else { Cut::End })?;
    if interrupted && (args.until.is_some() || stop.is_over()) {
        return Err(Error::unavailable(doing, format!("{}; what was read is in the lake", stop.why())));
    }
    Ok(())
}

fn through(
    run: &mut Run,
    consumer: &Consumer,
    parts: &mut BTreeMap<Place, Part>,
    args: &Args,
    stop: &Stop,
    doing: &str,
) -> cli::Result<()> {
    let mut came = Instant::now();
    let mut number = 0;
    while !stop.requested() && !parts.values().all(Part::is_done) {
        let mut any = false;
        for _ in 0..STRIDE {
            let timeout = if any { Duration::ZERO } else { Duration::from_millis(50) };
            match consumer.poll(timeout).map_err(told(doing))? {
                Event::Message(message) => {
                    any = true;
                    number += 1;
                    let place = Place::new(message.topic(), message.partition());
                    let Some(part) = parts.get_mut(&place) else { continue };
                    let offset = message.offset();
                    part.at_end = false;
                    if offset < part.next || part.end.is_some_and(|end| offset >= end) {
                        part.next = part.next.max(part.end.unwrap_or_default());
                        continue;
                    }
                    part.next = offset + 1;
                    run.counts.read += 1;
                    let offset = u64::try_from(offset).unwrap_or_default();
                    let value = message.value().unwrap_or_default();
                    let row = Row { offset, number, whole: Whole::Message(&message), value };
                    run.row(&place.topic, &part.name, row)?;
                }
                Event::End(place, offset) => {
                    if let Some(part) = parts.get_mut(&place) {
                        part.at_end = true;
                        part.next = part.next.max(offset);
                    }
                    break;
                }
                Event::Nothing => break,
                Event::Assigned(_) | Event::Revoked(_) => {}
            }
        }
        run.commit_old()?;
        if any {
            came = Instant::now();
        }
        let waits = |(_, part): &(&Place, &Part)| !part.at_end && !part.is_done();
        let patience = Duration::from(args.stall);
        if came.elapsed() > patience
            && let Some((place, _)) = parts.iter().find(waits)
        {
            let why = format!("nothing came from {place} for {} s", patience.as_secs());
            let error = consumer.explain(kafka::Error::Other(why));
            return Err(Error::unavailable(doing, format!("stalled: {error}")));
        }
    }
    Ok(())
}

fn told(doing: &str) -> impl FnOnce(kafka::Error) -> Error {
    move |error| {
        let why = format!("{}: {error}", error.word());
        match error.kind() {
            Kind::Invalid => Error::invalid(doing, why),
            Kind::Unavailable => Error::unavailable(doing, why),
        }
    }
}
