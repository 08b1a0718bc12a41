//! The tasks of a pipeline: which programs run, and after what.

use std::collections::BTreeSet;

use pipeline::{Engine, Mode, Pipeline, Sink, Source, Windows};
use serde_json::{Value, json};

/// Where things are on the workers.
pub(crate) struct Place<'a> {
    /// The pipeline document.
    pub(crate) document: &'a str,
    /// A folder for what tasks keep.
    pub(crate) state: &'a str,
    /// The folder of spark-render's files.
    pub(crate) spark: &'a str,
}

/// A task.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) id: String,
    /// Programs, each reading what the one before it prints.
    pub(crate) programs: Vec<Vec<String>>,
    /// A file that is kept only if all programs answer yes: they write `FILE.next`.
    pub(crate) state: Option<String>,
    /// Whether their statuses are ours.
    pub(crate) ours: bool,
    /// The tasks it comes after.
    pub(crate) after: Vec<String>,
}

impl Step {
    pub(crate) fn value(&self) -> Value {
        json!({"id": self.id, "programs": self.programs, "state": self.state, "ours": self.ours, "after": self.after})
    }
}

/// What cannot be scheduled.
pub(crate) fn unable(pipeline: &Pipeline) -> Vec<String> {
    let mut wrong = Vec::new();
    if pipeline.kafka.is_none() {
        wrong.push("kafka: missing: between tasks rows are in topics".to_owned());
    }
    wrong
}

/// The tasks, each after those it needs.
pub(crate) fn steps(pipeline: &Pipeline, place: &Place) -> Vec<Step> {
    let mut steps =
        vec![step("check.topics", vec![words("kafka-topics check --pipeline", [place.document])], vec![])];
    let topics = || vec!["check.topics".to_owned()];
    // Who writes a topic.
    let mut writers: Vec<(&str, String)> = Vec::new();
    // Change capture has no end: nothing comes after it.
    for source in pipeline.sources.iter().filter(|source| source.mode != Mode::Cdc) {
        let state =
            (source.mode == Mode::Incremental).then(|| format!("{}/{}.state", place.state, source.name));
        let programs = extract(pipeline, source, place, state.as_deref());
        steps.push(Step { state, ..step(&source.name, programs, topics()) });
        writers.push((&source.to, source.name.clone()));
    }
    writers.extend(pipeline.windows.iter().map(|windows| (&*windows.to, windows.name.clone())));
    let after = |read: &[String]| {
        let before: BTreeSet<_> = writers
            .iter()
            .filter(|(topic, _)| read.iter().any(|read| read == topic))
            .map(|(_, name)| name)
            .collect();
        if before.is_empty() { topics() } else { before.into_iter().cloned().collect() }
    };
    for windows in &pipeline.windows {
        let joined = windows.join.iter().map(|join| join.topic.clone());
        let read: Vec<_> = windows.from.iter().cloned().chain(joined).collect();
        let step = aggregate(pipeline, windows, place);
        steps.push(Step { after: after(&read), ..step });
    }
    for sink in &pipeline.sinks {
        let after = |(step, read): (Step, Vec<String>)| {
            if step.after.is_empty() { Step { after: after(&read), ..step } } else { step }
        };
        steps.extend(store(sink, place).into_iter().map(after));
    }
    steps.extend(checks(pipeline, place, &steps));
    steps
}

fn step(id: &str, programs: Vec<Vec<String>>, after: Vec<String>) -> Step {
    Step { id: id.to_owned(), programs, state: None, ours: true, after }
}

/// The words of `text`, and more as they are.
fn words<const N: usize>(text: &str, more: [&str; N]) -> Vec<String> {
    text.split(' ').chain(more).map(str::to_owned).collect()
}

/// A table, cleaned, into its topic.
fn extract(pipeline: &Pipeline, source: &Source, place: &Place, state: Option<&str>) -> Vec<Vec<String>> {
    let of = ["--pipeline", place.document, "--step", &source.name];
    let mut extract = words("db-extract", of);
    if let Some(state) = state {
        extract.extend(words("--state", [&*format!("{state}.next")]));
    }
    let mut programs = vec![extract];
    if !source.clean.is_empty() {
        programs.push(
            [
                words("record-clean", of),
                words("--reject", [&*format!("{}/{}.rejected", place.state, source.name)]),
            ]
            .concat(),
        );
    }
    let txn_id = format!("{}.{}", pipeline.name, source.name);
    programs.push([words("kafka-relay --raw", of), words("--eos --txn-id", [&*txn_id])].concat());
    programs
}

/// Windows of topics.
fn aggregate(pipeline: &Pipeline, windows: &Windows, place: &Place) -> Step {
    let name = format!("{}.{}", pipeline.name, windows.name);
    match windows.engine {
        Engine::Native => {
            let of = words("stream-agg --pipeline", [place.document, "--step", &windows.name]);
            let program = [of, words("--kafka --until end --txn-id", [&*name])].concat();
            step(&windows.name, vec![program], vec![])
        }
        Engine::Spark => {
            let file = format!("{}/{name}.sh", place.spark);
            Step { ours: false, ..step(&windows.name, vec![words("sh", [&*file, "--once"])], vec![]) }
        }
    }
}

