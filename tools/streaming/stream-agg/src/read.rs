//! From a line to an event.

use model::Reject;
use ndjson::{Block, Fields, Habit, Line, Value};
use window::{Decimal, Input, Side};

use crate::time::{self, Clock, Unit};

/// The longest line: 1 MiB.
pub(crate) const LINE_BYTES: usize = 1 << 20;

/// Between the parts of a key: JSON holds no control characters.
pub(crate) const BETWEEN: u8 = 0x1e;

/// Where in a line what stands.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    /// What is wanted of a row, and of one that is joined to it.
    pub(crate) fields: [Fields; 2],
    /// The row's time, on both sides.
    pub(crate) time: [Place; 2],
    pub(crate) unit: Option<Unit>,
    pub(crate) keys: Vec<Place>,
    /// Where each aggregate takes its values from.
    pub(crate) inputs: Vec<Origin>,
    /// What makes two rows the same; empty if all count.
    pub(crate) identity: Vec<Place>,
    /// What two rows must have in common to be joined, on both sides.
    pub(crate) on: [Vec<Place>; 2],
    /// The topic and partition of messages, if lines are messages.
    pub(crate) envelope: Option<[Place; 2]>,
    /// The topic whose rows are joined.
    pub(crate) joined: Option<String>,
}

/// A field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Which row it is a field of: 0 or, of the joined one, 1.
    pub(crate) side: usize,
    pub(crate) slot: usize,
    /// How it is called in messages.
    pub(crate) path: String,
}

/// Where an aggregate takes its values from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It counts rows.
    Row,
    /// A field that holds numbers.
    Number(Place),
    /// A field that holds anything.
    Any(Place),
    /// The same as that of an earlier aggregate.
    Earlier(usize),
}

/// Why a line is no event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Bad {
    #[error("longer than {LINE_BYTES} bytes")]
    TooLong,
    #[error("{0}")]
    Broken(#[from] ndjson::Broken),
    #[error("{field}: {why}")]
    Field { field: String, why: String },
}

impl Bad {
    fn field(place: &Place, why: impl Into<String>) -> Self {
        Self::Field { field: place.path.clone(), why: why.into() }
    }
}

/// Events of many lines, in room that is used again.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) events: Vec<Event>,
    /// How many lines it was read from.
    pub(crate) lines: usize,
    /// What the events' places point into.
    text: String,
    values: Vec<Kept>,
    numbers: Vec<Decimal>,
}

/// A line that was read.
#[derive(Debug)]
pub(crate) struct Event {
    /// Which line of its block it is, where that begins, and its length.
    line: [usize; 3],
    pub(crate) found: Result<Found, Box<Bad>>,
}

impl Event {
    /// The line it was read from.
    #[inline]
    pub(crate) fn line<'a>(&self, block: &'a Block) -> Line<'a> {
        let [index, start, length] = self.line;
        block.line(index, start, length)
    }
}

/// What was found in a line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) time_us: i64,
    /// Of a row that is joined, or joined to, what they must have in common.
    key: Span,
    values: usize,
    identity: Span,
    topic: Span,
    pub(crate) partition: i32,
    pub(crate) side: Side,
}

type Span = (usize, usize);

/// A value, beside the line it was read from.
#[derive(Clone, Copy, Debug)]
enum Kept {
    Nothing,
    Here,
    /// Its place among the numbers.
    Number(usize),
    Json(Span),
}

/// What lines are read with.
#[derive(Debug)]
pub(crate) struct Room {
    found: [Vec<Value<'static>>; 2],
    clock: Clock,
    habit: Habit,
}

impl Batch {
    pub(crate) fn clear(&mut self) {
        self.events.clear();
        self.lines = 0;
        self.text.clear();
        self.values.clear();
        self.numbers.clear();
    }

    pub(crate) fn key(&self, found: &Found) -> &[u8] {
        &self.text.as_bytes()[found.key.0..found.key.1]
    }

    pub(crate) fn identity(&self, found: &Found) -> &[u8] {
        &self.text.as_bytes()[found.identity.0..found.identity.1]
    }

    pub(crate) fn topic(&self, found: &Found) -> &str {
        &self.text[found.topic.0..found.topic.1]
    }

    /// The value for each aggregate.
    #[inline]
    pub(crate) fn values<'a>(&'a self, found: &Found, count: usize, values: &mut Vec<Input<'a>>) {
        values.clear();
        values.extend(self.values[found.values..found.values + count].iter().map(|kept| match *kept {
            Kept::Nothing => Input::Nothing,
            Kept::Here => Input::Here,
            Kept::Number(at) => Input::Number(self.numbers[at]),
            Kept::Json((from, to)) => Input::Json(&self.text[from..to]),
        }));
    }

