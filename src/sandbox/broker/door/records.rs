//! Records in and out: Produce, Fetch, ListOffsets, and what idempotent producers need.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::list_offsets_request::ListOffsetsPartition;
use kafka_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use kafka_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use kafka_protocol::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use kafka_protocol::messages::produce_request::PartitionProduceData;
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{
    FetchRequest, FetchResponse, InitProducerIdRequest, InitProducerIdResponse, ListOffsetsRequest,
    ListOffsetsResponse, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, ProduceRequest, ProduceResponse,
    ProducerId,
};
use tokio::time::Instant;

use super::rights::{Action, Rights};
use super::{Session, code, text};
use crate::sandbox::broker::{self, Partition};
use crate::sandbox::kafka;

/// Timestamps in ListOffsets that stand for something else.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const LARGEST_TIMESTAMP: i64 = -3;

/// The epoch of every leader: they never change.
const EPOCH: i32 = 0;

/// `fetch.max.bytes` of Kafka's brokers.
const LARGEST_FETCH: usize = 55 << 20;

/// The store's table of numbers that are given out, and the one of producers.
const NUMBERS: &str = "kafka.numbers";
const PRODUCER_IDS: &str = "producer-ids";

impl Session {
    /// A partition that this broker leads.
    fn led(&self, topic: &str, index: i32) -> Result<std::sync::Arc<Partition>, ResponseError> {
        let partition = broker::partition(&self.world, &self.broker.cluster, topic, index)?;
        self.leads(index)?;
        Ok(partition)
    }

    fn leads(&self, partition: i32) -> Result<(), ResponseError> {
        let leader = kafka::replica(partition, 0, self.broker.brokers.len());
        if leader == self.broker.id { Ok(()) } else { Err(ResponseError::NotLeaderOrFollower) }
    }

    pub(super) fn produce(&self, request: ProduceRequest, rights: &Rights<'_>) -> Option<ProduceResponse> {
        // 0: nobody waits for a reply.
        let is_answered = request.acks != 0;
        let refusal = match request.acks {
            _ if request.transactional_id.is_some() => Some(ResponseError::TransactionalIdAuthorizationFailed),
            -1..=1 => None,
            _ => Some(ResponseError::InvalidRequiredAcks),
        };
        let responses = request.topic_data.into_iter().map(|topic| {
            let name = topic.name;
            let refusal = refusal.or_else(|| rights.check(Action::WriteData, &name).err());
            let partitions = topic.partition_data.into_iter();
            let partitions = partitions.map(|data| self.produce_to(&name, data, refusal)).collect();
            TopicProduceResponse::default().with_name(name).with_partition_responses(partitions)
        });
        let response = ProduceResponse::default().with_responses(responses.collect());
        is_answered.then_some(response)
    }

    fn produce_to(
        &self,
        topic: &str,
        data: PartitionProduceData,
        refusal: Option<ResponseError>,
    ) -> PartitionProduceResponse {
        let index = data.index;
        let records = data.records.unwrap_or_default();
        let outcome = match refusal {
            Some(refusal) => Err(refusal),
            None => self.leads(index).and_then(|()| self.append(topic, index, records)),
        };
        let response = PartitionProduceResponse::default()
            .with_index(index)
            .with_error_code(code(&outcome))
            .with_base_offset(*outcome.as_ref().unwrap_or(&-1))
            .with_log_append_time_ms(-1)
            .with_log_start_offset(if outcome.is_ok() { 0 } else { -1 });
        match outcome {
            Err(error) => response.with_error_message(Some(text(&why(topic, error)))),
            Ok(_) => response,
        }
    }

    fn append(&self, topic: &str, index: i32, records: Bytes) -> Result<i64, ResponseError> {
        let batch = records.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
        broker::append_batch(&self.world, &self.broker.cluster, topic, index, batch)
    }

