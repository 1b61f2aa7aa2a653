//! Topics through MSK's topic API (<https://docs.aws.amazon.com/msk/latest/developerguide/msk-topic-operations.html>).
//!
//! Writes act on the present. Reads show the past: AWS refreshes what they show about once a minute, so DescribeTopic
//! and ListTopics tell how the world was `lag` ago.

mod configs;
mod history;

pub(crate) use history::{Topic, View};

use std::collections::BTreeMap;

use serde_json::{Value, json};

use self::configs::Configs;
use self::history::Content;
use super::clusters::{self, Cluster, Kind};
use super::versions;
use crate::sandbox::call::{Call, PathValues, Refusal, Reply};
use crate::sandbox::rest_json::pages::Page;
use crate::sandbox::rest_json::shape::{INTEGER, Member, Shape, TEXT, check, optional, required};
use crate::sandbox::rest_json::{bad_request, not_found, path_value};
use crate::sandbox::store::Transaction;
use crate::sandbox::world::{Millis, World, now};

const PAGE_SIZE: usize = 50;
/// Kafka's own limit.
const MAX_NAME: usize = 249;

const CREATE: &[Member] = &[
    required("topicName", TEXT),
    required("partitionCount", Shape::Whole { min: 1, max: i32::MAX as i64 }),
    required("replicationFactor", Shape::Whole { min: 1, max: i16::MAX as i64 }),
    optional("configs", TEXT),
];
const UPDATE: &[Member] = &[optional("configs", TEXT), optional("partitionCount", INTEGER)];

/// The topics of a cluster are a table of their own, so that neither a description nor a write reads them all.
fn table(cluster: &Cluster) -> String {
    format!("kafka.topics {}", cluster.arn)
}

/// Kafka takes `a.b` and `a_b` for the same name, because metrics do: they share a key, so that one look finds either.
fn key(name: &str) -> String {
    name.replace('_', ".")
}

/// The ARN of a topic, as policies and descriptions have it.
pub(crate) fn topic_arn(cluster: &Cluster, name: &str) -> String {
    cluster.arn_of("topic", name)
}

/// A topic as it is now, whatever the readers of the API are shown; nothing where it is being deleted.
pub(crate) fn topic(world: &World, cluster: &Cluster, name: &str) -> Option<View> {
    world.store.read(|transaction| present(transaction, cluster, name).and_then(|topic| topic.live(now())))
}

/// All topics of a cluster as they are now, by name, without those that are being deleted.
pub(crate) fn topics(world: &World, cluster: &Cluster) -> BTreeMap<String, View> {
    let now = now();
    let topics = world.store.read(|transaction| transaction.list::<Topic>(&table(cluster)));
    topics.into_iter().filter_map(|(_, topic)| topic.live(now).map(|view| (topic.name, view))).collect()
}

/// Removes all topics of a cluster that goes away.
pub(super) fn forget(transaction: &mut Transaction<'_>, cluster: &Cluster) {
    let table = table(cluster);
    for (key, _) in transaction.list::<Topic>(&table) {
        transaction.delete(&table, &key);
    }
}

fn present(transaction: &Transaction<'_>, cluster: &Cluster, name: &str) -> Option<Topic> {
    transaction.get::<Topic>(&table(cluster), &key(name)).filter(|topic| topic.name == name)
}

/// The cluster of a call, where the topic API works for it.
fn cluster_of(transaction: &Transaction<'_>, path: &PathValues) -> Result<(Cluster, u32, &'static str), Refusal> {
    let (cluster, state) = clusters::find(transaction, path_value(path, "clusterArn"))?;
    let brokers = match &cluster.kind {
        Kind::Serverless { .. } => {
            let message = "Topic operations aren't supported for MSK Serverless clusters.";
            return Err(bad_request(message).at_parameter("clusterArn"));
        }
        Kind::Provisioned { kafka_version, .. } if !versions::has_topic_api(kafka_version) => {
            let message =
                format!("Topic operations need Apache Kafka 3.6.0 or later; the cluster has {kafka_version}.");
            return Err(bad_request(message).at_parameter("clusterArn"));
        }
        Kind::Provisioned { brokers, .. } => *brokers,
    };
    Ok((cluster, brokers, state))
}

/// The same for a write, which needs brokers that answer.
fn writable(transaction: &Transaction<'_>, path: &PathValues) -> Result<(Cluster, u32), Refusal> {
    let (cluster, brokers, state) = cluster_of(transaction, path)?;
    if state == "ACTIVE" {
        return Ok((cluster, brokers));
    }
    let message = format!("Unable to connect to the cluster, which is {state}. Wait until it is ACTIVE.");
    Err(Refusal::new(409, "ClusterConnectivityException", message).at_parameter("clusterArn"))
}

/// The same for a read, with the moment that it shows.
fn readable(
    world: &World,
    transaction: &Transaction<'_>,
    path: &PathValues,
) -> Result<(Cluster, u32, Millis), Refusal> {
    let (cluster, brokers, state) = cluster_of(transaction, path)?;
    if state != "ACTIVE" {
        return Err(bad_request(format!("The cluster must be ACTIVE; it is {state}.")).at_parameter("clusterArn"));
    }
    Ok((cluster, brokers, now().saturating_sub(world.settings.lag.as_millis() as Millis)))
}

