use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::*;
use serde_json::{Value, json};

use super::*;
use crate::sandbox::broker::door::tests::Bench;
use crate::sandbox::broker::door::text;
use crate::sandbox::call::Call;
use crate::sandbox::kafka::Listener;
use crate::sandbox::signature::CALLER;

const TOPIC_DENIED: i16 = 29;
const GROUP_DENIED: i16 = 30;
const CLUSTER_DENIED: i16 = 31;

impl Bench {
    /// A connection of somebody who has logged in.
    fn of(&self, arn: &str) -> Session {
        self.session(Listener::Plaintext, Caller::Iam(arn.to_owned()))
    }

    fn arn(&self, kind: &str, name: &str) -> String {
        self.cluster.arn_of(kind, name)
    }

    /// A connection of a role that may do some things to the topics, groups and the cluster of that name.
    async fn with(&self, actions: &[&str], name: &str) -> Session {
        let actions: Vec<String> = actions.iter().map(|action| format!("kafka-cluster:{action}")).collect();
        let resources = [self.arn("topic", name), self.arn("group", name), self.cluster.arn.clone()];
        let arn = self.role("r", json!({"Effect": "Allow", "Action": actions, "Resource": resources})).await;
        self.of(&arn)
    }

    /// Makes topics, as one who may.
    fn topics(&self, names: &[&str]) {
        assert!(create(&self.of(CALLER), names).iter().all(|(code, _)| *code == 0));
    }
}

fn topic(name: &str) -> TopicName {
    TopicName(text(name))
}

/// The error code of each topic, and that of its configurations.
fn create(session: &Session, names: &[&str]) -> Vec<(i16, i16)> {
    let new = |name: &&str| {
        CreatableTopic::default().with_name(topic(name)).with_num_partitions(1).with_replication_factor(3)
    };
    let request = CreateTopicsRequest::default().with_topics(names.iter().map(new).collect());
    let response = session.create_topics(&request, &session.rights(ApiKey::CreateTopics));
    response.topics.iter().map(|topic| (topic.error_code, topic.topic_config_error_code)).collect()
}

/// The names of topics and their error codes; of all topics where none are named.
fn metadata(session: &Session, names: Option<&[&str]>) -> Vec<(String, i16)> {
    let asked = |name: &&str| MetadataRequestTopic::default().with_name(Some(topic(name)));
    let request = MetadataRequest::default().with_topics(names.map(|names| names.iter().map(asked).collect()));
    let response = session.metadata(&request, 9, &session.rights(ApiKey::Metadata));
    assert_eq!(response.brokers.len(), 1, "who is let in learns where the brokers are");
    let told = |topic: MetadataResponseTopic| (topic.name.unwrap_or_default().to_string(), topic.error_code);
    response.topics.into_iter().map(told).collect()
}

fn produce(session: &Session, name: &str) -> i16 {
    let data = TopicProduceData::default()
        .with_name(topic(name))
        .with_partition_data(vec![PartitionProduceData::default().with_records(Some(bytes::Bytes::new()))]);
    let request = ProduceRequest::default().with_acks(-1).with_topic_data(vec![data]);
    session.produce(request, &session.rights(ApiKey::Produce)).unwrap().responses[0].partition_responses[0].error_code
}

async fn fetch(session: &Session, name: &str) -> i16 {
    let asked = FetchTopic::default()
        .with_topic(topic(name))
        .with_partitions(vec![FetchPartition::default().with_partition_max_bytes(1)]);
    let request = FetchRequest::default().with_topics(vec![asked]).with_max_bytes(1);
    let response = session.fetch(request, &session.rights(ApiKey::Fetch)).await;
    response.responses[0].partitions[0].error_code
}

fn list_offsets(session: &Session, name: &str) -> i16 {
    let asked = ListOffsetsTopic::default()
        .with_name(topic(name))
        .with_partitions(vec![ListOffsetsPartition::default().with_timestamp(-1)]);
    let request = ListOffsetsRequest::default().with_topics(vec![asked]);
    session.list_offsets(&request, &session.rights(ApiKey::ListOffsets)).topics[0].partitions[0].error_code
}

