//! What has to change, and what must not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use model::{Action, Change, Finding, Kind, Severity, Status};
use serde::{Deserialize, Serialize};

/// A topic: as it is, or as it shall be. Of its settings those that were made for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shape {
    pub(crate) partitions: u32,
    pub(crate) replicas: u16,
    pub(crate) config: BTreeMap<String, String>,
}

impl Shape {
    /// For people and for diffs.
    fn text(&self) -> String {
        let mut text = format!("partitions: {}\nreplicas: {}\n", self.partitions, self.replicas);
        for (name, value) in &self.config {
            // Writing into memory does not fail.
            let _ = writeln!(text, "{name}: {value}");
        }
        text
    }
}

/// A topic as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) shape: Shape,
    /// Every setting with what holds, whoever made it so.
    pub(crate) effective: BTreeMap<String, String>,
    /// How many messages it holds.
    pub(crate) messages: u64,
}

/// What the ledger says of a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owned {
    /// Whether this pipeline made it.
    pub(crate) made: bool,
    /// The settings this pipeline made for it.
    pub(crate) config: BTreeSet<String>,
}

/// A topic's change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Move {
    pub(crate) topic: String,
    pub(crate) before: Option<Shape>,
    pub(crate) after: Option<Shape>,
    /// What the ledger said, and what it will say.
    pub(crate) owned_before: Option<Owned>,
    pub(crate) owned_after: Option<Owned>,
}

impl Move {
    /// As a record.
    pub(crate) fn record(&self) -> Change {
        let texts = [&self.before, &self.after].map(|shape| shape.as_ref().map(Shape::text));
        let [old, new] = texts.clone().map(Option::unwrap_or_default);
        let diff = similar::TextDiff::from_lines(&old, &new).unified_diff().context_radius(99).to_string();
        let [before, after] = texts.map(|text| text.map(|text| files::sha256_hex(text.as_bytes())));
        let action = match (&self.before, &self.after) {
            (None, _) => Action::Create,
            (Some(_), None) => Action::Delete,
            (Some(_), Some(_)) => Action::Update,
        };
        Change {
            target: self.topic.clone(),
            path: None,
            action,
            before_sha256: before,
            after_sha256: after,
            diff: Some(diff),
        }
    }

    /// The settings to be changed, where the topic stays; `None` gives one back.
    pub(crate) fn settings(&self) -> BTreeMap<String, Option<String>> {
        let (Some(before), Some(after)) = (&self.before, &self.after) else { return BTreeMap::new() };
        let names = before.config.keys().chain(after.config.keys());
        let changed = names.filter(|name| before.config.get(*name) != after.config.get(*name));
        changed.map(|name| (name.clone(), after.config.get(name).cloned())).collect()
    }
}

/// Why a topic can not become what is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) topic: String,
    pub(crate) word: &'static str,
    pub(crate) why: String,
    pub(crate) fix: String,
    /// What the shell should see; a guard's no if `None`.
    pub(crate) kind: Option<Kind>,
}

/// What is allowed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Allowed {
    pub(crate) partition_increase: bool,
    pub(crate) prune: bool,
    pub(crate) prune_messages: bool,
}

/// What there is to know before anything is decided.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) found: BTreeMap<String, Found>,
    pub(crate) owned: BTreeMap<String, Owned>,
    pub(crate) brokers: usize,
}

/// What is decided.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) moves: Vec<Move>,
    pub(crate) refusals: Vec<Refusal>,
    /// The topics this pipeline made and the document no longer has.
    pub(crate) left_over: Vec<String>,
}

