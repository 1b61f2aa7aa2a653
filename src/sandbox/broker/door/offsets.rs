//! Committed offsets: OffsetCommit, OffsetFetch, OffsetDelete.

use std::collections::BTreeMap;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_commit_request::OffsetCommitRequestPartition;
use kafka_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use kafka_protocol::messages::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse, OffsetFetchRequest,
    OffsetFetchResponse, TopicName,
};

use super::rights::{Action, Rights};
use super::{Session, code, text};
use crate::sandbox::broker::offsets::{self, Committed, TopicPartition};
use crate::sandbox::kafka;

/// `offset.metadata.max.bytes` of Kafka's brokers.
const LARGEST_METADATA: usize = 4096;
/// From this version on a request may be about several groups.
const SEVERAL_GROUPS: i16 = 8;

impl Session {
    pub(super) fn offset_commit(&self, request: &OffsetCommitRequest, rights: &Rights<'_>) -> OffsetCommitResponse {
        let group = request.group_id.as_str();
        let may = rights.check(Action::AlterGroup, group).and_then(|()| self.coordinates(group)).and_then(|()| {
            let shared = self.world.groups.get(&self.broker.cluster.arn, group);
            let (id, generation) = (&request.member_id, request.generation_id_or_member_epoch);
            shared.change(|group, now| {
                group.fence(id, request.group_instance_id.as_deref())?;
                group.may_commit(id, generation, now)
            })
        });
        let mut kept: Vec<(TopicPartition, Committed)> = Vec::new();
        let mut outcomes: Vec<(TopicName, i32, Result<(), ResponseError>)> = Vec::new();
        for topic in &request.topics {
            let may = may.and_then(|()| rights.check(Action::ReadData, &topic.name));
            let view = kafka::topic(&self.world, &self.broker.cluster, &topic.name);
            let partitions = view.map_or(0, |view| view.content.partitions);
            for partition in &topic.partitions {
                let outcome = may.and_then(|()| acceptable(partition, partitions));
                if outcome.is_ok() {
                    let metadata = partition.committed_metadata.as_ref().filter(|text| !text.is_empty());
                    let committed =
                        Committed { offset: partition.committed_offset, metadata: metadata.map(ToString::to_string) };
                    kept.push(((topic.name.to_string(), partition.partition_index), committed));
                }
                outcomes.push((topic.name.clone(), partition.partition_index, outcome));
            }
        }
        if offsets::commit(&self.world, &self.broker.cluster, group, &kept).is_err() {
            for (_, _, outcome) in &mut outcomes {
                *outcome = outcome.and(Err(ResponseError::KafkaStorageError));
            }
        }
        let topics = request.topics.iter().map(|topic| {
            let of_topic = outcomes.iter().filter(|(name, _, _)| *name == topic.name);
            let partitions = of_topic.map(|(_, index, outcome)| {
                OffsetCommitResponsePartition::default().with_partition_index(*index).with_error_code(code(outcome))
            });
            OffsetCommitResponseTopic::default().with_name(topic.name.clone()).with_partitions(partitions.collect())
        });
        OffsetCommitResponse::default().with_topics(topics.collect())
    }

    pub(super) fn offset_fetch(
        &self,
        request: &OffsetFetchRequest,
        version: i16,
        rights: &Rights<'_>,
    ) -> OffsetFetchResponse {
        if version >= SEVERAL_GROUPS {
            let groups = request.groups.iter().map(|group| self.offsets_of(group, rights));
            return OffsetFetchResponse::default().with_groups(groups.collect());
        }
        let may = rights.check(Action::DescribeGroup, &request.group_id);
        if let Err(error) = may.and_then(|()| self.coordinates(&request.group_id)) {
            return OffsetFetchResponse::default().with_error_code(error.code());
        }
        let committed = offsets::committed(&self.world, &self.broker.cluster, &request.group_id);
        let asked = request.topics.as_ref().map(|topics| {
            topics.iter().map(|topic| (topic.name.to_string(), topic.partition_indexes.clone())).collect()
        });
        let topics = seen(&committed, asked, rights).into_iter().map(|(name, error_code, partitions)| {
            let partitions = partitions.into_iter().map(|(index, committed)| {
                OffsetFetchResponsePartition::default()
                    .with_partition_index(index)
                    .with_error_code(error_code)
                    .with_committed_offset(committed.map_or(-1, |committed| committed.offset))
                    .with_committed_leader_epoch(-1)
                    .with_metadata(Some(metadata(committed)))
            });
            OffsetFetchResponseTopic::default().with_name(TopicName(text(&name))).with_partitions(partitions.collect())
        });
        OffsetFetchResponse::default().with_topics(topics.collect())
    }

