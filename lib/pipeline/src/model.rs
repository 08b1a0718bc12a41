//! The pipeline document as a value: what a person wrote, defaults filled in.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::clean::Rule;
use crate::unit::{Size, Span};
use crate::words::{Aggregate, Partition, Secret};

/// From databases to topics to windows to stores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Pipeline {
    /// The version of this format: 1.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1)))]
    pub version: u32,
    /// Its name: an RFC 1123 label.
    pub name: String,
    /// The databases rows come from, by name.
    #[serde(default)]
    pub databases: BTreeMap<String, Database>,
    /// The brokers; null where pipes carry everything on one machine.
    pub kafka: Option<Kafka>,
    /// The topics, by name.
    pub topics: BTreeMap<String, Topic>,
    /// What is read from the databases, cleaned, and written to topics.
    #[serde(default)]
    pub sources: Vec<Source>,
    /// What is made of the topics, window by window.
    #[serde(default)]
    pub windows: Vec<Windows>,
    /// Where the topics end up.
    #[serde(default)]
    pub sinks: Vec<Sink>,
    /// When it runs; null if it always does.
    pub schedule: Option<Schedule>,
    /// When somebody has to look.
    #[serde(default)]
    pub watch: Watch,
}

/// A database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// `sqlite:PATH`, `postgres://USER@HOST:PORT/NAME`, `mysql://…`, or where such a
    /// URL is found: `env:NAME`, `file:PATH`.
    pub url: String,
    /// Where the password is found: `env:NAME` or `file:PATH`; null if none is needed.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub password: Option<Secret>,
}

/// The brokers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Kafka {
    /// Each `HOST:PORT`.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub brokers: Vec<String>,
    /// Where the client's secret settings are found, `key=value` lines; null if there are none.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub security: Option<Secret>,
    /// Further settings of the client, by librdkafka's names.
    #[serde(default)]
    pub config: BTreeMap<String, String>,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// Its partitions.
    #[serde(default = "crate::defaults::partitions")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 10000)))]
    pub partitions: u32,
    /// On how many brokers each partition is kept.
    #[serde(default = "crate::defaults::replicas")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 100)))]
    pub replicas: u16,
    /// The fields whose values say which partition a row goes to; none leave it open.
    #[serde(default)]
    pub key: Vec<String>,
    /// The file with the JSON Schema every row of it is valid by; null if there is none.
    pub schema: Option<String>,
    /// Further settings, by Kafka's names.
    #[serde(default)]
    pub config: BTreeMap<String, String>,
}

/// A table that is read, cleaned, and written to a topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The step's name: an RFC 1123 label.
    pub name: String,
    /// The database.
    pub from: String,
    /// What kind of work the database is used for here.
    #[serde(default)]
    pub role: Role,
    /// The table, with its schema where it has one.
    pub table: String,
    /// The columns; none mean all.
    #[serde(default)]
    pub columns: Vec<String>,
    /// How it is read.
    #[serde(default)]
    pub mode: Mode,
    /// The columns incremental reading goes by, most significant first.
    #[serde(default)]
    pub cursor: Vec<String>,
    /// How far before the last row incremental reading begins again.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub overlap: Span,
    /// The replication slot of change capture (`PostgreSQL`).
    pub slot: Option<String>,
    /// The publication of change capture (`PostgreSQL`).
    pub publication: Option<String>,
    /// The number change capture goes by among the server's replicas (`MySQL`).
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub server_id: Option<u32>,
    /// How often the table is read; null if the schedule says so.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub every: Option<Span>,
    /// What becomes of each row, one rule after the other.
    #[serde(default)]
    pub clean: Vec<Rule>,
    /// The topic.
    pub to: String,
}

/// What kind of work a database is used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Many small changes.
    #[default]
    Transactional,
    /// Few large questions.
    Analytical,
}

/// How a table is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// All of it, each time.
    #[default]
    Snapshot,
    /// What is new by its cursor.
    Incremental,
    /// Every change as the database made it.
    Cdc,
}

/// What is made of topics, window by window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Windows {
    /// The step's name: an RFC 1123 label.
    pub name: String,
    /// What does it.
    #[serde(default)]
    pub engine: Engine,
    /// The topics it reads.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub from: Vec<String>,
    /// The topic it writes.
    pub to: String,
    /// When a row happened.
    pub time: EventTime,
    /// The windows.
    pub window: Shape,
    /// The fields rows are grouped by; none make one group.
    #[serde(default)]
    pub by: Vec<String>,
    /// What is made of each group: a name to count, sum(FIELD), min, max, avg, first, last,
    /// distinct(FIELD) or quantile(FIELD,0.99).
    #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, String>"))]
    pub aggregates: BTreeMap<String, Aggregate>,
    /// When results go out.
    #[serde(default)]
    pub emit: Emit,
    /// What a crash may do to results.
    #[serde(default)]
    pub guarantee: Guarantee,
    /// Which rows are the same; null if all are counted.
    pub dedupe: Option<Dedupe>,
    /// Another topic whose rows are put beside these; null for none.
    pub join: Option<Join>,
}

/// What aggregates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// stream-agg.
    #[default]
    Native,
    /// A job spark-render makes.
    Spark,
}

/// When a row happened, and how long late ones are waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EventTime {
    /// The field with the time.
    pub field: String,
    /// How much later than the newest row one may come and still be in time.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub watermark: Span,
    /// After how long without rows a partition holds the others up no longer; null for never.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub idle: Option<Span>,
    /// How long after its end a window takes late rows and is sent again.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub lateness: Span,
    /// The topic of rows that came too late; null if they are only counted.
    pub late: Option<String>,
}

