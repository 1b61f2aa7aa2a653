//! Where things are: Metadata, DescribeCluster, FindCoordinator.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    BrokerId, DescribeClusterResponse, FindCoordinatorRequest, FindCoordinatorResponse, MetadataRequest,
    MetadataResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::rights::{Action, Rights};
use super::{Session, text};
use crate::sandbox::kafka::{self, BrokerAddress, View};

/// What a reply says of rights that nobody asked for.
const NOT_ASKED: i32 = i32::MIN;
/// FindCoordinator is about a group.
const GROUP: i8 = 0;
const HOST: &str = "127.0.0.1";

impl Session {
    pub(super) fn metadata(&self, request: &MetadataRequest, version: i16, rights: &Rights<'_>) -> MetadataResponse {
        let cluster = &self.broker.cluster;
        // In version 0 an empty list asked for all topics, and only since then no list does.
        let asked = request.topics.as_ref().filter(|topics| version > 0 || !topics.is_empty());
        let topics: Vec<MetadataResponseTopic> = match asked {
            None => {
                let topics = kafka::topics(&self.world, cluster);
                let seen = topics.iter().filter(|(name, _)| rights.has(Action::DescribeTopic, name));
                seen.map(|(name, view)| self.told(name, view)).collect()
            }
            Some(asked) => {
                asked.iter().map(|topic| self.look_up(topic.name.as_ref(), topic.topic_id, rights)).collect()
            }
        };
        let brokers = self.broker.brokers.iter().map(|broker| {
            MetadataResponseBroker::default()
                .with_node_id(BrokerId(broker.id))
                .with_host(StrBytes::from_static_str(HOST))
                .with_port(i32::from(broker.port))
        });
        MetadataResponse::default()
            .with_brokers(brokers.collect())
            .with_cluster_id(Some(text(cluster.uuid())))
            .with_controller_id(BrokerId(1))
            .with_topics(topics)
            .with_cluster_authorized_operations(NOT_ASKED)
    }

    fn look_up(&self, name: Option<&TopicName>, id: uuid::Uuid, rights: &Rights<'_>) -> MetadataResponseTopic {
        let cluster = &self.broker.cluster;
        let found = match name {
            Some(name) => rights.check(Action::DescribeTopic, name).and_then(|()| {
                let view = kafka::topic(&self.world, cluster, name).map(|view| (name.to_string(), view));
                view.ok_or(ResponseError::UnknownTopicOrPartition)
            }),
            // Who may not see the topic doesn't learn that there is one of that id.
            None => {
                let mut topics = kafka::topics(&self.world, cluster).into_iter();
                let topic = topics.find(|(_, view)| view.id == id);
                topic.filter(|(name, _)| rights.has(Action::DescribeTopic, name)).ok_or(ResponseError::UnknownTopicId)
            }
        };
        match found {
            Ok((name, view)) => self.told(&name, &view),
            Err(error) => MetadataResponseTopic::default()
                .with_error_code(error.code())
                .with_name(name.cloned())
                .with_topic_id(id)
                .with_topic_authorized_operations(NOT_ASKED),
        }
    }

    fn told(&self, name: &str, view: &View) -> MetadataResponseTopic {
        let brokers = self.broker.brokers.len();
        let partitions = (0..view.content.partitions as i32).map(|partition| {
            let replicas: Vec<BrokerId> = (0..view.content.replication as i32)
                .map(|replica| BrokerId(kafka::replica(partition, replica, brokers)))
                .collect();
            MetadataResponsePartition::default()
                .with_partition_index(partition)
                .with_leader_id(BrokerId(kafka::replica(partition, 0, brokers)))
                .with_leader_epoch(0)
                .with_isr_nodes(replicas.clone())
                .with_replica_nodes(replicas)
        });
        MetadataResponseTopic::default()
            .with_name(Some(TopicName(text(name))))
            .with_topic_id(view.id)
            .with_is_internal(name.starts_with("__consumer_offsets"))
            .with_partitions(partitions.collect())
            .with_topic_authorized_operations(NOT_ASKED)
    }

    pub(super) fn describe_cluster(&self, rights: &Rights<'_>) -> DescribeClusterResponse {
        if let Err(error) = rights.check_cluster(Action::DescribeCluster) {
            return DescribeClusterResponse::default()
                .with_error_code(error.code())
                .with_error_message(Some(text(&error.to_string())))
                .with_cluster_authorized_operations(NOT_ASKED);
        }
        let brokers = self.broker.brokers.iter().map(|broker| {
            DescribeClusterBroker::default()
                .with_broker_id(BrokerId(broker.id))
                .with_host(StrBytes::from_static_str(HOST))
                .with_port(i32::from(broker.port))
        });
        DescribeClusterResponse::default()
            .with_cluster_id(text(self.broker.cluster.uuid()))
            .with_controller_id(BrokerId(1))
            .with_brokers(brokers.collect())
            .with_cluster_authorized_operations(NOT_ASKED)
    }

    /// The broker that coordinates a group.
    pub(super) fn coordinator(&self, group: &str) -> Option<&BrokerAddress> {
        let brokers = &self.broker.brokers;
        brokers.get(crc32c::crc32c(group.as_bytes()) as usize % brokers.len().max(1))
    }

    pub(super) fn find_coordinator(
        &self,
        request: &FindCoordinatorRequest,
        version: i16,
        rights: &Rights<'_>,
    ) -> FindCoordinatorResponse {
        const ONE_BY_ONE: i16 = 3;
        let told = |key: &StrBytes| {
            let found = if request.key_type == GROUP {
                let may = rights.check(Action::DescribeGroup, key);
                may.and_then(|()| self.coordinator(key).ok_or(ResponseError::CoordinatorNotAvailable))
            } else {
                // There are no transactions, whoever asks.
                let may = rights.check(Action::DescribeTransactionalId, key);
                may.and(Err(ResponseError::TransactionalIdAuthorizationFailed))
            };
            let coordinator = Coordinator::default().with_key(key.clone());
            match found {
                Ok(broker) => coordinator
                    .with_node_id(BrokerId(broker.id))
                    .with_host(StrBytes::from_static_str(HOST))
                    .with_port(i32::from(broker.port)),
                Err(error) => coordinator
                    .with_error_code(error.code())
                    .with_error_message(Some(text(&error.to_string())))
                    .with_node_id(BrokerId(-1))
                    .with_port(-1),
            }
        };
        if version <= ONE_BY_ONE {
            let only = told(&request.key);
            return FindCoordinatorResponse::default()
                .with_error_code(only.error_code)
                .with_error_message(only.error_message)
                .with_node_id(only.node_id)
                .with_host(only.host)
                .with_port(only.port);
        }
        let coordinators = request.coordinator_keys.iter().map(told);
        FindCoordinatorResponse::default().with_coordinators(coordinators.collect())
    }
}
