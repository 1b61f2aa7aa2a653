//! The properties of the S3 sink.

use std::collections::BTreeMap;

use crate::manifest::{Capacity, Connector, Topic, TopicSelection};

/// What the Confluent S3 sink is given for JSON records without a schema, where the manifest says nothing else.
/// <https://docs.confluent.io/kafka-connectors/s3-sink/current/configuration_options.html>
const DEFAULTS: [(&str, &str); 9] = [
    ("connector.class", "io.confluent.connect.s3.S3SinkConnector"),
    ("storage.class", "io.confluent.connect.s3.storage.S3Storage"),
    ("format.class", "io.confluent.connect.s3.format.json.JsonFormat"),
    ("partitioner.class", "io.confluent.connect.storage.partitioner.DefaultPartitioner"),
    ("schema.compatibility", "NONE"),
    ("flush.size", "1000"),
    ("key.converter", "org.apache.kafka.connect.storage.StringConverter"),
    ("value.converter", "org.apache.kafka.connect.json.JsonConverter"),
    ("value.converter.schemas.enable", "false"),
];

/// All properties of a connector: the defaults, what follows from the manifest, and over both what it says itself.
pub(super) fn properties(
    declared: &Connector,
    topics: &[Topic],
    region: &str,
    bucket: &str,
) -> BTreeMap<String, String> {
    let mut properties: BTreeMap<String, String> =
        DEFAULTS.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    properties.insert("s3.region".to_owned(), region.to_owned());
    properties.insert("s3.bucket.name".to_owned(), bucket.to_owned());
    let (key, value) = match &declared.topics {
        TopicSelection::All => ("topics", topics.iter().map(|topic| topic.name.as_str()).collect::<Vec<_>>().join(",")),
        TopicSelection::List(names) => ("topics", names.join(",")),
        TopicSelection::Regex(regex) => ("topics.regex", regex.clone()),
    };
    properties.insert(key.to_owned(), value);
    // With autoscaling MSK Connect sets the number of tasks itself.
    if matches!(declared.capacity, Capacity::Provisioned { .. }) {
        properties.insert("tasks.max".to_owned(), "1".to_owned());
    }
    properties.extend(declared.config.clone());
    properties
}

/// The classes that the plugin must bring for these properties.
pub(super) fn classes(properties: &BTreeMap<String, String>) -> Vec<&str> {
    ["connector.class", "storage.class", "format.class", "partitioner.class", "key.converter", "value.converter"]
        .iter()
        .filter_map(|key| properties.get(*key))
        .map(String::as_str)
        .collect()
}
