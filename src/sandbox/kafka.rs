//! Amazon MSK's control plane: clusters, their brokers, and topics through the topic API.
//!
//! Nothing runs in the background. A record says what was asked for and when, and every state is a function of the
//! record and the clock, so that a restart in the middle of a CREATING changes nothing.

mod access;
mod brokers;
mod clusters;
mod creation;
mod declaration;
mod permissions;
mod scram;
mod tags;
mod topics;
mod updates;
mod versions;

pub(crate) use brokers::{BrokerAddress, Listener, addresses, client_certificates, cluster_behind};
pub(crate) use clusters::Cluster;
pub(crate) use declaration::{Declaration, declare_cluster};
pub(super) use permissions::needs;
pub(crate) use scram::scram_password;
pub(crate) use tags::of as tags_of;
pub(crate) use topics::{
    Change, Configs, Content, Fault, View, brokers, change, create_topic, delete_topic, in_force, is_there, replica,
    topic, topics,
};
pub(crate) use versions::{Release, release_of};

use std::cmp::Reverse;
use std::io;

use super::call::{Call, PathValues, Refusal, Reply, Route, at, names, route};
use super::world::{World, now};

/// How many clusters there are in all regions, and how many topics in all clusters.
pub(crate) fn count(world: &World) -> (usize, usize) {
    let is_there = |cluster: &Cluster| cluster.state(now()).is_some();
    let clusters: Vec<Cluster> =
        world.store.read(|transaction| clusters::every(transaction).filter(is_there).collect());
    let topics = clusters.iter().map(|cluster| topics(world, cluster).len()).sum();
    (clusters.len(), topics)
}

/// The clusters of all regions whose brokers are the sandbox's own and answer, the one that was created last first.
pub(crate) fn active_clusters(world: &World) -> Vec<Cluster> {
    let now = now();
    let answers = |cluster: &Cluster| cluster.has_own_brokers() && cluster.state(now).is_some_and(clusters::answers);
    let mut active: Vec<Cluster> =
        world.store.read(|transaction| clusters::every(transaction).filter(answers).collect());
    active.sort_by_key(|cluster| Reverse(cluster.created));
    active
}

/// Removes the records of topics that aren't there any more.
///
/// # Errors
/// Where files can't be read or removed.
pub(crate) fn remove_unreferenced(world: &World) -> io::Result<()> {
    let topics =
        world.store.read(|transaction| topics::ids(transaction, &clusters::every(transaction).collect::<Vec<_>>()));
    world.logs.retain(&topics)
}

/// From botocore's `kafka/2018-11-14/service-2.json`.
static ROUTES: &[Route] = &[
    at("POST", "/api/v2/clusters", "CreateClusterV2"),
    at("GET", "/api/v2/clusters", "ListClustersV2"),
    at("GET", "/api/v2/clusters/{clusterArn}", "DescribeClusterV2"),
    at("GET", "/v1/clusters", "ListClusters"),
    at("GET", "/v1/clusters/{clusterArn}", "DescribeCluster"),
    at("DELETE", "/v1/clusters/{clusterArn}", "DeleteCluster"),
    at("GET", "/v1/clusters/{clusterArn}/bootstrap-brokers", "GetBootstrapBrokers"),
    at("GET", "/v1/clusters/{clusterArn}/nodes", "ListNodes"),
    at("PUT", "/v1/clusters/{clusterArn}/connectivity", "UpdateConnectivity"),
    at("POST", "/v1/clusters/{clusterArn}/scram-secrets", "BatchAssociateScramSecret"),
    at("PATCH", "/v1/clusters/{clusterArn}/scram-secrets", "BatchDisassociateScramSecret"),
    at("GET", "/v1/clusters/{clusterArn}/scram-secrets", "ListScramSecrets"),
    at("PATCH", "/v1/clusters/{clusterArn}/security", "UpdateSecurity"),
    at("GET", "/v1/kafka-versions", "ListKafkaVersions"),
    at("POST", "/v1/clusters/{clusterArn}/topics", "CreateTopic"),
    at("GET", "/v1/clusters/{clusterArn}/topics", "ListTopics"),
    at("GET", "/v1/clusters/{clusterArn}/topics/{topicName}", "DescribeTopic"),
    at("PUT", "/v1/clusters/{clusterArn}/topics/{topicName}", "UpdateTopic"),
    at("DELETE", "/v1/clusters/{clusterArn}/topics/{topicName}", "DeleteTopic"),
    at("GET", "/v1/clusters/{clusterArn}/topics/{topicName}/partitions", "DescribeTopicPartitions"),
    at("GET", "/v1/tags/{resourceArn}", "ListTagsForResource"),
    at("POST", "/v1/tags/{resourceArn}", "TagResource"),
    at("DELETE", "/v1/tags/{resourceArn}", "UntagResource"),
];

/// The operations that there are.
pub(crate) fn operations() -> Vec<&'static str> {
    names(ROUTES)
}

/// The operation that a call is of, if it is one of MSK's that the sandbox knows.
pub(crate) fn operation(call: &Call) -> Option<(&'static str, PathValues)> {
    route(ROUTES, &call.method, &call.path)
}

/// Does what a call asks for.
///
/// # Errors
/// What MSK refuses, with MSK's status and code.
pub(crate) async fn handle(world: &World, operation: &str, path: &PathValues, call: &Call) -> Result<Reply, Refusal> {
    match operation {
        "CreateClusterV2" => creation::create(world, call),
        "DescribeCluster" => clusters::describe_v1(world, path),
        "DescribeClusterV2" => clusters::describe_v2(world, path),
        "ListClusters" => clusters::list_v1(world, call),
        "ListClustersV2" => clusters::list_v2(world, call),
        "DeleteCluster" => clusters::delete(world, path, call),
        "GetBootstrapBrokers" => brokers::get_bootstrap_brokers(world, path),
        "ListNodes" => brokers::list_nodes(world, path, call),
        "UpdateConnectivity" => updates::update_connectivity(world, path, call),
        "UpdateSecurity" => updates::update_security(world, path, call),
        "BatchAssociateScramSecret" => scram::associate(world, path, call),
        "BatchDisassociateScramSecret" => scram::disassociate(world, path, call),
        "ListScramSecrets" => scram::list(world, path, call),
        "ListKafkaVersions" => versions::list(call),
        "CreateTopic" => topics::create(world, path, call),
        "ListTopics" => topics::list(world, path, call),
        "DescribeTopic" => topics::describe(world, path),
        "DescribeTopicPartitions" => topics::describe_partitions(world, path, call),
        "UpdateTopic" => topics::update(world, path, call),
        "DeleteTopic" => topics::delete(world, path),
        "TagResource" => tags::tag(world, path, call),
        "UntagResource" => tags::untag(world, path, call),
        "ListTagsForResource" => tags::list(world, path),
        other => Err(Refusal::new(404, "UnknownOperationException", format!("MSK has no operation {other}."))),
    }
}
