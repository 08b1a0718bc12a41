//! From the document's tree to the model.
//!
//! What cannot be read is noted and stands as an empty value, so that the
//! checks of [`check`](crate::check) can still judge the rest; nobody else
//! sees such a model.

pub(crate) mod clean;

use std::collections::BTreeMap;

use document::{Field, Keys};

use crate::model::{
    Database, Dedupe, Emit, Engine, EventTime, Guarantee, Join, Kafka, Lake, LoadMode, Mode, Nosql,
    NosqlKind, Pipeline, Role, Roll, Schedule, Shape, Sink, Source, Topic, Warehouse, Watch, Windows,
};
use crate::unit::Span;
use crate::{defaults, rules};

/// What a database may be.
const DATABASES: [&str; 3] = ["sqlite", "postgres", "mysql"];

/// The whole document; none if it is no mapping.
pub(crate) fn pipeline(root: &Field) -> Option<Pipeline> {
    let mut keys = root.keys()?;
    let pipeline = Pipeline {
        version: keys.required("version", |f| f.number(1..=1)).unwrap_or_default(),
        name: keys.required("name", rules::label).unwrap_or_default(),
        databases: keys
            .or("databases", BTreeMap::new(), |f| mapping(f, |name, f| Some((word(name, f)?, database(f)?)))),
        kafka: keys.optional("kafka", kafka),
        topics: keys
            .required("topics", |f| mapping(f, |name, f| Some((topic_name(name, f)?, topic(f)?))))
            .unwrap_or_default(),
        sources: keys.or("sources", Vec::new(), |f| f.list(|f| Some(source(f)))),
        windows: keys.or("windows", Vec::new(), |f| f.list(|f| Some(windows(f)))),
        sinks: keys.or("sinks", Vec::new(), |f| f.list(|f| Some(sink(f)))),
        schedule: keys.optional("schedule", schedule),
        watch: keys.or("watch", Watch::default(), watch),
    };
    keys.finish();
    Some(pipeline)
}

/// A mapping with free keys.
fn mapping<T>(
    field: &Field,
    read: impl Fn(&str, &Field) -> Option<(String, T)>,
) -> Option<BTreeMap<String, T>> {
    Some(field.entries()?.iter().filter_map(|(name, field)| read(name, field)).collect())
}

/// A name of something of the document.
fn word(name: &str, field: &Field) -> Option<String> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let ok = (1..=63).contains(&name.len()) && name.chars().all(fine);
    if !ok {
        field.wrong("a name is 1 to 63 letters, digits, `-` and `_`");
    }
    ok.then(|| name.to_owned())
}

fn topic_name(name: &str, field: &Field) -> Option<String> {
    let ok = rules::is_topic(name);
    if !ok {
        field.wrong("a topic's name is 1 to 249 letters, digits, `.`, `_` and `-`");
    }
    ok.then(|| name.to_owned())
}

fn field_name(name: &str, field: &Field) -> Option<String> {
    let ok = rules::is_field(name);
    if !ok {
        field.wrong("a field's name is 1 to 256 bytes without control characters");
    }
    ok.then(|| name.to_owned())
}

fn database(field: &Field) -> Option<Database> {
    let mut keys = field.keys()?;
    let database = Database {
        url: keys.required("url", |f| rules::url(f, &DATABASES)).unwrap_or_default(),
        password: keys.optional("password", Field::parse),
    };
    keys.finish();
    Some(database)
}

fn kafka(field: &Field) -> Option<Kafka> {
    let mut keys = field.keys()?;
    let kafka = Kafka {
        brokers: keys.required("brokers", |f| rules::some(f, rules::authority)).unwrap_or_default(),
        security: keys.optional("security", Field::parse),
        config: keys.or("config", BTreeMap::new(), settings),
    };
    keys.finish();
    Some(kafka)
}

/// Settings of Kafka: a name to text.
fn settings(field: &Field) -> Option<BTreeMap<String, String>> {
    mapping(field, |name, f| {
        let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
        if name.is_empty() || !name.chars().all(fine) {
            f.wrong("a setting's name is made of a-z, 0-9 and dots");
            return None;
        }
        // Who reads the file should not read this.
        if ["password", "secret", "sasl.username", "private"].iter().any(|word| name.contains(word)) {
            f.wrong_hint(
                "many read this file: secrets come from elsewhere",
                "kafka.security: env:NAME or file:PATH",
            );
            return None;
        }
        Some((name.to_owned(), f.text()?))
    })
}

