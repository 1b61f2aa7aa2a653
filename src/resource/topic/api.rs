//! Topics through MSK's topic API. What the topics of one manifest share before it: one queue, and one listing at a
//! time.
//!
//! Its replies show a state that is refreshed about once a minute.
//! <https://docs.aws.amazon.com/msk/latest/developerguide/topic-operations-information.html>

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_kafka::operation::describe_topic::DescribeTopicOutput;
use aws_sdk_kafka::types::TopicState;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use tokio::sync::{AcquireError, Mutex, Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::door::{Created, Door, Seen, Standing, is_no_increase};
use crate::aws::{Failure, found, sent};
use crate::engine::{Cause, Result};
use crate::manifest::Topic;
use crate::resource::Shared;

/// How many calls of the topic API are under way at once.
const CALLS_AT_ONCE: usize = 64;
/// How old a listing may be, at least, before there is another one. One that took longer to make may be as old as that:
/// so at most half of the time goes into listing, however many topics there are.
const FRESH: Duration = Duration::from_millis(200);
/// The most topics that a page is asked to hold.
const PAGE: i32 = 100;

/// The partitions of all topics that exist and start like ours, by name.
pub(super) type Listing = Arc<BTreeMap<String, i32>>;

/// The topic API, as the topics of one manifest share it.
#[derive(Debug)]
pub(super) struct TopicApi {
    context: Shared,
    prefix: String,
    last: Mutex<Option<Last>>,
    queue: Semaphore,
}

/// The last listing.
#[derive(Debug)]
struct Last {
    listing: Listing,
    ended: Instant,
    took: Duration,
}

impl TopicApi {
    /// For topics of these names.
    pub(super) fn new<'a>(context: Shared, names: impl IntoIterator<Item = &'a str>) -> Self {
        Self { context, prefix: common_prefix(names), last: Mutex::new(None), queue: Semaphore::new(CALLS_AT_ONCE) }
    }

    /// Waits for its turn to make a call, which lasts until what is returned is dropped.
    async fn turn(&self) -> std::result::Result<SemaphorePermit<'_>, AcquireError> {
        self.queue.acquire().await
    }

    /// What a fresh listing shows. Those who ask while one is made get that one.
    async fn list(&self, cluster: &str) -> Result<Listing> {
        let asked = Instant::now();
        let mut last = self.last.lock().await;
        if let Some(last) = last.as_ref().filter(|last| last.ended + last.took.max(FRESH) > asked) {
            return Ok(Arc::clone(&last.listing));
        }
        let began = Instant::now();
        let listing = Arc::new(self.fetch(cluster).await?);
        *last = Some(Last { listing: Arc::clone(&listing), ended: Instant::now(), took: began.elapsed() });
        Ok(listing)
    }

    async fn fetch(&self, cluster: &str) -> Result<BTreeMap<String, i32>> {
        let mut list = self.context.clients.kafka.list_topics().cluster_arn(cluster);
        if !self.prefix.is_empty() {
            list = list.topic_name_filter(&self.prefix);
        }
        let mut pages = list.into_paginator().page_size(PAGE).items().send();
        let mut topics = BTreeMap::new();
        while let Some(topic) = pages.next().await {
            let topic = sent(topic).map_err(|failure| permitted(failure, "DescribeTopic"))?;
            if let Some(name) = topic.topic_name {
                topics.insert(name, topic.partition_count.unwrap_or_default());
            }
        }
        Ok(topics)
    }
}

#[async_trait]
impl Door for TopicApi {
    async fn read(&self, cluster: &str, topic: &Topic) -> Result<Option<Seen>> {
        match self.partitions(cluster, topic).await? {
            Some(_) => self.describe(cluster, topic).await,
            None => Ok(None),
        }
    }

    async fn partitions(&self, cluster: &str, topic: &Topic) -> Result<Option<i32>> {
        Ok(self.list(cluster).await?.get(&topic.name).copied())
    }

    async fn describe(&self, cluster: &str, topic: &Topic) -> Result<Option<Seen>> {
        let _turn = self.turn().await?;
        let call = self.context.clients.kafka.describe_topic().cluster_arn(cluster).topic_name(&topic.name);
        let found = found(call.send().await)
            .map_err(|failure| permitted(failure, "DescribeTopic, DescribeTopicDynamicConfiguration"))?;
        found.map(seen).transpose()
    }

    async fn create(&self, cluster: &str, topic: &Topic) -> Result<Created> {
        let _turn = self.turn().await?;
        let mut call = self
            .context
            .clients
            .kafka
            .create_topic()
            .cluster_arn(cluster)
            .topic_name(&topic.name)
            .partition_count(topic.partitions)
            .replication_factor(topic.replication_factor);
        if !topic.config.is_empty() {
            call = call.configs(encode(&topic.config));
        }
        match sent(call.send().await) {
            Ok(_) => Ok(Created::Now),
            Err(failure) if failure.is("TopicExistsException") => Ok(Created::Before),
            Err(failure) => Err(permitted(failure, "CreateTopic")),
        }
    }

