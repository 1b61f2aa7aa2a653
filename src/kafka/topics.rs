//! Topics over the Kafka protocol: many in a request, with an answer for each.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use futures::future::join;
use krafka::KrafkaError;
use krafka::admin::{
    AdminClient, ConfigOp, ConfigResource, CreatePartitionsOptions, CreateTopicsOptions, DeleteTopicsOptions,
    DescribeConfigsOptions, DescribeTopicsOptions, IncrementalAlterConfigsOptions,
};

use super::{Brokers, Failure};

/// How long a request of many topics may take, with what is tried again.
const LIMIT: Duration = Duration::from_secs(90);
/// How many topics are created or deleted by one request. KRaft controllers refuse operations of more than 10,000
/// records (KAFKA-17101: `MAX_RECORDS_PER_USER_OP`), of which each topic, partition and setting is one.
const TOPICS_AT_ONCE: usize = 200;
/// How many partitions are.
const PARTITIONS_AT_ONCE: i64 = 4000;

/// A topic to create.
#[derive(Clone, Debug)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions.
    pub partitions: i32,
    /// How many replicas each has; none where that is the cluster's to choose.
    pub replication_factor: Option<i32>,
    /// Its settings.
    pub config: BTreeMap<String, String>,
}

/// A topic that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicDescription {
    /// How many partitions.
    pub partitions: i32,
    /// How many replicas each has.
    pub replication_factor: i32,
    /// Those of its settings that were asked for.
    pub config: BTreeMap<String, String>,
}

/// A connection to brokers, for what is done to topics.
pub struct Topics {
    admin: AdminClient,
}

impl Topics {
    /// Connects.
    ///
    /// # Errors
    /// Where the brokers can't be reached, told with what is in the way, or don't let the caller in.
    pub async fn connect(brokers: &Brokers) -> Result<Self, Failure> {
        let kafka = brokers.connect().await?;
        Ok(Self { admin: kafka.admin().default_api_timeout(LIMIT) })
    }

    /// Topics by name, with those of their settings that have one of `keys`; none for those that aren't there.
    pub async fn describe(&self, names: &[String], keys: &[String]) -> Vec<Result<Option<TopicDescription>, Failure>> {
        let resources = names.iter().map(ConfigResource::topic);
        let options = DescribeConfigsOptions::default().config_names(keys.to_vec());
        let configs = async {
            if keys.is_empty() { Ok(HashMap::new()) } else { self.admin.describe_configs(resources, options).await }
        };
        let described = self.admin.describe_topics(names, DescribeTopicsOptions::default());
        let (mut described, mut configs) = match join(described, configs).await {
            (Ok(described), Ok(configs)) => (described, configs),
            (Err(error), _) => return all_failed("Metadata", &error, names.len()),
            (_, Err(error)) => return all_failed("DescribeConfigs", &error, names.len()),
        };
        let describe = |name: &String| {
            let topic = match described.remove(name).unwrap_or_else(|| Err(unanswered(name))) {
                Ok(topic) => topic,
                Err(error) => return absent("Metadata", &error),
            };
            let entries = match configs.remove(&ConfigResource::topic(name)) {
                None => Vec::new(),
                Some(Ok(entries)) => entries,
                Some(Err(error)) => return absent("DescribeConfigs", &error),
            };
            let config = entries.into_iter().map(|entry| (entry.name, entry.value.unwrap_or_default())).collect();
            let replicas = topic.partitions.first().map_or(0, |partition| partition.replicas.len());
            Ok(Some(TopicDescription {
                partitions: i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX),
                replication_factor: i32::try_from(replicas).unwrap_or(i32::MAX),
                config,
            }))
        };
        names.iter().map(describe).collect()
    }

    /// Creates topics.
    pub async fn create(&self, topics: &[NewTopic]) -> Vec<Result<(), Failure>> {
        const OPERATION: &str = "CreateTopics";
        let mut results = Vec::with_capacity(topics.len());
        for chunk in chunks(topics, |topic| i64::from(topic.partitions)) {
            let wire: Result<Vec<_>, KrafkaError> = chunk.iter().map(wire).collect();
            let answer = match wire {
                Ok(wire) => self.admin.create_topics(wire, CreateTopicsOptions::default()).await,
                Err(error) => Err(error),
            };
            results.extend(told(OPERATION, answer, chunk.iter().map(|topic| topic.name.clone())));
        }
        results
    }

    /// Raises the partitions of topics to these counts.
    pub async fn grow(&self, topics: &[(String, i32)]) -> Vec<Result<(), Failure>> {
        let mut results = Vec::with_capacity(topics.len());
        for chunk in chunks(topics, |(_, partitions)| i64::from(*partitions)) {
            let totals = chunk.iter().map(|(name, partitions)| (name, *partitions));
            let answer = self.admin.create_partitions(totals, CreatePartitionsOptions::default()).await;
            results.extend(told("CreatePartitions", answer, chunk.iter().map(|(name, _)| name.clone())));
        }
        results
    }

    /// Gives settings of topics these values, and leaves all other settings as they are.
    pub async fn configure(&self, topics: &[(String, BTreeMap<String, String>)]) -> Vec<Result<(), Failure>> {
        let mut results = Vec::with_capacity(topics.len());
        for chunk in chunks(topics, |(_, config)| config.len() as i64) {
            let changes = chunk.iter().map(|(name, config)| {
                let settings = config.iter().map(|(key, value)| ConfigOp::set(key, value));
                (ConfigResource::topic(name), settings.collect())
            });
            let options = IncrementalAlterConfigsOptions::default();
            let answer = self.admin.incremental_alter_configs(changes, options).await;
            let resources = chunk.iter().map(|(name, _)| ConfigResource::topic(name));
            results.extend(told("IncrementalAlterConfigs", answer, resources));
        }
        results
    }

    /// Deletes topics.
    pub async fn delete(&self, names: &[String]) -> Vec<Result<(), Failure>> {
        let mut results = Vec::with_capacity(names.len());
        for chunk in chunks(names, |_| 1) {
            let answer = self.admin.delete_topics(chunk, DeleteTopicsOptions::default()).await;
            results.extend(told("DeleteTopics", answer, chunk.iter().cloned()));
        }
        results
    }
}

