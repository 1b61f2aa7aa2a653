//! Topics through MSK's topic API (<https://docs.aws.amazon.com/msk/latest/developerguide/msk-topic-operations.html>).
//!
//! Writes act on the present. Reads show the past: AWS refreshes what they show about once a minute, so DescribeTopic
//! and ListTopics tell how the world was `lag` ago.

mod changes;
mod configs;
mod history;
mod serverless;

pub(crate) use changes::{Change, Fault, brokers, change, create as create_topic, delete as delete_topic};
pub(crate) use configs::{Configs, in_force};
pub(crate) use history::{Content, View};

use history::Topic;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use uuid::Uuid;

use super::clusters::{self, Cluster, Kind};
use super::versions;
use crate::sandbox::broker;
use crate::sandbox::call::{Call, PathValues, Refusal, Reply};
use crate::sandbox::rest_json::pages::Page;
use crate::sandbox::rest_json::shape::{INTEGER, Member, Shape, TEXT, check, optional, required};
use crate::sandbox::rest_json::{bad_request, not_found, path_value};
use crate::sandbox::store::Transaction;
use crate::sandbox::world::{Millis, World, now};

const PAGE_SIZE: usize = 50;

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

/// The broker that has a replica of a partition; replica 0 is the leader's.
pub(crate) fn replica(partition: i32, replica: i32, brokers: usize) -> i32 {
    (partition + replica) % brokers.max(1) as i32 + 1
}

/// The ARN of a topic, as policies and descriptions have it.
pub(crate) fn topic_arn(cluster: &Cluster, name: &str) -> String {
    cluster.arn_of("topic", name)
}

/// A topic as it is now, whatever the readers of the API are shown; nothing where it is being deleted.
pub(crate) fn topic(world: &World, cluster: &Cluster, name: &str) -> Option<View> {
    world.store.read(|transaction| present(transaction, cluster, name).and_then(|topic| topic.live(now())))
}

/// Whether a cluster has a topic now.
pub(crate) fn is_there(transaction: &Transaction<'_>, cluster: &Cluster, name: &str) -> bool {
    present(transaction, cluster, name).is_some_and(|topic| topic.live(now()).is_some())
}

/// All topics of a cluster as they are now, by name, without those that are being deleted.
pub(crate) fn topics(world: &World, cluster: &Cluster) -> BTreeMap<String, View> {
    let now = now();
    let topics = world.store.read(|transaction| transaction.list::<Topic>(&table(cluster)));
    topics.into_iter().filter_map(|(_, topic)| topic.live(now).map(|view| (topic.name, view))).collect()
}

/// Removes all topics of a cluster that goes away, and tells their ids.
pub(super) fn forget(transaction: &mut Transaction<'_>, cluster: &Cluster) -> Vec<Uuid> {
    let table = table(cluster);
    broker::forget_cluster(transaction, cluster);
    let topics = transaction.list::<Topic>(&table).into_iter();
    topics.inspect(|(key, _)| transaction.delete(&table, key)).map(|(_, topic)| topic.id).collect()
}

/// The ids of all topics of all clusters that may have records.
pub(super) fn ids(transaction: &Transaction<'_>, clusters: &[Cluster]) -> BTreeSet<Uuid> {
    let now = now();
    let topics = clusters.iter().flat_map(|cluster| transaction.list::<Topic>(&table(cluster)));
    topics.filter(|(_, topic)| topic.live(now).is_some()).map(|(_, topic)| topic.id).collect()
}

fn present(transaction: &Transaction<'_>, cluster: &Cluster, name: &str) -> Option<Topic> {
    transaction.get::<Topic>(&table(cluster), &key(name)).filter(|topic| topic.name == name)
}

/// The cluster of a call, where the topic API works for it.
fn cluster_of(transaction: &Transaction<'_>, path: &PathValues) -> Result<(Cluster, &'static str), Refusal> {
    let (cluster, state) = clusters::find(transaction, path_value(path, "clusterArn"))?;
    match &cluster.kind {
        Kind::Serverless { .. } => {
            let message = "Topic operations aren't supported for MSK Serverless clusters.";
            Err(bad_request(message).at_parameter("clusterArn"))
        }
        Kind::Provisioned { kafka_version, .. } if !versions::has_topic_api(kafka_version) => {
            let message =
                format!("Topic operations need Apache Kafka 3.6.0 or later; the cluster has {kafka_version}.");
            Err(bad_request(message).at_parameter("clusterArn"))
        }
        Kind::Provisioned { .. } => Ok((cluster, state)),
    }
}