/// The codes of a topic's and of a broker's configurations.
fn describe_configs(session: &Session, name: &str) -> [i16; 2] {
    let resource =
        |kind, name| DescribeConfigsResource::default().with_resource_type(kind).with_resource_name(text(name));
    let request = DescribeConfigsRequest::default().with_resources(vec![resource(2, name), resource(4, "1")]);
    let response = session.describe_configs(&request, &session.rights(ApiKey::DescribeConfigs));
    [response.results[0].error_code, response.results[1].error_code]
}

fn alter_configs(session: &Session, name: &str) -> i16 {
    let config = AlterableConfig::default().with_name(text("retention.ms")).with_value(Some(text("1")));
    let resource =
        AlterConfigsResource::default().with_resource_type(2).with_resource_name(text(name)).with_configs(vec![config]);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    session.incremental_alter_configs(&request, &session.rights(ApiKey::IncrementalAlterConfigs)).responses[0]
        .error_code
}

fn grow(session: &Session, name: &str, count: i32) -> i16 {
    let asked = create_partitions_request::CreatePartitionsTopic::default().with_name(topic(name)).with_count(count);
    let request = CreatePartitionsRequest::default().with_topics(vec![asked]);
    session.create_partitions(&request, &session.rights(ApiKey::CreatePartitions)).results[0].error_code
}

fn delete(session: &Session, name: &str) -> i16 {
    let request = DeleteTopicsRequest::default().with_topic_names(vec![topic(name)]);
    session.delete_topics(request, &session.rights(ApiKey::DeleteTopics)).responses[0].error_code
}

#[tokio::test]
async fn who_owns_the_sandbox_and_who_was_not_asked_may_do_everything() {
    let bench = Bench::new();
    for session in [bench.of(CALLER), bench.session(Listener::Plaintext, Caller::Anonymous)] {
        assert_eq!(create(&session, &["t"]), [(0, 0)]);
        assert_eq!(metadata(&session, None), [("t".to_owned(), 0)]);
        assert_eq!([alter_configs(&session, "t"), grow(&session, "t", 2)], [0, 0]);
        assert_eq!(describe_configs(&session, "t"), [0, 0]);
        assert_eq!(delete(&session, "t"), 0);
    }
    assert_eq!(bench.noted(), Value::Null);
}

#[tokio::test]
async fn topics_are_made_changed_and_deleted_by_who_may() {
    let bench = Bench::new();
    bench.topics(&["a.there", "b"]);
    let nothing = bench.with(&["Connect"], "*").await;
    assert_eq!(create(&nothing, &["a.new"]), [(TOPIC_DENIED, 0)]);
    assert_eq!(describe_configs(&nothing, "a.there"), [TOPIC_DENIED, CLUSTER_DENIED]);
    let creates = bench.with(&["CreateTopic"], "a.*").await;
    assert_eq!(create(&creates, &["a.new", "c"]), [(0, TOPIC_DENIED), (TOPIC_DENIED, 0)]);
    let sees = bench
        .with(&["CreateTopic", "DescribeTopicDynamicConfiguration", "DescribeClusterDynamicConfiguration"], "a.*")
        .await;
    assert_eq!(create(&sees, &["a.newer"]), [(0, 0)]);
    assert_eq!(describe_configs(&sees, "a.there"), [0, 0]);
    assert_eq!(alter_configs(&sees, "a.there"), TOPIC_DENIED);
    // What the table of actions requires with an action is needed too.
    let blind = bench.with(&["AlterTopic", "AlterTopicDynamicConfiguration", "DeleteTopic"], "*").await;
    assert_eq!([grow(&blind, "b", 2), alter_configs(&blind, "b"), delete(&blind, "b")], [TOPIC_DENIED; 3]);
    assert_eq!(bench.noted()["action"], "kafka-cluster:DescribeTopic");
    let actions = ["Describe*", "AlterTopic", "AlterTopicDynamicConfiguration", "DeleteTopic"];
    let all = bench.with(&actions, "b").await;
    assert_eq!([grow(&all, "b", 2), alter_configs(&all, "b"), delete(&all, "b")], [0; 3]);
    assert_eq!(delete(&all, "a.there"), TOPIC_DENIED);
}