    async fn grow(&self, cluster: &str, topic: &Topic) -> Result<()> {
        let _turn = self.turn().await?;
        let call = self.context.clients.kafka.update_topic().cluster_arn(cluster).topic_name(&topic.name);
        match sent(call.partition_count(topic.partitions).send().await) {
            Err(failure) if is_no_increase(&failure.message) => Ok(()),
            result => result.map(drop).map_err(|failure| permitted(failure, "DescribeTopic, AlterTopic")),
        }
    }

    async fn configure(&self, cluster: &str, topic: &Topic) -> Result<()> {
        let _turn = self.turn().await?;
        let call = self.context.clients.kafka.update_topic().cluster_arn(cluster).topic_name(&topic.name);
        let sent = sent(call.configs(encode(&topic.config)).send().await);
        sent.map(drop).map_err(|failure| permitted(failure, "DescribeTopic, AlterTopicDynamicConfiguration"))
    }

    async fn delete(&self, cluster: &str, topic: &Topic) -> Result<()> {
        let _turn = self.turn().await?;
        let call = self.context.clients.kafka.delete_topic().cluster_arn(cluster).topic_name(&topic.name);
        found(call.send().await).map(drop).map_err(|failure| permitted(failure, "DescribeTopic, DeleteTopic"))
    }
}

/// A failure of the topic API, which asks for the cluster's own actions too, by what it lacks of those.
/// <https://docs.aws.amazon.com/msk/latest/developerguide/topic-operations-information.html>
fn permitted(failure: Failure, actions: &str) -> Cause {
    if !failure.is_denied() {
        return failure.into();
    }
    format!("{failure}; the topic API also needs kafka-cluster: Connect on the cluster, and {actions} on the topic")
        .into()
}

fn seen(topic: DescribeTopicOutput) -> Result<Seen> {
    Ok(Seen {
        standing: match topic.status() {
            Some(TopicState::Active) | None => Standing::Settled,
            Some(TopicState::Deleting) => Standing::Going,
            Some(state) => Standing::Changing(state.to_string()),
        },
        partitions: topic.partition_count().unwrap_or_default(),
        replication_factor: topic.replication_factor().unwrap_or_default(),
        config: decode(topic.configs().unwrap_or_default())?,
    })
}

/// A configuration as the API takes it: Base64 of a JSON object.
fn encode(config: &BTreeMap<String, String>) -> String {
    BASE64_STANDARD.encode(Value::from_iter(config.iter().map(|(k, v)| (k.as_str(), v.as_str()))).to_string())
}

/// A configuration as the API gives it: Base64 of a JSON object, or, as in AWS's own example, of `key=value` lines.
fn decode(configs: &str) -> Result<BTreeMap<String, String>> {
    let bytes = BASE64_STANDARD.decode(configs).map_err(|error| format!("its configuration isn't Base64: {error}"))?;
    let text = String::from_utf8_lossy(&bytes);
    if let Ok(Value::Object(config)) = serde_json::from_str(&text) {
        let plain = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        return Ok(config.into_iter().map(|(key, value)| (key, plain(value))).collect());
    }
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    Ok(pairs.map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned())).collect())
}

fn common_prefix<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names = names.into_iter();
    let first = names.next().unwrap_or_default();
    names.fold(first.to_owned(), |prefix, name| {
        let shared = prefix.chars().zip(name.chars()).take_while(|(a, b)| a == b).count();
        prefix.chars().take(shared).collect()
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_comes_back_as_it_was_sent() {
        let config = BTreeMap::from([("retention.ms".to_owned(), "604800000".to_owned())]);
        assert_eq!(decode(&encode(&config)).unwrap(), config);
    }

    #[test]
    fn a_configuration_in_lines_is_read_too() {
        let lines = BASE64_STANDARD.encode("retention.ms=604800000\ncleanup.policy=compact,delete\n");
        let config = decode(&lines).unwrap();
        assert_eq!(config["retention.ms"], "604800000");
        assert_eq!(config["cleanup.policy"], "compact,delete");
    }

    #[test]
    fn the_listing_asks_for_what_all_names_start_with() {
        assert_eq!(common_prefix(["0a1b.pin", "0a1b.geo", "0a1b.user"]), "0a1b.");
        assert_eq!(common_prefix(["orders"]), "orders");
        assert_eq!(common_prefix(["orders", "users"]), "");
    }
}
