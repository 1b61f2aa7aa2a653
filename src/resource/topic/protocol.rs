//! Topics through the Kafka protocol: the same questions as to the topic API, asked for many topics in one request.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use async_trait::async_trait;
use tokio::sync::OnceCell;

use super::door::{Created, Door, Seen, Standing, is_no_increase};
use super::gather::Gather;
use crate::engine::{Cause, Result};
use crate::kafka::{Brokers, Failure, NewTopic, TopicDescription, Topics};
use crate::manifest::Topic;

/// The brokers, as the topics of one manifest share them.
#[derive(Debug)]
pub(super) struct KafkaDoor {
    /// The settings that any of the topics declares: no others are asked for.
    keys: Vec<String>,
    topics: OnceCell<Topics>,
    /// Whether the cluster is Serverless; seen when the cluster is read, which is before anything is asked of its topics.
    serverless: OnceLock<bool>,
    describe: Gather<String, Option<TopicDescription>, Failure>,
    create: Gather<NewTopic, (), Failure>,
    grow: Gather<(String, i32), (), Failure>,
    configure: Gather<(String, BTreeMap<String, String>), (), Failure>,
    delete: Gather<String, (), Failure>,
}

impl KafkaDoor {
    pub(super) fn new(topics: &[Topic]) -> Self {
        let keys: BTreeSet<&String> = topics.iter().flat_map(|topic| topic.config.keys()).collect();
        Self {
            keys: keys.into_iter().cloned().collect(),
            topics: OnceCell::new(),
            serverless: OnceLock::new(),
            describe: Gather::new(),
            create: Gather::new(),
            grow: Gather::new(),
            configure: Gather::new(),
            delete: Gather::new(),
        }
    }

    /// Connects.
    pub(super) async fn open(&self, brokers: &Brokers) -> Result<()> {
        self.topics.get_or_try_init(|| Topics::connect(brokers)).await.map(drop).map_err(|failure| told(&failure))
    }

    /// Takes note of the cluster's type.
    pub(super) fn see(&self, is_serverless: bool) {
        // It never changes.
        let _ = self.serverless.set(is_serverless);
    }

    /// Whether the cluster is Serverless, where replicas are its own affair.
    pub(super) fn is_serverless(&self) -> bool {
        self.serverless.get().copied().unwrap_or(false)
    }

    fn topics(&self) -> Result<&Topics> {
        self.topics.get().ok_or_else(|| "its cluster's brokers were not connected to".into())
    }
}

/// A failure to connect, with the way out for who has no way in.
fn told(failure: &Failure) -> Cause {
    if !failure.is_unreachable() {
        return failure.clone().into();
    }
    format!(
        "{failure}; where nothing of that can be done, `pipeline plan MANIFEST --emit kafka-topics` prints the commands \
         that do it from a machine that reaches the brokers"
    )
    .into()
}

/// A failure by what the caller lacks.
fn permitted(failure: Failure, cluster: &str, topic: &Topic, actions: &str) -> Cause {
    if !failure.is_denied() {
        return failure.into();
    }
    let arn = super::arn(cluster, &topic.name);
    format!(
        "{failure}; grant the caller {actions} on {arn} and kafka-cluster:Connect on {cluster}, or, where it doesn't log \
         in by IAM, the like by Kafka's ACLs"
    )
    .into()
}

#[async_trait]
impl Door for KafkaDoor {
    async fn read(&self, cluster: &str, topic: &Topic) -> Result<Option<Seen>> {
        self.describe(cluster, topic).await
    }

    async fn partitions(&self, cluster: &str, topic: &Topic) -> Result<Option<i32>> {
        Ok(self.describe(cluster, topic).await?.map(|seen| seen.partitions))
    }

    async fn describe(&self, cluster: &str, topic: &Topic) -> Result<Option<Seen>> {
        let topics = self.topics()?;
        let ask = |names: Vec<String>| async move { topics.describe(&names, &self.keys).await };
        let described = self.describe.answer(topic.name.clone(), ask).await?;
        let described = described.map_err(|failure| {
            let actions = if failure.operation == "DescribeConfigs" {
                "kafka-cluster:DescribeTopicDynamicConfiguration"
            } else {
                "kafka-cluster:DescribeTopic"
            };
            permitted(failure, cluster, topic, actions)
        })?;
        Ok(described.map(|topic| Seen {
            standing: Standing::Settled,
            partitions: topic.partitions,
            replication_factor: topic.replication_factor,
            config: topic.config,
        }))
    }

    async fn create(&self, cluster: &str, topic: &Topic) -> Result<Created> {
        let topics = self.topics()?;
        let new = NewTopic {
            name: topic.name.clone(),
            partitions: topic.partitions,
            replication_factor: (!self.is_serverless()).then_some(topic.replication_factor),
            config: topic.config.clone(),
        };
        match self.create.answer(new, |new| async move { topics.create(&new).await }).await? {
            Ok(()) => Ok(Created::Now),
            Err(failure) if failure.is("TopicExistsException") => Ok(Created::Before),
            Err(failure) => Err(permitted(failure, cluster, topic, "kafka-cluster:CreateTopic")),
        }
    }

    async fn grow(&self, cluster: &str, topic: &Topic) -> Result<()> {
        let topics = self.topics()?;
        let wanted = (topic.name.clone(), topic.partitions);
        match self.grow.answer(wanted, |wanted| async move { topics.grow(&wanted).await }).await? {
            Err(failure) if is_no_increase(&failure.message) => Ok(()),
            result => result.map_err(|failure| permitted(failure, cluster, topic, "kafka-cluster:AlterTopic")),
        }
    }

    async fn configure(&self, cluster: &str, topic: &Topic) -> Result<()> {
        let topics = self.topics()?;
        let wanted = (topic.name.clone(), topic.config.clone());
        let result = self.configure.answer(wanted, |wanted| async move { topics.configure(&wanted).await }).await?;
        result.map_err(|failure| permitted(failure, cluster, topic, "kafka-cluster:AlterTopicDynamicConfiguration"))
    }

    async fn delete(&self, cluster: &str, topic: &Topic) -> Result<()> {
        let topics = self.topics()?;
        match self.delete.answer(topic.name.clone(), |names| async move { topics.delete(&names).await }).await? {
            Err(failure) if failure.is("UnknownTopicOrPartitionException") => Ok(()),
            result => result.map_err(|failure| permitted(failure, cluster, topic, "kafka-cluster:DeleteTopic")),
        }
    }
}
