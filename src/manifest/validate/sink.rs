//! The connector's properties: what the manifest sets itself, and the mistakes that Confluent's S3 sink is known for
//! (<https://docs.confluent.io/kafka-connectors/s3-sink/current/configuration_options.html>).

use std::collections::BTreeMap;

use super::super::problem::Findings;
use super::super::yaml::At;
use super::super::{Target, raw};
use super::Scene;
use super::selection::Selected;

const S3_SINK: &str = "io.confluent.connect.s3.S3SinkConnector";
const JSON_FORMAT: &str = "io.confluent.connect.s3.format.json.JsonFormat";
const JSON_CONVERTER: &str = "org.apache.kafka.connect.json.JsonConverter";

/// Tells what is wrong with, or odd about, a connector's properties.
pub(super) fn check(raw: &At<raw::Connector>, selected: &Selected<'_>, scene: &Scene<'_>, findings: &mut Findings) {
    let nothing = BTreeMap::new();
    let config = raw.config.as_ref().map_or(&nothing, |config| &config.value);
    let sink = Sink { config, raw, scene };
    sink.keeps_to_the_manifest(findings);
    sink.tasks(findings);
    sink.dead_letters(selected, findings);
    if sink.is("connector.class", S3_SINK) {
        sink.flush_size(findings);
        sink.rotation(findings);
        sink.schemas(findings);
    }
}

struct Sink<'a> {
    config: &'a BTreeMap<String, At<String>>,
    raw: &'a At<raw::Connector>,
    scene: &'a Scene<'a>,
}

impl Sink<'_> {
    fn get(&self, key: &str) -> Option<&At<String>> {
        self.config.get(key)
    }

    /// Whether a property has the value that it also has where it is absent.
    fn is(&self, key: &str, default: &str) -> bool {
        self.get(key).is_none_or(|value| value.value == default)
    }

    /// What is declared elsewhere can't be said again, and differently, here.
    fn keeps_to_the_manifest(&self, findings: &mut Findings) {
        let selections = ["topics", "topics.regex"];
        for key in selections.into_iter().filter_map(|key| self.get(key).map(|value| (key, value))) {
            let (key, value) = key;
            let instead = if key == "topics" { "topics: [ … ]" } else { "topics: { regex: … }" };
            findings.problem(
                value.key_at,
                format!(
                    "which topics the connector reads is not set in config; \
                        remove {key}, and write connector.{instead}"
                ),
            );
        }
        let bucket = self.scene.raw.bucket.as_ref().map(|bucket| bucket.name.as_str());
        let fixed = [
            ("s3.bucket.name", bucket, "bucket.name"),
            ("s3.region", self.scene.region, "region"),
            ("name", Some(self.raw.name.as_str()), "connector.name"),
        ];
        for (key, declared, place) in fixed {
            if let (Some(value), Some(declared)) = (self.get(key), declared)
                && value.value != declared
            {
                findings.problem(
                    value.at,
                    format!(
                        "{key} is \"{}\", but {place} is \"{declared}\"; remove it here, or change {place}",
                        value.value
                    ),
                );
            }
        }
    }

    /// MSK Connect overrides `tasks.max` where it scales by itself
    /// (<https://docs.aws.amazon.com/msk/latest/developerguide/msk-connect-capacity.html>).
    fn tasks(&self, findings: &mut Findings) {
        let Some(tasks) = self.get("tasks.max") else { return };
        if self.raw.autoscaling.is_some() {
            findings.problem(
                tasks.key_at,
                "tasks.max has no effect with autoscaling; remove it, or set autoscaling.max_tasks",
            );
        } else if !is_positive(tasks) {
            findings.problem(tasks.at, format!("tasks.max is \"{}\"; expected a whole number from 1", tasks.value));
        }
    }

    /// A connector that reads the topic it writes its failures to writes them for ever.
    fn dead_letters(&self, selected: &Selected<'_>, findings: &mut Findings) {
        let Some(topic) = self.get("errors.deadletterqueue.topic.name").filter(|topic| !topic.is_empty()) else {
            return;
        };
        if selected.takes(topic) {
            findings.problem(
                topic.at,
                format!(
                    "the connector reads topic {}, its own dead-letter queue, which would never end; \
                    select topics without it",
                    topic.value
                ),
            );
        }
        if self.is("errors.tolerance", "none") {
            findings.warn(
                topic.at,
                "nothing is sent to the dead-letter queue while errors.tolerance is none; set errors.tolerance: all",
            );
        }
    }

    fn flush_size(&self, findings: &mut Findings) {
        let Some(size) = self.get("flush.size") else {
            let lost = self.scene.is_damaged("connector");
            if !lost {
                let at = self.raw.config.as_ref().map_or(self.raw.key_at, |config| config.key_at);
                findings.problem(
                    at,
                    "flush.size is missing, and the S3 sink has no default for it; \
                    add the records per object to connector.config",
                );
            }
            return;
        };
        if !is_positive(size) {
            findings.problem(size.at, format!("flush.size is \"{}\"; expected a whole number from 1", size.value));
        } else if size.value == "1" && self.scene.target == Some(Target::Aws) {
            findings.warn(
                size.at,
                "flush.size 1 writes an object for every record, each a paid request; raise it unless that is meant",
            );
        }
    }

    fn rotation(&self, findings: &mut Findings) {
        let set = |key: &str| self.get(key).filter(|value| value.value != "-1");
        let scheduled = set("rotate.schedule.interval.ms");
        if let Some(interval) = scheduled
            && self.get("timezone").is_none_or(|zone| zone.trim().is_empty())
        {
            findings.problem(
                interval.key_at,
                "rotate.schedule.interval.ms needs a time zone to count from; add timezone: UTC",
            );
        }
        if let Some(interval) = set("rotate.interval.ms").filter(|_| scheduled.is_none()) {
            findings.warn(
                interval.key_at,
                "rotate.interval.ms advances only with the records' own time: the last of a topic that \
                    falls silent stay unwritten; \
                 use rotate.schedule.interval.ms with timezone",
            );
        }
    }

    /// The REST proxy's JSON has no schemas, which a converter that wants them fails on.
    fn schemas(&self, findings: &mut Findings) {
        let Some(enable) = self.get("value.converter.schemas.enable").filter(|enable| enable.value == "true") else {
            return;
        };
        if self.is("value.converter", JSON_CONVERTER) && self.is("format.class", JSON_FORMAT) {
            findings.warn(
                enable.at,
                "with schemas.enable every record must be {\"schema\": …, \
                \"payload\": …}; plain JSON fails: set it to false unless they are",
            );
        }
    }
}

/// A whole number from 1 that fits Java's `int`.
fn is_positive(text: &str) -> bool {
    text.parse::<i32>().is_ok_and(|number| number >= 1)
}
