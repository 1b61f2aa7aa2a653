//! The ways to a cluster's topics, of which each does the same: MSK's topic API, and the Kafka protocol.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use super::api::TopicApi;
use super::protocol::KafkaDoor;
use crate::engine::Result;
use crate::kafka::Brokers;
use crate::manifest::Topic;
use crate::resource::Shared;

/// By which way topics are managed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    /// MSK's topic API.
    Api,
    /// The Kafka protocol.
    Kafka,
}

impl Via {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Kafka => "kafka",
        }
    }
}

/// A way to the topics of a cluster, which is named by its ARN.
#[async_trait]
pub(super) trait Door: Debug + Send + Sync {
    /// The topic, looked for in the cheapest way.
    async fn read(&self, cluster: &str, topic: &Topic) -> Result<Option<Seen>>;

    /// How many partitions a topic has that is there. A thousand topics that wait share one answer.
    async fn partitions(&self, cluster: &str, topic: &Topic) -> Result<Option<i32>>;

    /// The topic, with the settings that are declared; other settings may be among them.
    async fn describe(&self, cluster: &str, topic: &Topic) -> Result<Option<Seen>>;

    /// Creates it as declared.
    async fn create(&self, cluster: &str, topic: &Topic) -> Result<Created>;

    /// Gives it as many partitions as are declared; one that has them already is left as it is.
    async fn grow(&self, cluster: &str, topic: &Topic) -> Result<()>;

    /// Gives it the settings that are declared.
    async fn configure(&self, cluster: &str, topic: &Topic) -> Result<()>;

    /// Deletes it; one that isn't there is a success.
    async fn delete(&self, cluster: &str, topic: &Topic) -> Result<()>;
}

/// What a creating call found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Created {
    /// It is made.
    Now,
    /// It, or one of its name, was there before.
    Before,
}

/// A topic that is there.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) standing: Standing,
    pub(super) partitions: i32,
    pub(super) replication_factor: i32,
    pub(super) config: BTreeMap<String, String>,
}

/// What is going on with a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing.
    Settled,
    /// It is on its way to something; what AWS calls it.
    Changing(String),
    /// It is being deleted.
    Going,
}

/// Whether Kafka refused a partition count because the topic has as many already. A run that was killed after its call,
/// less than a minute ago, leaves a topic that only looks too small.
pub(super) fn is_no_increase(message: &str) -> bool {
    message.contains("would not be an increase") || message.contains("already has")
}

/// The ways to the topics of one manifest.
#[derive(Debug)]
pub(crate) struct Doors {
    api: TopicApi,
    kafka: KafkaDoor,
}

impl Doors {
    /// The ways to these topics.
    pub(crate) fn new(context: &Shared, topics: &[Topic]) -> Self {
        Self {
            api: TopicApi::new(Arc::clone(context), topics.iter().map(|topic| topic.name.as_str())),
            kafka: KafkaDoor::new(topics),
        }
    }

    /// Connects to brokers, which topics are then managed by.
    ///
    /// # Errors
    /// Where they can't be reached or don't let the caller in.
    pub(crate) async fn open(&self, brokers: &Brokers) -> Result<()> {
        self.kafka.open(brokers).await
    }

    /// Takes note of the cluster's type.
    pub(crate) fn see(&self, is_serverless: bool) {
        self.kafka.see(is_serverless);
    }

    /// Whether the cluster is Serverless, where replicas are its own affair.
    pub(super) fn is_serverless(&self) -> bool {
        self.kafka.is_serverless()
    }

    /// The way of that name.
    pub(super) fn via(&self, name: &str) -> &dyn Door {
        if name == Via::Kafka.as_str() { &self.kafka } else { &self.api }
    }
}
