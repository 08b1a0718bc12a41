//! Topics nobody writes into the document, and every pipeline has.

use std::collections::BTreeMap;

use crate::model::{Engine, Pipeline, Topic, Windows};

impl Pipeline {
    /// Where rows go that a step could not put into a topic, or not read from it.
    pub fn reject_topic(topic: &str) -> String {
        format!("{topic}.reject")
    }

    /// The group a step reads as.
    pub fn group(&self, step: &Windows) -> String {
        format!("{}.{}", self.name, step.name)
    }

    /// Where what a step's windows hold is kept.
    pub fn state_topic(&self, step: &Windows) -> String {
        format!("{}.parts", self.group(step))
    }

    /// Every topic the pipeline needs: those of the document, and those that go with them.
    /// One the document names itself is as the document says.
    pub fn every_topic(&self) -> BTreeMap<String, Topic> {
        let mut topics = BTreeMap::new();
        let aside = |name: &str| {
            let replicas = self.topics.get(name).map_or(1, |topic| topic.replicas);
            Topic { partitions: 1, replicas, key: Vec::new(), schema: None, config: BTreeMap::new() }
        };
        for source in &self.sources {
            topics.insert(Self::reject_topic(&source.to), aside(&source.to));
        }
        for step in self.windows.iter().filter(|step| step.engine == Engine::Native) {
            for name in &step.from {
                topics.insert(Self::reject_topic(name), aside(name));
            }
            topics.insert(self.state_topic(step), self.state(step));
        }
        topics.extend(self.topics.iter().map(|(name, topic)| (name.clone(), topic.clone())));
        topics
    }

    /// As the step itself would make it: like the first topic it reads, and nothing of it goes by itself.
    fn state(&self, step: &Windows) -> Topic {
        let read = step.from.first().and_then(|name| self.topics.get(name));
        let config = [("cleanup.policy", "delete"), ("retention.ms", "-1"), ("retention.bytes", "-1")];
        Topic {
            partitions: read.map_or(1, |topic| topic.partitions),
            replicas: read.map_or(1, |topic| topic.replicas),
            key: Vec::new(),
            schema: None,
            config: config.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_goes_with_a_topic_is_as_safe_as_the_topic() {
        let text = "
version: 1
name: shop
databases: {A: {url: 'sqlite:a.db'}}
topics: {V: {partitions: 4, replicas: 3}, W: {partitions: 6}, P: {}, P.reject: {partitions: 2}}
sources: [{name: a, from: A, table: t, to: V}]
windows:
  - {name: m, from: [V, W], to: P, time: {field: ts, watermark: 1m}, window: {tumbling: 1m}, aggregates: {n: count}}
  - {name: n, engine: spark, from: [P], to: W, time: {field: ts, watermark: 1m}, window: {tumbling: 1m}, aggregates: {n: count}}
";
        // The second would go round in a circle.
        let text = text.replace("from: [P], to: W", "from: [W], to: P.reject");
        let pipeline = crate::parse(&text).unwrap();
        let topics = pipeline.every_topic();
        let told: Vec<_> = topics
            .iter()
            .map(|(name, topic)| format!("{name} {}/{}", topic.partitions, topic.replicas))
            .collect();
        assert_eq!(
            told,
            ["P 1/1", "P.reject 2/1", "V 4/3", "V.reject 1/3", "W 6/1", "W.reject 1/1", "shop.m.parts 4/3"]
        );
        assert_eq!(topics["shop.m.parts"].config["retention.ms"], "-1");
    }
}
