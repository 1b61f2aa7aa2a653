//! Topics come and go: CreateTopics, DeleteTopics, CreatePartitions. What is changed here is what MSK's API shows.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest,
    DeleteTopicsResponse, TopicName,
};

use super::configs::{DYNAMIC_TOPIC, SERVER_DEFAULT};
use super::rights::{Action, Rights};
use super::{Session, text};
use crate::sandbox::kafka::{self, Change, Content, Fault};
use crate::sandbox::world::now;

/// `num.partitions` and `default.replication.factor` of MSK's default configuration for three zones.
const DEFAULT_PARTITIONS: i64 = 1;
const DEFAULT_REPLICATION: i64 = 3;

/// What a trial run comes to: it is undone, whatever it says.
enum Trial {
    Passed,
    Failed(Fault),
}

impl From<std::io::Error> for Trial {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl Session {
    /// Changes the store, or only looks whether that would go well.
    pub(super) fn attempt(
        &self,
        only_try: bool,
        work: impl FnOnce(&mut crate::sandbox::store::Transaction<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if !only_try {
            return self.world.store.transact(work);
        }
        let trial = self.world.store.transact(|transaction| match work(transaction) {
            Ok(()) => Err::<(), _>(Trial::Passed),
            Err(fault) => Err(Trial::Failed(fault)),
        });
        match trial {
            Err(Trial::Failed(fault)) => Err(fault),
            Ok(()) | Err(Trial::Passed) => Ok(()),
        }
    }

    pub(super) fn create_topics(&self, request: &CreateTopicsRequest, rights: &Rights<'_>) -> CreateTopicsResponse {
        let results = request.topics.iter().map(|topic| {
            let result = CreatableTopicResult::default().with_name(topic.name.clone());
            // What a topic that isn't there has for numbers.
            let refused = |error: ResponseError, message: &str| {
                result
                    .clone()
                    .with_error_code(error.code())
                    .with_error_message(Some(text(message)))
                    .with_num_partitions(-1)
                    .with_replication_factor(-1)
            };
            let twice = request.topics.iter().filter(|other| other.name == topic.name).count() > 1;
            if twice {
                return refused(ResponseError::InvalidRequest, "Duplicate topic name.");
            }
            if let Err(error) = rights.check(Action::CreateTopic, &topic.name) {
                return refused(error, "Authorization failed.");
            }
            let content = match content(topic) {
                Ok(content) => content,
                Err(error) => return refused(error, "Replica assignments can't be chosen; leave them out."),
            };
            let cluster = &self.broker.cluster;
            let created = self.attempt(request.validate_only, |transaction| {
                // Through Kafka a topic is there at once.
                kafka::create_topic(transaction, cluster, &topic.name, content.clone(), now()).map(drop)
            });
            if let Err(fault) = created {
                return refused(fault.error, &fault.message);
            }
            let id = kafka::topic(&self.world, cluster, &topic.name).map(|view| view.id).unwrap_or_default();
            let result = result.with_topic_id(if request.validate_only { uuid::Uuid::nil() } else { id });
            // Who may create a topic may still not see what it is like.
            if !rights.has(Action::DescribeTopicDynamicConfiguration, &topic.name) {
                return result
                    .with_topic_config_error_code(ResponseError::TopicAuthorizationFailed.code())
                    .with_num_partitions(-1)
                    .with_replication_factor(-1)
                    .with_configs(Some(Vec::new()));
            }
            result
                .with_num_partitions(content.partitions as i32)
                .with_replication_factor(content.replication as i16)
                .with_configs(Some(told(&content)))
        });
        CreateTopicsResponse::default().with_topics(results.collect())
    }

    pub(super) fn delete_topics(&self, request: DeleteTopicsRequest, rights: &Rights<'_>) -> DeleteTopicsResponse {
        let delete = |name: TopicName| {
            let may = rights.check(Action::DeleteTopic, &name);
            let result = DeletableTopicResult::default().with_name(Some(name.clone()));
            if let Err(error) = may {
                return result.with_error_code(error.code()).with_error_message(Some(text(&error.to_string())));
            }
            match kafka::delete_topic(&self.world, &self.broker.cluster, &name, now()) {
                Ok(()) => result,
                Err(fault) => result.with_error_code(fault.error.code()).with_error_message(Some(text(&fault.message))),
            }
        };
        DeleteTopicsResponse::default().with_responses(request.topic_names.into_iter().map(delete).collect())
    }

    pub(super) fn create_partitions(
        &self,
        request: &CreatePartitionsRequest,
        rights: &Rights<'_>,
    ) -> CreatePartitionsResponse {
        let grow = |topic: &CreatePartitionsTopic| {
            let result = CreatePartitionsTopicResult::default().with_name(topic.name.clone());
            if let Err(error) = rights.check(Action::AlterTopic, &topic.name) {
                return result.with_error_code(error.code()).with_error_message(Some(text(&error.to_string())));
            }
            if topic.assignments.as_ref().is_some_and(|assignments| !assignments.is_empty()) {
                return result
                    .with_error_code(ResponseError::InvalidReplicaAssignment.code())
                    .with_error_message(Some(text("Replica assignments can't be chosen; leave them out.")));
            }
            let grown = self.attempt(request.validate_only, |transaction| {
                let change = Change::Grow(i64::from(topic.count));
                kafka::change(transaction, &self.broker.cluster, &topic.name, change, now())
            });
            match grown {
                Ok(()) => result,
                Err(fault) => result.with_error_code(fault.error.code()).with_error_message(Some(text(&fault.message))),
            }
        };
        CreatePartitionsResponse::default().with_results(request.topics.iter().map(grow).collect())
    }
}

/// What a topic is to be; -1 leaves a number to the brokers.
fn content(topic: &CreatableTopic) -> Result<Content, ResponseError> {
    if !topic.assignments.is_empty() {
        return Err(ResponseError::InvalidReplicaAssignment);
    }
    let or = |number: i64, default: i64| if number == -1 { default } else { number };
    let configs = topic.configs.iter().filter_map(|config| {
        let value = config.value.as_ref()?;
        Some((config.name.to_string(), value.to_string()))
    });
    Ok(Content {
        partitions: or(i64::from(topic.num_partitions), DEFAULT_PARTITIONS),
        replication: or(i64::from(topic.replication_factor), DEFAULT_REPLICATION),
        configs: configs.collect(),
    })
}

fn told(content: &Content) -> Vec<CreatableTopicConfigs> {
    let source = |key: &str| if content.configs.contains_key(key) { DYNAMIC_TOPIC } else { SERVER_DEFAULT };
    let config = |(key, value): (String, String)| {
        CreatableTopicConfigs::default()
            .with_config_source(source(&key))
            .with_name(text(&key))
            .with_value(Some(text(&value)))
    };
    kafka::in_force(&content.configs).into_iter().map(config).collect()
}