fn topic(field: &Field) -> Option<Topic> {
    let mut keys = field.keys()?;
    let topic = Topic {
        partitions: keys.or("partitions", defaults::partitions(), |f| f.number(1..=10_000)),
        replicas: keys.or("replicas", defaults::replicas(), |f| f.number(1..=100)),
        key: keys.or("key", Vec::new(), names_or_none),
        schema: keys.optional("schema", rules::file),
        config: keys.or("config", BTreeMap::new(), settings),
    };
    keys.finish();
    Some(topic)
}

/// A source; an empty one if it is no mapping, so that the others keep their numbers.
fn source(field: &Field) -> Source {
    let mut source = Source {
        name: String::new(),
        from: String::new(),
        role: Role::default(),
        table: String::new(),
        columns: Vec::new(),
        mode: Mode::default(),
        cursor: Vec::new(),
        overlap: Span::default(),
        slot: None,
        publication: None,
        server_id: None,
        every: None,
        clean: Vec::new(),
        to: String::new(),
    };
    let Some(mut keys) = field.keys() else { return source };
    let mode = [("snapshot", Mode::Snapshot), ("incremental", Mode::Incremental), ("cdc", Mode::Cdc)];
    let role = [("transactional", Role::Transactional), ("analytical", Role::Analytical)];
    source.name = keys.required("name", rules::label).unwrap_or_default();
    source.from = keys.required("from", rules::name).unwrap_or_default();
    source.role = keys.or("role", Role::default(), |f| f.word(&role));
    source.table = keys.required("table", rules::name).unwrap_or_default();
    source.columns = keys.or("columns", Vec::new(), names_or_none);
    source.mode = keys.or("mode", Mode::default(), |f| f.word(&mode));
    source.cursor = keys.or("cursor", Vec::new(), names_or_none);
    source.overlap = keys.or("overlap", Span::default(), Field::parse);
    source.slot = keys.optional("slot", slot);
    source.publication = keys.optional("publication", rules::name);
    source.server_id = keys.optional("server_id", |f| f.number(1..=u32::MAX));
    source.every = keys.optional("every", rules::span);
    source.clean = keys.or("clean", Vec::new(), |f| f.list(clean::rule));
    source.to = keys.required("to", rules::topic).unwrap_or_default();
    keys.finish();
    source
}

/// Names, perhaps none: the normal form writes an empty list.
fn names_or_none(field: &Field) -> Option<Vec<String>> {
    match field.value() {
        document::Value::List(items) if items.is_empty() => Some(Vec::new()),
        _ => rules::names(field),
    }
}

/// A replication slot's name, as `PostgreSQL` takes it.
fn slot(field: &Field) -> Option<String> {
    let text = field.text()?;
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let ok = (1..=63).contains(&text.len()) && text.chars().all(fine);
    if !ok {
        field.wrong("a slot's name is 1 to 63 of a-z, 0-9 and `_`");
    }
    ok.then_some(text)
}

fn windows(field: &Field) -> Windows {
    let mut windows = Windows {
        name: String::new(),
        engine: Engine::default(),
        from: Vec::new(),
        to: String::new(),
        time: EventTime {
            field: String::new(),
            watermark: Span::default(),
            idle: None,
            lateness: Span::default(),
            late: None,
        },
        window: Shape::Tumbling(Span::default()),
        by: Vec::new(),
        aggregates: BTreeMap::new(),
        emit: Emit::default(),
        guarantee: Guarantee::default(),
        dedupe: None,
        join: None,
    };
    let Some(mut keys) = field.keys() else { return windows };
    let engine = [("native", Engine::Native), ("spark", Engine::Spark)];
    let emit = [("final", Emit::Final), ("update", Emit::Update), ("both", Emit::Both)];
    let guarantee = [("exactly-once", Guarantee::ExactlyOnce), ("at-least-once", Guarantee::AtLeastOnce)];
    windows.name = keys.required("name", rules::label).unwrap_or_default();
    windows.engine = keys.or("engine", Engine::default(), |f| f.word(&engine));
    windows.from = keys.required("from", |f| rules::some(f, rules::topic)).unwrap_or_default();
    windows.to = keys.required("to", rules::topic).unwrap_or_default();
    if let Some(time) = keys.required("time", event_time) {
        windows.time = time;
    }
    if let Some(window) = keys.required("window", shape) {
        windows.window = window;
    }
    windows.by = keys.or("by", Vec::new(), names_or_none);
    windows.aggregates = keys.required("aggregates", aggregates).unwrap_or_default();
    windows.emit = keys.or("emit", Emit::default(), |f| f.word(&emit));
    windows.guarantee = keys.or("guarantee", Guarantee::default(), |f| f.word(&guarantee));
    windows.dedupe = keys.optional("dedupe", dedupe);
    windows.join = keys.optional("join", join);
    keys.finish();
    windows
}

