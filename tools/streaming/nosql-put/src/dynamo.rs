//! `DynamoDB`: one conditional put an item, several at a time.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use aws::Signing;
use cli::{Access, Error};
use http::{Client, Request};
use model::{Fault, Kind};
use process::Stop;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::item::{Bad, Item, Key};
use crate::job::Job;
use crate::store::{Backoff, Store, Tally};

/// So many items are looked at in one go.
const BATCH: usize = 256;

/// So many are on their way at a time, if the server keeps up.
const WIDTH: usize = 16;

/// The largest item, as Amazon counts.
const ITEM_BYTES: usize = 400 << 10;

/// An item's attributes may be nested so deep.
const DEPTH: usize = 32;

/// An item that is in our way comes with the answer.
const ANSWER_BYTES: u64 = 8 << 20;

/// The version of what is there.
const VERSION: &str = "_v";

/// What was deleted has it.
const DELETED: &str = "_deleted";

/// A table of `DynamoDB`.
pub(crate) struct Dynamo {
    doing: String,
    client: Client,
    access: Access,
    server: String,
    host: String,
    table: String,
    hash: Part,
    range: Option<Part>,
    /// So many are on their way at a time now.
    width: usize,
    backoff: Backoff,
}

/// A part of the table's key, and the field it comes from.
#[derive(Clone, Debug, Default)]
struct Part {
    name: String,
    is_number: bool,
    field: String,
    longest_bytes: usize,
}

/// What became of an item.
enum Went {
    Put,
    Same,
    Older,
    /// The store will never take it.
    Refused(Bad),
    /// It may go better: the word, why, and when.
    Later(&'static str, String, Option<Duration>),
    Failed(Error),
}

/// Why there is no good answer.
enum No {
    /// What is there is newer, or the same, or not ours.
    Condition(Value),
    Row(String),
    Later(&'static str, String, Option<Duration>),
    Failed(Error),
}

impl Dynamo {
    pub(crate) fn open(job: &Job, access: Access, stop: &Arc<Stop>) -> cli::Result<Self> {
        let server = job.url.clone().or_else(|| access.endpoint.clone());
        let server = server.unwrap_or_else(|| format!("https://dynamodb.{}.amazonaws.com", access.region));
        let server = server.trim_end_matches('/').to_owned();
        let doing = format!("putting into DynamoDB's {}", job.table);
        let host = server.strip_prefix("https://").or_else(|| server.strip_prefix("http://"));
        let host = host.filter(|host| !host.is_empty() && !host.contains(['/', '@', '?', '#']));
        let Some(host) = host.map(str::to_owned) else {
            return Err(Error::invalid(doing, "a server is https://HOST[:PORT]"));
        };
        let options = http::Options { trust: access.trust.clone(), ..http::Options::default() };
        let client = Client::new(&options).map_err(|error| Error::invalid(&doing, error))?;
        let backoff = Backoff::new(stop).tries(access.tries);
        let (table, hash) = (job.table.clone(), Part::default());
        let mut dynamo =
            Self { doing, client, access, server, host, table, hash, range: None, width: WIDTH, backoff };
        let table = dynamo.describe()?;
        (dynamo.hash, dynamo.range) =
            key_of(&table, job).map_err(|why| Error::invalid(&dynamo.doing, why))?;
        Ok(dynamo)
    }

    /// What the table is.
    fn describe(&mut self) -> cli::Result<Value> {
        loop {
            let (word, why, asked) = match self.call("DescribeTable", &json!({"TableName": self.table})) {
                Ok(mut answer) => match answer["Table"]["TableStatus"].as_str() {
                    Some("CREATING") => ("throttled", "the table is being made".to_owned(), None),
                    _ => return Ok(answer["Table"].take()),
                },
                Err(No::Later(word, why, asked)) => (word, why, asked),
                Err(No::Failed(error)) => return Err(error),
                Err(No::Row(why)) => return Err(Error::invalid(&self.doing, why)),
                Err(No::Condition(_)) => {
                    return Err(Error::invalid(&self.doing, "an answer that makes no sense"));
                }
            };
            self.backoff.wait(&self.doing, word, &why, asked)?;
        }
    }