impl std::fmt::Debug for Topics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Topics").field("closed", &self.admin.is_closed()).finish_non_exhaustive()
    }
}

fn wire(topic: &NewTopic) -> Result<krafka::admin::NewTopic, KrafkaError> {
    /// The broker's own choice (KIP-464, since Kafka 2.4).
    const CHOSEN_BY_CLUSTER: i16 = -1;
    let factor = topic.replication_factor.and_then(|factor| i16::try_from(factor).ok()).unwrap_or(CHOSEN_BY_CLUSTER);
    let new = krafka::admin::NewTopic::new(&topic.name, topic.partitions, factor)?;
    Ok(topic.config.iter().fold(new, |new, (key, value)| new.with_config(key, value)))
}

/// Parts that are small enough for one request.
fn chunks<T>(items: &[T], weight: impl Fn(&T) -> i64) -> Vec<&[T]> {
    let mut chunks = Vec::new();
    let mut rest = items;
    while !rest.is_empty() {
        let mut sum = 0;
        let fits = rest.iter().take(TOPICS_AT_ONCE).take_while(|item| {
            sum += weight(item);
            sum <= PARTITIONS_AT_ONCE
        });
        let (chunk, others) = rest.split_at(fits.count().max(1));
        chunks.push(chunk);
        rest = others;
    }
    chunks
}

/// The answers, in the order of what was asked for.
fn told<K: std::hash::Hash + Eq>(
    operation: &'static str,
    answer: Result<HashMap<K, Result<(), KrafkaError>>, KrafkaError>,
    asked: impl ExactSizeIterator<Item = K>,
) -> Vec<Result<(), Failure>> {
    match answer {
        Err(error) => all_failed(operation, &error, asked.len()),
        Ok(mut answers) => asked
            .map(|key| answers.remove(&key).unwrap_or_else(|| Err(unanswered("it"))))
            .map(|result| result.map_err(|error| Failure::of(operation, &error)))
            .collect(),
    }
}

fn all_failed<T>(operation: &'static str, error: &KrafkaError, count: usize) -> Vec<Result<T, Failure>> {
    (0..count).map(|_| Err(Failure::of(operation, error))).collect()
}

fn unanswered(name: &str) -> KrafkaError {
    KrafkaError::timeout(format!("the brokers said nothing of {name}"))
}

/// Nothing, where the error says that there is nothing.
fn absent<T>(operation: &'static str, error: &KrafkaError) -> Result<Option<T>, Failure> {
    let failure = Failure::of(operation, error);
    if failure.is("UnknownTopicOrPartitionException") { Ok(None) } else { Err(failure) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_stay_below_what_controllers_take() {
        let lengths =
            |weights: &[i64]| -> Vec<usize> { chunks(weights, |weight| *weight).iter().map(|it| it.len()).collect() };
        assert_eq!(lengths(&[1; 450]), [200, 200, 50]);
        assert_eq!(lengths(&[3000, 1000, 1, 9000, 1]), [2, 1, 1, 1]);
        assert_eq!(lengths(&[]), [0; 0]);
    }
}
