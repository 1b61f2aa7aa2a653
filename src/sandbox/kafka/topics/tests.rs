//! Which clusters the topic API works for.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::PathBuf;

use serde_json::json;

use crate::sandbox::call::{Call, PathValues, Refusal, Reply, Route};
use crate::sandbox::kafka::{Declaration, ROUTES, declare_cluster, handle};
use crate::sandbox::store::Store;
use crate::sandbox::world::{Settings, World};

/// Every operation of the topic API on a cluster, each with a request that is right by itself.
async fn every_operation(world: &World, cluster: &str) -> Vec<(&'static str, Result<Reply, Refusal>)> {
    let mut answers = Vec::new();
    let mut routes: Vec<&Route> = ROUTES.iter().filter(|route| route.path.contains("/topics")).collect();
    // The topic has to be there for the others.
    routes.sort_by_key(|route| route.operation == "DeleteTopic");
    for route in routes {
        let body = match route.operation {
            "CreateTopic" => json!({"topicName": "t", "partitionCount": 1, "replicationFactor": 1}),
            "UpdateTopic" => json!({"partitionCount": 2}),
            _ => json!({}),
        };
        let call = Call { method: route.method.to_owned(), ..Call::with_body(&body) };
        let path = PathValues::from([("clusterArn", cluster.to_owned()), ("topicName", "t".to_owned())]);
        answers.push((route.operation, handle(world, route.operation, &path, &call).await));
    }
    answers
}

#[tokio::test]
async fn every_topic_operation_is_refused_for_serverless_clusters_and_before_3_6() {
    let settings = Settings { settle: Default::default(), lag: Default::default(), ..Settings::default() };
    let world = World::new(settings, Store::in_memory(), PathBuf::new());
    let declare = |declaration: Declaration| {
        declare_cluster(&world, &declaration).unwrap()["clusterArn"].as_str().unwrap().to_owned()
    };
    let named = Declaration::named;
    let serverless = declare(Declaration { serverless: Some(true), ..named("serverless") });
    let old = declare(Declaration { kafka_version: Some("3.5.1".to_owned()), ..named("old") });
    for (arn, sentence) in [
        (&serverless, "Topic operations aren't supported for MSK Serverless clusters."),
        (&old, "Topic operations need Apache Kafka 3.6.0 or later; the cluster has 3.5.1."),
    ] {
        let answers = every_operation(&world, arn).await;
        assert_eq!(answers.len(), 6);
        for (operation, answer) in answers {
            let Refusal { status, code, message, .. } = answer.unwrap_err();
            assert_eq!(
                (status, code.as_str(), message.as_str()),
                (400, "BadRequestException", sentence),
                "{operation}"
            );
        }
    }
    // The same cluster, once it is new enough: the requests were right.
    declare(Declaration { kafka_version: Some("3.6.0".to_owned()), ..named("old") });
    let mut answers = every_operation(&world, &old).await;
    answers.retain(|(_, answer)| answer.is_err());
    let refused: Vec<&str> = answers.iter().map(|(operation, _)| *operation).collect();
    assert!(refused.is_empty(), "{refused:?}");
}