    fn call(&self, what: &str, body: &Value) -> Result<Value, No> {
        let body = body.to_string().into_bytes();
        let target = format!("DynamoDB_20120810.{what}");
        let special = [("content-type", "application/x-amz-json-1.0"), ("x-amz-target", &*target)];
        let signing = Signing {
            service: "dynamodb",
            method: "POST",
            host: &self.host,
            path: "/",
            query: "",
            body: &body,
            headers: &special,
        };
        let Access { credentials, region, attempt, .. } = &self.access;
        let signed = signing.headers(credentials, region, SystemTime::now());
        let mut request = Request::new("POST", &format!("{}/", self.server));
        let signed = signed.iter().map(|(name, value)| (*name, &**value));
        for (name, value) in special.into_iter().chain(signed) {
            request = request.header(name, value);
        }
        let answer = self.client.send(&request.body(body), Instant::now() + *attempt);
        let answer = answer.map_err(|error| self.broken(&error))?;
        let (status, asked) = (answer.status(), answer.retry_after());
        let text = answer.bytes(ANSWER_BYTES).map_err(|error| self.broken(&error))?;
        let answer: Option<Value> = serde_json::from_slice(&text).ok();
        match (status, answer) {
            (200, Some(answer)) => Ok(answer),
            (200, None) => Err(No::Later("network", "an answer that makes no sense".to_owned(), None)),
            (status, answer) => Err(self.refused(status, answer.unwrap_or_default(), asked)),
        }
    }

    fn broken(&self, error: &http::Error) -> No {
        match error.kind() {
            Kind::Unavailable => No::Later("network", error.to_string(), error.retry_after()),
            Kind::Invalid => No::Failed(Error::invalid(&self.doing, error)),
        }
    }

    /// What an answer of another status means.
    fn refused(&self, status: u16, mut answer: Value, asked: Option<Duration>) -> No {
        let name = answer["__type"].as_str().unwrap_or_default();
        let name = name.rsplit(['#', '.']).next().unwrap_or_default().to_owned();
        let message = answer["message"].as_str().or_else(|| answer["Message"].as_str());
        let message: String = message.unwrap_or_default().chars().filter(|c| !c.is_control()).collect();
        let why = format!("{name}: {message}");
        let invalid = |why: String| No::Failed(Error::invalid(&self.doing, why));
        match &*name {
            "ConditionalCheckFailedException" => No::Condition(answer["Item"].take()),
            "ValidationException" | "ItemCollectionSizeLimitExceededException" => No::Row(message),
            "ResourceNotFoundException" => invalid(format!("no_such_table: {message}")),
            "AccessDeniedException"
            | "ExpiredTokenException"
            | "IncompleteSignatureException"
            | "InvalidSignatureException"
            | "MissingAuthenticationTokenException"
            | "UnrecognizedClientException" => invalid(format!("auth: {why}")),
            "ProvisionedThroughputExceededException"
            | "RequestLimitExceeded"
            | "ThrottlingException"
            | "LimitExceededException"
            | "ReplicatedWriteConflictException"
            | "TransactionConflictException" => No::Later("throttled", why, asked),
            _ if status == 429 => No::Later("throttled", format!("answered {status}: {why}"), asked),
            _ if status == 408 || status >= 500 => {
                No::Later("network", format!("answered {status}: {why}"), asked)
            }
            _ => invalid(format!("answered {status}: {why}")),
        }
    }

    /// An item as the table has it.
    fn attributes(&self, item: &Item) -> Result<Map<String, Value>, Bad> {
        let mut size = 0;
        let mut all = match &item.row {
            Some(row) => fields(row, &mut size)?,
            None => Map::from_iter([(DELETED.to_owned(), json!({"BOOL": true}))]),
        };
        let parts = [(Some(&self.hash), Some(&item.pk)), (self.range.as_ref(), item.sk.as_ref())];
        for (part, key) in parts.into_iter().filter_map(|(part, key)| part.zip(key)) {
            let value = part.value(key)?;
            if part.field != part.name && all.get(&part.name).is_some_and(|there| *there != value) {
                let why = format!("the table's key has this name, and is {}", part.field);
                return Err(Bad::field(&part.name, "name", why));
            }
            size += part.name.len() + key.text().len();
            all.insert(part.name.clone(), value);
        }
        all.insert(VERSION.to_owned(), json!({"N": item.version.to_string()}));
        if size > ITEM_BYTES {
            return Err(Bad { rule: Some("size"), ..Bad::whole("larger than 400 KB") });
        }
        Ok(all)
    }