    fn offsets_of(&self, group: &OffsetFetchRequestGroup, rights: &Rights<'_>) -> OffsetFetchResponseGroup {
        let response = OffsetFetchResponseGroup::default().with_group_id(group.group_id.clone());
        let may = rights.check(Action::DescribeGroup, &group.group_id);
        if let Err(error) = may.and_then(|()| self.coordinates(&group.group_id)) {
            return response.with_error_code(error.code());
        }
        let committed = offsets::committed(&self.world, &self.broker.cluster, &group.group_id);
        let asked = group.topics.as_ref().map(|topics| {
            topics.iter().map(|topic| (topic.name.to_string(), topic.partition_indexes.clone())).collect()
        });
        let topics = seen(&committed, asked, rights).into_iter().map(|(name, error_code, partitions)| {
            let partitions = partitions.into_iter().map(|(index, committed)| {
                OffsetFetchResponsePartitions::default()
                    .with_partition_index(index)
                    .with_error_code(error_code)
                    .with_committed_offset(committed.map_or(-1, |committed| committed.offset))
                    .with_committed_leader_epoch(-1)
                    .with_metadata(Some(metadata(committed)))
            });
            OffsetFetchResponseTopics::default().with_name(TopicName(text(&name))).with_partitions(partitions.collect())
        });
        response.with_topics(topics.collect())
    }

    pub(super) fn offset_delete(&self, request: &OffsetDeleteRequest, rights: &Rights<'_>) -> OffsetDeleteResponse {
        let cluster = &self.broker.cluster;
        let may = rights.check(Action::DeleteGroup, &request.group_id);
        let may = may.and_then(|()| self.coordinates(&request.group_id)).and_then(|()| {
            let alive = self.world.groups.find(&cluster.arn, &request.group_id);
            let is_empty = alive.is_none_or(|group| group.change(|group, _| group.is_empty()));
            if is_empty { Ok(()) } else { Err(ResponseError::NonEmptyGroup) }
        });
        if let Err(error) = may {
            return OffsetDeleteResponse::default().with_error_code(error.code());
        }
        let may: Vec<_> = request.topics.iter().map(|topic| rights.check(Action::ReadData, &topic.name)).collect();
        let gone: Vec<TopicPartition> = request
            .topics
            .iter()
            .zip(&may)
            .filter(|(_, may)| may.is_ok())
            .flat_map(|(topic, _)| topic.partitions.iter().map(|asked| (topic.name.to_string(), asked.partition_index)))
            .collect();
        if offsets::forget_partitions(&self.world, cluster, &request.group_id, &gone).is_err() {
            return OffsetDeleteResponse::default().with_error_code(ResponseError::KafkaStorageError.code());
        }
        let topics = request.topics.iter().zip(&may).map(|(topic, may)| {
            let partitions = topic.partitions.iter().map(|asked| {
                OffsetDeleteResponsePartition::default()
                    .with_partition_index(asked.partition_index)
                    .with_error_code(code(may))
            });
            OffsetDeleteResponseTopic::default().with_name(topic.name.clone()).with_partitions(partitions.collect())
        });
        OffsetDeleteResponse::default().with_topics(topics.collect())
    }
}

fn acceptable(asked: &OffsetCommitRequestPartition, partitions: i64) -> Result<(), ResponseError> {
    if !(0..partitions).contains(&i64::from(asked.partition_index)) {
        return Err(ResponseError::UnknownTopicOrPartition);
    }
    if asked.committed_metadata.as_ref().is_some_and(|metadata| metadata.len() > LARGEST_METADATA) {
        return Err(ResponseError::OffsetMetadataTooLarge);
    }
    Ok(())
}

type Partitions<'a> = Vec<(i32, Option<&'a Committed>)>;

/// What was committed of the partitions that were asked about, or of all of which something was.
fn by_topic(
    committed: &BTreeMap<TopicPartition, Committed>,
    asked: Option<Vec<(String, Vec<i32>)>>,
) -> Vec<(String, Partitions<'_>)> {
    match asked {
        Some(asked) => asked
            .into_iter()
            .map(|(topic, indexes)| {
                let look = |index: i32| (index, committed.get(&(topic.clone(), index)));
                let partitions = indexes.into_iter().map(look).collect();
                (topic, partitions)
            })
            .collect(),
        None => {
            let mut topics: BTreeMap<String, Partitions<'_>> = BTreeMap::new();
            for ((topic, index), offset) in committed {
                topics.entry(topic.clone()).or_default().push((*index, Some(offset)));
            }
            topics.into_iter().collect()
        }
    }
}

/// The same with an error code for each topic: what may not be seen is refused where it was asked about, and left out of
/// a list of all.
fn seen<'a>(
    committed: &'a BTreeMap<TopicPartition, Committed>,
    asked: Option<Vec<(String, Vec<i32>)>>,
    rights: &Rights<'_>,
) -> Vec<(String, i16, Partitions<'a>)> {
    let is_of_all = asked.is_none();
    let topics = by_topic(committed, asked).into_iter();
    let topics = topics.filter(|(topic, _)| !is_of_all || rights.has(Action::DescribeTopic, topic));
    let told = topics.map(|(topic, partitions)| match rights.check(Action::DescribeTopic, &topic) {
        Ok(()) => (topic, 0, partitions),
        Err(error) => (topic, error.code(), partitions.into_iter().map(|(index, _)| (index, None)).collect()),
    });
    told.collect()
}

fn metadata(committed: Option<&Committed>) -> kafka_protocol::protocol::StrBytes {
    text(committed.and_then(|committed| committed.metadata.as_deref()).unwrap_or_default())
}