/// The windows: exactly one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// One after the other, each so long.
    Tumbling(#[cfg_attr(feature = "schema", schemars(with = "String"))] Span),
    /// Each so long, a new one every so often.
    Hop {
        /// How long.
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        size: Span,
        /// How often.
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        every: Span,
    },
    /// As long as rows come with gaps shorter than this.
    Session(#[cfg_attr(feature = "schema", schemars(with = "String"))] Span),
}

/// When results go out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Emit {
    /// Once, when the window is over.
    #[default]
    Final,
    /// Whenever they change.
    Update,
    /// Both.
    Both,
}

/// What a crash may do to results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Guarantee {
    /// Nothing.
    #[default]
    ExactlyOnce,
    /// Some may come twice.
    AtLeastOnce,
}

/// Which rows are the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Dedupe {
    /// The fields that make them so.
    pub key: Vec<String>,
    /// Within how long.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub within: Span,
}

/// Another topic whose rows are put beside these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// The topic.
    pub topic: String,
    /// The fields that have to be equal.
    pub on: Vec<String>,
    /// How far apart in time they may be.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub within: Span,
}

/// Where topics end up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Sink {
    /// Parquet files.
    Lake(Lake),
    /// A table of an analytical database.
    Warehouse(Warehouse),
    /// A store of keys.
    Nosql(Nosql),
}

/// Parquet files in folders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Lake {
    /// The step's name: an RFC 1123 label.
    pub name: String,
    /// The topics.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub from: Vec<String>,
    /// `s3://BUCKET/PREFIX`, `file:PATH`, or where such a URL is found: `env:NAME`, `file:PATH`.
    pub url: String,
    /// The folders, outermost first: `topic`, `FIELD`, `NAME=FIELD`, `NAME=day(FIELD)` or
    /// `NAME=hour(FIELD)`.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub partition: Vec<Partition>,
    /// When a file is complete.
    #[serde(default)]
    pub roll: Roll,
}

/// When a file is complete: whatever comes first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Roll {
    /// So large.
    #[serde(default = "crate::defaults::roll_size")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub size: Size,
    /// So old.
    #[serde(default = "crate::defaults::roll_age")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub age: Span,
}

/// A table of an analytical database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Warehouse {
    /// The step's name: an RFC 1123 label.
    pub name: String,
    /// The lake whose files are loaded.
    pub from: String,
    /// The topic of it; null if it has one alone.
    pub topic: Option<String>,
    /// The database, as in `databases`.
    pub url: String,
    /// Where the password is found: `env:NAME` or `file:PATH`; null if none is needed.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub password: Option<Secret>,
    /// The table.
    pub table: String,
    /// The columns that make two rows the same; needed to merge.
    #[serde(default)]
    pub key: Vec<String>,
    /// What becomes of rows that are there already.
    #[serde(default)]
    pub mode: LoadMode,
}

/// What becomes of rows that are there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum LoadMode {
    /// Nobody looks.
    #[default]
    Append,
    /// They are replaced.
    Merge,
}

/// A store of keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Nosql {
    /// The step's name: an RFC 1123 label.
    pub name: String,
    /// The topics.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub from: Vec<String>,
    /// What it is.
    pub store: NosqlKind,
    /// Where it is, if it is not the one of the cloud; null for that.
    pub url: Option<String>,
    /// The table or collection.
    pub table: String,
    /// The field that is the partition key.
    pub pk: String,
    /// The field that is the sort key; null if there is none.
    pub sk: Option<String>,
    /// The field that says which of two rows is newer; null if their offsets do.
    pub newer_by: Option<String>,
    /// Where the password is found: `env:NAME` or `file:PATH`; null if none is needed.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub password: Option<Secret>,
}

/// A kind of store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum NosqlKind {
    /// `DynamoDB`.
    #[default]
    Dynamodb,
    /// `MongoDB`.
    Mongo,
    /// Redis.
    Redis,
}

/// When it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Minute, hour, day of the month, month, day of the week, as cron has them.
    pub cron: String,
    /// The time zone of `cron`.
    #[serde(default = "crate::defaults::timezone")]
    pub timezone: String,
    /// Whether runs that were missed are made up for.
    #[serde(default)]
    pub catchup: bool,
    /// How many runs there may be at a time.
    #[serde(default = "crate::defaults::max_active")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 100)))]
    pub max_active: u32,
    /// How often a step that answers 3 is tried again.
    #[serde(default = "crate::defaults::retries")]
    #[cfg_attr(feature = "schema", schemars(range(min = 0, max = 100)))]
    pub retries: u32,
    /// How long before the first time.
    #[serde(default = "crate::defaults::delay")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub delay: Span,
    /// By how much that grows each time.
    #[serde(default = "crate::defaults::backoff")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 10)))]
    pub backoff: u32,
    /// How long a step may take.
    #[serde(default = "crate::defaults::timeout")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub timeout: Span,
}

/// When somebody has to look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// How many records a group may be behind; null for any number.
    pub lag_max: Option<u64>,
    /// For how long it may be behind further.
    #[serde(default = "crate::defaults::lag_for")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub lag_for: Span,
    /// How old the newest record of a topic may be; null for any age.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub freshness: Option<Span>,
    /// After how long without progress a step that has work is stalled.
    #[serde(default = "crate::defaults::stall")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub stall: Span,
}

impl Sink {
    /// The step's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Lake(lake) => &lake.name,
            Self::Warehouse(warehouse) => &warehouse.name,
            Self::Nosql(nosql) => &nosql.name,
        }
    }

    /// The topics it reads; none if it reads a lake.
    pub fn topics(&self) -> &[String] {
        match self {
            Self::Lake(lake) => &lake.from,
            Self::Nosql(nosql) => &nosql.from,
            Self::Warehouse(_) => &[],
        }
    }
}
