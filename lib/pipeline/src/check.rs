//! What the fields must be to each other.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Display;

use document::{Node, Problem, Problems};

use crate::model::{LoadMode, Mode, Pipeline, Sink, Warehouse};

/// The checks' view of the document: the model, and where its fields stand.
struct Checks<'a> {
    pipeline: &'a Pipeline,
    tree: &'a Node,
    problems: &'a Problems,
}

/// Notes what does not fit together.
///
/// What looks for names is only judged if every field could be read: it
/// would complain about what was merely misspelt.
pub(crate) fn check(pipeline: &Pipeline, tree: &Node, problems: &Problems) {
    let complete = problems.is_empty();
    let checks = Checks { pipeline, tree, problems };
    checks.unique();
    if complete {
        checks.known();
        checks.reading();
        checks.circles();
        checks.loading();
    }
}

impl Checks<'_> {
    fn wrong(&self, path: impl Into<String>, message: impl Display) {
        let path = path.into();
        let (line, column) = self.tree.locate(&path);
        self.problems.note(Problem { line, column, path, message: message.to_string(), hint: None });
    }

    /// Every step with its path.
    fn steps(&self) -> impl Iterator<Item = (String, &str)> {
        let pipeline = self.pipeline;
        let sources = pipeline.sources.iter().enumerate();
        let windows = pipeline.windows.iter().enumerate();
        let sinks = pipeline.sinks.iter().enumerate();
        sources
            .map(|(n, step)| (format!("sources[{n}]"), step.name.as_str()))
            .chain(windows.map(|(n, step)| (format!("windows[{n}]"), step.name.as_str())))
            .chain(sinks.map(|(n, step)| (format!("sinks[{n}]"), step.name())))
    }

    /// `--step NAME` means one step.
    fn unique(&self) {
        let mut seen: HashMap<&str, String> = HashMap::new();
        for (path, name) in self.steps().filter(|(_, name)| !name.is_empty()) {
            match seen.get(name) {
                Some(first) => self.wrong(format!("{path}.name"), format!("{first} is called {name} too")),
                None => drop(seen.insert(name, path)),
            }
        }
    }

    /// Every name that is used is somebody's.
    fn known(&self) {
        let databases = names(&self.pipeline.databases);
        let topics = names(&self.pipeline.topics);
        for (n, source) in self.pipeline.sources.iter().enumerate() {
            self.is_one(format!("sources[{n}].from"), "database", &source.from, &databases);
            self.is_one(format!("sources[{n}].to"), "topic", &source.to, &topics);
        }
        for (n, step) in self.pipeline.windows.iter().enumerate() {
            for (m, topic) in step.from.iter().enumerate() {
                self.is_one(format!("windows[{n}].from[{m}]"), "topic", topic, &topics);
            }
            self.is_one(format!("windows[{n}].to"), "topic", &step.to, &topics);
            if let Some(late) = &step.time.late {
                self.is_one(format!("windows[{n}].time.late"), "topic", late, &topics);
            }
            if let Some(join) = &step.join {
                self.is_one(format!("windows[{n}].join.topic"), "topic", &join.topic, &topics);
            }
        }
        let is_lake = |sink: &Sink| matches!(sink, Sink::Lake(_));
        let lakes = self.pipeline.sinks.iter().filter(|sink| is_lake(sink)).map(Sink::name).collect();
        for (n, sink) in self.pipeline.sinks.iter().enumerate() {
            match sink {
                Sink::Warehouse(warehouse) => {
                    self.is_one(format!("sinks[{n}].from"), "lake", &warehouse.from, &lakes);
                    self.topic_of(n, warehouse);
                }
                Sink::Lake(_) | Sink::Nosql(_) => {
                    for (m, topic) in sink.topics().iter().enumerate() {
                        self.is_one(format!("sinks[{n}].from[{m}]"), "topic", topic, &topics);
                    }
                }
            }
        }
    }

    /// A table has rows of one topic.
    fn topic_of(&self, n: usize, warehouse: &Warehouse) {
        let lake = self.pipeline.sinks.iter().find(|sink| sink.name() == warehouse.from);
        let topics = lake.map(Sink::topics).unwrap_or_default();
        let there = topics.join(", ");
        match &warehouse.topic {
            Some(topic) if !topics.contains(topic) && !topics.is_empty() => {
                self.wrong(
                    format!("sinks[{n}].topic"),
                    format!("{} has no `{topic}`; it has: {there}", warehouse.from),
                );
            }
            None if topics.len() > 1 => {
                self.wrong(
                    format!("sinks[{n}].topic"),
                    format!("missing: {} has several: {there}", warehouse.from),
                );
            }
            _ => {}
        }
    }

    fn is_one(&self, path: String, what: &str, name: &str, known: &BTreeSet<&str>) {
        if known.contains(name) {
            return;
        }
        let all = known.iter().copied().collect::<Vec<_>>().join(", ");
        let all = if all.is_empty() { "nothing".to_owned() } else { all };
        self.wrong(path, format!("there is no {what} `{name}`; there are: {all}"));
    }

    /// How a table is read, and what that needs.
    fn reading(&self) {
        for (n, source) in self.pipeline.sources.iter().enumerate() {
            let at = |key: &str| format!("sources[{n}].{key}");
            let incremental = source.mode == Mode::Incremental;
            if incremental && source.cursor.is_empty() {
                self.wrong(at("cursor"), "missing: incremental reading needs the columns it goes by");
            }
            if !incremental && !source.cursor.is_empty() {
                self.wrong(at("cursor"), "a cursor is for incremental reading alone");
            }
            let url = self.pipeline.databases.get(&source.from).map_or("", |database| database.url.as_str());
            if source.mode == Mode::Cdc && url.starts_with("sqlite:") {
                self.wrong(at("mode"), "SQLite has no log of changes to capture: snapshot or incremental");
            }
            let cdc = source.mode == Mode::Cdc;
            for (key, given) in [
                ("slot", source.slot.is_some()),
                ("publication", source.publication.is_some()),
                ("server_id", source.server_id.is_some()),
            ] {
                if given && !cdc {
                    self.wrong(at(key), "is for change capture (mode: cdc) alone");
                }
            }
        }
    }

    /// Nothing is fed with what it made.
    fn circles(&self) {
        let mut feeds: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (n, step) in self.pipeline.windows.iter().enumerate() {
            let read = step.from.iter().chain(step.join.as_ref().map(|join| &join.topic));
            for topic in read {
                if *topic == step.to {
                    self.wrong(format!("windows[{n}].to"), format!("{topic} is read by this step"));
                    return;
                }
                feeds.entry(topic).or_default().push(&step.to);
            }
        }
        for (n, step) in self.pipeline.windows.iter().enumerate() {
            let mut reached = BTreeSet::new();
            let mut next = vec![step.to.as_str()];
            while let Some(topic) = next.pop() {
                if reached.insert(topic) {
                    next.extend(feeds.get(topic).into_iter().flatten());
                }
            }
            if let Some(topic) = step.from.iter().find(|topic| reached.contains(topic.as_str())) {
                self.wrong(
                    format!("windows[{n}].to"),
                    format!("what it writes goes round in a circle: {topic}"),
                );
            }
        }
    }

    /// What a merge needs.
    fn loading(&self) {
        for (n, sink) in self.pipeline.sinks.iter().enumerate() {
            if let Sink::Warehouse(warehouse) = sink
                && warehouse.mode == LoadMode::Merge
                && warehouse.key.is_empty()
            {
                self.wrong(
                    format!("sinks[{n}].key"),
                    "missing: merging needs the columns that make rows the same",
                );
            }
        }
    }
}

fn names<T>(map: &BTreeMap<String, T>) -> BTreeSet<&str> {
    map.keys().map(String::as_str).collect()
}