fn aggregates(field: &Field) -> Option<BTreeMap<String, crate::Aggregate>> {
    let aggregates = mapping(field, |name, f| Some((field_name(name, f)?, f.parse()?)))?;
    if matches!(field.value(), document::Value::Map(entries) if entries.is_empty()) {
        field.wrong_hint("at least one aggregate is wanted", "{n: count}");
    }
    Some(aggregates)
}

fn event_time(field: &Field) -> Option<EventTime> {
    let mut keys = field.keys()?;
    let time = EventTime {
        field: keys.required("field", rules::name).unwrap_or_default(),
        watermark: keys.required("watermark", Field::parse).unwrap_or_default(),
        idle: keys.optional("idle", rules::span),
        lateness: keys.or("lateness", Span::default(), Field::parse),
        late: keys.optional("late", rules::topic),
    };
    keys.finish();
    Some(time)
}

fn shape(field: &Field) -> Option<Shape> {
    let mut keys = field.keys()?;
    let tumbling = keys.optional("tumbling", rules::span).map(Shape::Tumbling);
    let session = keys.optional("session", rules::span).map(Shape::Session);
    let hop = keys.optional("hop", hop);
    keys.finish();
    let given = match field.value() {
        document::Value::Map(entries) => entries.len(),
        _ => 0,
    };
    if given != 1 {
        field.wrong_hint(
            "exactly one kind of window is wanted",
            "{tumbling: 1m}, {hop: {size: 10m, every: 1m}} or {session: 15m}",
        );
    }
    tumbling.or(session).or(hop)
}

fn hop(field: &Field) -> Option<Shape> {
    let mut keys = field.keys()?;
    let size = keys.required("size", rules::span);
    let every = keys.required("every", rules::span);
    keys.finish();
    let (size, every) = (size?, every?);
    if every > size || size.ms / every.ms > 1000 {
        field.wrong(format!(
            "a window of {size} every {every}: rows would be in no window, or in more than a thousand"
        ));
        return None;
    }
    Some(Shape::Hop { size, every })
}

fn dedupe(field: &Field) -> Option<Dedupe> {
    let mut keys = field.keys()?;
    let dedupe = Dedupe {
        key: keys.required("key", rules::names).unwrap_or_default(),
        within: keys.required("within", rules::span).unwrap_or_default(),
    };
    keys.finish();
    Some(dedupe)
}

fn join(field: &Field) -> Option<Join> {
    let mut keys = field.keys()?;
    let join = Join {
        topic: keys.required("topic", rules::topic).unwrap_or_default(),
        on: keys.required("on", rules::names).unwrap_or_default(),
        within: keys.required("within", rules::span).unwrap_or_default(),
    };
    keys.finish();
    Some(join)
}

fn sink(field: &Field) -> Sink {
    let none = || {
        Sink::Lake(Lake {
            name: String::new(),
            from: Vec::new(),
            url: String::new(),
            partition: Vec::new(),
            roll: Roll::default(),
        })
    };
    let Some(mut keys) = field.keys() else { return none() };
    let kind = keys.required("kind", |f| f.word(&[("lake", 'l'), ("warehouse", 'w'), ("nosql", 'n')]));
    match kind {
        Some('l') => Sink::Lake(lake(keys)),
        Some('w') => Sink::Warehouse(warehouse(keys)),
        Some('n') => Sink::Nosql(nosql(keys)),
        // Which keys are known here is not known either.
        _ => none(),
    }
}