#[tokio::test]
async fn what_may_not_be_seen_is_left_out_of_lists_and_refused_by_name() {
    let bench = Bench::new();
    bench.topics(&["a", "b"]);
    let session = bench.with(&["DescribeTopic"], "a").await;
    assert_eq!(metadata(&session, None), [("a".to_owned(), 0)]);
    assert_eq!(bench.noted(), Value::Null, "nobody asked for it");
    let told = metadata(&session, Some(&["a", "b", "gone"]));
    // Whether there is one that may not be seen isn't told.
    assert_eq!(
        told,
        [("a", 0), ("b", TOPIC_DENIED), ("gone", TOPIC_DENIED)].map(|(name, code)| (name.to_owned(), code))
    );
    let noted = bench.noted();
    assert_eq!(noted["action"], "kafka-cluster:DescribeTopic");
    assert_eq!(noted["resource"], bench.arn("topic", "gone"));
    assert_eq!(noted["api"], "Metadata");
    assert_eq!(noted["principal"], "IAM:arn:aws:sts::000000000000:assumed-role/r/session");
    assert_eq!(
        noted["reason"],
        format!(
            "User: arn:aws:sts::000000000000:assumed-role/r/session is not authorized to perform: \
             kafka-cluster:DescribeTopic on resource: {} because no identity-based policy allows the \
             kafka-cluster:DescribeTopic action",
            bench.arn("topic", "gone")
        )
    );
    let view = crate::sandbox::kafka::topic(&bench.world, &bench.cluster, "b").unwrap();
    let by_id = MetadataRequest::default()
        .with_topics(Some(vec![MetadataRequestTopic::default().with_name(None).with_topic_id(view.id)]));
    let response = session.metadata(&by_id, 12, &session.rights(ApiKey::Metadata));
    assert_eq!(response.topics[0].error_code, ResponseError::UnknownTopicId.code());
    assert_eq!(response.topics[0].name, None);
    assert_eq!([list_offsets(&session, "a"), list_offsets(&session, "b")], [0, TOPIC_DENIED]);
}

#[tokio::test]
async fn records_are_written_and_read_by_who_may() {
    let bench = Bench::new();
    bench.topics(&["a", "b"]);
    let session = bench.with(&["DescribeTopic", "ReadData"], "a").await;
    assert_eq!([fetch(&session, "a").await, fetch(&session, "b").await], [0, TOPIC_DENIED]);
    assert_eq!(produce(&session, "a"), TOPIC_DENIED);
    let session = bench.with(&["DescribeTopic", "WriteData"], "a").await;
    assert_eq!(produce(&session, "a"), ResponseError::InvalidRecord.code(), "it gets as far as the records");
    assert_eq!(produce(&session, "b"), TOPIC_DENIED);
    assert_eq!(fetch(&session, "a").await, TOPIC_DENIED);
    let session = bench.with(&["ReadData", "WriteData"], "a").await;
    assert_eq!([produce(&session, "a"), fetch(&session, "a").await], [TOPIC_DENIED; 2], "without DescribeTopic");
}

