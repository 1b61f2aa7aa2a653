//! What a connector's configuration says, checked as Kafka Connect and Confluent's S3 sink check theirs.

use std::collections::BTreeSet;

use super::classes::{CONVERTER, OTHER, PREDICATE, Part, TRANSFORMATION};
use super::{Finding, Subject, invalid};
use crate::sandbox::config_def::{self, INT, Kind};

/// Confluent's default where `s3.region` is left out.
pub(super) const DEFAULT_S3_REGION: &str = "us-west-2";

/// `ConnectorConfig` of Kafka Connect.
const ANY_CONNECTOR: &[(&str, Kind)] = &[
    ("config.action.reload", Kind::OneOfAnyCase(&["NONE", "RESTART"])),
    ("errors.log.enable", Kind::Boolean),
    ("errors.log.include.messages", Kind::Boolean),
    ("errors.retry.delay.max.ms", Kind::Long { min: i64::MIN }),
    ("errors.retry.timeout", Kind::Long { min: i64::MIN }),
    ("errors.tolerance", Kind::OneOf(&["none", "all"])),
    ("tasks.max", Kind::Int { min: 1, max: INT }),
];

/// `SinkConnectorConfig` of Kafka Connect.
const ANY_SINK: &[(&str, Kind)] = &[
    ("errors.deadletterqueue.context.headers.enable", Kind::Boolean),
    ("errors.deadletterqueue.topic.replication.factor", Kind::Short { min: i16::MIN as i64 }),
];

/// `S3SinkConnectorConfig`, and what it is built on.
const S3_SINK: &[(&str, Kind)] = &[
    ("behavior.on.null.values", Kind::OneOfAnyCase(&["ignore", "fail", "write"])),
    ("filename.offset.zero.pad.width", Kind::Int { min: 0, max: INT }),
    ("flush.size", Kind::Int { min: 1, max: INT }),
    ("partition.duration.ms", Kind::Long { min: i64::MIN }),
    ("retry.backoff.ms", Kind::Long { min: i64::MIN }),
    ("rotate.interval.ms", Kind::Long { min: i64::MIN }),
    ("rotate.schedule.interval.ms", Kind::Long { min: i64::MIN }),
    ("s3.compression.level", Kind::Int { min: -1, max: 9 }),
    ("s3.compression.type", Kind::OneOf(&["none", "gzip"])),
    ("s3.part.retries", Kind::Int { min: 0, max: INT }),
    ("s3.part.size", Kind::Int { min: 5_242_880, max: INT }),
    ("s3.path.style.access.enabled", Kind::Boolean),
    ("s3.retry.backoff.ms", Kind::Long { min: 0 }),
    ("schema.cache.size", Kind::Int { min: i32::MIN as i64, max: INT }),
    (
        "schema.compatibility",
        Kind::OneOf(&[
            "NONE",
            "BACKWARD",
            "BACKWARD_TRANSITIVE",
            "FORWARD",
            "FORWARD_TRANSITIVE",
            "FULL",
            "FULL_TRANSITIVE",
        ]),
    ),
    ("store.kafka.headers", Kind::Boolean),
    ("store.kafka.keys", Kind::Boolean),
];

const S3_SINK_REQUIRED: [&str; 4] = ["s3.bucket.name", "flush.size", "storage.class", "format.class"];
const S3_SINK_CLASSES: [&str; 3] = ["storage.class", "format.class", "partitioner.class"];

const CONVERTERS: [&str; 3] = ["key.converter", "value.converter", "header.converter"];
const JSON_CONVERTER: &str = "org.apache.kafka.connect.json.JsonConverter";
const TIME_BASED: &str = "io.confluent.connect.storage.partitioner.TimeBasedPartitioner";

impl Subject<'_> {
    /// Looks for everything that is wrong with the configuration, which Kafka Connect tells at once.
    pub(super) fn check_configuration(&self) -> Finding {
        let mut faults = self.typed_faults(ANY_CONNECTOR);
        faults.extend(CONVERTERS.iter().flat_map(|key| self.converter_faults(key)));
        faults.extend(self.list_faults("transforms", TRANSFORMATION));
        faults.extend(self.list_faults("predicates", PREDICATE));
        if self.is_sink() {
            faults.extend(self.typed_faults(ANY_SINK));
            faults.extend(self.topic_choice_fault());
        }
        if self.is_s3_sink() {
            faults.extend(self.s3_sink_faults());
        }
        if faults.is_empty() {
            return Ok(());
        }
        Err(invalid(format!(
            "Connector configuration is invalid and contains the following {} error(s):\n{}\nYou can also find the above list of errors at the endpoint `/connector-plugins/{}/config/validate`",
            faults.len(),
            faults.join("\n"),
            self.class()
        )))
    }

    /// What is wrong with the values of keys that have a type.
    fn typed_faults(&self, definitions: &[(&str, Kind)]) -> Vec<String> {
        let given = |key: &str| self.settings.configuration.get(key);
        let faults = definitions.iter().filter_map(|(key, kind)| kind.check(key, given(key)?).err());
        faults.collect()
    }

    /// A converter is the connector's own, or else its workers'.
    fn converter_faults(&self, key: &str) -> Vec<String> {
        let Some(name) = self.effective.get(key) else { return Vec::new() };
        let mut faults: Vec<String> = self.class_fault(CONVERTER, key, name).into_iter().collect();
        let schemas = format!("{key}.schemas.enable");
        if let Some(value) = self.effective.get(&schemas).filter(|_| self.full_name(CONVERTER, name) == JSON_CONVERTER)
        {
            faults.extend(Kind::Boolean.check(&schemas, value).err());
        }
        faults
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

    fn s3_sink_faults(&self) -> Vec<String> {
        let absent = S3_SINK_REQUIRED.iter().filter(|key| self.get(key).is_none());
        let mut faults: Vec<String> = absent.map(|key| config_def::missing(key)).collect();
        faults.extend(self.typed_faults(S3_SINK));
        faults.extend(S3_SINK_CLASSES.iter().filter_map(|key| self.class_fault(OTHER, key, self.get(key)?)));
        let scheduled = self.get("rotate.schedule.interval.ms").is_some_and(|interval| interval != "-1");
        if scheduled && self.get("timezone").is_none() {
            faults.push("rotate.schedule.interval.ms needs timezone to be set".to_owned());
        }
        if self.get("partitioner.class") == Some(TIME_BASED) {
            faults.extend(self.time_based_faults());
        }
        faults
    }

    /// What `TimeBasedPartitioner` wants; those made for an hour or a day know it by themselves.
    fn time_based_faults(&self) -> Vec<String> {
        let texts = [
            ("path.format", "Path format cannot be empty."),
            ("locale", "Locale cannot be empty."),
            ("timezone", "Timezone cannot be empty."),
        ];
        let mut faults: Vec<String> = texts
            .into_iter()
            .filter(|(key, _)| self.get(key).is_none())
            .map(|(key, fault)| config_def::invalid(key, "", fault))
            .collect();
        let duration = self.get("partition.duration.ms").unwrap_or("-1");
        if duration.trim().parse::<i64>().is_ok_and(|duration| duration < 0) {
            let fault = "Partition duration needs to be a positive.";
            faults.push(config_def::invalid("partition.duration.ms", duration, fault));
        }
        faults
    }
}

#[cfg(test)]
mod tests;
