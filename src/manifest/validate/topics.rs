//! The topics.

use std::collections::BTreeMap;

use super::super::nearest::nearest;
use super::super::problem::{Findings, Position};
use super::super::raw::{self, Settings};
use super::super::yaml::At;
use super::super::{Target, Topic, serverless_misfits};
use super::{Scene, names, number, settings};

/// MSK's own `num.partitions`
/// (<https://docs.aws.amazon.com/msk/latest/developerguide/msk-default-configuration.html>).
const PARTITIONS: i32 = 1;
/// MSK's own `default.replication.factor` for clusters in three zones.
const REPLICATION_FACTOR: i32 = 3;
/// More partitions than any one MSK broker is made for: a slip of the keyboard.
const MOST_PARTITIONS: i32 = 10_000;
/// A replica needs a broker of its own, and a cluster of MSK starts with at most this many (CreateClusterV2).
const MOST_REPLICAS: i32 = 15;

/// Kafka's topic settings, to 4.0 (<https://kafka.apache.org/documentation/#topicconfigs>).
const KNOWN_SETTINGS: [&str; 34] = [
    "cleanup.policy",
    "compression.gzip.level",
    "compression.lz4.level",
    "compression.type",
    "compression.zstd.level",
    "delete.retention.ms",
    "file.delete.delay.ms",
    "flush.messages",
    "flush.ms",
    "follower.replication.throttled.replicas",
    "index.interval.bytes",
    "leader.replication.throttled.replicas",
    "local.retention.bytes",
    "local.retention.ms",
    "max.compaction.lag.ms",
    "max.message.bytes",
    "message.downconversion.enable",
    "message.format.version",
    "message.timestamp.after.max.ms",
    "message.timestamp.before.max.ms",
    "message.timestamp.difference.max.ms",
    "message.timestamp.type",
    "min.cleanable.dirty.ratio",
    "min.compaction.lag.ms",
    "min.insync.replicas",
    "preallocate",
    "remote.storage.enable",
    "retention.bytes",
    "retention.ms",
    "segment.bytes",
    "segment.index.bytes",
    "segment.jitter.ms",
    "segment.ms",
    "unclean.leader.election.enable",
];

pub(super) fn topics(scene: &Scene<'_>, findings: &mut Findings) -> Vec<Topic> {
    let defaults = Defaults::new(scene, findings);
    let raw = scene.raw.topics.as_ref().map(|topics| topics.value.as_slice()).unwrap_or_default();
    unique(raw, findings);
    raw.iter().map(|topic| self::topic(topic, &defaults, findings)).collect()
}

/// What topics have that don't say otherwise.
struct Defaults<'a> {
    partitions: i32,
    replication_factor: i32,
    config: BTreeMap<String, String>,
    raw_config: Option<&'a Settings>,
    raw_replication_factor: Option<&'a At<i64>>,
    retain: bool,
    /// Whether the cluster is said to be Serverless.
    serverless: bool,
}

impl<'a> Defaults<'a> {
    fn new(scene: &Scene<'a>, findings: &mut Findings) -> Self {
        let raw = scene.raw.topic_defaults.as_ref();
        let raw_config = raw.and_then(|defaults| defaults.config.as_ref());
        Self {
            partitions: partitions(raw.and_then(|defaults| defaults.partitions.as_ref()), PARTITIONS, findings),
            replication_factor: replication_factor(
                raw.and_then(|defaults| defaults.replication_factor.as_ref()),
                REPLICATION_FACTOR,
                findings,
            ),
            config: raw_config.map(|config| topic_settings(config, findings)).unwrap_or_default(),
            raw_config,
            raw_replication_factor: raw.and_then(|defaults| defaults.replication_factor.as_ref()),
            retain: scene.target == Some(Target::Aws),
            serverless: scene.target == Some(Target::Sandbox) && is_serverless(scene),
        }
    }
}

/// Whether the manifest says that its cluster is Serverless. On AWS the cluster itself tells, once it is asked.
fn is_serverless(scene: &Scene<'_>) -> bool {
    let pretended = scene.raw.cluster.as_ref().and_then(|cluster| cluster.sandbox.as_ref());
    pretended.and_then(|pretended| pretended.serverless.as_ref()).is_some_and(|serverless| serverless.value)
}

fn partitions(given: Option<&At<i64>>, default: i32, findings: &mut Findings) -> i32 {
    number("partitions", given, default, 1..=MOST_PARTITIONS, findings)
}

fn replication_factor(given: Option<&At<i64>>, default: i32, findings: &mut Findings) -> i32 {
    number("replication_factor", given, default, 1..=MOST_REPLICAS, findings)
}

