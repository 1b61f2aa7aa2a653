//! The topics that a sink reads.

use regex::Regex;

use super::{StateDescription, Subject, invalid};
use crate::sandbox::kafka;

const DEAD_LETTERS: &str = "errors.deadletterqueue.topic.name";

impl Subject<'_> {
    /// The topics that a sink reads, all of which exist.
    pub(super) fn source_topics(&self) -> Result<Vec<String>, StateDescription> {
        let topics = match self.get("topics.regex") {
            Some(pattern) => self.matching_topics(pattern)?,
            None => self.named_topics()?,
        };
        match self.dead_letter_topic() {
            // One that isn't there yet would be made, and then be read.
            Some(dead) if topics.iter().any(|topic| topic == dead) || self.would_read(dead) => Err(invalid(format!(
                "The DLQ topic '{dead}' may not be included in the list of topics the connector reads"
            ))),
            _ => Ok(topics),
        }
    }

    /// Whether `topics.regex` has a topic in it, one that is there or one that comes.
    fn would_read(&self, topic: &str) -> bool {
        self.get("topics.regex").and_then(|pattern| whole(pattern).ok()).is_some_and(|regex| regex.is_match(topic))
    }

    fn named_topics(&self) -> Result<Vec<String>, StateDescription> {
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

    fn matching_topics(&self, pattern: &str) -> Result<Vec<String>, StateDescription> {
        let regex = whole(pattern)
            .map_err(|_| invalid(format!("Property topics.regex contains an invalid regular expression, or one that looks around, which the sandbox doesn't implement: {pattern}")))?;
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

/// A pattern as Kafka Connect takes it: the whole name has to match.
fn whole(pattern: &str) -> Result<Regex, regex::Error> {
    Regex::new(&format!("^(?:{pattern})$"))
}