fn lake(mut keys: Keys) -> Lake {
    let lake = Lake {
        name: keys.required("name", rules::label).unwrap_or_default(),
        from: keys.required("from", |f| rules::some(f, rules::topic)).unwrap_or_default(),
        url: keys.required("url", |f| rules::url(f, &["s3", "file"])).unwrap_or_default(),
        partition: keys.or("partition", Vec::new(), partition),
        roll: keys.or("roll", Roll::default(), roll),
    };
    keys.finish();
    lake
}

fn partition(field: &Field) -> Option<Vec<crate::Partition>> {
    let folders: Vec<crate::Partition> = field.list(Field::parse)?;
    for (n, folder) in folders.iter().enumerate() {
        if folders[..n].iter().any(|other| other.name == folder.name) {
            field.wrong(format!("`{}` is there twice", folder.name));
        }
    }
    Some(folders)
}

fn roll(field: &Field) -> Option<Roll> {
    let mut keys = field.keys()?;
    let roll = Roll {
        size: keys.or("size", defaults::roll_size(), Field::parse),
        age: keys.or("age", defaults::roll_age(), rules::span),
    };
    keys.finish();
    Some(roll)
}

fn warehouse(mut keys: Keys) -> Warehouse {
    let mode = [("append", LoadMode::Append), ("merge", LoadMode::Merge)];
    let warehouse = Warehouse {
        name: keys.required("name", rules::label).unwrap_or_default(),
        from: keys.required("from", rules::label).unwrap_or_default(),
        topic: keys.optional("topic", rules::topic),
        url: keys.required("url", |f| rules::url(f, &DATABASES)).unwrap_or_default(),
        password: keys.optional("password", Field::parse),
        table: keys.required("table", rules::name).unwrap_or_default(),
        key: keys.or("key", Vec::new(), names_or_none),
        mode: keys.or("mode", LoadMode::default(), |f| f.word(&mode)),
    };
    keys.finish();
    warehouse
}

fn nosql(mut keys: Keys) -> Nosql {
    let store = [("dynamodb", NosqlKind::Dynamodb), ("mongo", NosqlKind::Mongo), ("redis", NosqlKind::Redis)];
    let nosql = Nosql {
        name: keys.required("name", rules::label).unwrap_or_default(),
        from: keys.required("from", |f| rules::some(f, rules::topic)).unwrap_or_default(),
        store: keys.required("store", |f| f.word(&store)).unwrap_or_default(),
        url: keys.optional("url", |f| rules::url(f, &["http", "https", "mongodb", "redis"])),
        table: keys.required("table", rules::name).unwrap_or_default(),
        pk: keys.required("pk", rules::name).unwrap_or_default(),
        sk: keys.optional("sk", rules::name),
        newer_by: keys.optional("newer_by", rules::name),
        password: keys.optional("password", Field::parse),
    };
    keys.finish();
    nosql
}

fn schedule(field: &Field) -> Option<Schedule> {
    let mut keys = field.keys()?;
    let schedule = Schedule {
        cron: keys.required("cron", rules::cron).unwrap_or_default(),
        timezone: keys.or("timezone", defaults::timezone(), rules::timezone),
        catchup: keys.or("catchup", false, Field::boolean),
        max_active: keys.or("max_active", defaults::max_active(), |f| f.number(1..=100)),
        retries: keys.or("retries", defaults::retries(), |f| f.number(0..=100)),
        delay: keys.or("delay", defaults::delay(), rules::span),
        backoff: keys.or("backoff", defaults::backoff(), |f| f.number(1..=10)),
        timeout: keys.or("timeout", defaults::timeout(), rules::span),
    };
    keys.finish();
    Some(schedule)
}

fn watch(field: &Field) -> Option<Watch> {
    let mut keys = field.keys()?;
    let watch = Watch {
        lag_max: keys.optional("lag_max", |f| f.number(0..=u64::from(u32::MAX))),
        lag_for: keys.or("lag_for", defaults::lag_for(), Field::parse),
        freshness: keys.optional("freshness", rules::span),
        stall: keys.or("stall", defaults::stall(), rules::span),
    };
    keys.finish();
    Some(watch)
}
