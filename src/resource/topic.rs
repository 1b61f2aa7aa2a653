//! Topics, through the MSK topic API.
//!
//! Its replies show a state that is refreshed about once a minute, so every change is waited for until a describe
//! shows it. A topic carries no tags: its declared name makes it ours.
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

use super::Shared;
use super::cluster::TOPIC_API;
use crate::aws::wait::{Look, wait_until};
use crate::aws::{Failure, found, sent};
use crate::engine::diff::diff;
use crate::engine::{
    Address, Cause, Change, Field, FieldChange, Fields, Observed, OnChange, OnDestroy, Output, Outputs, Owner,
    Progress, Removal, Resource, Result, State,
};
use crate::manifest;

mod api;

pub(crate) use api::TopicApi;

/// How long a change may take to show. Replies are refreshed about once a minute.
const TOPIC_TIMEOUT: Duration = Duration::from_secs(300);
/// A declared topic.
#[derive(Debug)]
pub(crate) struct Topic {
    context: Shared,
    declared: manifest::Topic,
    api: Arc<TopicApi>,
    address: Address,
    cluster: [Address; 1],
}

/// The address of a topic.
pub(crate) fn address(name: &str) -> Address {
    Address::new("topic", name)
}

impl Topic {
    pub(crate) fn new(context: Shared, declared: &manifest::Topic, cluster: Address, api: Arc<TopicApi>) -> Self {
        Self { address: address(&declared.name), context, declared: declared.clone(), api, cluster: [cluster] }
    }

    fn cluster<'a>(&self, known: &'a Outputs) -> Result<&'a str> {
        known.require(&self.cluster[0], TOPIC_API)
    }

    async fn describe(&self, cluster: &str) -> Result<Option<DescribeTopicOutput>> {
        let _turn = self.api.turn().await?;
        let call = self.context.clients.kafka.describe_topic().cluster_arn(cluster).topic_name(&self.declared.name);
        found(call.send().await)
            .map_err(|failure| permitted(failure, "DescribeTopic, DescribeTopicDynamicConfiguration"))
    }

    /// The state that the engine compares: of the configuration, only what the manifest declares.
    fn state(&self, cluster: &str, topic: &DescribeTopicOutput) -> Result<State> {
        let config = decode(topic.configs().unwrap_or_default())?;
        let declared = config.into_iter().filter(|(key, _)| self.declared.config.contains_key(key)).collect();
        let fields = fields(
            topic.partition_count().unwrap_or_default(),
            topic.replication_factor().unwrap_or_default(),
            &declared,
        );
        let output = Output::new().with("arn", topic.topic_arn().unwrap_or_default()).with("cluster", cluster);
        Ok(State { fields, output, label: None })
    }

    /// The partitions that a listing shows; `None` where it shows no such topic. A thousand topics that wait share it.
    async fn listed(&self, cluster: &str) -> Result<Option<i32>> {
        Ok(self.api.list(&self.context, cluster).await?.get(&self.declared.name).copied())
    }

    /// Waits until a listing shows the topic with as many partitions as are declared.
    async fn listed_whole(&self, cluster: &str, progress: &Progress) -> Result<()> {
        let wanted = self.declared.partitions;
        wait_until(
            TOPIC_TIMEOUT,
            |state| progress.note(state),
            || self.listed(cluster),
            |seen| match seen {
                // More of them than declared is for the plan to refuse.
                Some(partitions) if *partitions >= wanted => Look::Settled,
                Some(_) => Look::Pending("not yet as changed".to_owned()),
                None => Look::Pending("not yet to be seen".to_owned()),
            },
        )
        .await?;
        Ok(())
    }

    /// Waits until a describe shows the topic with these of the declared fields.
    async fn settled(
        &self,
        cluster: &str,
        shows: impl Fn(&Fields) -> bool + Send + Sync,
        progress: &Progress,
    ) -> Result<State> {
        let seen = wait_until(
            TOPIC_TIMEOUT,
            |state| progress.note(state),
            || async {
                let Some(topic) = self.describe(cluster).await? else { return Ok(None) };
                Ok(Some((topic.status().cloned(), self.state(cluster, &topic)?)))
            },
            |seen| match seen {
                Some((Some(TopicState::Active) | None, state)) if shows(&state.fields) => Look::Settled,
                Some((Some(TopicState::Active) | None, _)) => Look::Pending("ACTIVE, not yet as changed".to_owned()),
                Some((Some(state), _)) => Look::Pending(state.to_string()),
                None => Look::Pending("not yet to be seen".to_owned()),
            },
        )
        .await?;
        seen.map(|(_, state)| state).ok_or_else(|| "it went away while it was waited for; apply again".into())
    }

    async fn gone(&self, cluster: &str, progress: &Progress) -> Result<()> {
        wait_until(
            TOPIC_TIMEOUT,
            |state| progress.note(state),
            || self.listed(cluster),
            |seen| if seen.is_some() { Look::Pending("DELETING".to_owned()) } else { Look::Settled },
        )
        .await?;
        Ok(())
    }

    async fn send_create(&self, cluster: &str) -> Result<Created> {
        let _turn = self.api.turn().await?;
        let mut call = self
            .context
            .clients
            .kafka
            .create_topic()
            .cluster_arn(cluster)
            .topic_name(&self.declared.name)
            .partition_count(self.declared.partitions)
            .replication_factor(self.declared.replication_factor);
        if !self.declared.config.is_empty() {
            call = call.configs(encode(&self.declared.config));
        }
        match sent(call.send().await) {
            Ok(_) => Ok(Created::Now),
            Err(failure) if failure.is("TopicExistsException") => Ok(Created::Before),
            Err(failure) => Err(permitted(failure, "CreateTopic")),
        }
    }

    async fn send_partitions(&self, cluster: &str) -> Result<()> {
        let _turn = self.api.turn().await?;
        let call = self.context.clients.kafka.update_topic().cluster_arn(cluster).topic_name(&self.declared.name);
        match sent(call.partition_count(self.declared.partitions).send().await) {
            // A run that was killed after this call, less than a minute ago, left a topic that only looks too small.
            Err(failure) if is_no_increase(&failure) => Ok(()),
            result => result.map(drop).map_err(|failure| permitted(failure, "DescribeTopic, AlterTopic")),
        }
    }

    async fn send_config(&self, cluster: &str) -> Result<()> {
        let _turn = self.api.turn().await?;
        let call = self.context.clients.kafka.update_topic().cluster_arn(cluster).topic_name(&self.declared.name);
        let sent = sent(call.configs(encode(&self.declared.config)).send().await);
        sent.map(drop).map_err(|failure| permitted(failure, "DescribeTopic, AlterTopicDynamicConfiguration"))
    }
}

