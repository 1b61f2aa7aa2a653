//! What others change behind the tool's back: the plan shows it, and apply repairs it.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_apigateway::types::{Op, PatchOperation};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use pipeline::aws::clients::Clients;

use crate::bench::Bench;

const USER: &str = "0a1b2c3d4e5f";

/// The fields that the plan would change, as `address field`.
fn fields(bench: &Bench) -> Vec<String> {
    let plan = bench.plan_json();
    let mut fields = Vec::new();
    for step in plan["steps"].as_array().unwrap() {
        for change in step["changes"].as_array().into_iter().flatten() {
            fields.push(format!("{} {}", step["address"].as_str().unwrap(), change["field"].as_str().unwrap()));
        }
    }
    fields
}

#[track_caller]
fn repaired(bench: &Bench) {
    bench.apply();
    assert_eq!(bench.planned(), Vec::<String>::new());
}

async fn applied() -> (Bench, Clients) {
    let bench = Bench::new();
    bench.dev(&[]);
    bench.apply();
    let clients = bench.clients().await;
    (bench, clients)
}

#[tokio::test]
async fn a_topics_configuration() {
    let (bench, clients) = applied().await;
    let cluster = bench.run(["outputs", "dev.yaml", "cluster_arn"]).ended(0).stdout;
    let configs = BASE64_STANDARD.encode(r#"{"retention.ms":"1000","min.insync.replicas":"2"}"#);
    let call = clients.kafka.update_topic().cluster_arn(cluster.trim()).topic_name(format!("{USER}.pin"));
    call.configs(configs).send().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    // Only what the manifest declares is compared: min.insync.replicas stays.
    assert_eq!(fields(&bench), [format!("topic/{USER}.pin config.retention.ms")]);
    repaired(&bench);
}

#[tokio::test]
async fn a_topic_that_is_gone() {
    let (bench, clients) = applied().await;
    let cluster = bench.run(["outputs", "dev.yaml", "cluster_arn"]).ended(0).stdout;
    let call = clients.kafka.delete_topic().cluster_arn(cluster.trim()).topic_name(format!("{USER}.geo"));
    call.send().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(bench.planned(), [format!("create topic/{USER}.geo")]);
    repaired(&bench);
}

#[tokio::test]
async fn a_roles_trust_policy_and_attachments() {
    let (bench, clients) = applied().await;
    let role = format!("{USER}-ec2-access-role");
    let open = r#"{"Version":"2012-10-17","Statement":{"Sid":"Open","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"sts:AssumeRole"}}"#;
    clients.iam.update_assume_role_policy().role_name(&role).policy_document(open).send().await.unwrap();
    let read_only = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";
    clients.iam.attach_role_policy().role_name(&role).policy_arn(read_only).send().await.unwrap();
    let drift = fields(&bench);
    assert!(drift.contains(&format!("role/{role} trust.Open")), "{drift:?}");
    assert!(drift.contains(&format!("role/{role} managed_policies")), "{drift:?}");
    repaired(&bench);
}

#[tokio::test]
async fn a_roles_permissions() {
    let (bench, clients) = applied().await;
    let role = format!("{USER}-ec2-access-role");
    let policies = clients.iam.list_role_policies().role_name(&role).send().await.unwrap();
    for name in policies.policy_names() {
        clients.iam.delete_role_policy().role_name(&role).policy_name(name).send().await.unwrap();
    }
    assert!(!fields(&bench).is_empty());
    repaired(&bench);
}

#[tokio::test]
async fn a_connectors_configuration_and_state() {
    let (bench, clients) = applied().await;
    let arn = bench.run(["outputs", "dev.yaml", "connector_arn"]).ended(0).stdout;
    let there = clients.connect.describe_connector().connector_arn(arn.trim()).send().await.unwrap();
    let mut configuration: HashMap<String, String> = there.connector_configuration().unwrap().clone();
    configuration.insert("flush.size".to_owned(), "500".to_owned());
    let call = clients.connect.update_connector().connector_arn(arn.trim());
    let call = call.current_version(there.current_version().unwrap()).set_connector_configuration(Some(configuration));
    call.send().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(fields(&bench), [format!("connector/{USER}-connector config.flush.size")]);
    repaired(&bench);
    clients.connect.pause_connector().connector_arn(arn.trim()).send().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(fields(&bench), [format!("connector/{USER}-connector state")]);
    repaired(&bench);
}

#[tokio::test]
async fn a_plugins_object_and_a_connector_that_are_gone() {
    let (bench, clients) = applied().await;
    let bucket = format!("user-{USER}-bucket");
    let objects = clients.s3.list_objects_v2().bucket(&bucket).send().await.unwrap();
    for object in objects.contents() {
        clients.s3.delete_object().bucket(&bucket).key(object.key().unwrap()).send().await.unwrap();
    }
    let arn = bench.run(["outputs", "dev.yaml", "connector_arn"]).ended(0).stdout;
    clients.connect.delete_connector().connector_arn(arn.trim()).send().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(bench.planned(), [format!("create connector/{USER}-connector"), format!("create object/{USER}-plugin")]);
    repaired(&bench);
}

#[tokio::test]
async fn an_integration_that_points_elsewhere_and_is_deployed() {
    let (bench, clients) = applied().await;
    let api = bench.run(["outputs", "dev.yaml", "api_id"]).ended(0).stdout;
    let api = api.trim();
    let resources = clients.apigateway.get_resources().rest_api_id(api).send().await.unwrap();
    let proxy = resources.items().iter().find(|resource| resource.path() == Some("/{proxy+}")).unwrap();
    let elsewhere = PatchOperation::builder().op(Op::Replace).path("/uri").value("http://127.0.0.1:9999/{proxy}");
    let call = clients.apigateway.update_integration().rest_api_id(api).resource_id(proxy.id().unwrap());
    call.http_method("ANY").patch_operations(elsewhere.build()).send().await.unwrap();
    let drift = fields(&bench);
    assert!(drift.iter().any(|field| field.contains("uri")), "{drift:?}");
    clients.apigateway.create_deployment().rest_api_id(api).stage_name("dev").send().await.unwrap();
    let drift = fields(&bench);
    assert!(drift.iter().any(|field| field.contains("deployment")), "{drift:?}");
    repaired(&bench);
}

#[tokio::test]
async fn a_stage_that_is_gone() {
    let (bench, clients) = applied().await;
    let api = bench.run(["outputs", "dev.yaml", "api_id"]).ended(0).stdout;
    clients.apigateway.delete_stage().rest_api_id(api.trim()).stage_name("dev").send().await.unwrap();
    assert_eq!(bench.planned(), [format!("update rest_api/{USER}")]);
    repaired(&bench);
}
