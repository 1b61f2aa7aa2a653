//! What is done to topics, through MSK's API or by Kafka clients: one set of rules, in Kafka's words.

use kafka_protocol::ResponseError;

use super::configs::{self, Configs};
use super::history::{Content, Topic, View};
use super::{key, present, serverless, table};
use crate::sandbox::broker;
use crate::sandbox::call::Refusal;
use crate::sandbox::kafka::Cluster;
use crate::sandbox::kafka::clusters::Kind;
use crate::sandbox::store::Transaction;
use crate::sandbox::world::{Millis, World, now};

/// Kafka's own limit.
const MAX_NAME: usize = 249;

/// Why a topic isn't changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Fault {
    /// Kafka's code.
    pub(crate) error: ResponseError,
    /// Kafka's words.
    pub(crate) message: String,
    /// What MSK's API calls the parameter at fault.
    parameter: &'static str,
}

impl Fault {
    pub(super) fn new(error: ResponseError, message: impl Into<String>, parameter: &'static str) -> Self {
        Self { error, message: message.into(), parameter }
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::new(ResponseError::KafkaStorageError, error.to_string(), "topicName")
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        let (status, code) = match fault.error {
            ResponseError::TopicAlreadyExists => (409, "TopicExistsException"),
            ResponseError::UnknownTopicOrPartition => (404, "UnknownTopicOrPartitionException"),
            ResponseError::ReassignmentInProgress => (409, "ReassignmentInProgressException"),
            ResponseError::InvalidTopicException => (400, "BadRequestException"),
            ResponseError::KafkaStorageError => (500, "InternalServerErrorException"),
            _ => (400, "KafkaRequestException"),
        };
        Self::new(status, code, fault.message).at_parameter(fault.parameter)
    }
}

fn unknown() -> Fault {
    let message = "This server does not host this topic-partition.";
    Fault::new(ResponseError::UnknownTopicOrPartition, message, "topicName")
}

/// Refuses what is no topic's name.
pub(super) fn check_name(name: &str) -> Result<(), Fault> {
    let fits = (1..=MAX_NAME).contains(&name.len())
        && !matches!(name, "." | "..")
        && name.chars().all(|each| each.is_ascii_alphanumeric() || matches!(each, '.' | '_' | '-'));
    if fits {
        return Ok(());
    }
    let message = format!(
        "Topic name is invalid: '{name}'. Use 1 to {MAX_NAME} ASCII letters, digits, '.', '_' and '-', but neither '.' nor '..'."
    );
    Err(Fault::new(ResponseError::InvalidTopicException, message, "topicName"))
}

fn check_configs(configs: &Configs) -> Result<(), Fault> {
    configs::check(configs).map_err(|message| Fault::new(ResponseError::InvalidConfig, message, "configs"))
}

fn is_serverless(cluster: &Cluster) -> bool {
    matches!(cluster.kind, Kind::Serverless { .. })
}

/// How many brokers a cluster has, as far as anybody can tell.
pub(crate) fn brokers(cluster: &Cluster) -> u32 {
    match &cluster.kind {
        Kind::Provisioned { brokers, .. } => *brokers,
        Kind::Serverless { .. } => 3,
    }
}

/// Creates a topic, which is CREATING until `settled`.
///
/// # Errors
/// Kafka's.
pub(crate) fn create(
    transaction: &mut Transaction<'_>,
    cluster: &Cluster,
    name: &str,
    content: Content,
    settled: Millis,
) -> Result<Topic, Fault> {
    check_name(name)?;
    check_configs(&content.configs)?;
    if is_serverless(cluster) {
        serverless::check_configs(&content.configs)?;
        serverless::check_replication(content.replication)?;
    }
    check_count(content.partitions)?;
    if content.partitions < 1 {
        let message = "Number of partitions must be larger than 0.";
        return Err(Fault::new(ResponseError::InvalidPartitions, message, "partitionCount"));
    }
    let (factor, brokers) = (content.replication, brokers(cluster));
    if factor < 1 {
        let message = "Replication factor must be larger than 0.";
        return Err(Fault::new(ResponseError::InvalidReplicationFactor, message, "replicationFactor"));
    }
    if factor > i64::from(brokers) {
        let message = format!(
            "Unable to replicate the partition {factor} time(s): The target replication factor of {factor} cannot be reached because only {brokers} broker(s) are registered."
        );
        return Err(Fault::new(ResponseError::InvalidReplicationFactor, message, "replicationFactor"));
    }
    let (table, key, now) = (table(cluster), key(name), now());
    let old = transaction.get::<Topic>(&table, &key);
    if let Some(old) = old.as_ref().filter(|old| old.at(now).is_some()) {
        return Err(name_in_use(name, &old.name));
    }
    // Readers are still shown the last days of an earlier topic of that name.
    let mut topic = old.filter(|old| old.name == name).unwrap_or_else(|| Topic::named(name));
    topic.created(now, settled, content);
    transaction.put(&table, &key, &topic)?;
    Ok(topic)
}