#[tokio::test]
async fn a_policy_that_was_changed_counts_from_the_next_request_on() {
    let bench = Bench::new();
    bench.topics(&["a"]);
    let session = bench.with(&["DescribeTopic"], "a").await;
    assert_eq!(metadata(&session, Some(&["a"]))[0].1, 0);
    bench.with(&["Connect"], "*").await;
    assert_eq!(metadata(&session, Some(&["a"]))[0].1, TOPIC_DENIED);
    let elsewhere = json!({"Effect": "Allow", "Action": "kafka-cluster:*", "Resource": "*",
        "Condition": {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}});
    bench.role("r", elsewhere).await;
    assert_eq!(metadata(&session, Some(&["a"]))[0].1, TOPIC_DENIED);
    let tagged = json!({"Effect": "Allow", "Action": "kafka-cluster:*", "Resource": "*",
        "Condition": {"StringEquals": {"aws:ResourceTag/team": "pin"}}});
    bench.role("r", tagged).await;
    assert_eq!(metadata(&session, Some(&["a"]))[0].1, TOPIC_DENIED);
    let call = Call {
        method: "POST".to_owned(),
        path: String::new(),
        query: Vec::new(),
        headers: Vec::new(),
        body: json!({"tags": {"team": "pin"}}).to_string().into(),
        region: "us-east-1".to_owned(),
        caller: CALLER.to_owned(),
    };
    let path = vec![("resourceArn", bench.cluster.arn.clone())];
    crate::sandbox::kafka::handle(&bench.world, "TagResource", &path, &call).await.unwrap();
    assert_eq!(metadata(&session, Some(&["a"]))[0].1, 0);
}

#[tokio::test]
async fn the_cluster_is_asked_about_by_who_may() {
    let bench = Bench::new();
    let ask = |session: &Session| {
        let described = session.describe_cluster(&session.rights(ApiKey::DescribeCluster));
        let request = InitProducerIdRequest::default().with_transactional_id(None);
        let begun = session.init_producer_id(&request, &session.rights(ApiKey::InitProducerId));
        [described.error_code, begun.error_code]
    };
    assert_eq!(ask(&bench.with(&["Connect", "WriteData"], "*").await), [CLUSTER_DENIED; 2]);
    assert_eq!(ask(&bench.with(&["DescribeCluster"], "*").await), [0, CLUSTER_DENIED]);
    assert_eq!(ask(&bench.with(&["WriteDataIdempotently"], "*").await), [CLUSTER_DENIED, 0]);
}

/// The codes of FindCoordinator, JoinGroup, SyncGroup, Heartbeat, LeaveGroup, OffsetCommit, OffsetFetch, DescribeGroups
/// and DeleteGroups, as far as they are about the group.
async fn ask_of_group(session: &Session, name: &str) -> [i16; 9] {
    let group = GroupId(text(name));
    let find = FindCoordinatorRequest::default().with_key(text(name));
    let commit = OffsetCommitRequestTopic::default()
        .with_name(topic("t"))
        .with_partitions(vec![OffsetCommitRequestPartition::default()]);
    let commit = OffsetCommitRequest::default()
        .with_group_id(group.clone())
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![commit]);
    let commit = session.offset_commit(&commit, &session.rights(ApiKey::OffsetCommit));
    let fetch = OffsetFetchRequest::default().with_group_id(group.clone()).with_topics(None);
    let sync = SyncGroupRequest::default().with_group_id(group.clone());
    let join = JoinGroupRequest::default().with_group_id(group.clone());
    let beat = HeartbeatRequest::default().with_group_id(group.clone());
    let leave = LeaveGroupRequest::default().with_group_id(group.clone());
    let describe = DescribeGroupsRequest::default().with_groups(vec![group.clone()]);
    let remove = DeleteGroupsRequest::default().with_groups_names(vec![group]);
    [
        session.find_coordinator(&find, 3, &session.rights(ApiKey::FindCoordinator)).error_code,
        session.join_group(join, 4, "client", &session.rights(ApiKey::JoinGroup)).await.error_code,
        session.sync_group(sync, &session.rights(ApiKey::SyncGroup)).await.error_code,
        session.heartbeat(&beat, &session.rights(ApiKey::Heartbeat)).error_code,
        session.leave_group(leave, 0, &session.rights(ApiKey::LeaveGroup)).error_code,
        commit.topics[0].partitions[0].error_code,
        session.offset_fetch(&fetch, 7, &session.rights(ApiKey::OffsetFetch)).error_code,
        session.describe_groups(&describe, &session.rights(ApiKey::DescribeGroups)).groups[0].error_code,
        session.delete_groups(&remove, &session.rights(ApiKey::DeleteGroups)).results[0].error_code,
    ]
}