    /// The next line's event.
    #[inline]
    fn put(&mut self, start: usize, length: usize, found: Option<Result<Found, Bad>>) {
        if let Some(found) = found {
            self.events.push(Event { line: [self.lines, start, length], found: found.map_err(Box::new) });
        }
        self.lines += 1;
    }

    fn span(&mut self, from: usize) -> Span {
        (from, self.text.len())
    }
}

impl Reading {
    pub(crate) fn room(&self) -> Room {
        let found = [self.fields[0].none(), self.fields[1].none()];
        Room { found, clock: Clock::default(), habit: Habit::default() }
    }

    /// Reads the lines of a block; blank ones are passed over.
    pub(crate) fn block(&self, block: &Block, batch: &mut Batch) {
        batch.clear();
        let (mut room, mut habit) = (self.room(), Habit::default());
        let Some(text) = block.text() else {
            let mut start = 0;
            for line in block.lines() {
                let length = usize::try_from(line.length_bytes).unwrap_or(usize::MAX);
                let found = self.line(&line, &mut room, batch);
                batch.put(start, length, found);
                start += length + 1;
            }
            return;
        };
        let (mut start, mut found) = (0, self.fields[0].none());
        while start < text.len() {
            let (length, read) = self.fields[0].first(&text[start..], &mut habit, &mut found);
            let line = block.line(batch.lines, start, length);
            let found = match read {
                Ok(()) if !line.is_too_long() => Some(self.event(&found, line.bytes, &mut room, batch)),
                _ => self.line(&line, &mut room, batch),
            };
            batch.put(start, length, found);
            start += length + 1;
        }
    }

    /// Reads a line; nothing if it is blank.
    pub(crate) fn line(&self, line: &Line, room: &mut Room, batch: &mut Batch) -> Option<Result<Found, Bad>> {
        if line.is_too_long() {
            return Some(Err(Bad::TooLong));
        }
        (!line.bytes.trim_ascii().is_empty()).then(|| self.row(line.bytes, room, batch))
    }

    pub(crate) fn row(&self, line: &[u8], room: &mut Room, batch: &mut Batch) -> Result<Found, Bad> {
        let mut found = ndjson::emptied(std::mem::take(&mut room.found[0]));
        // A line that is like the ones before it is read faster, but a message may be several lines.
        let is_alike = std::str::from_utf8(line).is_ok_and(|text| {
            let (length, read) = self.fields[0].first(text, &mut room.habit, &mut found);
            read.is_ok() && length == line.len()
        });
        let read = if is_alike { Ok(()) } else { self.fields[0].find(line, &mut found).map_err(Bad::from) };
        let read = read.and_then(|()| self.event(&found, line, room, batch));
        room.found[0] = ndjson::emptied(found);
        read
    }

    /// The event of a row in which that was found.
    #[inline]
    fn event(&self, found: &[Value], line: &[u8], room: &mut Room, batch: &mut Batch) -> Result<Found, Bad> {
        match self.message(found, batch)? {
            (topic, partition, Side::Left) => {
                self.left(found, &mut room.clock, batch).map(|found| Found { topic, partition, ..found })
            }
            (topic, partition, Side::Right) => {
                self.joined_row(line, room, batch).map(|found| Found { topic, partition, ..found })
            }
        }
    }

    /// A row of the topic that is joined.
    pub(crate) fn joined_row(&self, line: &[u8], room: &mut Room, batch: &mut Batch) -> Result<Found, Bad> {
        let mut found = ndjson::emptied(std::mem::take(&mut room.found[1]));
        let read = self.fields[1].find(line, &mut found).map_err(Bad::from);
        let read = read.and_then(|()| self.right(&found, &mut room.clock, batch));
        room.found[1] = ndjson::emptied(found);
        read
    }

    /// The event two joined rows are.
    pub(crate) fn pair(&self, rows: [&[u8]; 2], batch: &mut Batch) -> Result<Found, Bad> {
        let mut found = [self.fields[0].none(), self.fields[1].none()];
        for ((fields, row), found) in self.fields.iter().zip(rows).zip(&mut found) {
            fields.find(row, found)?;
        }
        let found = [&found[0][..], &found[1][..]];
        let key = key_of(&self.keys, found, batch)?;
        let values = self.put_values(found, batch)?;
        Ok(Found { time_us: 0, key, values, identity: (0, 0), topic: (0, 0), partition: 0, side: Side::Left })
    }

