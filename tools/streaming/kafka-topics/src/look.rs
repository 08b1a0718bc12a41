//! The topics as they are.

use std::collections::BTreeMap;

use cli::Context;
use kafka::{Admin, Cluster, Source};

use crate::plan::{Found, Shape};

/// Looks at these; those that are not there are not among what is found.
pub(crate) fn look<'a>(
    cluster: &Cluster,
    admin: &Admin,
    names: impl IntoIterator<Item = &'a String>,
) -> cli::Result<BTreeMap<String, Found>> {
    let mut all = BTreeMap::new();
    for name in names {
        let doing = format!("looking at topic {name}");
        let topic = match cluster.topic(name) {
            Err(kafka::Error::NoSuchTopic(_)) => continue,
            topic => topic.doing(&doing)?,
        };
        let settings = admin.settings(name).doing(&doing)?;
        let mut found = Found::default();
        found.shape.partitions = u32::try_from(topic.partitions.len()).unwrap_or(u32::MAX);
        let replicas = topic.partitions.iter().map(|partition| partition.replicas.len()).min();
        found.shape.replicas = replicas.and_then(|count| u16::try_from(count).ok()).unwrap_or_default();
        for (name, setting) in settings {
            let Some(value) = setting.value else { continue };
            if setting.source == Source::Topic {
                found.shape.config.insert(name.clone(), value.clone());
            }
            found.effective.insert(name, value);
        }
        let places = topic.places();
        let begins = cluster.begins(&places).doing(&doing)?;
        let ends = cluster.ends(&places).doing(&doing)?;
        let counts = ends.iter().map(|(place, end)| end - begins.get(place).unwrap_or(end));
        found.messages = counts.map(|count| u64::try_from(count).unwrap_or_default()).sum();
        all.insert(name.clone(), found);
    }
    Ok(all)
}

/// The topics of the document, and those that go with them.
pub(crate) fn wanted(pipeline: &pipeline::Pipeline) -> BTreeMap<String, Shape> {
    let shape = |topic: pipeline::Topic| Shape {
        partitions: topic.partitions,
        replicas: topic.replicas,
        config: topic.config,
    };
    pipeline.every_topic().into_iter().map(|(name, topic)| (name, shape(topic))).collect()
}