/// Decides.
pub(crate) fn plan(wanted: &BTreeMap<String, Shape>, known: &Known, allowed: Allowed) -> Plan {
    let mut plan = Plan::default();
    for (topic, shape) in wanted {
        let owned = known.owned.get(topic);
        match known.found.get(topic) {
            None => plan.create(topic, shape, owned, known.brokers),
            Some(found) => plan.change(topic, shape, found, owned, allowed),
        }
    }
    for (topic, owned) in &known.owned {
        let Some(found) = known.found.get(topic).filter(|_| owned.made && !wanted.contains_key(topic)) else {
            continue;
        };
        plan.left_over.push(topic.clone());
        if allowed.prune || allowed.prune_messages {
            plan.prune(topic, found, owned, allowed);
        }
    }
    plan
}

impl Plan {
    fn create(&mut self, topic: &str, shape: &Shape, owned: Option<&Owned>, brokers: usize) {
        if usize::from(shape.replicas) > brokers {
            return self.refuse(
                topic,
                "not_enough_brokers",
                format!("{} replicas are wanted, and {brokers} brokers are there", shape.replicas),
                "start the brokers that are missing, or ask for fewer replicas",
                // One that is down comes back.
                Some(Kind::Unavailable),
            );
        }
        let after = Owned { made: true, config: shape.config.keys().cloned().collect() };
        self.moves.push(Move {
            topic: topic.to_owned(),
            before: None,
            after: Some(shape.clone()),
            owned_before: owned.cloned(),
            owned_after: Some(after),
        });
    }

    fn change(
        &mut self,
        topic: &str,
        wanted: &Shape,
        found: &Found,
        owned: Option<&Owned>,
        allowed: Allowed,
    ) {
        let now = &found.shape;
        let mut after = now.clone();
        if wanted.partitions < now.partitions {
            self.refuse(
                topic,
                "partition_decrease",
                format!(
                    "it has {} partitions, and they never become fewer: {} are wanted",
                    now.partitions, wanted.partitions
                ),
                format!("write partitions: {}, or make another topic and copy it over", now.partitions),
                Some(Kind::Invalid),
            );
        } else if wanted.partitions > now.partitions && !allowed.partition_increase {
            self.refuse(
                topic,
                "partition_increase",
                format!(
                    "it has {} partitions, {} are wanted: keys would move to other partitions, and the rows of a key be out of order",
                    now.partitions, wanted.partitions
                ),
                "--allow-partition-increase",
                None,
            );
        } else {
            after.partitions = wanted.partitions;
        }
        if wanted.replicas != now.replicas {
            self.refuse(
                topic,
                "replicas_change",
                format!(
                    "it is kept on {} brokers, {} are wanted: that moves all it holds",
                    now.replicas, wanted.replicas
                ),
                format!("kafka-reassign-partitions.sh moves it; or write replicas: {}", now.replicas),
                Some(Kind::Invalid),
            );
        }
        let mut ours = owned.map(|owned| owned.config.clone()).unwrap_or_default();
        // What was made for the document and is no longer in it is given back.
        for gone in ours.iter().filter(|name| !wanted.config.contains_key(*name)) {
            after.config.remove(gone);
        }
        ours.retain(|name| wanted.config.contains_key(name));
        for (name, value) in &wanted.config {
            if found.effective.get(name) != Some(value) {
                after.config.insert(name.clone(), value.clone());
                ours.insert(name.clone());
            }
        }
        if after != *now {
            let made = owned.is_some_and(|owned| owned.made);
            self.moves.push(Move {
                topic: topic.to_owned(),
                before: Some(now.clone()),
                after: Some(after),
                owned_before: owned.cloned(),
                owned_after: Some(Owned { made, config: ours }),
            });
        }
    }

    fn prune(&mut self, topic: &str, found: &Found, owned: &Owned, allowed: Allowed) {
        if found.messages > 0 && !allowed.prune_messages {
            return self.refuse(
                topic,
                "not_empty",
                format!("the document no longer has it, and it holds {} messages", found.messages),
                "--prune-messages deletes them with it",
                None,
            );
        }
        self.moves.push(Move {
            topic: topic.to_owned(),
            before: Some(found.shape.clone()),
            after: None,
            owned_before: Some(owned.clone()),
            owned_after: None,
        });
    }