    /// Topic, partition and side of a message; rows that are none have no topic.
    #[inline]
    fn message(&self, found: &[Value], batch: &mut Batch) -> Result<(Span, i32, Side), Bad> {
        let Some([topic, partition]) = &self.envelope else { return Ok(((0, 0), 0, Side::Left)) };
        let number = match found[partition.slot] {
            Value::Number(number) => number.parse().ok(),
            _ => None,
        };
        let number = number.ok_or_else(|| Bad::field(partition, "the number of a partition is needed"))?;
        let name =
            found[topic.slot].text().ok_or_else(|| Bad::field(topic, "the name of a topic is needed"))?;
        let from = batch.text.len();
        batch.text.push_str(&name);
        let side = if self.joined.as_deref() == Some(&*name) { Side::Right } else { Side::Left };
        Ok((batch.span(from), number, side))
    }

    #[inline]
    fn left(&self, found: &[Value], clock: &mut Clock, batch: &mut Batch) -> Result<Found, Bad> {
        let time_us = self.time(&self.time[0], found, clock)?;
        let joins = self.joined.is_some();
        let both = [found, &[]];
        let key = key_of(if joins { &self.on[0] } else { &self.keys }, both, batch)?;
        let identity = key_of(&self.identity, both, batch)?;
        // Those of a row that waits for others are read again; now they are only looked at.
        let values = self.put_values(both, batch)?;
        if joins {
            key_of(&self.keys, both, batch)?;
        }
        Ok(Found { time_us, key, values, identity, topic: (0, 0), partition: 0, side: Side::Left })
    }

    fn right(&self, found: &[Value], clock: &mut Clock, batch: &mut Batch) -> Result<Found, Bad> {
        let time_us = self.time(&self.time[1], found, clock)?;
        let both = [&[], found];
        let key = key_of(&self.on[1], both, batch)?;
        let values = self.put_values(both, batch)?;
        key_of(&self.keys, both, batch)?;
        Ok(Found { time_us, key, values, identity: (0, 0), topic: (0, 0), partition: 0, side: Side::Right })
    }

    #[inline]
    fn time(&self, place: &Place, found: &[Value], clock: &mut Clock) -> Result<i64, Bad> {
        let time = match (found[place.slot], self.unit) {
            (Value::Text(text), _) => match text.unescaped() {
                Some(text) => clock.of_text(text),
                None => clock.of_text(&text.plain()),
            }
            .ok_or_else(|| Bad::field(place, "not a time of RFC 3339 such as 2026-01-31T12:00:00Z"))?,
            (Value::Number(text), Some(unit)) => {
                time::of_number(text, unit).ok_or_else(|| Bad::field(place, "not a time"))?
            }
            (Value::Number(_), None) => {
                return Err(Bad::field(place, "a number, and --time-unit does not say what it counts"));
            }
            (other, _) => {
                return Err(Bad::field(place, format!("a time is needed, this is {}", other.kind())));
            }
        };
        if time::is_sane(time) { Ok(time) } else { Err(Bad::field(place, "not between 1970 and 2199")) }
    }

    /// What a row brings for each aggregate.
    #[inline]
    fn put_values(&self, found: [&[Value]; 2], batch: &mut Batch) -> Result<usize, Bad> {
        let first = batch.values.len();
        for origin in &self.inputs {
            let kept = match origin {
                Origin::Row => Kept::Here,
                Origin::Earlier(at) => batch.values[first + at],
                Origin::Number(place) => match value(place, found) {
                    Value::Missing | Value::Null => Kept::Nothing,
                    Value::Number(text) => {
                        let number = text.parse();
                        let told = |error| Bad::field(place, window::NotExact::to_string(&error));
                        batch.numbers.push(number.map_err(told)?);
                        Kept::Number(batch.numbers.len() - 1)
                    }
                    other => {
                        let why = format!("a number is needed, this is {}", other.kind());
                        return Err(Bad::field(place, why));
                    }
                },
                Origin::Any(place) => {
                    let from = batch.text.len();
                    match value(place, found) {
                        Value::Missing | Value::Null => {}
                        Value::Text(text) => match text.unescaped() {
                            Some(_) => batch.text.push_str(text.quoted()),
                            None => batch.text.push_str(&canonical(&text)),
                        },
                        Value::Number(text) | Value::Array(text) | Value::Object(text) => {
                            batch.text.push_str(text);
                        }
                        Value::Bool(yes) => batch.text.push_str(if yes { "true" } else { "false" }),
                    }
                    match batch.span(from) {
                        (from, to) if from == to => Kept::Nothing,
                        span => Kept::Json(span),
                    }
                }
            };
            batch.values.push(kept);
        }
        Ok(first)
    }
}