fn kafka_refuses(message: impl Into<String>, parameter: &str) -> Refusal {
    Refusal::new(400, "KafkaRequestException", message).at_parameter(parameter)
}

fn unknown_topic() -> Refusal {
    let message = "This server does not host this topic-partition.";
    Refusal::new(404, "UnknownTopicOrPartitionException", message).at_parameter("topicName")
}

fn check_name(name: &str) -> Result<(), Refusal> {
    let fits = (1..=MAX_NAME).contains(&name.len())
        && !matches!(name, "." | "..")
        && name.chars().all(|each| each.is_ascii_alphanumeric() || matches!(each, '.' | '_' | '-'));
    if fits {
        return Ok(());
    }
    Err(bad_request(format!(
        "Topic name is invalid: '{name}'. Use 1 to {MAX_NAME} ASCII letters, digits, '.', '_' and '-', but neither '.' nor '..'."
    ))
    .at_parameter("topicName"))
}

/// What the writing operations answer.
fn reply(cluster: &Cluster, name: &str, state: &str) -> Reply {
    Reply::json(&json!({"topicArn": topic_arn(cluster, name), "topicName": name, "status": state}))
}

pub(super) fn create(world: &World, path: &PathValues, call: &Call) -> Result<Reply, Refusal> {
    let request = call.json()?;
    check(&request, CREATE)?;
    let name = request["topicName"].as_str().unwrap_or_default();
    check_name(name)?;
    let sent = configs::decode(request.get("configs"))?;
    let content = Content {
        partitions: request["partitionCount"].as_i64().unwrap_or(0),
        replication: request["replicationFactor"].as_i64().unwrap_or(0),
        configs: sent,
    };
    world.store.transact(|transaction| {
        let (cluster, brokers) = writable(transaction, path)?;
        check_configs(&content.configs)?;
        let factor = content.replication;
        if factor > i64::from(brokers) {
            return Err(kafka_refuses(
                format!("Unable to replicate the partition {factor} time(s): The target replication factor of {factor} cannot be reached because only {brokers} broker(s) are registered."),
                "replicationFactor",
            ));
        }
        let (table, key, now) = (table(&cluster), key(name), now());
        let old = transaction.get::<Topic>(&table, &key);
        if let Some(old) = old.as_ref().filter(|old| old.at(now).is_some()) {
            return Err(name_in_use(name, &old.name));
        }
        // Readers are still shown the last days of an earlier topic of that name.
        let mut topic = old.filter(|old| old.name == name).unwrap_or_else(|| Topic::named(name));
        topic.created(now, world.settled_at(), content);
        transaction.put(&table, &key, &topic)?;
        Ok(reply(&cluster, name, "CREATING"))
    })
}

fn name_in_use(name: &str, other: &str) -> Refusal {
    if name == other {
        let message = format!("Topic '{name}' already exists.");
        return Refusal::new(409, "TopicExistsException", message).at_parameter("topicName");
    }
    kafka_refuses(format!("Topic '{name}' collides with existing topic: {other}"), "topicName")
}

fn check_configs(configs: &Configs) -> Result<(), Refusal> {
    configs::check(configs).map_err(|message| kafka_refuses(message, "configs"))
}

pub(super) fn update(world: &World, path: &PathValues, call: &Call) -> Result<Reply, Refusal> {
    let request = call.json()?;
    check(&request, UPDATE)?;
    let name = path_value(path, "topicName");
    let partitions = request.get("partitionCount").and_then(Value::as_i64);
    let sent = configs::decode(request.get("configs"))?;
    match (partitions, request.get("configs")) {
        (Some(_), Some(_)) => {
            return Err(bad_request("Update either partitionCount or configs in a call, not both.")
                .at_parameter("partitionCount"));
        }
        (None, None) => {
            return Err(bad_request("Specify partitionCount or configs to update.").at_parameter("partitionCount"));
        }
        _ => {}
    }
    world.store.transact(|transaction| {
        let (cluster, _) = writable(transaction, path)?;
        let now = now();
        let mut topic = present(transaction, &cluster, name).ok_or_else(unknown_topic)?;
        let View { state, mut content } = topic.live(now).ok_or_else(unknown_topic)?;
        if state != "ACTIVE" {
            let message = format!("A change of topic '{name}' is in progress: it is {state}.");
            return Err(Refusal::new(409, "ReassignmentInProgressException", message).at_parameter("topicName"));
        }
        if let Some(partitions) = partitions {
            check_growth(content.partitions, partitions)?;
            content.partitions = partitions;
        }
        check_configs(&sent)?;
        content.configs.extend(sent);
        topic.updated(now, world.settled_at(), content);
        transaction.put(&table(&cluster), &key(name), &topic)?;
        Ok(reply(&cluster, name, "UPDATING"))
    })
}

