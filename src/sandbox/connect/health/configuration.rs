//! What a connector's configuration says, checked as Kafka Connect and Confluent's S3 sink check theirs.

use std::collections::BTreeSet;

use super::classes::{CONVERTER, OTHER, PREDICATE, Part, TRANSFORMATION};
use super::{Finding, Sink, Subject, invalid_configuration};
use crate::sandbox::config_def;
use crate::sandbox::connect::properties::{self, ANY_CONNECTOR, ANY_SINK};

const S3_SINK_CLASSES: [&str; 3] = ["storage.class", "format.class", "partitioner.class"];
const CONVERTERS: [&str; 3] = ["key.converter", "value.converter", "header.converter"];

impl Subject<'_> {
    /// Looks for everything that is wrong with the configuration, which Kafka Connect tells at once.
    pub(super) fn check_configuration(&self) -> Finding {
        let configuration = &self.settings.configuration;
        let mut faults: Vec<String> = CONVERTERS.iter().filter_map(|key| self.converter_fault(key)).collect();
        faults.extend(self.list_faults("transforms", TRANSFORMATION));
        faults.extend(self.list_faults("predicates", PREDICATE));
        if self.is_sink() {
            faults.extend(self.topic_choice_fault());
        }
        if self.is_s3_sink() {
            faults.extend(S3_SINK_CLASSES.iter().filter_map(|key| self.class_fault(OTHER, key, self.get(key)?)));
            // Also what the sandbox doesn't implement: better now than by a worker that does something else. Of a class
            // that isn't there it has been told already.
            let told = |fault: &String| {
                let keys = S3_SINK_CLASSES.iter().chain(&CONVERTERS).map(|key| format!(" for configuration {key}: "));
                keys.into_iter().any(|key| fault.contains(&key) && faults.iter().any(|told| told.contains(&key)))
            };
            let sink = Sink::of(configuration, &self.worker).err().unwrap_or_default();
            let more: Vec<String> = sink.into_iter().filter(|fault| !told(fault)).collect();
            faults.extend(more);
        } else {
            faults.extend(properties::faults(ANY_CONNECTOR, configuration));
            if self.is_sink() {
                faults.extend(properties::faults(ANY_SINK, configuration));
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(invalid_configuration(&faults, &self.class())) }
    }

    /// A converter is the connector's own, or else its workers'.
    fn converter_fault(&self, key: &str) -> Option<String> {
        let name = self.get(key).or_else(|| self.worker.get(key).map(String::as_str))?;
        self.class_fault(CONVERTER, key, name)
    }

    /// What is wrong with a list of names that each have a class, as `transforms` do.
    fn list_faults(&self, list: &str, part: Part) -> Vec<String> {
        let names: Vec<&str> = self.get(list).into_iter().flat_map(|names| names.split(',')).map(str::trim).collect();
        if names.iter().collect::<BTreeSet<_>>().len() < names.len() {
            return vec![config_def::invalid(list, &format!("[{}]", names.join(", ")), "Duplicate alias provided.")];
        }
        let fault = |name: &&str| {
            let key = format!("{list}.{name}.type");
            match self.get(&key) {
                None => Some(config_def::missing(&key)),
                Some(class) => self.class_fault(part, &key, class),
            }
        };
        names.iter().filter_map(fault).collect()
    }

    fn topic_choice_fault(&self) -> Option<String> {
        match (self.get("topics"), self.get("topics.regex")) {
            (None, None) => Some("Must configure one of topics or topics.regex".to_owned()),
            (Some(_), Some(_)) => {
                Some("topics and topics.regex are mutually exclusive options, but both are set.".to_owned())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
