//! Topic configurations: how they travel, which Kafka knows, and which values it takes.
//!
//! Sent: Base64 of a JSON object. Told: Base64 too, of everything that applies, what the server added included. AWS's
//! examples show both JSON and `key=value` lines in replies; both occur here, so that clients learn to read both.

use std::collections::BTreeMap;
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::sandbox::call::Refusal;
use crate::sandbox::config_def::{INT, Kind};
use crate::sandbox::rest_json::bad_request;

/// Values by key.
pub(crate) type Configs = BTreeMap<String, String>;

const COMPRESSIONS: &[&str] = &["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"];

/// `org.apache.kafka.common.config.TopicConfig` and the validators of `LogConfig`, as of Kafka 3.8.
static KNOWN: &[(&str, Kind)] = &[
    ("cleanup.policy", Kind::Each(&["compact", "delete"])),
    ("compression.gzip.level", Kind::Int { min: -1, max: 9 }),
    ("compression.lz4.level", Kind::Int { min: 1, max: 17 }),
    ("compression.type", Kind::OneOf(COMPRESSIONS)),
    ("compression.zstd.level", Kind::Int { min: -131_072, max: 22 }),
    ("delete.retention.ms", Kind::Long { min: 0 }),
    ("file.delete.delay.ms", Kind::Long { min: 0 }),
    ("flush.messages", Kind::Long { min: 1 }),
    ("flush.ms", Kind::Long { min: 0 }),
    ("follower.replication.throttled.replicas", Kind::Any),
    ("index.interval.bytes", Kind::Int { min: 0, max: INT }),
    ("leader.replication.throttled.replicas", Kind::Any),
    ("local.retention.bytes", Kind::Long { min: -2 }),
    ("local.retention.ms", Kind::Long { min: -2 }),
    ("max.compaction.lag.ms", Kind::Long { min: 1 }),
    ("max.message.bytes", Kind::Int { min: 0, max: INT }),
    ("message.downconversion.enable", Kind::Boolean),
    ("message.format.version", Kind::Any),
    ("message.timestamp.after.max.ms", Kind::Long { min: 0 }),
    ("message.timestamp.before.max.ms", Kind::Long { min: 0 }),
    ("message.timestamp.difference.max.ms", Kind::Long { min: 0 }),
    ("message.timestamp.type", Kind::OneOf(&["CreateTime", "LogAppendTime"])),
    ("min.cleanable.dirty.ratio", Kind::Double { min: 0.0, max: 1.0 }),
    ("min.compaction.lag.ms", Kind::Long { min: 0 }),
    ("min.insync.replicas", Kind::Int { min: 1, max: INT }),
    ("preallocate", Kind::Boolean),
    ("remote.storage.enable", Kind::Boolean),
    ("retention.bytes", Kind::Long { min: i64::MIN }),
    ("retention.ms", Kind::Long { min: -1 }),
    ("segment.bytes", Kind::Int { min: 14, max: INT }),
    ("segment.index.bytes", Kind::Int { min: 4, max: INT }),
    ("segment.jitter.ms", Kind::Long { min: 0 }),
    ("segment.ms", Kind::Long { min: 1 }),
    ("unclean.leader.election.enable", Kind::Boolean),
];

/// What MSK's brokers say of a topic that was created without any configuration.
const DEFAULTS: &[(&str, &str)] = &[
    ("cleanup.policy", "delete"),
    ("compression.type", "producer"),
    ("max.message.bytes", "1048588"),
    ("message.timestamp.type", "CreateTime"),
    ("min.insync.replicas", "2"),
    ("retention.bytes", "-1"),
    ("retention.ms", "604800000"),
    ("segment.bytes", "1073741824"),
    ("unclean.leader.election.enable", "true"),
];

