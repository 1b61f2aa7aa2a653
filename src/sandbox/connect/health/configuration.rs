//! What a connector's configuration says, checked as Kafka Connect and Confluent's S3 sink check theirs.

use regex::Regex;

use super::{Finding, S3_SINK, Subject, invalid};
use crate::sandbox::kafka;

/// Confluent's default where `s3.region` is left out.
pub(super) const DEFAULT_S3_REGION: &str = "us-west-2";

/// The packages of what a worker has without any plugin: file and mirror connectors, converters, transforms.
const BUILT_IN: &[&str] = &["org.apache.kafka.connect.", "org.apache.kafka.common.config.provider."];

const CONVERTERS: &[&str] = &["key.converter", "value.converter", "header.converter"];
const DEAD_LETTERS: &str = "errors.deadletterqueue.topic.name";

impl Subject<'_> {
    pub(super) fn check_class(&self) -> Finding {
        let class = self.class();
        if self.has_class(class) {
            return Ok(());
        }
        let available: Vec<&str> =
            self.classes.iter().map(String::as_str).filter(|name| name.ends_with("Connector")).collect();
        Err(invalid(format!(
            "Failed to find any class that implements Connector and which name matches {class}, available connectors are: {}",
            if available.is_empty() { "none".to_owned() } else { available.join(", ") }
        )))
    }

    fn has_class(&self, class: &str) -> bool {
        self.classes.contains(class) || BUILT_IN.iter().any(|package| class.starts_with(package))
    }

    pub(super) fn check_configuration(&self) -> Finding {
        self.check_at_least("tasks.max", 1)?;
        for key in CONVERTERS {
            self.check_class_of(key)?;
        }
        if self.is_sink() {
            self.check_topic_choice()?;
        }
        if self.class() == S3_SINK { self.check_s3_sink() } else { Ok(()) }
    }

    fn check_s3_sink(&self) -> Finding {
        for key in ["s3.bucket.name", "flush.size", "storage.class", "format.class"] {
            if self.get(key).is_none() {
                return Err(invalid(format!("Missing required configuration \"{key}\" which has no default value.")));
            }
        }
        self.check_at_least("flush.size", 1)?;
        for key in ["storage.class", "format.class", "partitioner.class"] {
            self.check_class_of(key)?;
        }
        self.check_at_least("s3.part.size", 5_242_880)?;
        let scheduled = self.get("rotate.schedule.interval.ms").is_some_and(|interval| interval != "-1");
        if scheduled && self.get("timezone").is_none() {
            return Err(invalid("rotate.schedule.interval.ms needs timezone to be set"));
        }
        Ok(())
    }

    /// A class that the configuration or that of the workers names has to be there.
    fn check_class_of(&self, key: &str) -> Finding {
        match self.effective.get(key) {
            Some(class) if !self.has_class(class) => Err(invalid(format!(
                "Invalid value {class} for configuration {key}: Class {class} could not be found."
            ))),
            _ => Ok(()),
        }
    }

    fn check_at_least(&self, key: &str, least: i32) -> Finding {
        let Some(value) = self.get(key) else { return Ok(()) };
        match value.trim().parse::<i32>() {
            Err(_) => Err(invalid(format!("Invalid value {value} for configuration {key}: Not a number of type INT"))),
            Ok(number) if number < least => {
                Err(invalid(format!("Invalid value {value} for configuration {key}: Value must be at least {least}")))
            }
            Ok(_) => Ok(()),
        }
    }

    fn check_topic_choice(&self) -> Finding {
        match (self.get("topics"), self.get("topics.regex")) {
            (None, None) => Err(invalid("Must configure one of topics or topics.regex")),
            (Some(_), Some(_)) => {
                Err(invalid("topics and topics.regex are mutually exclusive options, but both are set."))
            }
            _ => Ok(()),
        }
    }

    /// The topics that a sink reads, all of which exist.
    pub(super) fn source_topics(&self) -> Result<Vec<String>, super::StateDescription> {
        let topics = match self.get("topics.regex") {
            Some(pattern) => self.matching_topics(pattern)?,
            None => self.named_topics()?,
        };
        match self.get(DEAD_LETTERS) {
            Some(dead) if topics.iter().any(|topic| topic == dead) => Err(invalid(format!(
                "The DLQ topic '{dead}' may not be included in the list of topics the connector reads"
            ))),
            _ => Ok(topics),
        }
    }

    fn named_topics(&self) -> Result<Vec<String>, super::StateDescription> {
        let topics = self.get("topics").unwrap_or_default().split(',').map(str::trim);
        let topics: Vec<String> = topics.filter(|topic| !topic.is_empty()).map(str::to_owned).collect();
        let missing: Vec<&str> = topics
            .iter()
            .filter(|topic| kafka::topic(self.world, &self.cluster, topic).is_none())
            .map(String::as_str)
            .collect();
        if missing.is_empty() {
            return Ok(topics);
        }
        Err(invalid(format!(
            "The cluster {} has no topic {} (UNKNOWN_TOPIC_OR_PARTITION)",
            self.cluster.name,
            missing.join(", ")
        )))
    }

    fn matching_topics(&self, pattern: &str) -> Result<Vec<String>, super::StateDescription> {
        // Kafka Connect wants the whole name to match.
        let regex = Regex::new(&format!("^(?:{pattern})$"))
            .map_err(|_| invalid(format!("Property topics.regex contains an invalid regular expression: {pattern}")))?;
        let topics: Vec<String> =
            kafka::topics(self.world, &self.cluster).into_keys().filter(|topic| regex.is_match(topic)).collect();
        if topics.is_empty() {
            return Err(invalid(format!(
                "topics.regex {pattern} matches no topic of the cluster {}",
                self.cluster.name
            )));
        }
        Ok(topics)
    }

    /// The topic for records that can't be handled, where there is one.
    pub(super) fn dead_letter_topic(&self) -> Option<&str> {
        self.get(DEAD_LETTERS)
    }
}