    pub(super) async fn fetch(&self, request: FetchRequest, rights: &Rights<'_>) -> FetchResponse {
        let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or_default());
        let deadline = Instant::now() + wait;
        let most = usize::try_from(request.max_bytes).unwrap_or_default().min(LARGEST_FETCH);
        let wanted = usize::try_from(request.min_bytes).unwrap_or_default().min(most);
        let may: Vec<_> = request.topics.iter().map(|topic| rights.check(Action::ReadData, &topic.topic)).collect();
        // Subscribed before looking, so that what is appended meanwhile isn't missed.
        let mut grown = self.world.logs.grown();
        loop {
            grown.mark_unchanged();
            let fetched = Fetched::of(self, &request, &may, most);
            if fetched.bytes >= wanted || fetched.is_urgent || Instant::now() >= deadline {
                return FetchResponse::default().with_responses(fetched.topics);
            }
            let _ = tokio::time::timeout_at(deadline, grown.changed()).await;
        }
    }

    pub(super) fn list_offsets(&self, request: &ListOffsetsRequest, rights: &Rights<'_>) -> ListOffsetsResponse {
        let topics = request.topics.iter().map(|topic| {
            let may = rights.check(Action::DescribeTopic, &topic.name);
            let partitions = topic.partitions.iter().map(|asked| self.list_offset(&topic.name, asked, may)).collect();
            ListOffsetsTopicResponse::default().with_name(topic.name.clone()).with_partitions(partitions)
        });
        ListOffsetsResponse::default().with_topics(topics.collect())
    }

    fn list_offset(
        &self,
        topic: &str,
        asked: &ListOffsetsPartition,
        may: Result<(), ResponseError>,
    ) -> ListOffsetsPartitionResponse {
        let found = may.and_then(|()| self.led(topic, asked.partition_index)).and_then(|partition| {
            let (first, next) = partition.range()?;
            match asked.timestamp {
                LATEST => Ok((next, -1)),
                EARLIEST => Ok((first, -1)),
                LARGEST_TIMESTAMP => Ok(partition.largest_timestamp()?.unwrap_or((-1, -1))),
                timestamp => Ok(partition.since(timestamp)?.unwrap_or((-1, -1))),
            }
        });
        let (offset, timestamp) = *found.as_ref().unwrap_or(&(-1, -1));
        ListOffsetsPartitionResponse::default()
            .with_partition_index(asked.partition_index)
            .with_error_code(code(&found))
            .with_offset(offset)
            .with_timestamp(timestamp)
            .with_leader_epoch(if offset < 0 { -1 } else { EPOCH })
    }

    pub(super) fn offset_for_leader_epoch(
        &self,
        request: &OffsetForLeaderEpochRequest,
        rights: &Rights<'_>,
    ) -> OffsetForLeaderEpochResponse {
        let topics = request.topics.iter().map(|topic| {
            let may = rights.check(Action::DescribeTopic, &topic.topic);
            let partitions = topic.partitions.iter().map(|asked| self.end_of_epoch(&topic.topic, asked, may)).collect();
            OffsetForLeaderTopicResult::default().with_topic(topic.topic.clone()).with_partitions(partitions)
        });
        OffsetForLeaderEpochResponse::default().with_topics(topics.collect())
    }

    fn end_of_epoch(
        &self,
        topic: &str,
        asked: &OffsetForLeaderPartition,
        may: Result<(), ResponseError>,
    ) -> EpochEndOffset {
        let end = may.and_then(|()| self.led(topic, asked.partition)).and_then(|partition| Ok(partition.range()?.1));
        let is_known = asked.leader_epoch == EPOCH && end.is_ok();
        EpochEndOffset::default()
            .with_error_code(code(&end))
            .with_partition(asked.partition)
            .with_leader_epoch(if is_known { EPOCH } else { -1 })
            .with_end_offset(if is_known { end.unwrap_or(-1) } else { -1 })
    }

    pub(super) fn init_producer_id(
        &self,
        request: &InitProducerIdRequest,
        rights: &Rights<'_>,
    ) -> InitProducerIdResponse {
        let refused = |error: ResponseError| {
            InitProducerIdResponse::default()
                .with_error_code(error.code())
                .with_producer_id(ProducerId(-1))
                .with_producer_epoch(-1)
        };
        if request.transactional_id.is_some() {
            return refused(ResponseError::TransactionalIdAuthorizationFailed);
        }
        if let Err(error) = rights.check_cluster(Action::WriteDataIdempotently) {
            return refused(error);
        }
        let next = self.world.store.transact(|transaction| {
            let id: i64 = transaction.get(NUMBERS, PRODUCER_IDS).unwrap_or(0);
            transaction.put(NUMBERS, PRODUCER_IDS, &(id + 1))?;
            Ok::<_, std::io::Error>(id)
        });
        match next {
            Ok(id) => InitProducerIdResponse::default().with_producer_id(ProducerId(id)).with_producer_epoch(0),
            Err(_) => refused(ResponseError::KafkaStorageError),
        }
    }
}

/// What Kafka's brokers say besides the code.
fn why(topic: &str, error: ResponseError) -> String {
    match error {
        ResponseError::InvalidRecord => format!(
            "One or more records have been rejected: not one whole batch, or a record without a key in a compacted topic ({topic})"
        ),
        other => other.to_string(),
    }
}

/// What a fetch has found so far.
struct Fetched {
    topics: Vec<FetchableTopicResponse>,
    bytes: usize,
    /// Whether there is something to tell that must not wait for more.
    is_urgent: bool,
    left: usize,
}

impl Fetched {
    /// `may` says of each topic whether it may be read.
    fn of(session: &Session, request: &FetchRequest, may: &[Result<(), ResponseError>], left: usize) -> Self {
        let mut fetched = Self { topics: Vec::new(), bytes: 0, is_urgent: false, left };
        for (FetchTopic { topic, partitions, .. }, may) in request.topics.iter().zip(may) {
            let data = partitions.iter().map(|asked| fetched.partition(session, topic, asked, *may)).collect();
            fetched.topics.push(FetchableTopicResponse::default().with_topic(topic.clone()).with_partitions(data));
        }
        // A client that asks for nothing is not kept waiting.
        fetched.is_urgent |= request.topics.is_empty();
        fetched
    }

    fn partition(
        &mut self,
        session: &Session,
        topic: &str,
        asked: &FetchPartition,
        may: Result<(), ResponseError>,
    ) -> PartitionData {
        let data = PartitionData::default().with_partition_index(asked.partition);
        let most = usize::try_from(asked.partition_max_bytes).unwrap_or_default().min(self.left);
        let found = may.and_then(|()| session.led(topic, asked.partition)).and_then(|partition| {
            let (first, next) = partition.range()?;
            // The first batch comes whole, however large it is; after that, what still fits.
            let records = if most == 0 && self.bytes > 0 {
                Bytes::new()
            } else {
                partition.read_batches(asked.fetch_offset, most)?
            };
            Ok((first, next, records))
        });
        match found {
            Ok((first, next, records)) => {
                let fits = self.bytes == 0 || records.len() <= self.left;
                let records = if fits { records } else { Bytes::new() };
                self.bytes += records.len();
                self.left = self.left.saturating_sub(records.len());
                data.with_high_watermark(next)
                    .with_last_stable_offset(next)
                    .with_log_start_offset(first)
                    .with_records(Some(records))
            }
            Err(error) => {
                self.is_urgent = true;
                data.with_error_code(error.code())
                    .with_high_watermark(-1)
                    .with_last_stable_offset(-1)
                    .with_log_start_offset(-1)
                    .with_records(Some(Bytes::new()))
            }
        }
    }
}