/// Reads a request's `configs`, which may be absent.
pub(super) fn decode(configs: Option<&Value>) -> Result<Configs, Refusal> {
    let Some(text) = configs.and_then(Value::as_str) else { return Ok(Configs::new()) };
    let invalid = |what: &str| bad_request(format!("configs must be {what}.")).at_parameter("configs");
    let bytes = STANDARD.decode(text).map_err(|_| invalid("a Base64 string"))?;
    let object: serde_json::Map<String, Value> =
        serde_json::from_slice(&bytes).map_err(|_| invalid("the Base64 of a JSON object of strings"))?;
    object
        .into_iter()
        .map(|(key, value)| match value {
            Value::String(text) => Ok((key, text)),
            Value::Number(number) => Ok((key, number.to_string())),
            Value::Bool(flag) => Ok((key, flag.to_string())),
            Value::Null | Value::Array(_) | Value::Object(_) => {
                Err(invalid(&format!("the Base64 of a JSON object of strings, and {key} isn't one")))
            }
        })
        .collect()
}

/// Everything that applies to a topic: what was set, over the server's defaults.
pub(crate) fn in_force(configs: &Configs) -> Configs {
    let mut all: Configs = DEFAULTS.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    all.extend(configs.clone());
    all
}

/// What DescribeTopic tells of a topic: JSON where its name has an even number of bytes, lines where it is odd.
pub(super) fn encode(name: &str, configs: &Configs) -> String {
    let all = in_force(configs);
    let text = if name.len().is_multiple_of(2) { serde_json::to_string(&all).unwrap_or_default() } else { lines(&all) };
    STANDARD.encode(text)
}

fn lines(configs: &Configs) -> String {
    configs.iter().fold(String::new(), |mut text, (key, value)| {
        let _ = writeln!(text, "{key}={value}");
        text
    })
}

/// Checks keys and values as Kafka does; the error is Kafka's message.
pub(super) fn check(configs: &Configs) -> Result<(), String> {
    configs.iter().try_for_each(|(key, value)| {
        let (_, kind) =
            KNOWN.iter().find(|(known, _)| known == key).ok_or_else(|| format!("Unknown topic config name: {key}"))?;
        kind.check(key, value)
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{Configs, KNOWN, STANDARD, check, decode, encode};
    use base64::Engine;
    use serde_json::{Value, json};

    fn configs(key: &str, value: &str) -> Configs {
        Configs::from([(key.to_owned(), value.to_owned())])
    }

    fn sent(text: &str) -> Value {
        Value::String(STANDARD.encode(text))
    }

    #[test]
    fn only_base64_of_a_json_object_is_read() {
        assert_eq!(decode(Some(&sent(r#"{"retention.ms":"1"}"#))).unwrap(), configs("retention.ms", "1"));
        assert_eq!(decode(Some(&sent(r#"{"retention.ms":1}"#))).unwrap(), configs("retention.ms", "1"));
        assert_eq!(decode(None).unwrap(), Configs::new());
        for wrong in [json!("{}"), sent("retention.ms=1"), sent("[]"), sent(r#"{"a":null}"#), sent(r#"{"a":{}}"#)] {
            assert_eq!(decode(Some(&wrong)).unwrap_err().code, "BadRequestException", "{wrong}");
        }
    }

    #[test]
    fn both_formats_occur_and_hold_what_the_server_adds() {
        let text =
            |name| String::from_utf8(STANDARD.decode(encode(name, &configs("retention.ms", "5"))).unwrap()).unwrap();
        let json: Configs = serde_json::from_str(&text("even")).unwrap();
        assert_eq!((json["retention.ms"].as_str(), json["min.insync.replicas"].as_str()), ("5", "2"));
        let lines = text("odd");
        assert!(lines.contains("retention.ms=5\n") && lines.contains("cleanup.policy=delete\n"), "{lines}");
    }

    #[test]
    fn keys_and_values_are_checked_as_kafka_does() {
        assert_eq!(check(&configs("cleanup.policy", "compact,delete")), Ok(()));
        for (key, value, fault) in [
            ("retention.mss", "1", "Unknown topic config name: retention.mss"),
            ("retention.ms", "7d", "Invalid value 7d for configuration retention.ms: Not a number of type LONG"),
        ] {
            assert_eq!(check(&configs(key, value)), Err(fault.to_owned()));
        }
    }

    #[test]
    fn the_known_keys_are_in_order_and_distinct() {
        assert!(KNOWN.is_sorted_by(|(one, _), (other, _)| one < other));
    }
}
