//! What each operation of MSK needs to be allowed. Topics are Kafka's, so their operations need Kafka's actions on the
//! cluster and the topic, and none of MSK's own
//! (<https://docs.aws.amazon.com/service-authorization/latest/reference/list_kafka.html>).

use crate::sandbox::call::{Call, PathValues};
use crate::sandbox::permission::Permission;
use crate::sandbox::rest_json::{has_tags, path_value};
use crate::sandbox::world::ACCOUNT;

/// What the caller needs.
pub(crate) fn needs(operation: &str, path: &PathValues, call: &Call) -> Vec<Permission> {
    let cluster = path_value(path, "clusterArn");
    let own = |resource: &str| vec![Permission::new(format!("kafka:{operation}"), resource)];
    match operation {
        "ListClusters" | "ListClustersV2" | "ListKafkaVersions" | "GetBootstrapBrokers" => own("*"),
        "CreateClusterV2" => {
            let body = call.json().unwrap_or_default();
            let name = body["clusterName"].as_str().unwrap_or_default();
            let mut needed = own("*");
            if has_tags(&body) {
                let arn = format!("arn:aws:kafka:{}:{ACCOUNT}:cluster/{name}/*", call.region);
                needed.push(Permission::new("kafka:TagResource", arn));
            }
            needed
        }
        "TagResource" | "UntagResource" | "ListTagsForResource" => own(path_value(path, "resourceArn")),
        "ListTopics" => of_topic(cluster, "*", &["DescribeTopic"]),
        "CreateTopic" => {
            let body = call.json().unwrap_or_default();
            of_topic(cluster, body["topicName"].as_str().unwrap_or_default(), &["CreateTopic"])
        }
        "DescribeTopic" | "DescribeTopicPartitions" => {
            of_topic(cluster, path_value(path, "topicName"), &["DescribeTopic", "DescribeTopicDynamicConfiguration"])
        }
        "UpdateTopic" => of_topic(
            cluster,
            path_value(path, "topicName"),
            &["DescribeTopic", "AlterTopic", "AlterTopicDynamicConfiguration"],
        ),
        "DeleteTopic" => of_topic(cluster, path_value(path, "topicName"), &["DescribeTopic", "DeleteTopic"]),
        _ => own(cluster),
    }
}

/// The right to connect to a cluster, and to do `actions` to a topic of it.
fn of_topic(cluster: &str, topic: &str, actions: &[&str]) -> Vec<Permission> {
    let arn = format!("{}/{topic}", cluster.replacen(":cluster/", ":topic/", 1));
    let connect = Permission::new("kafka-cluster:Connect", cluster);
    let on_topic = actions.iter().map(|action| Permission::new(format!("kafka-cluster:{action}"), &arn));
    std::iter::once(connect).chain(on_topic).collect()
}