    fn refuse(
        &mut self,
        topic: &str,
        word: &'static str,
        why: impl Into<String>,
        fix: impl Into<String>,
        kind: Option<Kind>,
    ) {
        self.refusals.push(Refusal { topic: topic.to_owned(), word, why: why.into(), fix: fix.into(), kind });
    }
}

/// The moves that take these back, the last one first, and why they can not be taken back.
pub(crate) fn back(moves: &[Move], found: &BTreeMap<String, Found>) -> Plan {
    let mut plan = Plan::default();
    for made in moves.iter().rev() {
        let mut back = Move {
            topic: made.topic.clone(),
            before: made.after.clone(),
            after: made.before.clone(),
            owned_before: made.owned_after.clone(),
            owned_after: made.owned_before.clone(),
        };
        let now = found.get(&made.topic);
        match (&made.before, &made.after, now) {
            // Never done, or undone by somebody else.
            (None, _, None) | (_, None, Some(_)) | (Some(_), Some(_), None) => continue,
            (None, _, Some(now)) if now.messages > 0 => {
                plan.refuse(
                    &made.topic,
                    "not_empty",
                    format!("it was made for this pipeline, and holds {} messages by now", now.messages),
                    "delete it yourself if they may go",
                    None,
                );
                continue;
            }
            (None, _, Some(now)) => back.before = Some(now.shape.clone()),
            (Some(before), Some(after), Some(now)) => {
                let touched = made.settings();
                let foreign = touched.keys().find(|name| {
                    let value = now.shape.config.get(*name);
                    value != after.config.get(*name) && value != before.config.get(*name)
                });
                if let Some(name) = foreign {
                    plan.refuse(
                        &made.topic,
                        "changed_since",
                        format!("somebody changed {name} since"),
                        "set it by hand",
                        None,
                    );
                    continue;
                }
                let mut target = now.shape.clone();
                for name in touched.keys() {
                    match before.config.get(name) {
                        Some(value) => drop(target.config.insert(name.clone(), value.clone())),
                        None => drop(target.config.remove(name)),
                    }
                }
                if now.shape.partitions > before.partitions && after.partitions > before.partitions {
                    plan.refuse(
                        &made.topic,
                        "partition_decrease",
                        format!("its {} partitions stay: they never become fewer", now.shape.partitions),
                        "write them into the document",
                        None,
                    );
                }
                if target == now.shape {
                    continue;
                }
                (back.before, back.after) = (Some(now.shape.clone()), Some(target));
            }
            (Some(_), None, None) => {}
        }
        plan.moves.push(back);
    }
    plan
}