/// What a creating call found.
#[derive(PartialEq, Eq)]
enum Created {
    Now,
    Before,
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

/// How Kafka refuses a partition count that the topic already has.
fn is_no_increase(failure: &Failure) -> bool {
    failure.message.contains("would not be an increase") || failure.message.contains("already has")
}

/// A topic's fields in normal form.
fn fields(partitions: i32, replication_factor: i32, config: &BTreeMap<String, String>) -> Fields {
    config.iter().fold(
        Fields::new().with("partitions", partitions).with("replication_factor", replication_factor),
        |fields, (key, value)| fields.with(format!("config.{key}"), value.as_str()),
    )
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

#[async_trait]
impl Resource for Topic {
    fn address(&self) -> &Address {
        &self.address
    }

    fn needs(&self) -> &[Address] {
        &self.cluster
    }

    fn desired(&self, _known: &Outputs) -> Fields {
        fields(self.declared.partitions, self.declared.replication_factor, &self.declared.config)
    }

    fn on_change(&self, change: &FieldChange) -> OnChange {
        match (change.field.as_str(), &change.from) {
            ("partitions", Some(Field::Known(now))) if now.as_i64() > Some(self.declared.partitions.into()) => {
                OnChange::Refuse(format!(
                    "partitions cannot shrink from {now} to {}: Kafka has no such operation; keep {now}, or declare a \
                     topic of another name",
                    self.declared.partitions
                ))
            }
            ("replication_factor", Some(Field::Known(now))) => OnChange::Refuse(format!(
                "the replication factor cannot change from {now} to {} in place; keep {now}, reassign the partitions \
                 with Kafka's own tools, or declare a topic of another name",
                self.declared.replication_factor
            )),
            _ => OnChange::Update,
        }
    }

    fn on_destroy(&self, _state: &State) -> OnDestroy {
        if self.declared.retain {
            OnDestroy::Retain("its records are kept (on_destroy: retain); --delete-topics deletes them".to_owned())
        } else {
            OnDestroy::Delete
        }
    }

    async fn read(&self, known: &Outputs) -> Result<Observed> {
        let Ok(cluster) = self.cluster(known) else { return Ok(Observed::absent()) };
        if self.listed(cluster).await?.is_none() {
            return Ok(Observed::absent());
        }
        match self.describe(cluster).await? {
            Some(topic) if topic.status() != Some(&TopicState::Deleting) => {
                Ok(Observed::present(self.state(cluster, &topic)?, Owner::Untaggable))
            }
            _ => Ok(Observed::absent()),
        }
    }

    async fn create(&self, known: &Outputs, progress: &Progress) -> Result<State> {
        let cluster = self.cluster(known)?;
        // One that replies did not show: a run that was killed a moment ago made it, or is deleting it.
        wait_until(
            TOPIC_TIMEOUT,
            |state| progress.note(state),
            || async {
                if self.send_create(cluster).await? == Created::Now {
                    return Ok(true);
                }
                let there = self.describe(cluster).await?;
                Ok(there.is_some_and(|topic| topic.status() != Some(&TopicState::Deleting)))
            },
            |is_there| match is_there {
                true => Look::Settled,
                false => Look::Pending("its name is taken by a topic that is not to be seen, or going".to_owned()),
            },
        )
        .await?;
        self.listed_whole(cluster, progress).await?;
        self.settled(cluster, |_| true, progress).await
    }

    async fn update(&self, change: &Change, known: &Outputs, progress: &Progress) -> Result<State> {
        let cluster = self.cluster(known)?;
        let desired = self.desired(known);
        let mut state = change.current.clone();
        // UpdateTopic takes one or the other, and refuses a topic that is still UPDATING.
        if change.touches("partitions") {
            self.send_partitions(cluster).await?;
            self.listed_whole(cluster, progress).await?;
            let shows = |seen: &Fields| seen.get("partitions") == desired.get("partitions");
            state = self.settled(cluster, shows, progress).await?;
        }
        if change.touches("config") {
            self.send_config(cluster).await?;
            state = self.settled(cluster, |seen| diff(&desired, seen).is_empty(), progress).await?;
        }
        Ok(state)
    }

    async fn delete(&self, state: &State, progress: &Progress) -> Result<Removal> {
        let cluster = state.output.require("cluster")?;
        {
            let _turn = self.api.turn().await?;
            let call = self.context.clients.kafka.delete_topic().cluster_arn(cluster).topic_name(&self.declared.name);
            found(call.send().await).map_err(|failure| permitted(failure, "DescribeTopic, DeleteTopic"))?;
        }
        self.gone(cluster, progress).await?;
        Ok(Removal::Gone)
    }
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
}