/// What brings topics to where they end up, and the topics, if it does not come after another sink.
fn store(sink: &Sink, place: &Place) -> Vec<(Step, Vec<String>)> {
    let of = ["--pipeline", place.document, "--step", sink.name()];
    let read = |topic: &str| {
        [
            words("kafka-relay --pipeline", [place.document]),
            words("--until end --from", [&*format!("topic:{topic}")]),
        ]
        .concat()
    };
    // One topic has the sink's name, several have their own beside it.
    let id = |topic: &str, all: &[String]| match all {
        [_] => sink.name().to_owned(),
        _ => format!("{}.{topic}", sink.name()),
    };
    match sink {
        Sink::Lake(lake) => {
            let program = [words("lake-sink", of), words("--in topics --until end", [])].concat();
            vec![(step(&lake.name, vec![program], vec![]), lake.from.clone())]
        }
        Sink::Nosql(nosql) => {
            let one = |topic: &String| {
                let programs = vec![read(topic), words("nosql-put --messages", of)];
                (step(&id(topic, &nosql.from), programs, vec![]), vec![topic.clone()])
            };
            nosql.from.iter().map(one).collect()
        }
        Sink::Warehouse(warehouse) => {
            let programs = vec![words("warehouse-load apply", of)];
            vec![(step(&warehouse.name, programs, vec![warehouse.from.clone()]), vec![])]
        }
    }
}

/// What is looked at when everything has run.
fn checks(pipeline: &Pipeline, place: &Place, before: &[Step]) -> Vec<Step> {
    let mut checks = Vec::new();
    let last = before.iter().filter(|step| !before.iter().any(|other| other.after.contains(&step.id)));
    if pipeline.watch.lag_max.is_some() || pipeline.watch.freshness.is_some() {
        let program = words("kafka-lag --pipeline", [place.document]);
        checks.push(step("check.lag", vec![program], last.map(|step| step.id.clone()).collect()));
    }
    for sink in &pipeline.sinks {
        if let Sink::Lake(lake) = sink {
            let program = words("lake-sink --check --pipeline", [place.document, "--step", &lake.name]);
            checks.push(step(&format!("check.{}", lake.name), vec![program], vec![lake.name.clone()]));
        }
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/fixtures/examples/pipeline.yaml"));
    const PLACE: Place = Place { document: "/p.yaml", state: "/s", spark: "/j" };

    fn all(text: &str) -> Vec<Step> {
        steps(&pipeline::parse(text).unwrap(), &PLACE)
    }

    fn found<'a>(steps: &'a [Step], id: &str) -> &'a Step {
        steps.iter().find(|step| step.id == id).unwrap()
    }

    #[test]
    fn a_task_comes_after_those_that_write_what_it_reads() {
        let steps = all(EXAMPLE);
        assert_eq!(found(&steps, "v-minutes").after, ["a-orders"]);
        assert_eq!(found(&steps, "lake").after, ["v-minutes", "w-minutes", "x-hours", "y-sessions"]);
        assert_eq!(found(&steps, "check.lake").after, ["lake"]);
        assert_eq!(found(&steps, "check.lag").after, ["lake"]);
        assert_eq!(found(&steps, "a-orders").after, ["check.topics"]);
        for (n, step) in steps.iter().enumerate() {
            assert!(step.after.iter().all(|id| steps[..n].iter().any(|before| before.id == *id)), "{step:?}");
        }
    }

    #[test]
    fn a_source_is_a_pipe_and_only_what_can_go_on_keeps_a_state() {
        let steps = all(EXAMPLE);
        let first =
            |id: &str| found(&steps, id).programs.iter().map(|words| words.join(" ")).collect::<Vec<_>>();
        assert_eq!(
            first("a-orders"),
            [
                "db-extract --pipeline /p.yaml --step a-orders --state /s/a-orders.state.next",
                "record-clean --pipeline /p.yaml --step a-orders --reject /s/a-orders.rejected",
                "kafka-relay --raw --pipeline /p.yaml --step a-orders --eos --txn-id shop.a-orders",
            ]
        );
        assert_eq!(first("b-visits")[0], "db-extract --pipeline /p.yaml --step b-visits");
        assert_eq!(first("w-minutes"), ["sh /j/shop.w-minutes.sh --once"]);
        assert!(!found(&steps, "w-minutes").ours);
    }

    #[test]
    fn what_has_no_end_is_no_task_and_nothing_comes_after_it() {
        let text = EXAMPLE.replacen("sqlite:b.db", "postgres://app@db/b", 1);
        let steps = all(&text.replacen("mode: incremental, cursor: [id], every: 30s", "mode: cdc", 1));
        assert!(!steps.iter().any(|step| step.id == "b-orders"));
        assert_eq!(found(&steps, "w-minutes").after, ["check.topics"]);
    }

    #[test]
    fn a_warehouse_is_loaded_after_its_lake() {
        let warehouse = "\n  - {kind: warehouse, name: wh, from: lake, topic: P, url: \"postgres://app@db/shop\", table: t}\n";
        let steps = all(&EXAMPLE.replacen("\nschedule:", &format!("{warehouse}schedule:"), 1));
        let wh = found(&steps, "wh");
        assert_eq!(wh.after, ["lake"]);
        assert_eq!(wh.programs[0].join(" "), "warehouse-load apply --pipeline /p.yaml --step wh");
    }
}