/// Partitions only grow; the refusals are Kafka's.
fn check_growth(current: i64, wanted: i64) -> Result<(), Refusal> {
    let message = if wanted == current {
        format!("Topic already has {current} partition(s).")
    } else if wanted < current {
        format!("The topic currently has {current} partition(s); {wanted} would not be an increase.")
    } else {
        return Ok(());
    };
    Err(kafka_refuses(message, "partitionCount"))
}

pub(super) fn delete(world: &World, path: &PathValues) -> Result<Reply, Refusal> {
    let name = path_value(path, "topicName");
    world.store.transact(|transaction| {
        let (cluster, _) = writable(transaction, path)?;
        let now = now();
        let mut topic = present(transaction, &cluster, name).ok_or_else(unknown_topic)?;
        let View { content, .. } = topic.live(now).ok_or_else(unknown_topic)?;
        topic.deleted(now, world.settled_at(), content);
        transaction.put(&table(&cluster), &key(name), &topic)?;
        Ok(reply(&cluster, name, "DELETING"))
    })
}

/// The topic of a call as readers are shown it.
fn shown(world: &World, path: &PathValues) -> Result<(Cluster, u32, View), Refusal> {
    let name = path_value(path, "topicName");
    world.store.read(|transaction| {
        let (cluster, brokers, moment) = readable(world, transaction, path)?;
        let view = present(transaction, &cluster, name).and_then(|topic| topic.at(moment));
        let missing = || not_found(format!("Topic '{name}' doesn't exist.")).at_parameter("topicName");
        Ok((cluster, brokers, view.ok_or_else(missing)?))
    })
}

pub(super) fn describe(world: &World, path: &PathValues) -> Result<Reply, Refusal> {
    let name = path_value(path, "topicName");
    let (cluster, _, view) = shown(world, path)?;
    Ok(Reply::json(&json!({
        "topicArn": topic_arn(&cluster, name),
        "topicName": name,
        "replicationFactor": view.content.replication,
        "partitionCount": view.content.partitions,
        "configs": configs::encode(name, &view.content.configs),
        "status": view.state,
    })))
}

pub(super) fn describe_partitions(world: &World, path: &PathValues, call: &Call) -> Result<Reply, Refusal> {
    let name = path_value(path, "topicName");
    let (cluster, brokers, View { content, .. }) = shown(world, path)?;
    let page = Page::of(call, format!("DescribeTopicPartitions {} {name}", cluster.arn), PAGE_SIZE)?;
    let broker = |partition: i64, replica: i64| (partition + replica) % i64::from(brokers) + 1;
    let entries = (0..content.partitions).map(|partition| {
        let replicas: Vec<i64> = (0..content.replication).map(|replica| broker(partition, replica)).collect();
        let entry = json!({"partition": partition, "leader": replicas[0], "replicas": replicas, "isr": replicas});
        (format!("{partition:010}"), entry)
    });
    Ok(Reply::json(&page.reply("partitions", entries)))
}

pub(super) fn list(world: &World, path: &PathValues, call: &Call) -> Result<Reply, Refusal> {
    let prefix = call.query("topicNameFilter").unwrap_or_default();
    let arn = path_value(path, "clusterArn");
    let page = Page::of(call, format!("ListTopics {arn} {prefix}"), PAGE_SIZE)?;
    world.store.transact(|transaction| {
        let (cluster, _, moment) = readable(world, transaction, path)?;
        let table = table(&cluster);
        let mut forgotten = Vec::new();
        let topics = transaction.scan::<Topic>(&table, &key(prefix), page.after()).filter_map(|(key, topic)| {
            if topic.is_forgotten(moment) {
                forgotten.push(key);
                return None;
            }
            let view = topic.at(moment).filter(|_| topic.name.starts_with(prefix))?;
            Some((key, summary(&cluster, &topic.name, &view.content)))
        });
        let reply = Reply::json(&page.reply("topics", topics));
        forgotten.iter().for_each(|key| transaction.delete(&table, key));
        Ok(reply)
    })
}

fn summary(cluster: &Cluster, name: &str, content: &Content) -> Value {
    json!({
        "topicArn": topic_arn(cluster, name),
        "topicName": name,
        "replicationFactor": content.replication,
        "partitionCount": content.partitions,
        "outOfSyncReplicaCount": 0,
    })
}

#[cfg(test)]
mod tests {
    use super::{check_growth, check_name, key, name_in_use};

    #[test]
    fn names_follow_kafkas_rules() {
        for name in ["0a1b.pin", "a", "A-b_c.d", &"x".repeat(249)] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", ".", "..", "a b", "ä", "a/b", &"x".repeat(250)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_dot_and_an_underscore_collide() {
        assert_eq!(key("a.b"), key("a_b"));
        assert_eq!(name_in_use("a.b", "a_b").code, "KafkaRequestException");
        assert_eq!(name_in_use("a.b", "a.b").code, "TopicExistsException");
    }

    #[test]
    fn partitions_only_grow() {
        assert!(check_growth(3, 4).is_ok());
        for wanted in [3, 2, 0, -1] {
            assert!(check_growth(3, wanted).is_err(), "{wanted}");
        }
    }
}