    fn one(&self, item: &Item) -> Went {
        let attributes = match self.attributes(item) {
            Ok(attributes) => attributes,
            Err(bad) => return Went::Refused(bad),
        };
        let body = json!({
            "TableName": self.table,
            "Item": attributes,
            "ConditionExpression": "attribute_not_exists(#k) OR #v < :v",
            "ExpressionAttributeNames": {"#k": self.hash.name, "#v": VERSION},
            "ExpressionAttributeValues": {":v": {"N": item.version.to_string()}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        });
        match self.call("PutItem", &body) {
            Ok(_) => Went::Put,
            Err(No::Condition(there)) => {
                let version = there[VERSION]["N"].as_str().and_then(|version| version.parse::<u64>().ok());
                match version {
                    Some(version) if version == item.version => Went::Same,
                    Some(_) => Went::Older,
                    None => Went::Failed(
                        Error::invalid(&self.doing, format!("foreign: {} is not ours", item.pk.text()))
                            .hint(format!("an item without {VERSION} stands under a key of these rows")),
                    ),
                }
            }
            Err(No::Row(why)) if why.contains("size") => {
                Went::Refused(Bad { rule: Some("size"), ..Bad::whole(why) })
            }
            Err(No::Row(why)) => Went::Refused(Bad::whole(why)),
            Err(No::Later(word, why, asked)) => Went::Later(word, why, asked),
            Err(No::Failed(error)) => Went::Failed(error),
        }
    }

    /// Puts items, several at a time, until one has to wait; what was not tried is `None`.
    fn round(&self, items: &[Item]) -> Vec<Option<Went>> {
        let went: Vec<_> = items.iter().map(|_| Mutex::new(None)).collect();
        let (next, enough) = (AtomicUsize::new(0), AtomicBool::new(false));
        std::thread::scope(|scope| {
            for _ in 0..self.width.min(items.len()) {
                scope.spawn(|| {
                    while !enough.load(Ordering::Relaxed) {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        let Some(item) = items.get(at) else { return };
                        let one = self.one(item);
                        if matches!(one, Went::Later(..) | Went::Failed(_)) {
                            enough.store(true, Ordering::Relaxed);
                        }
                        *went[at].lock().unwrap_or_else(PoisonError::into_inner) = Some(one);
                    }
                });
            }
        });
        went.into_iter().map(|one| one.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
    }
}

/// The newest of each key, and the others, with whether they are as new.
fn newest(items: Vec<Item>) -> (Vec<Item>, Vec<(Item, bool)>) {
    let mut newest: BTreeMap<_, Item> = BTreeMap::new();
    let mut beaten = Vec::new();
    for item in items {
        match newest.entry((item.pk.clone(), item.sk.clone())) {
            Entry::Vacant(place) => _ = place.insert(item),
            Entry::Occupied(mut place) if place.get().version < item.version => {
                beaten.push((place.insert(item), false));
            }
            Entry::Occupied(place) => {
                let same = place.get().version == item.version;
                beaten.push((item, same));
            }
        }
    }
    (newest.into_values().collect(), beaten)
}

impl Store for Dynamo {
    fn check(&self, item: &Item) -> Result<(), Bad> {
        self.attributes(item).map(|_| ())
    }

    fn batch(&self) -> usize {
        BATCH
    }

    /// A put that fails its condition is paid for: of the same key only the newest is tried, and
    /// the others if the table will not have that.
    fn put(&mut self, items: Vec<Item>, tally: &mut Tally) -> cli::Result<()> {
        let (newest, mut beaten) = newest(items);
        self.settle(newest, tally)?;
        let refused: Vec<_> = tally.refused.iter().map(|(item, _)| (&item.pk, &item.sk)).collect();
        let again = beaten.extract_if(.., |(item, _)| refused.contains(&(&item.pk, &item.sk)));
        let again: Vec<_> = again.map(|(item, _)| item).collect();
        let same = beaten.iter().filter(|(_, same)| *same).count() as u64;
        tally.same += same;
        tally.older += beaten.len() as u64 - same;
        if again.is_empty() { Ok(()) } else { self.put(again, tally) }
    }

    fn finish(&mut self, _: &mut Tally) -> cli::Result<()> {
        Ok(())
    }
}

impl Dynamo {
    fn settle(&mut self, items: Vec<Item>, tally: &mut Tally) -> cli::Result<()> {
        let mut left = items;
        while !left.is_empty() {
            self.backoff.stopped(&self.doing)?;
            let went = self.round(&left);
            let (mut again, mut later, mut failed) = (Vec::new(), None, None);
            let before = left.len();
            for (item, went) in left.into_iter().zip(went) {
                match went {
                    None => again.push(item),
                    Some(Went::Put) if item.row.is_some() => tally.put += 1,
                    Some(Went::Put) => tally.deleted += 1,
                    Some(Went::Same) => tally.same += 1,
                    Some(Went::Older) => tally.older += 1,
                    Some(Went::Refused(bad)) => tally.refused.push((item, bad)),
                    Some(Went::Later(word, why, asked)) => {
                        later = Some((word, why, asked));
                        again.push(item);
                    }
                    Some(Went::Failed(error)) => failed = Some(error),
                }
            }
            if let Some(error) = failed {
                return Err(error);
            }
            if again.len() < before {
                self.backoff.reset();
            }
            if let Some((word, why, asked)) = later {
                if word == "throttled" {
                    self.width = (self.width / 2).max(1);
                }
                self.backoff.wait(&self.doing, word, &why, asked)?;
            } else {
                self.width = (self.width * 2).min(WIDTH);
            }
            left = again;
        }
        Ok(())
    }
}

impl Part {
    fn value(&self, key: &Key) -> Result<Value, Bad> {
        let bad = |why: String| Bad::field(&self.field, "key", why);
        match (key, self.is_number) {
            (Key::Number(text), true) => {
                number(text).map_err(|bad| Bad { field: Some(self.field.clone()), rule: Some("key"), ..bad })
            }
            (Key::Text(_), true) => Err(bad(format!("the table's {} is a number", self.name))),
            (key, false) if key.text().len() > self.longest_bytes => {
                Err(bad(format!("longer than {} bytes", self.longest_bytes)))
            }
            (key, false) => Ok(json!({"S": key.text()})),
        }
    }
}

/// The parts of a table's key.
fn key_of(table: &Value, job: &Job) -> Result<(Part, Option<Part>), String> {
    let list = |name: &str| table[name].as_array().cloned().unwrap_or_default();
    let part = |kind: &str, field: &str, longest_bytes| {
        let key = list("KeySchema").into_iter().find(|key| key["KeyType"] == kind)?;
        let name = key["AttributeName"].as_str()?.to_owned();
        let of = list("AttributeDefinitions").into_iter().find(|of| of["AttributeName"] == *name)?;
        let of = of["AttributeType"].as_str()?.to_owned();
        Some((Part { name, is_number: of == "N", field: field.to_owned(), longest_bytes }, of))
    };
    let readable = |(part, of): (Part, String)| match &*of {
        "S" | "N" => Ok(part),
        _ => Err(format!("the table's {} is binary: rows have no such keys", part.name)),
    };
    let hash = part("HASH", &job.pk, 2048).ok_or("an answer that makes no sense")?;
    let range = part("RANGE", job.sk.as_deref().unwrap_or_default(), 1024);
    match (&range, &job.sk) {
        (Some((part, _)), None) => {
            Err(format!("the table has a sort key {}: --sk FIELD is missing", part.name))
        }
        (None, Some(_)) => Err("the table has no sort key, and --sk names one".to_owned()),
        _ => Ok((readable(hash)?, range.map(readable).transpose()?)),
    }
}

/// A row's fields as attributes.
fn fields(row: &[u8], size: &mut usize) -> Result<Map<String, Value>, Bad> {
    let fields: BTreeMap<String, &RawValue> =
        serde_json::from_slice(row).map_err(|error| Bad::whole(error.to_string()))?;
    let mut all = Map::new();
    for (name, value) in fields {
        if [VERSION, DELETED].contains(&&*name) {
            return Err(Bad::field(&name, "name", "this name is ours"));
        }
        *size += name.len();
        let value = attribute(value, 1, size)
            .map_err(|bad| Bad { field: bad.field.or(Some(name.clone())), ..bad })?;
        all.insert(name, value);
    }
    Ok(all)
}

/// A value as an attribute, and how large it is at least.
fn attribute(raw: &RawValue, depth: usize, size: &mut usize) -> Result<Value, Bad> {
    let text = raw.get();
    let broken = |error: serde_json::Error| Bad::whole(error.to_string());
    if depth > DEPTH {
        return Err(Bad { rule: Some("size"), ..Bad::whole("nested deeper than 32 levels") });
    }
    *size += 1;
    Ok(match text.as_bytes().first() {
        Some(b'{') => {
            let fields: BTreeMap<String, &RawValue> = serde_json::from_str(text).map_err(broken)?;
            let mut all = Map::new();
            for (name, value) in fields {
                *size += name.len();
                let value = attribute(value, depth + 1, size)?;
                all.insert(name, value);
            }
            json!({"M": all})
        }
        Some(b'[') => {
            let values: Vec<&RawValue> = serde_json::from_str(text).map_err(broken)?;
            let values = values.into_iter().map(|value| attribute(value, depth + 1, size));
            json!({"L": values.collect::<Result<Vec<_>, _>>()?})
        }
        Some(b'"') => {
            let text: String = serde_json::from_str(text).map_err(broken)?;
            *size += text.len().saturating_sub(1);
            json!({"S": text})
        }
        Some(b'n') => json!({"NULL": true}),
        Some(b't') => json!({"BOOL": true}),
        Some(b'f') => json!({"BOOL": false}),
        _ => number(text)?,
    })
}

/// A number, which has at most 38 digits there and stays below 1e126.
fn number(text: &str) -> Result<Value, Bad> {
    let bad = |why: &str| Bad { rule: Some("number"), ..Bad::whole(why) };
    let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i64 = exponent.parse().map_err(|_| bad("its exponent is too large"))?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all: String = [whole.trim_start_matches('-'), fraction].concat();
    let significant = all.trim_start_matches('0');
    // The power of ten of its first digit.
    let long = |text: &str| i64::try_from(text.len()).unwrap_or(i64::MAX);
    let first = long(significant) - 1 - long(fraction);
    if significant.trim_end_matches('0').len() > 38 {
        return Err(bad("more than 38 digits"));
    }
    let zero = significant.is_empty();
    if !zero && !(-130..=125).contains(&first.saturating_add(exponent)) {
        return Err(bad("not between 1e-130 and 1e126"));
    }
    Ok(json!({"N": if zero { "0" } else { text }}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(row: &str) -> Result<Value, (Option<String>, Option<&'static str>, String)> {
        let told = |bad: Bad| (bad.field, bad.rule, bad.why);
        fields(row.as_bytes(), &mut 0).map(Value::Object).map_err(told)
    }

    #[test]
    fn a_row_becomes_attributes_with_all_its_digits() {
        assert_eq!(
            put(
                r#"{"s":"é\n","n":12345678901234567890.123456789,"b":true,"z":null,"l":[1,""],"m":{"a":-0.0}}"#
            ),
            Ok(json!({
                "s": {"S": "é\n"}, "n": {"N": "12345678901234567890.123456789"}, "b": {"BOOL": true},
                "z": {"NULL": true}, "l": {"L": [{"N": "1"}, {"S": ""}]}, "m": {"M": {"a": {"N": "0"}}},
            }))
        );
    }

    #[test]
    fn what_a_table_cannot_hold_is_told_by_field() {
        let deep = format!("{{\"d\":{}1{}}}", "[".repeat(33), "]".repeat(33));
        for (row, field, rule) in [
            (r#"{"_v":1}"#, "_v", "name"),
            (r#"{"x":1e126}"#, "x", "number"),
            (r#"{"x":[0.1e-130]}"#, "x", "number"),
            (r#"{"x":123456789012345678901234567890123456789}"#, "x", "number"),
            (&*deep, "d", "size"),
        ] {
            let told = put(row).unwrap_err();
            assert_eq!((told.0.as_deref(), told.1), (Some(field), Some(rule)), "{row}");
        }
        for fine in ["1e125", "1e-130", "123e123", "1230000000000000000000000000000000000000000"] {
            assert!(put(&format!("{{\"x\":{fine}}}")).is_ok(), "{fine}");
        }
        assert!(put("[1]").is_err());
    }

    #[test]
    fn of_a_key_the_newest_is_put_and_of_two_as_new_the_first() {
        let item =
            |line, pk: &str, version| Item { line, pk: Key::Text(pk.into()), sk: None, version, row: None };
        let (put, beaten) =
            newest(vec![item(1, "a", 1), item(2, "b", 5), item(3, "a", 3), item(4, "a", 3), item(5, "b", 4)]);
        assert_eq!(put.iter().map(|item| item.line).collect::<Vec<_>>(), [3, 2]);
        assert_eq!(
            beaten.iter().map(|(item, same)| (item.line, *same)).collect::<Vec<_>>(),
            [(1, false), (4, true), (5, false)]
        );
    }

    #[test]
    fn a_tables_key_decides_what_keys_are() {
        let job = |sk: Option<&str>| Job { pk: "a.id".into(), sk: sk.map(str::to_owned), ..Job::default() };
        let table = json!({
            "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}],
            "AttributeDefinitions": [{"AttributeName": "s", "AttributeType": "N"}, {"AttributeName": "k", "AttributeType": "S"}],
        });
        let (hash, range) = key_of(&table, &job(Some("at"))).unwrap();
        assert_eq!(hash.value(&Key::Number("1.50".into())).unwrap(), json!({"S": "1.50"}));
        assert!(hash.value(&Key::Text("x".repeat(2049))).is_err());
        let range = range.unwrap();
        assert_eq!(range.value(&Key::Number("7".into())).unwrap(), json!({"N": "7"}));
        assert_eq!(range.value(&Key::Text("7".into())).unwrap_err().field.as_deref(), Some("at"));
        assert!(key_of(&table, &job(None)).is_err());
    }
}