/// A finding for every topic and what is wrong with it.
pub(crate) fn findings(wanted: &BTreeMap<String, Shape>, known: &Known, plan: &Plan) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |topic: &str,
                    check: &str,
                    current: Option<String>,
                    want: Option<String>,
                    why: &str,
                    fix: Option<&str>| {
        let status = if fix.is_some() { Status::Fail } else { Status::Pass };
        findings.push(Finding {
            tool: "kafka-topics".to_owned(),
            target: topic.to_owned(),
            check: check.to_owned(),
            status,
            severity: Severity::High,
            file: None,
            line: None,
            current,
            want,
            why: why.to_owned(),
            fix: fix.map(str::to_owned),
            reference: None,
        });
    };
    for (topic, shape) in wanted {
        let Some(now) = known.found.get(topic) else {
            find(
                topic,
                "topic",
                None,
                Some("there".to_owned()),
                "who writes to it is refused",
                Some("kafka-topics apply"),
            );
            continue;
        };
        let partitions = (now.shape.partitions, shape.partitions);
        let fix = match partitions.0.cmp(&partitions.1) {
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Less => Some("kafka-topics apply --allow-partition-increase"),
            std::cmp::Ordering::Greater => Some("write the number there is: partitions never become fewer"),
        };
        find(
            topic,
            "partitions",
            Some(partitions.0.to_string()),
            Some(partitions.1.to_string()),
            "as many tasks share the work",
            fix,
        );
        let fix = (now.shape.replicas != shape.replicas).then_some("kafka-reassign-partitions.sh moves it");
        find(
            topic,
            "replicas",
            Some(now.shape.replicas.to_string()),
            Some(shape.replicas.to_string()),
            "as many brokers less one may be lost",
            fix,
        );
        for (name, value) in &shape.config {
            let current = now.effective.get(name);
            let fix = (current != Some(value)).then_some("kafka-topics apply");
            find(
                topic,
                "config",
                current.map(|current| format!("{name}: {current}")),
                Some(format!("{name}: {value}")),
                "the document says so",
                fix,
            );
        }
        for update in plan.moves.iter().filter(|update| update.topic == *topic) {
            for (name, _) in update.settings().into_iter().filter(|(_, value)| value.is_none()) {
                let current = now.shape.config.get(&name).map(|value| format!("{name}: {value}"));
                find(
                    topic,
                    "config",
                    current,
                    None,
                    "the document no longer says so",
                    Some("kafka-topics apply"),
                );
            }
        }
    }
    for topic in &plan.left_over {
        find(
            topic,
            "left-over",
            Some("there".to_owned()),
            None,
            "the document no longer has it",
            Some("kafka-topics apply --prune"),
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(partitions: u32, replicas: u16, config: &[(&str, &str)]) -> Shape {
        let config = config.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Shape { partitions, replicas, config: config.collect() }
    }

    fn found(shape: &Shape, messages: u64) -> Found {
        let mut effective = shape.config.clone();
        effective.entry("cleanup.policy".to_owned()).or_insert_with(|| "delete".to_owned());
        Found { shape: shape.clone(), effective, messages }
    }

    fn topics<T: Clone>(topics: &[(&str, T)]) -> BTreeMap<String, T> {
        topics.iter().map(|(name, topic)| ((*name).to_owned(), topic.clone())).collect()
    }

    fn known(now: &[(&str, Found)]) -> Known {
        Known { found: topics(now), owned: BTreeMap::new(), brokers: 3 }
    }

    fn words(plan: &Plan) -> Vec<&'static str> {
        plan.refusals.iter().map(|refusal| refusal.word).collect()
    }

    #[test]
    fn what_is_missing_is_made_and_a_second_time_nothing() {
        let wanted = topics(&[("V", shape(4, 3, &[("retention.ms", "1")]))]);
        let first = plan(&wanted, &known(&[]), Allowed::default());
        assert_eq!(first.moves[0].after, Some(wanted["V"].clone()));
        assert!(first.moves[0].owned_after.as_ref().is_some_and(|owned| owned.made));
        let second = plan(&wanted, &known(&[("V", found(&wanted["V"], 0))]), Allowed::default());
        assert_eq!(second, Plan::default());
        let few = Known { brokers: 2, ..known(&[]) };
        assert_eq!(words(&plan(&wanted, &few, Allowed::default())), ["not_enough_brokers"]);
    }

    #[test]
    fn partitions_never_decrease_and_increase_only_if_allowed() {
        let wanted = topics(&[("V", shape(4, 1, &[])), ("W", shape(4, 1, &[]))]);
        let now = known(&[("V", found(&shape(8, 1, &[]), 0)), ("W", found(&shape(2, 1, &[]), 0))]);
        assert_eq!(
            words(&plan(&wanted, &now, Allowed::default())),
            ["partition_decrease", "partition_increase"]
        );
        let allowed = Allowed { partition_increase: true, ..Allowed::default() };
        let allowed = plan(&wanted, &now, allowed);
        assert_eq!(words(&allowed), ["partition_decrease"]);
        assert_eq!(allowed.moves[0].after.as_ref().unwrap().partitions, 4);
    }

    #[test]
    fn a_setting_is_drift_if_another_value_holds_and_goes_if_the_document_drops_it() {
        let wanted = topics(&[("V", shape(1, 1, &[("cleanup.policy", "delete"), ("retention.ms", "2")]))]);
        let mut now =
            known(&[("V", found(&shape(1, 1, &[("retention.ms", "1"), ("foreign", "x"), ("old", "y")]), 0))]);
        let owned = Owned { made: false, config: BTreeSet::from(["old".to_owned()]) };
        now.owned = topics(&[("V", owned)]);
        let plan = plan(&wanted, &now, Allowed::default());
        let settings = plan.moves[0].settings();
        assert_eq!(settings, topics(&[("retention.ms", Some("2".to_owned())), ("old", None)]));
    }

    #[test]
    fn only_what_this_pipeline_made_is_pruned_and_messages_only_if_told() {
        let mut now = known(&[
            ("mine", found(&shape(1, 1, &[]), 0)),
            ("full", found(&shape(1, 1, &[]), 5)),
            ("foreign", found(&shape(1, 1, &[]), 0)),
            ("tuned", found(&shape(1, 1, &[]), 0)),
        ]);
        let made = Owned { made: true, config: BTreeSet::new() };
        now.owned = topics(&[
            ("mine", made.clone()),
            ("full", made.clone()),
            ("gone", made),
            ("tuned", Owned::default()),
        ]);
        let none = BTreeMap::new();
        let left = plan(&none, &now, Allowed::default());
        assert_eq!(
            (left.left_over.as_slice(), left.moves.len()),
            (["full".to_owned(), "mine".to_owned()].as_slice(), 0)
        );
        let pruned = plan(&none, &now, Allowed { prune: true, ..Allowed::default() });
        assert_eq!((pruned.moves[0].topic.as_str(), words(&pruned)), ("mine", vec!["not_empty"]));
        let all = plan(&none, &now, Allowed { prune: true, prune_messages: true, ..Allowed::default() });
        assert_eq!((all.moves.len(), all.refusals.len()), (2, 0));
    }

    #[test]
    fn the_way_back_leaves_what_others_did_alone() {
        let (old, new) = (shape(1, 1, &[("a", "1")]), shape(2, 1, &[("a", "2"), ("b", "3")]));
        let made = Move {
            topic: "V".to_owned(),
            before: Some(old.clone()),
            after: Some(new.clone()),
            owned_before: None,
            owned_after: Some(Owned::default()),
        };
        let created = Move { before: None, topic: "W".to_owned(), ..made.clone() };
        let now = |config: &[(&str, &str)], messages| {
            topics(&[("V", found(&shape(2, 1, config), 0)), ("W", found(&new, messages))])
        };
        let moves = [made, created];
        let plan = back(&moves, &now(&[("a", "2"), ("b", "3"), ("c", "4")], 0));
        assert_eq!(plan.moves[0].after, None);
        assert_eq!(plan.moves[1].after, Some(shape(2, 1, &[("a", "1"), ("c", "4")])));
        assert_eq!(words(&plan), ["partition_decrease"]);
        let plan = back(&moves, &now(&[("a", "9"), ("b", "3")], 7));
        assert_eq!((plan.moves.len(), words(&plan)), (0, vec!["not_empty", "changed_since"]));
        let half_done = back(&moves[..1], &topics(&[("V", found(&old, 0))]));
        assert_eq!(half_done, Plan::default());
    }

    #[test]
    fn a_record_shows_the_difference() {
        let update = Move {
            topic: "V".to_owned(),
            before: Some(shape(1, 1, &[("a", "1")])),
            after: Some(shape(2, 1, &[])),
            owned_before: None,
            owned_after: None,
        };
        let diff = update.record().diff.unwrap();
        assert_eq!(diff, "@@ -1,3 +1,2 @@\n-partitions: 1\n+partitions: 2\n replicas: 1\n-a: 1\n");
    }
}