/// The same for a write, which needs brokers that answer.
fn writable(transaction: &Transaction<'_>, path: &PathValues) -> Result<Cluster, Refusal> {
    let (cluster, state) = cluster_of(transaction, path)?;
    if state == "ACTIVE" {
        return Ok(cluster);
    }
    let message = format!("Unable to connect to the cluster, which is {state}. Wait until it is ACTIVE.");
    Err(Refusal::new(409, "ClusterConnectivityException", message).at_parameter("clusterArn"))
}

/// The same for a read, with the moment that it shows.
fn readable(world: &World, transaction: &Transaction<'_>, path: &PathValues) -> Result<(Cluster, Millis), Refusal> {
    let (cluster, state) = cluster_of(transaction, path)?;
    if state != "ACTIVE" {
        return Err(bad_request(format!("The cluster must be ACTIVE; it is {state}.")).at_parameter("clusterArn"));
    }
    Ok((cluster, now().saturating_sub(world.settings.lag.as_millis() as Millis)))
}

/// What the writing operations answer.
fn reply(cluster: &Cluster, name: &str, state: &str) -> Reply {
    Reply::json(&json!({"topicArn": topic_arn(cluster, name), "topicName": name, "status": state}))
}

pub(super) fn create(world: &World, path: &PathValues, call: &Call) -> Result<Reply, Refusal> {
    let request = call.json()?;
    check(&request, CREATE)?;
    let name = request["topicName"].as_str().unwrap_or_default();
    changes::check_name(name)?;
    let content = Content {
        partitions: request["partitionCount"].as_i64().unwrap_or(0),
        replication: request["replicationFactor"].as_i64().unwrap_or(0),
        configs: configs::decode(request.get("configs"))?,
    };
    world.store.transact(|transaction| {
        let cluster = writable(transaction, path)?;
        changes::create(transaction, &cluster, name, content, world.settled_at())?;
        Ok(reply(&cluster, name, "CREATING"))
    })
}

pub(super) fn update(world: &World, path: &PathValues, call: &Call) -> Result<Reply, Refusal> {
    let request = call.json()?;
    check(&request, UPDATE)?;
    let name = path_value(path, "topicName");
    let partitions = request.get("partitionCount").and_then(Value::as_i64);
    let configs = configs::decode(request.get("configs"))?;
    let change = match (partitions, request.get("configs")) {
        (Some(_), Some(_)) => {
            return Err(bad_request("Update either partitionCount or configs in a call, not both.")
                .at_parameter("partitionCount"));
        }
        (None, None) => {
            return Err(bad_request("Specify partitionCount or configs to update.").at_parameter("partitionCount"));
        }
        (Some(partitions), None) => Change::Grow(partitions),
        (None, Some(_)) => Change::Configure(configs.into_iter().map(|(key, value)| (key, Some(value))).collect()),
    };
    world.store.transact(|transaction| {
        let cluster = writable(transaction, path)?;
        changes::change(transaction, &cluster, name, change, world.settled_at())?;
        Ok(reply(&cluster, name, "UPDATING"))
    })
}

pub(super) fn delete(world: &World, path: &PathValues) -> Result<Reply, Refusal> {
    let name = path_value(path, "topicName");
    let cluster = world.store.read(|transaction| writable(transaction, path))?;
    changes::delete(world, &cluster, name, world.settled_at())?;
    Ok(reply(&cluster, name, "DELETING"))
}

/// The topic of a call as readers are shown it.
fn shown(world: &World, path: &PathValues) -> Result<(Cluster, View), Refusal> {
    let name = path_value(path, "topicName");
    world.store.read(|transaction| {
        let (cluster, moment) = readable(world, transaction, path)?;
        let view = present(transaction, &cluster, name).and_then(|topic| topic.at(moment));
        let missing = || not_found(format!("Topic '{name}' doesn't exist.")).at_parameter("topicName");
        Ok((cluster, view.ok_or_else(missing)?))
    })
}

pub(super) fn describe(world: &World, path: &PathValues) -> Result<Reply, Refusal> {
    let name = path_value(path, "topicName");
    let (cluster, view) = shown(world, path)?;
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
    let (cluster, View { content, .. }) = shown(world, path)?;
    let brokers = changes::brokers(&cluster) as usize;
    let page = Page::of(call, format!("DescribeTopicPartitions {} {name}", cluster.arn), PAGE_SIZE)?;
    let entries = (0..content.partitions as i32).map(|partition| {
        let replicas: Vec<i32> =
            (0..content.replication as i32).map(|number| replica(partition, number, brokers)).collect();
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
        let (cluster, moment) = readable(world, transaction, path)?;
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
mod tests;
