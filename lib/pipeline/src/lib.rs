//! The pipeline document: from databases to topics to windows to stores.
//!
//! [`parse`] turns `pipeline.yaml` into a [`Pipeline`] with every default
//! filled in, or says all that is wrong with it at once. The format is
//! described in bareplane-pipeline(5).
//!
//! The rules of cleaning have a module of their own, [`clean`]: commands read
//! the same rules from their arguments.

mod check;
pub mod clean;
mod decimal;
mod decode;
mod defaults;
mod field_path;
mod internal;
mod model;
mod rules;
#[cfg(feature = "schema")]
mod schema;
mod unit;
mod words;

pub use document::{LIMIT_BYTES, Problem};
pub use model::{
    Database, Dedupe, Emit, Engine, EventTime, Guarantee, Join, Kafka, Lake, LoadMode, Mode, Nosql,
    NosqlKind, Pipeline, Role, Roll, Schedule, Shape, Sink, Source, Topic, Warehouse, Watch, Windows,
};
#[cfg(feature = "schema")]
pub use schema::schema;
pub use unit::{Size, Span};
pub use words::{Aggregate, Function, Partition, PartitionOf, Secret};

/// Reads a pipeline document.
///
/// # Errors
/// Everything that is wrong with it, in the order of the document.
pub fn parse(text: &str) -> Result<Pipeline, Vec<Problem>> {
    let tree = document::parse(text)?;
    let problems = document::Problems::default();
    let pipeline = decode::pipeline(&document::Field::root(&tree, &problems));
    if let Some(pipeline) = &pipeline {
        check::check(pipeline, &tree, &problems);
    }
    match pipeline {
        Some(pipeline) if problems.is_empty() => Ok(pipeline),
        _ => Err(problems.into_sorted()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/examples/pipeline.yaml"));

    /// What the example is told with one passage replaced.
    fn told(passage: &str, by: &str) -> Vec<String> {
        assert!(EXAMPLE.contains(passage), "the example holds {passage:?}");
        let told = parse(&EXAMPLE.replacen(passage, by, 1)).err().unwrap_or_default();
        told.iter().map(ToString::to_string).collect()
    }

    fn only(passage: &str, by: &str) -> String {
        let told = told(passage, by);
        assert_eq!(told.len(), 1, "{told:#?}");
        told[0].split_once(": ").unwrap().1.to_owned()
    }

    #[test]
    fn the_example_is_whole_and_its_normal_form_says_the_same() {
        let pipeline = parse(EXAMPLE).unwrap();
        assert_eq!(pipeline.topics.len(), 8);
        let normal = serde_json::to_string_pretty(&pipeline).unwrap();
        assert_eq!(parse(&normal).as_ref(), Ok(&pipeline), "{normal}");
    }

    #[test]
    fn names_that_nothing_has_are_found_with_the_ones_there_are() {
        assert_eq!(
            only("from: A, table", "from: D, table"),
            "sources[0].from: there is no database `D`; there are: A, B, C"
        );
        assert_eq!(
            only("to: V", "to: T"),
            "sources[0].to: there is no topic `T`; there are: P, Q, R, S, V, W, X, Y"
        );
        assert!(
            only("from: [V], to: P", "from: [U], to: P").starts_with("windows[0].from[0]: there is no topic")
        );
        assert!(
            only("from: [P, Q, R, S]", "from: [P, Q, R, T]").starts_with("sinks[0].from[3]: there is no")
        );
    }

    #[test]
    fn a_step_has_a_name_of_its_own() {
        assert_eq!(
            only("name: b-orders", "name: a-orders"),
            "sources[1].name: sources[0] is called a-orders too"
        );
        assert_eq!(
            only("name: lake", "name: v-minutes"),
            "sinks[0].name: windows[0] is called v-minutes too"
        );
    }

    #[test]
    fn a_step_does_not_read_what_it_writes_not_even_by_a_detour() {
        assert_eq!(only("from: [V], to: P", "from: [P], to: P"), "windows[0].to: P is read by this step");
        let detour = EXAMPLE.replacen("from: [V], to: P", "from: [Q], to: P", 1);
        let detour = detour.replacen("from: [W], to: Q", "from: [P], to: Q", 1);
        let told = parse(&detour).unwrap_err();
        assert!(told.iter().any(|p| p.message.contains("goes round in a circle")), "{told:?}");
    }

    #[test]
    fn how_a_table_is_read_decides_what_must_be_said() {
        assert_eq!(
            only("mode: incremental, cursor: [updated_at, id], ", "mode: incremental, "),
            "sources[0].cursor: missing: incremental reading needs the columns it goes by"
        );
        assert!(
            only("mode: incremental, cursor: [updated_at, id], ", "mode: cdc, ").contains("SQLite has no")
        );
        assert!(only("mode: snapshot, ", "mode: snapshot, cursor: [id], ").contains("is for incremental"));
    }

    #[test]
    fn a_secret_is_a_reference_and_stands_in_no_url() {
        assert!(only("url: \"sqlite:a.db\"", "url: \"postgres://u:p@db/a\"").contains("no password"));
        assert!(only("key: \"file:mask.key\"", "key: topsecret").contains("env:NAME or file:PATH"));
    }

    #[test]
    fn every_rule_of_cleaning_is_judged_where_it_stands() {
        assert!(only("{trim: [customer]}", "{trim: [customer], lower: [x]}").contains("one rule"));
        assert!(only("{trim: [customer]}", "{trimm: [customer]}").contains("did you mean `trim`?"));
        assert!(only("decimal(12,2)", "decimal(2,12)").contains("decimal"));
        assert!(only("{range: {amount: \"0..100000\"}}", "{range: {amount: \"9..1\"}}").contains("range"));
        assert!(only("{one_of: {country: [DE, FR, IT, PL]}}", "{match: {country: \"[\"}}").contains("match"));
        assert_eq!(
            only("{trim: [customer]}", "{jq: \".a | nonsense\"}"),
            "sources[0].clean[2].jq: there is no filter nonsense"
        );
        assert!(only("{trim: [customer]}", "{trim: [a..b]}").contains("has an empty name"));
        assert!(only("{trim: [customer]}", "{trim: [a.b, /a/b]}").contains("there twice"));
        assert!(only("{trim: [customer]}", "{rename: {a: b, a.c: d}}").contains("lies in `a`"));
    }

    #[test]
    fn a_key_is_remembered_by_number_or_by_time_and_the_time_has_a_field() {
        let rule = "{dedupe: {key: [order_id], last: 100000}}";
        assert!(only(rule, "{dedupe: {key: [id]}}").contains("last: N, or within: 10m with time: FIELD"));
        assert!(only(rule, "{dedupe: {key: [id], within: 10m}}").contains("the field that says when"));
        assert!(only(rule, "{dedupe: {key: [id], last: 5, time: ts}}").contains("is for within"));
        assert!(told(rule, "{dedupe: {key: [id], within: 10m, time: meta.ts}}").is_empty());
    }

    #[test]
    fn a_folder_of_a_lake_is_judged_where_it_stands() {
        assert!(
            only("[topic, dt=day(window_start)]", "[topic, dt=week(x)]").contains("none of: topic, FIELD")
        );
        assert!(only("[topic, dt=day(window_start)]", "[topic, topic]").contains("twice"));
    }

    #[test]
    fn a_cron_line_that_never_or_nowhere_runs_is_refused() {
        for bad in ["* * * *", "60 * * * *", "*/0 * * * *", "5-1 * * * *", "a * * * *", "* * 0 * *"] {
            assert!(only("*/5 * * * *", bad).starts_with("schedule.cron: "), "{bad}");
        }
    }
}