/// The values at some places as JSON, one after the other.
#[inline]
fn key_of(places: &[Place], found: [&[Value]; 2], batch: &mut Batch) -> Result<Span, Bad> {
    let from = batch.text.len();
    for (at, place) in places.iter().enumerate() {
        if at > 0 {
            batch.text.push(char::from(BETWEEN));
        }
        match value(place, found) {
            Value::Missing | Value::Null => batch.text.push_str("null"),
            Value::Bool(yes) => batch.text.push_str(if yes { "true" } else { "false" }),
            Value::Number(text) => batch.text.push_str(text),
            Value::Text(text) => match text.unescaped() {
                Some(_) => batch.text.push_str(text.quoted()),
                None => batch.text.push_str(&canonical(&text)),
            },
            other @ (Value::Array(_) | Value::Object(_)) => {
                return Err(Bad::field(place, format!("{} cannot be a key", other.kind())));
            }
        }
    }
    Ok(batch.span(from))
}

/// What stands at a place; nothing of a row that is not there.
#[inline]
fn value<'a>(place: &Place, found: [&[Value<'a>]; 2]) -> Value<'a> {
    found[place.side].get(place.slot).copied().unwrap_or_default()
}

/// A string with escapes, with only those it needs.
fn canonical(text: &ndjson::Text) -> String {
    serde_json::Value::from(text.plain()).to_string()
}

/// A line of `--reject`: the row as it came, with the reason.
pub(crate) fn reject(line: &Line, bad: &Bad) -> Reject {
    let row = Reject::of(line.number, line.bytes, line.length_bytes);
    match bad {
        Bad::Field { field, why } => {
            Reject { field: Some(field.clone()), rule: Some("type".to_owned()), error: why.clone(), ..row }
        }
        Bad::Broken(broken) => Reject { error: broken.to_string(), ..row },
        Bad::TooLong => Reject { rule: Some("length".to_owned()), error: bad.to_string(), ..row },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(fields: &mut Fields, path: &str) -> Place {
        Place { side: 0, slot: fields.want(path).unwrap(), path: path.to_owned() }
    }

    fn reading(keys: &[&str], numbers: &[&str], other: &[&str]) -> Reading {
        let mut fields = Fields::new();
        let time = place(&mut fields, "ts");
        let keys = keys.iter().map(|path| place(&mut fields, path)).collect();
        let mut inputs: Vec<_> =
            numbers.iter().map(|path| Origin::Number(place(&mut fields, path))).collect();
        inputs.extend(other.iter().map(|path| Origin::Any(place(&mut fields, path))));
        Reading {
            fields: [fields, Fields::new()],
            time: [time.clone(), time],
            unit: None,
            keys,
            inputs,
            identity: Vec::new(),
            on: [Vec::new(), Vec::new()],
            envelope: None,
            joined: None,
        }
    }

    fn read(reading: &Reading, row: &str) -> Result<(Batch, Found), Bad> {
        let mut batch = Batch::default();
        let row = format!("{{\"ts\":\"2026-01-01T00:00:00Z\",{}", row.strip_prefix('{').unwrap());
        reading.row(row.as_bytes(), &mut reading.room(), &mut batch).map(|found| (batch, found))
    }

    fn key_in(line: &str) -> Result<String, Bad> {
        let (batch, found) = read(&reading(&["a", "b"], &[], &[]), line)?;
        Ok(String::from_utf8(batch.key(&found).to_vec()).unwrap())
    }

    #[test]
    fn a_key_is_the_same_however_its_text_was_escaped() {
        let expected = Ok("\"é/\\n\"\u{1e}null".to_owned());
        assert_eq!(key_in(r#"{"a":"é/\n"}"#), expected);
        assert_eq!(key_in(r#"{"a":"\u00e9\/\u000a","b":null}"#), expected);
    }

    #[test]
    fn a_list_or_an_object_is_no_key() {
        assert_eq!(key_in(r#"{"a":[1]}"#).unwrap_err().to_string(), "a: a list cannot be a key");
        assert_eq!(key_in(r#"{"b":{}}"#).unwrap_err().to_string(), "b: an object cannot be a key");
    }

    #[test]
    fn what_is_no_number_is_told_where_one_is_needed() {
        let reading = reading(&[], &["n"], &["any"]);
        let told = |line: &str| {
            read(&reading, line).map(|(batch, found)| {
                let mut values = Vec::new();
                batch.values(&found, 2, &mut values);
                format!("{values:?}")
            })
        };
        assert_eq!(told(r#"{"n":null}"#).as_deref(), Ok("[Nothing, Nothing]"));
        assert_eq!(told(r#"{"n":null,"any":"\u0041"}"#).as_deref(), Ok(r#"[Nothing, Json("\"A\"")]"#));
        assert_eq!(told(r#"{"n":"1"}"#).unwrap_err().to_string(), "n: a number is needed, this is a string");
        assert!(told(r#"{"n":1e99}"#).unwrap_err().to_string().contains("more than 24 digits"));
    }
}