fn name_in_use(name: &str, other: &str) -> Fault {
    if name == other {
        let message = format!("Topic '{name}' already exists.");
        return Fault::new(ResponseError::TopicAlreadyExists, message, "topicName");
    }
    let message = format!("Topic '{name}' collides with existing topic: {other}");
    // Kafka's code is that of an invalid name; MSK's API tells it as what Kafka refused.
    Fault::new(ResponseError::PolicyViolation, message, "topicName")
}

/// What is to become of a topic.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// This many partitions, which must be more than there are.
    Grow(i64),
    /// These values of configurations; a key without a value goes back to the default.
    Configure(Vec<(String, Option<String>)>),
    /// These values of configurations, and no others.
    Reconfigure(Configs),
}

/// Changes a topic, which is UPDATING until `settled`.
///
/// # Errors
/// Kafka's.
pub(crate) fn change(
    transaction: &mut Transaction<'_>,
    cluster: &Cluster,
    name: &str,
    change: Change,
    settled: Millis,
) -> Result<(), Fault> {
    let now = now();
    let mut topic = present(transaction, cluster, name).ok_or_else(unknown)?;
    let View { state, mut content, .. } = topic.live(now).ok_or_else(unknown)?;
    if state != "ACTIVE" {
        let message = format!("A change of topic '{name}' is in progress: it is {state}.");
        return Err(Fault::new(ResponseError::ReassignmentInProgress, message, "topicName"));
    }
    let before = content.configs.clone();
    match change {
        Change::Grow(partitions) => {
            check_growth(content.partitions, partitions)?;
            check_count(partitions)?;
            content.partitions = partitions;
        }
        Change::Configure(values) => {
            let set = values.iter().filter_map(|(key, value)| Some((key.clone(), value.clone()?)));
            check_configs(&set.collect())?;
            for (key, value) in values {
                match value {
                    Some(value) => content.configs.insert(key, value),
                    None => content.configs.remove(&key),
                };
            }
        }
        Change::Reconfigure(configs) => {
            check_configs(&configs)?;
            content.configs = configs;
        }
    }
    if is_serverless(cluster) {
        serverless::check_change(&before, &content.configs)?;
    }
    topic.updated(now, settled, content);
    Ok(transaction.put(&table(cluster), &key(name), &topic)?)
}

/// MSK's quota of partitions for the largest brokers, of three
/// (<https://docs.aws.amazon.com/msk/latest/developerguide/limits.html>).
const MOST_PARTITIONS: i64 = 12_000;

fn check_count(partitions: i64) -> Result<(), Fault> {
    if partitions <= MOST_PARTITIONS {
        return Ok(());
    }
    let message = format!("{partitions} partitions are more than the brokers take: {MOST_PARTITIONS}.");
    Err(Fault::new(ResponseError::InvalidPartitions, message, "partitionCount"))
}

/// Partitions only grow; the refusals are Kafka's.
fn check_growth(current: i64, wanted: i64) -> Result<(), Fault> {
    let message = if wanted == current {
        format!("Topic already has {current} partition(s).")
    } else if wanted < current {
        format!("The topic currently has {current} partition(s); {wanted} would not be an increase.")
    } else {
        return Ok(());
    };
    Err(Fault::new(ResponseError::InvalidPartitions, message, "partitionCount"))
}

/// Deletes a topic, which is DELETING until `settled`, and has no records any more.
///
/// # Errors
/// Kafka's.
pub(crate) fn delete(world: &World, cluster: &Cluster, name: &str, settled: Millis) -> Result<(), Fault> {
    let id = world.store.transact(|transaction| {
        let now = now();
        let mut topic = present(transaction, cluster, name).ok_or_else(unknown)?;
        let View { content, .. } = topic.live(now).ok_or_else(unknown)?;
        topic.deleted(now, settled, content);
        transaction.put(&table(cluster), &key(name), &topic)?;
        broker::forget_topic(transaction, cluster, name);
        Ok::<_, Fault>(topic.id)
    })?;
    Ok(world.logs.forget(id)?)
}

#[cfg(test)]
mod tests {
    use super::{Refusal, check_growth, check_name, key, name_in_use};

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
        assert_eq!(Refusal::from(name_in_use("a.b", "a_b")).code, "KafkaRequestException");
        assert_eq!(Refusal::from(name_in_use("a.b", "a.b")).code, "TopicExistsException");
    }

    #[test]
    fn partitions_only_grow() {
        assert!(check_growth(3, 4).is_ok());
        for wanted in [3, 2, 0, -1] {
            assert!(check_growth(3, wanted).is_err(), "{wanted}");
        }
    }
}