fn topic(raw: &At<raw::Topic>, defaults: &Defaults<'_>, findings: &mut Findings) -> Topic {
    if let Err(problem) = names::topic(&raw.name) {
        findings.problem(raw.name.at, problem);
    }
    let mut config = defaults.config.clone();
    if let Some(own) = &raw.config {
        config.extend(topic_settings(own, findings));
    }
    let topic = Topic {
        name: raw.name.value.clone(),
        partitions: partitions(raw.partitions.as_ref(), defaults.partitions, findings),
        replication_factor: replication_factor(raw.replication_factor.as_ref(), defaults.replication_factor, findings),
        config,
        retain: raw.on_destroy.as_ref().map_or(defaults.retain, |choice| choice.value == "retain"),
    };
    let places: Vec<&Settings> = [raw.config.as_ref(), defaults.raw_config].into_iter().flatten().collect();
    enough_replicas(&topic, places.iter().copied(), findings);
    if defaults.serverless {
        let factor = raw.replication_factor.as_ref().or(defaults.raw_replication_factor);
        for (key, why) in serverless_misfits(&topic) {
            let setting = places.iter().filter_map(|settings| settings.get(key)).map(|value| value.at).next();
            let at = setting.or(factor.map(|factor| factor.at)).unwrap_or(raw.at);
            findings.problem(at, format!("{key} of topic {} {why}", topic.name));
        }
    }
    topic
}

/// With more replicas asked to confirm than there are, no producer that waits for all of them ever succeeds.
fn enough_replicas<'a>(topic: &Topic, places: impl Iterator<Item = &'a Settings>, findings: &mut Findings) {
    const KEY: &str = "min.insync.replicas";
    let Some(least) = topic.config.get(KEY).and_then(|text| text.parse::<i32>().ok()) else { return };
    if least > topic.replication_factor {
        let at = places.filter_map(|settings| settings.get(KEY)).map(|value| value.at).next();
        findings.problem(
            at.unwrap_or(Position::START),
            format!(
                "{KEY} of topic {} is {least}, but its replication_factor is {}; lower the first or raise the second",
                topic.name, topic.replication_factor
            ),
        );
    }
}

fn topic_settings(raw: &Settings, findings: &mut Findings) -> BTreeMap<String, String> {
    for (key, value) in &raw.value {
        if let Err(problem) = is_meant(key, value) {
            findings.problem(value.at, format!("{key}: {problem}"));
        } else if !KNOWN_SETTINGS.contains(&key.as_str()) {
            let advice = nearest(key, KNOWN_SETTINGS)
                .map_or_else(|| "check its spelling".to_owned(), |near| format!("did you mean {near}?"));
            findings.warn(value.key_at, format!("{key} is no topic setting of Kafka's that is known here; {advice}"));
        }
    }
    settings::settings(raw, findings)
}

/// The values that Kafka takes for settings of words and of whole numbers.
fn is_meant(key: &str, value: &str) -> Result<(), String> {
    let among = |words: &[&str]| words.contains(&value);
    let (right, expected) = match key {
        "cleanup.policy" => (
            value.split(',').all(|policy| matches!(policy.trim(), "delete" | "compact")),
            "expected delete, compact, or compact,delete",
        ),
        "compression.type" => (
            among(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]),
            "expected uncompressed, zstd, lz4, snappy, gzip or producer",
        ),
        "message.timestamp.type" => (among(&["CreateTime", "LogAppendTime"]), "expected CreateTime or LogAppendTime"),
        "min.insync.replicas" => (
            value.parse::<i32>().is_ok_and(|count| count >= 1),
            "expected a whole \
            number from 1",
        ),
        "min.cleanable.dirty.ratio" => {
            (value.parse::<f64>().is_ok_and(|ratio| (0.0..=1.0).contains(&ratio)), "expected 0 to 1")
        }
        "preallocate"
        | "remote.storage.enable"
        | "unclean.leader.election.enable"
        | "message.downconversion.enable" => (among(&["true", "false"]), "expected true or false"),
        _ => return Ok(()),
    };
    if right { Ok(()) } else { Err(format!("got \"{value}\"; {expected}")) }
}

/// Tells names that are there twice, also in Kafka's metrics, where `.` and `_` are the same: Kafka refuses to create
/// the second of two topics whose names collide so (`Topic.hasCollision`).
fn unique(topics: &[At<raw::Topic>], findings: &mut Findings) {
    let mut seen: BTreeMap<String, &At<String>> = BTreeMap::new();
    for topic in topics {
        let name = &topic.name;
        match seen.get(&name.replace('.', "_")) {
            None => {
                seen.insert(name.replace('.', "_"), name);
            }
            Some(first) if first.value == name.value => findings.problem(
                name.at,
                format!("topic {} is here twice, first on line {}; keep one of them", name.value, first.at.line),
            ),
            Some(first) => findings.problem(
                name.at,
                format!(
                    "topics {} and {} (line {}) have the same name in Kafka's metrics, where . is _; \
                        rename one of them",
                    name.value, first.value, first.at.line
                ),
            ),
        }
    }
}