#[tokio::test]
async fn groups_are_joined_described_and_deleted_by_who_may() {
    let bench = Bench::new();
    bench.topics(&["t"]);
    let denied = async |actions: &[&str], name: &str| {
        ask_of_group(&bench.with(actions, name).await, "g").await.map(|code| code == GROUP_DENIED)
    };
    assert_eq!(denied(&["Connect"], "*").await, [true; 9]);
    assert_eq!(denied(&["*Group"], "other").await, [true; 9]);
    assert_eq!(denied(&["DescribeGroup"], "g").await, [false, true, true, true, true, true, false, false, true]);
    assert_eq!(denied(&["AlterGroup", "DeleteGroup"], "g").await, [true; 9], "both require DescribeGroup");
    assert_eq!(
        denied(&["DescribeGroup", "AlterGroup"], "g").await,
        [false, false, false, false, false, false, false, false, true]
    );
    assert_eq!(
        denied(&["DescribeGroup", "DeleteGroup"], "g").await,
        [false, true, true, true, true, true, false, false, false]
    );
}

#[tokio::test]
async fn offsets_are_of_topics_that_may_be_read() {
    let bench = Bench::new();
    bench.topics(&["g", "t"]);
    let commit = |session: &Session, name: &str| {
        let asked = OffsetCommitRequestTopic::default()
            .with_name(topic(name))
            .with_partitions(vec![OffsetCommitRequestPartition::default().with_committed_offset(5)]);
        let request = OffsetCommitRequest::default()
            .with_group_id(GroupId(text("g")))
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![asked]);
        session.offset_commit(&request, &session.rights(ApiKey::OffsetCommit)).topics[0].partitions[0].error_code
    };
    let fetch = |session: &Session, names: Option<&[&str]>| {
        let asked =
            |name: &&str| OffsetFetchRequestTopic::default().with_name(topic(name)).with_partition_indexes(vec![0]);
        let request = OffsetFetchRequest::default()
            .with_group_id(GroupId(text("g")))
            .with_topics(names.map(|names| names.iter().map(asked).collect()));
        let response = session.offset_fetch(&request, 7, &session.rights(ApiKey::OffsetFetch));
        assert_eq!(response.error_code, 0);
        let told = |topic: &offset_fetch_response::OffsetFetchResponseTopic| {
            (topic.name.to_string(), topic.partitions[0].error_code, topic.partitions[0].committed_offset)
        };
        response.topics.iter().map(told).collect::<Vec<_>>()
    };
    let owner = bench.of(CALLER);
    assert_eq!([commit(&owner, "g"), commit(&owner, "t")], [0, 0]);
    let session = bench.with(&["AlterGroup", "DescribeGroup", "DescribeTopic", "ReadData"], "g").await;
    assert_eq!([commit(&session, "g"), commit(&session, "t")], [0, TOPIC_DENIED]);
    assert_eq!(fetch(&session, None), [("g".to_owned(), 0, 5)]);
    assert_eq!(fetch(&session, Some(&["g", "t"])), [("g".to_owned(), 0, 5), ("t".to_owned(), TOPIC_DENIED, -1)]);
    let list = |session: &Session| {
        let response = session.list_groups(&ListGroupsRequest::default(), &session.rights(ApiKey::ListGroups));
        response.groups.len()
    };
    assert_eq!(list(&session), 1);
    assert_eq!(list(&bench.with(&["DescribeGroup"], "other").await), 0);
    assert_eq!(list(&bench.with(&["DescribeCluster"], "other").await), 1);
}
